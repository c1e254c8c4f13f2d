"""Whether somebody else's `model` or `pipelines` stands before this project's own on the module search path.

These two are common names, and Python imports the first that it finds: a `model.py` beside a user's script would
take the place of ours, and fail with an ImportError that explains nothing.
"""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds this project's packages."""

_PACKAGES = ("model", "pipelines")


def refuse_shadows() -> None:
    """Ends the import of `spectroshard` where another project's `model` or `pipelines` would be imported for ours.

    Raises
    ------
    ImportError
        Names the file that stands in the way. The command, which cannot catch what stops its own import, prints that
        and exits with code 2.
    """
    for package in _PACKAGES:
        place = _place_of(package)
        if place is None or place.resolve() == ROOT / package:
            continue
        message = (
            f"{place} stands in the way of the package `{package}` that spectroshard brings ({ROOT / package});"
            " rename it, or run from another folder"
        )
        if _is_command():
            print(f"spectroshard: {message}", file=sys.stderr)
            sys.exit(2)
        raise ImportError(message)


def _place_of(package: str) -> Path | None:
    """The folder or file that an import of a package takes, or None where there is none."""
    if package in sys.modules:
        module = sys.modules[package]
        places = [*getattr(module, "__path__", []), getattr(module, "__file__", None)]
    else:
        spec = importlib.util.find_spec(package)
        places = [*((spec.submodule_search_locations or []) if spec else []), spec.origin if spec else None]
    return next((Path(place) for place in places if place), None)


def _is_command() -> bool:
    """Whether this process is the command, as `spectroshard` or as `python -m spectroshard`."""
    if Path(sys.argv[0]).stem == "spectroshard":
        return True
    command = iter(sys.orig_argv)
    return "-m" in command and next(command, "") == "spectroshard"
