"""Garbage while a library is imported."""

import gc

import pytest

from fedcli.core.large_import import large_import


def import_absent():
    assert not gc.isenabled()
    raise ImportError


def test_garbage_is_looked_for_again_after_an_import_that_failed():
    assert gc.isenabled()
    with pytest.raises(ImportError), large_import():
        import_absent()
    assert gc.isenabled()


def test_a_process_without_a_search_for_garbage_keeps_it_so():
    gc.disable()
    try:
        with large_import():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
