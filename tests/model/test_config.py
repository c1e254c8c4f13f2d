"""Completeness: a training's keys are read, and its augmentations are known as such."""

import ast
from pathlib import Path

import pytest

import model
from model.config import Training, augmentations
from model.data import augment
from model.networks.registry import NETWORKS
from pipelines.features.schema import Features

ROOM = Path(model.__file__).parent


def keys_read(path):
    """The keys that a module reads of a training; in the room of the configuration, of itself."""
    owner = "self" if path.parent.name == "config" else "training"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            value = node.value
            if (value.id if isinstance(value, ast.Name) else getattr(value, "attr", "")) == owner:
                yield node.attr


def test_every_key_is_read():
    read = {key for path in ROOM.rglob("*.py") for key in keys_read(path)}
    assert set(Training.model_fields) - read == set()


def test_every_augmentation_is_marked():
    assert set(augmentations()) == set(keys_read(Path(augment.__file__))) & set(Training.model_fields)
    plain = Training(**dict.fromkeys(augmentations(), 0)).decisive_values()
    assert Training().without_augmentation().decisive_values() == plain


def test_an_augmentation_changes_what_features_say_of_themselves():
    for mark in augmentations().values():
        assert not mark.changes or all(hasattr(Features.class_of(name), mark.changes) for name in Features.names())


def test_a_key_of_a_later_version_does_not_change_the_digest_of_a_training():
    class Later(Training):
        warmth: float = 0.0

    assert Later(seed=7).digest() == Training(seed=7).digest() != Training().digest()
    assert Later(seed=7, warmth=1.0).digest() != Training(seed=7).digest()


def test_what_is_said_of_cached_megabytes_decides_nothing():
    assert Training(cache_mb=1).digest() == Training().digest()
    assert Training(cache_mb=1).differences(Training().decisive_values()) == ""


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_take_features_that_there_are(name):
    network = NETWORKS[name]
    taken = (*network.features, *((network.pretrained.feature,) if network.pretrained else ()))
    assert set(taken) <= set(Features.names())
