"""Songs to spectrogram TFRecords, sharded by song, and a genre model trained on them.

May use: pipelines, model.
"""

from spectroshard.shadows import ROOT, refuse_shadows

refuse_shadows()


def __getattr__(name: str) -> object:
    if name == "__version__":
        return _version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _version() -> str:
    """The version, as the installed package says it; in a checkout that is not installed, as `pyproject.toml` does."""
    import importlib.metadata
    import tomllib

    try:
        return importlib.metadata.version("spectroshard")
    except importlib.metadata.PackageNotFoundError:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        return str(project["project"]["version"])
