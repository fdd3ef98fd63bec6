"""What every test needs: TensorFlow, where it is loaded at all, set as `fedcli run` sets it."""

import os
import sys
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# Read when TensorFlow is loaded, so it stands before any test module.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# So is this, for the programs that are kept: they are not those of the person who tests.
_CACHE = tempfile.TemporaryDirectory(prefix="fedcli-tests-")
os.environ["XDG_CACHE_HOME"] = _CACHE.name
# The examples of a law are the same in every run, and take what a slow machine needs, so that no run fails by luck.
# `pytest --hypothesis-profile=others` draws others, to look for faults.
settings.register_profile("others", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("others"), derandomize=True)
settings.load_profile("same")


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory):
    """The key of the runs of a test is not that of the person who tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("settings")))
        yield


def pytest_collection_finish(session):
    # Thread counts can be set before the first operation only; test modules that import TensorFlow may use it
    # before any executor does.
    if "tensorflow" in sys.modules:
        from fedcli.components.executors.threads import ThreadsExecutor

        ThreadsExecutor(2).close()


@pytest.fixture
def config_file(tmp_path):
    """The file of a small experiment, for tests that train nothing."""
    from kept_runs import CONFIG

    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="session")
def executors():
    """Real thread executors by their number of workers, shared by the session."""
    from fedcli.components.executors.threads import ThreadsExecutor

    made = {workers: ThreadsExecutor(workers) for workers in (1, 2, 3)}
    yield made
    for executor in made.values():
        executor.close()


@pytest.fixture(scope="session")
def audited_run(tmp_path_factory):
    """A finished run directory with proofs, for all tests that look at one; those that change it copy it."""
    from audited import make_audited

    return make_audited(tmp_path_factory.mktemp("audited") / "run")


@pytest.fixture(scope="session")
def old_audited_run(tmp_path_factory):
    """The same under protocol 1, as an earlier version wrote it; those that change it copy it."""
    from audited import make_audited

    return make_audited(tmp_path_factory.mktemp("old") / "run", protocol=1)


@pytest.fixture(scope="session")
def browser():
    """One headless browser for all tests of pages; they are skipped where there is none."""
    from browser import Browser

    made = Browser()
    yield made
    made.close()
