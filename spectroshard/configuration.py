"""Which configuration is meant: a file, one that comes with the program, a mapping, an object, or none at all."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from model.config import Config
from pipelines.common.errors import UsageError
from pipelines.common.suggestion import suggestion
from pipelines.config import BuildConfig, FoldsConfig, check, load
from spectroshard.packaged import file_of, yaml_files

ConfigLike: TypeAlias = str | os.PathLike[str] | Mapping[str, Any] | BuildConfig


def packaged() -> dict[str, Path]:
    """The configurations that come with the program, by name."""
    return yaml_files("configs")


def load_config(config: ConfigLike | None = None, overrides: Sequence[str] = ()) -> Config:
    """The configuration that an argument means.

    Parameters
    ----------
    config : str, path, mapping or BuildConfig, optional
        A YAML file by path or fsspec URL, the name of a packaged one (see `packaged`; `./gtzan` is a file of that
        name), the sections as a mapping, or the configuration itself. Default: every key has its default.
    overrides : sequence of str
        `key.path=value` each, the value in YAML.

    Raises
    ------
    UsageError
        There is no such configuration, a key is unknown, or a value is not allowed.

    Examples
    --------
    >>> load_config({"folds": {"count": 5}}, ["training.epochs=3"]).training.epochs
    3
    """
    if isinstance(config, Config) and not overrides:
        return config
    if isinstance(config, BuildConfig):
        return load(config.model_dump(mode="json", exclude_unset=True), overrides, Config)
    if config is None or isinstance(config, Mapping):
        return load(config or {}, overrides, Config)
    return load(_file_of(os.fspath(config)), overrides, Config)


def with_sources(config: Config, music: str, previous: str) -> Config:
    """A configuration with another corpus and another earlier dataset, where they are not empty."""
    corpus = config.corpus.model_copy(update={"input": music} if music else {})
    section = config.build.model_copy(update={"previous": previous} if previous else {})
    return config.model_copy(update={"corpus": corpus, "build": section})


def for_dataset(config: Config, built_with: BuildConfig) -> Config:
    """A configuration to train on a dataset: the dataset's own, but for what this one says of the training.

    Parameters
    ----------
    config : Config
        Its `training` is taken, and `folds.test` and `folds.validation` where it says them.
    built_with : BuildConfig
        What the dataset remembers.
    """
    said = {key: getattr(config.folds, key) for key in ("test", "validation") if key in config.folds.model_fields_set}
    folds = check(built_with.folds.model_dump() | said, FoldsConfig, "folds")
    sections = {name: getattr(built_with, name) for name in BuildConfig.model_fields}
    return Config(**sections | {"folds": folds, "training": config.training})


def _file_of(name: str) -> str:
    configs = packaged()
    if name not in configs and Path(name).expanduser().is_dir():
        raise UsageError(f"{name}: is a folder, expected a configuration; in Python give the music as music=")
    if path := file_of(name, configs):
        return path
    raise UsageError(f"{name}: no file, and no configuration is called so; {suggestion(name, configs)}")
