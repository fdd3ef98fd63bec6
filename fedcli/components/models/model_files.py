"""Files of a built Keras model, in the formats of other programs, with texts inside."""

from __future__ import annotations

import shutil
import warnings
import zipfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from fedcli.core.errors import MissingLibraryError
from fedcli.core.types import KerasModel

Format = Literal["keras", "savedmodel", "tflite", "onnx"]


def write_model(model: KerasModel, target: Path, format: Format, texts: Mapping[str, str]) -> None:
    """Write a model and texts about it.

    Args:
        model: a built model.
        target: the file; for a SavedModel, a folder that does not exist.
        format: of the file.
        texts: by the names under which they are put into the file.
    """
    _WRITERS[format](model, target, texts)


def require_library(format: Format) -> None:
    """Refuse a format whose library is missing.

    Raises:
        MissingLibraryError: with the command that installs it.
    """
    missing = [name for name in ("tf2onnx", "onnx") if format == "onnx" and find_spec(name) is None]
    if missing:
        raise MissingLibraryError(
            f"a model is written as ONNX by {' and '.join(missing)}, not installed here.",
            hint="Install them with `pip install tf2onnx onnx` (the extra onnx of fedcli), or use another --format.",
        )


def _keras(model: KerasModel, target: Path, texts: Mapping[str, str]) -> None:
    model.save(target)
    _add_to_zip(target, texts)


def _saved_model(model: KerasModel, target: Path, texts: Mapping[str, str]) -> None:
    model.export(str(target), format="tf_saved_model", verbose=False)
    # The place for files of others; TensorFlow does not read them.
    extra = target / "assets.extra"
    extra.mkdir(exist_ok=True)
    for name, text in texts.items():
        (extra / name).write_text(text, encoding="utf-8")


def _tflite(model: KerasModel, target: Path, texts: Mapping[str, str]) -> None:
    import tensorflow as tf

    # From a SavedModel, which fixes what Keras leaves open.
    draft = target.with_name(f".{target.name}.savedmodel")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        model.export(str(draft), format="tf_saved_model", verbose=False)
        content = tf.lite.TFLiteConverter.from_saved_model(str(draft)).convert()
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    target.write_bytes(content)
    # A TensorFlow Lite file has its associated files in a zip archive after its end.
    _add_to_zip(target, texts)


def _onnx(model: KerasModel, target: Path, texts: Mapping[str, str]) -> None:
    import numpy as np
    import onnx

    # Keras writes no model that was never called, and one that was built from a config has not been.
    given = model.inputs[0]
    model(np.zeros((1, *given.shape[1:]), given.dtype))
    with warnings.catch_warnings():
        # tf2onnx is of the time before NumPy 2, and Keras asks NumPy whether it must mend that.
        warnings.simplefilter("ignore", FutureWarning)
        model.export(str(target), format="onnx", verbose=False)
    made = onnx.load(str(target))
    onnx.helper.set_model_props(made, dict(texts))
    onnx.save(made, str(target))


def _add_to_zip(target: Path, texts: Mapping[str, str]) -> None:
    with zipfile.ZipFile(target, "a") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)


_WRITERS: Mapping[Format, Callable[[KerasModel, Path, Mapping[str, str]], None]] = {
    "keras": _keras,
    "savedmodel": _saved_model,
    "tflite": _tflite,
    "onnx": _onnx,
}
