"""Completeness: every key of the configuration is described where it is defined."""

import pytest

from docs.generate import described
from model.config import Config
from pipelines import config


def sections(kind):
    """A section and all those that it holds."""
    yield kind
    for field in kind.model_fields.values():
        if section := config._section(field):
            yield from sections(section)


@pytest.mark.parametrize("kind", sorted(set(sections(Config)), key=lambda kind: kind.__name__))
def test_every_key_is_described(kind):
    names = {name for name, field in kind.model_fields.items() if not config._section(field)}
    assert names <= set(described(kind))
    assert kind.__doc__
