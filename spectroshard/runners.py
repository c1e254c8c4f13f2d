"""Runner files: where pipelines run, as Beam's options in YAML, which `--runner` takes by name."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.common.errors import UsageError
from pipelines.common.suggestion import suggestion
from spectroshard.packaged import file_of, yaml_files


def packaged() -> dict[str, Path]:
    """The runner files that come with the program, by name."""
    return yaml_files("configs/runners")


def beam_flags(name: str) -> list[str]:
    """Beam's options as a runner file has them.

    Parameters
    ----------
    name : str
        One of `packaged`, or a YAML file by path or fsspec URL: a mapping of options without their hyphens.
        `true` gives the option alone; `null` and `false` leave it out; a list repeats it; a mapping becomes JSON.

    Raises
    ------
    UsageError
        There is no such file, it is no mapping, or it names no runner.

    Examples
    --------
    >>> beam_flags("local")[0]
    '--runner=FnApiRunner'
    """
    from pipelines.config import read_yaml  # which the command line need not wait for

    path = _file_of(name)
    options = read_yaml(path)
    if not isinstance(options.get("runner"), str):
        raise UsageError(f"{path}: names no runner; expected options of Beam, such as runner: FlinkRunner")
    return [flag for key, value in options.items() for flag in _flags(key, value)]


def _file_of(name: str) -> str:
    if path := file_of(name, packaged()):
        return path
    hint = suggestion(name, packaged())
    raise UsageError(f"--runner {name}: no file, and no runner is called so; {hint}; Beam's own --runner goes after --")


def _flags(key: str, value: Any) -> Iterator[str]:
    if value is True:
        yield f"--{key}"
    elif isinstance(value, list):
        for each in value:
            yield from _flags(key, each)
    elif isinstance(value, dict):
        yield f"--{key}={json.dumps(value)}"
    elif value is not None and value is not False:
        yield f"--{key}={value}"
