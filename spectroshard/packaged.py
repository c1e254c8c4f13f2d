"""The YAML files that come with the program, which a user may name without a path."""

from collections.abc import Mapping
from pathlib import Path

from spectroshard.shadows import ROOT


def yaml_files(folder: str) -> dict[str, Path]:
    """The files of a folder of the project, by name.

    They are found beside the package and not imported as `configs`, which a user's folder may be called too.
    """
    return {path.stem: path for path in sorted((ROOT / folder).glob("*.yaml"))}


def file_of(name: str, packaged: Mapping[str, Path]) -> str | None:
    """The file that a name means: a packaged one, else that path; None where it is neither.

    >>> file_of("demo", {"demo": Path("/configs/demo.yaml")}), file_of("./demo", {}), file_of("dmeo", {})
    ('/configs/demo.yaml', './demo', None)
    """
    if name in packaged:
        return str(packaged[name])
    return name if "/" in name or Path(name).suffix or Path(name).exists() else None
