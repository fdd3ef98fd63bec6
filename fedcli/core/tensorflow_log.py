"""The lines that TensorFlow's C++ code prints."""

from __future__ import annotations

import functools
import os
import sys

_LEVEL, _NOTHING = "TF_CPP_MIN_LOG_LEVEL", "3"


@functools.cache
def hide_log() -> bool:
    """Keep TensorFlow from printing what it says about processors, unless the user has set the variable for it.

    Returns:
        Whether it prints nothing: it reads the variable when it is loaded, which may have been before the first call.
    """
    is_loaded, before = "tensorflow" in sys.modules, os.environ.get(_LEVEL)
    os.environ.setdefault(_LEVEL, _NOTHING)
    return before == _NOTHING or (before is None and not is_loaded)
