"""Songs to spectrogram TFRecords, sharded by song, and a genre model trained on them.

The import is fast; what a function needs is loaded when it is first called.

Examples
--------
>>> import spectroshard
>>> ds = spectroshard.load("dataset")  # doctest: +SKIP
>>> for song in ds.split("test"):  # doctest: +SKIP
...     print(song.id, song.genre, song["log_mel"].shape)
>>> spectroshard.load_bundle("bundle").predict("song.mp3").genre  # doctest: +SKIP
'techno'

May use: pipelines, model.
"""

import importlib
from typing import TYPE_CHECKING, Any

from spectroshard.shadows import ROOT, refuse_shadows

refuse_shadows()

if TYPE_CHECKING:
    from pipelines.common.errors import BusyError, SpectroshardError, UsageError
    from spectroshard.api import audit, build, crossval, evaluate, load, load_bundle, train
    from spectroshard.bundle import Bundle
    from spectroshard.dataset import Dataset, Split
    from spectroshard.song import Song

    __version__: str

__all__ = [
    "Bundle",
    "BusyError",
    "Dataset",
    "Song",
    "SpectroshardError",
    "Split",
    "UsageError",
    "__version__",
    "audit",
    "build",
    "crossval",
    "evaluate",
    "load",
    "load_bundle",
    "train",
]

_HOME = {
    **dict.fromkeys(("audit", "build", "crossval", "evaluate", "load", "load_bundle", "train"), "spectroshard.api"),
    **dict.fromkeys(("Dataset", "Split"), "spectroshard.dataset"),
    **dict.fromkeys(("BusyError", "SpectroshardError", "UsageError"), "pipelines.common.errors"),
    "Bundle": "spectroshard.bundle",
    "Song": "spectroshard.song",
}
"""Where each name is defined."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """The version, as the installed package says it; in a checkout that is not installed, as `pyproject.toml` does."""
    import importlib.metadata
    import tomllib

    try:
        return importlib.metadata.version("spectroshard")
    except importlib.metadata.PackageNotFoundError:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        return str(project["project"]["version"])
