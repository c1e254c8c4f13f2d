"""What several commands need: the configuration that the options mean, and lines about files that were written."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.config import Config

Options = argparse.Namespace


def config_of(options: Options) -> "Config":
    """The configuration that `--config` and `--set` mean."""
    from spectroshard.configuration import load_config

    return load_config(options.config, options.set)


def build_config_of(options: Options) -> "Config":
    """The same with the corpus and the earlier dataset that a build was given."""
    from spectroshard.configuration import with_sources

    return with_sources(config_of(options), options.music, options.previous)


def print_written(folder: str, *names: str) -> None:
    """Says which files of a folder were written."""
    print(f"wrote {', '.join(names)} in {folder}")


def joined(folder: str, name: str) -> str:
    """The URL of a file in a folder."""
    from pipelines.common import storage

    return storage.join(folder, name)
