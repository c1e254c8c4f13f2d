"""Completeness: every key of the configuration is described where it is defined."""

import inspect
import re
from typing import Literal, get_args, get_origin

import pytest

from docs.generate import described
from model.config import Config
from pipelines.common.section import section_of


def sections(kind):
    """A section and all those that it holds."""
    yield kind
    for field in kind.model_fields.values():
        if section := section_of(field):
            yield from sections(section)


@pytest.mark.parametrize("kind", sorted(set(sections(Config)), key=lambda kind: kind.__name__))
def test_every_key_is_described(kind):
    names = {name for name, field in kind.model_fields.items() if not section_of(field)}
    assert names <= set(described(kind))
    assert kind.__doc__


@pytest.mark.parametrize("kind", sorted(set(sections(Config)), key=lambda kind: kind.__name__))
def test_described_values_are_those_that_are_allowed(kind):
    allowed = {
        name: get_args(f.annotation) for name, f in kind.model_fields.items() if get_origin(f.annotation) is Literal
    }
    for name, values in allowed.items():
        wanted = " or ".join(", ".join(map(repr, values)).rsplit(", ", 1))
        assert re.search(rf"^(\w+, )*{name}(, \w+)* : {wanted}$", inspect.cleandoc(kind.__doc__), re.MULTILINE), wanted
