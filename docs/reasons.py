"""Finds the reasons by which files are rejected, wherever they are declared."""

import importlib
import pkgutil

import model
import pipelines
from pipelines.common.reasons import Reason


def declared_reasons() -> list[tuple[str, Reason]]:
    """Every reason that a module of the project declares, with the constant's name."""
    found: dict[tuple[str, int], Reason] = {}
    for package in (pipelines, model):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            names = vars(importlib.import_module(info.name))
            found |= {(name, id(value)): value for name, value in names.items() if isinstance(value, Reason)}
    return [(constant, reason) for (constant, _), reason in found.items()]
