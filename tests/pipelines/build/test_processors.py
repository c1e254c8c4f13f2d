"""The same bytes on every processor: its vector instructions must round nothing otherwise."""

import os
import subprocess
import sys

import pytest

from pipelines.config import BuildConfig
from tests.pipelines.conftest import config_of, published

_BUILD = """
import sys
from pipelines.build.build import build
from tests.pipelines.conftest import in_process
from tests.pipelines.build.test_processors import config
build(config(sys.argv[1]), sys.argv[2], in_process())
"""
_PROCESSORS = [{"OPENBLAS_CORETYPE": core} for core in ("Haswell", "Nehalem", "SkylakeX")]
_PROCESSORS += [{"NUMBA_CPU_NAME": name} for name in ("generic", "haswell")]


def config(songs):
    """All features at their own rate, so that BLAS, compiled loops and FFTs all take part."""
    names = ("stft_db", "log_mel", "harmonic_mel", "percussive_mel", "mfcc", "chroma", "onset_strength", "tempogram")
    sections = config_of(songs).model_dump() | {"audio": {}, "features": {name: {} for name in names}}
    return BuildConfig.model_validate(sections)


@pytest.mark.slow
def test_shards_and_tables_are_equal_on_every_kind_of_processor(songs_folder, tmp_path):
    datasets = []
    for number, processor in enumerate([{}, *_PROCESSORS]):
        output = tmp_path / f"{number}"
        # Compiled code that is kept would be that of the first.
        kept = {"NUMBA_CACHE_DIR": str(tmp_path / f"compiled-{number}")} if "NUMBA_CPU_NAME" in processor else {}
        command = [sys.executable, "-c", _BUILD, str(songs_folder), str(output)]
        subprocess.run(command, env=os.environ | processor | kept, check=True)
        datasets.append(published(output))
    for dataset in datasets[1:]:
        assert dataset == datasets[0]
