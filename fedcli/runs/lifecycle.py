"""Start, resume and evaluate runs, from the command line or from Python."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes, token_hex
from typing import Literal, NamedTuple

from fedcli import config
from fedcli.components.callbacks.callback import RunContext
from fedcli.core.errors import ConfigError, RunError
from fedcli.core.rounds import RoundState
from fedcli.crypto.ed25519 import KEY_BYTES, KeyRing
from fedcli.engine import evaluation
from fedcli.engine.hooks import Hooks
from fedcli.engine.loop import run_experiment
from fedcli.engine.ports import Observer, Watch
from fedcli.engine.records import Row
from fedcli.engine.setup import Assembly, Setup
from fedcli.experiment.assemble import assemble, model_at, resumed_cohort, with_keys
from fedcli.experiment.make import located
from fedcli.experiment.plan import plan
from fedcli.experiment.protection.encryption import described
from fedcli.experiment.protection.privacy_document import statement_of
from fedcli.privacy import RunFacts
from fedcli.runs import model_interface
from fedcli.runs.agreement import agreed_digest, require_unchanged
from fedcli.runs.class_facts import class_facts
from fedcli.runs.closing import closing
from fedcli.runs.curves import curves, title_of
from fedcli.runs.data_key import read_data_key
from fedcli.runs.default_folder import default_folders, first_free
from fedcli.runs.environment import describe_environment, read_environment
from fedcli.runs.extension import extended_plan
from fedcli.runs.identities import identities_of, signer_of
from fedcli.runs.kept_checkpoints import planned_retention, retention_of
from fedcli.runs.other_environment import require_same
from fedcli.runs.other_executor import beyond_config, on_threads, require_executor, with_choice
from fedcli.runs.run_sources import read_source, sources_of, with_own_weights, without_callbacks
from fedcli.store import directory, secrets
from fedcli.store.files import guarded
from fedcli.store.files.disk import LOCAL, ExplainedDisk
from fedcli.store.going_back import WayBack, way_back
from fedcli.store.new_run import create_run
from fedcli.store.run_store import RunStore


class Result(NamedTuple):
    """The result of a run.

    Args:
        folder: its run directory.
        state: the state after the last round.
        records: one for each round, as in metrics.jsonl.
        ending: why the run ended, for the user.
        head: digest of the last checkpoint's manifest, the head of the chain of checkpoints.
    """

    folder: Path
    state: RoundState
    records: list[Row]
    ending: str
    head: str | None


class Progress(NamedTuple):
    """Callbacks for the progress of a run; by default they do nothing.

    Args:
        begin: `(run directory, setup, records so far)`, before the first round of this process.
        watch: `(clients done, clients planned)`, within a round.
        round_end: the record of a finished round.
        warn: a sentence for the user; by default a Python warning.
        loading: before TensorFlow is loaded; in a new run, after all that needs none of it was made and checked.
    """

    begin: Callable[[Path, Setup, list[Row]], None] = lambda _folder, _plan, _records: None
    watch: Watch = lambda _done, _planned: None
    round_end: Callable[[Row], None] = lambda _record: None
    warn: Callable[[str], None] = warnings.warn
    loading: Callable[[], None] = lambda: None


def start_run(
    source: config.Config, folder: Path | None = None, *, progress: Progress | None = None
) -> Result:
    """Run an experiment from its first round.

    Args:
        source: the experiment, with the places of its values for errors.
        folder: the run directory to create; by default `runs/<name>-<utc time>`.
        progress: called while it runs.

    Raises:
        ConfigErrors: before anything is written, if a value cannot be used.
        RunInterrupted: if `progress.watch` raises it; the run can be resumed.
    """
    experiment, progress = source.experiment, progress or Progress()
    if folder is not None:
        # First, so that nobody waits for data to load before hearing of it.
        directory.refuse_existing(folder)
    places = default_folders(experiment.name) if folder is None else [folder]
    with located(source):
        setup = plan(experiment)
        text = config.dump(setup.experiment)
        progress.loading()
        assembly, state = assemble(setup, config_digest=sha256(text.encode()).digest())
    with closing(assembly):
        # The name is random, so that a proof of another run of the same config does not hold in this one.
        assembly, secret = replace(assembly, run_id=token_hex(16)), token_bytes(KEY_BYTES)
        assembly, keys = with_keys(replace(assembly, identities=KeyRing(secret)))
        encryption, gives = setup.protocol.encryption, assembly.gives_probabilities
        interface = model_interface.encode(model_interface.interface_of(setup, gives_probabilities=gives))
        sources = sources_of(setup.experiment, text, assembly.run_id)
        # Only now that everything could be built: a wrong config leaves no run directory behind.
        create = partial(
            create_run,
            config=text,
            environment=describe_environment(assembly) | sources,
            model=interface,
            encryption=described(encryption, assembly.strategy) if encryption else None,
            data_key=_data_key(setup),
            keys=keys or None,
            identities=secret,
        )
        folder = first_free(places, create)
        return _go_on(folder, assembly, state, progress)


def resume_run(
    folder: Path,
    overrides: Sequence[config.Override] = (),
    *,
    extend: int = 0,
    from_round: int | None = None,
    allow_different_environment: bool = False,
    progress: Progress | None = None,
    objects: config.Objects = config.NO_OBJECTS,
) -> Result:
    """Resume a run from its last checkpoint; the result is the same to the bit as if it had never stopped.

    If that checkpoint is damaged, the run says so and goes on from the one before, unless rounds were charged since.

    Args:
        folder: the run directory.
        overrides: values of the executor that replace those of the config, for this process only.
        extend: rounds to add to those that the run plans.
        from_round: the round of an earlier checkpoint to go back to; those after it are moved to set-aside/.
        allow_different_environment: go on where the same rounds have other bits, such as under another TensorFlow.
        progress: called while it runs.
        objects: the components that the run was started with as Python objects.

    Raises:
        ConfigError: if `folder` is not a run directory, an object is missing, or the run cannot be extended.
        RunError: if it has no whole checkpoint to go on from, another config, environment or process.
    """
    # Before anything is changed: a link may lead to files that are not the run's.
    guarded.require_plain(folder)
    require_unchanged(folder)
    require_executor(folder, overrides)
    # Only decided: checkpoints are set aside after everything else that may refuse the run.
    back, progress = way_back(folder, from_round), progress or Progress()
    progress.loading()
    assembly, state = _rebuild(folder, objects, back and back.round, overrides=overrides, extend=extend)
    with closing(assembly):
        now = describe_environment(assembly)
        require_same(folder, now, is_allowed=allow_different_environment, warn=progress.warn)
        # Without stored keys the run makes new ones: only decrypted sums affect the model.
        own = replace(assembly, identities=identities_of(folder))
        assembly, _ = with_keys(own, secrets.read_keys(folder))
        before = [back.round] if back else directory.finished_rounds(folder)
        result = _go_on(folder, assembly, state, progress, back)
        if extend and before[-1:] == [result.state.round]:
            progress.warn(f"No round was added: {result.ending}.")
        return result


def evaluate_run(
    folder: Path,
    *,
    round: int | None = None,
    data: Literal["test", "clients"] = "test",
    average: bool = False,
    objects: config.Objects = config.NO_OBJECTS,
) -> Row:
    """Evaluate the model of a round on the test set or on every client's validation examples.

    The model is rebuilt from the run's config; no code in the run directory is executed.

    Args:
        folder: the run directory.
        round: the round; by default the last one.
        data: the examples: `test`, or `clients` for validation examples.
        average: whether to evaluate the moving average of the models up to the round instead.
        objects: the components that the run was started with as Python objects; callbacks are not needed.

    Raises:
        ConfigError: if `folder` is no run directory, an object is missing, or the round has no whole checkpoint.
        RunError: if the checkpoint of the round is damaged, or the run's config or environment was changed.
    """
    require_unchanged(folder)
    # Only updates were encrypted, not models; and early stopping may watch columns of the encryption.
    without: list[config.Override] = [("encryption", None), ("callbacks", []), ("early_stop", None)]
    assembly, _ = _rebuild(folder, without_callbacks(objects), overrides=[*without, *on_threads(folder)])
    with closing(assembly):
        # Without the run's lock: nothing is written, so that a run can be evaluated while it goes on.
        state = directory.read_state(folder, assembly.layout, round, planned_retention(folder))
        facts: Row = {"run": str(folder), "round": state.round, "data": data}
        if average:
            if not state.average:
                raise ConfigError(
                    f"the checkpoint of round {state.round} has no average of the model.",
                    hint="Leave out --average, or name a later round of a run with `average: {decay: 0.99}` in its "
                    "config.",
                )
            state, facts["model"] = evaluation.averaged(state), "average"
        if data == "test":
            return {
                **facts,
                "examples": len(assembly.world.federation.test[0]),
                **evaluation.evaluate_test(assembly, state),
                **evaluation.evaluate_attack(assembly, state),
                **class_facts(assembly, state),
            }
        rows = evaluation.evaluate_clients(assembly, state)
        if not rows:
            raise ConfigError(
                "no client of this run has validation examples.",
                hint="Use --data test, or a run with data.validation_fraction above 0.",
            )
        return {**facts, **evaluation.summarise(assembly, rows), "clients": rows}


def _rebuild(
    folder: Path,
    objects: config.Objects,
    from_round: int | None = None,
    *,
    overrides: Sequence[config.Override] = (),
    extend: int = 0,
) -> tuple[Assembly, RoundState]:
    source = read_source(folder, objects, overrides=overrides, goes_on=True)
    with located(source):
        key = read_data_key(folder).key
        experiment = with_own_weights(source.experiment, folder, from_round)
        setup = extended_plan(experiment, folder, extend, data_key=key, from_round=from_round)
        if _data_key(setup) != key:
            # The mean of two independent noises on the same data would have less noise than was charged.
            raise RunError(
                f"{folder} has no {secrets.FOLDER}/{secrets.DATA_KEY}, from which the noise on its clients' data was "
                "drawn.\nRestore the file; a new run draws other noise, and its epsilon is added to this one's."
            )
        assembly, state = assemble(setup, config_digest=agreed_digest(folder))
        return replace(with_choice(assembly, folder), run_id=directory.read_run(folder)), state


def _data_key(setup: Setup) -> bytes | None:
    return setup.world.data_noise.key if setup.world.data_noise else None


def _go_on(
    folder: Path, assembly: Assembly, initial: RoundState, progress: Progress, back: WayBack | None = None
) -> Result:
    statement = statement_of(assembly.setup, RunFacts.of(read_environment(folder)))
    place = folder.absolute()  # a callback may change the working folder
    run_store = RunStore(
        place,
        assembly.layout,
        every=assembly.setup.experiment.checkpoint.every,
        privacy=None if statement is None else lambda state: statement(state, run_store.records),
        retention=retention_of(assembly.setup.experiment, assembly.strategy.columns),
        beyond=beyond_config(folder, assembly.setup.experiment),
        sign=signer_of(assembly),
        disk=ExplainedDisk(LOCAL),
    )
    try:
        # A run that was killed before its first checkpoint starts from its config like a new one.
        finished = directory.finished_rounds(place)
        state = run_store.resume(progress.warn, back) if finished else run_store.begin(initial)
        state = replace(state, cohort=resumed_cohort(state.cohort, initial.cohort))
        progress.begin(folder, assembly.setup, run_store.records)
        about = RunContext(
            place,
            assembly.run_id,
            assembly.setup.experiment,
            model=partial(model_at, assembly),
            picture=partial(curves, title=title_of(assembly.setup.experiment)),
            warn=progress.warn,
        )
        observer, hooks = Observer(progress.watch, progress.round_end), Hooks(assembly.callbacks, about)
        state, ending = run_experiment(assembly, state, run_store, observer, hooks)
        run_store.require_here()
        return Result(folder if folder.exists() else place, state, run_store.records, ending, run_store.head)
    finally:
        run_store.close()
