"""Recordings too long for memory: arrays in files, taken in chunks, give the bytes of arrays in memory."""

import tracemalloc

import numpy as np
import pytest

from pipelines.build.steps import make_record as module
from pipelines.build.steps.assemble import AssembleShard, Totals
from pipelines.build.steps.make_record import Recipe, make_record
from pipelines.build.steps.plan import RecordToWrite
from pipelines.common.arrays import spooled
from pipelines.config import BuildConfig
from pipelines.dataset import records, tfrecord
from pipelines.dataset.ledger import record_id
from pipelines.dataset.records import Record
from pipelines.features import blockwise
from pipelines.features.chroma import PeaksReader
from pipelines.features.schema import Features, StftDb
from pipelines.features.spectra import BlockStft
from tests.audio_files import write

RATE_HZ = 8_000
NAMES = [name for name in Features.names() if name != "stft_db"]


@pytest.fixture
def files(monkeypatch):
    """Lets nearly everything lie in files, and be taken in small chunks."""

    def use(held=1 << 16, stretch=1 << 15):
        monkeypatch.setattr(spooled, "_MAX_BYTES_IN_MEMORY", held)
        monkeypatch.setattr(spooled, "_CHUNK_BYTES", stretch)
        monkeypatch.setattr(blockwise, "_MAX_KEPT_FRAMES", held >> 10)

    return use


def config_of(dtype="float16", **features):
    values = {name: {"n_fft": 512, "hop_length": 256} for name in NAMES} | features
    sections = {"audio": {"sample_rate_hz": RATE_HZ, "max_duration_s": 3_600}, "shards": {"dtype": dtype}}
    return BuildConfig.model_validate({"corpus": {"input": "here"}, "features": values, **sections})


def song_of(folder, duration_s):
    """A song that changes all the time, of another rate than is wanted."""
    random = np.random.default_rng(0)
    time_s = np.arange(round(duration_s * 11_025)) / 11_025
    samples = np.sin(2_000 * time_s * (1 + 0.01 * np.sin(time_s))) * np.sin(3 * time_s) ** 2
    return str(write(folder / "song.wav", (samples + random.normal(0, 0.01, len(time_s))) / 2, 11_025))


@pytest.mark.parametrize(("dtype", "precision"), [("float16", "single"), ("uint8", "single"), ("uint8", "double")])
def test_in_files_and_in_chunks_gives_the_same_bytes(tmp_path, files, monkeypatch, dtype, precision):
    song, recipe, kinds = song_of(tmp_path, 40), Recipe.of(config_of(dtype, precision=precision)), []

    def compute_spooled(*arguments):
        arrays = compute(*arguments)
        kinds.append({type(values) for values in arrays.values()})
        return arrays

    compute = module.compute_spooled
    monkeypatch.setattr(module, "compute_spooled", compute_spooled)
    files(held=1 << 40, stretch=1 << 40)
    in_memory = make_record(song, "a", recipe, tmp_path / "in-memory")
    files()
    in_files = make_record(song, "a", recipe, tmp_path / "in-files")
    assert kinds[0] == {np.ndarray} and spooled.SpooledArray in kinds[1]
    assert in_files == in_memory and in_files.length
    assert (tmp_path / "in-files").read_bytes() == (tmp_path / "in-memory").read_bytes()


def test_the_message_of_arrays_in_files_is_that_of_the_same_arrays(files):
    files(held=1_000, stretch=1_000)
    values = np.random.default_rng(0).normal(size=(500, 7)).astype(np.float32)
    in_file = spooled.empty(values.shape, np.float32)
    in_file[:] = values
    for dtype in ("float16", "uint8"):
        arrays, in_files = (Record("a", "b", {"x": features}) for features in (values, in_file))
        length, pieces = records.serialise(in_files, dtype)
        pieces = list(pieces)
        assert b"".join(pieces) == b"".join(records.serialise(arrays, dtype)[1]) and length == sum(map(len, pieces))
        assert max(map(len, pieces)) <= 1_000


def test_memory_does_not_grow_with_a_song(tmp_path, files):
    files()
    recipe = Recipe.of(config_of())

    def peak_bytes(duration_s):
        song = song_of(tmp_path, duration_s)
        tracemalloc.start()
        made = make_record(song, "a", recipe, tmp_path / "record")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak, made.length

    peak_bytes(10)  # what is made once
    (less, smaller), (more, larger) = peak_bytes(20), peak_bytes(120)
    assert (more - less) / (larger - smaller) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("genre", ["blues", "jazz"])
def test_assembly_holds_one_record_once(tmp_path, genre):
    path = tmp_path / "records"

    def peak_bytes(frames):
        """Of two records, one after the other, in a shard; and the bytes of one."""
        values = np.broadcast_to(np.linspace(0, 1, 1_000, dtype=np.float32), (frames, 1_000))
        record = Record(record_id("5f0c", "blues"), "blues", {"log_mel": values})
        with path.open("wb") as file:
            length = tfrecord.write_record(file, *records.serialise(record, "uint8"))
        row, shard, sums = RecordToWrite("", "", genre, "5f0c", str(path), 0, length, ""), AssembleShard(), Totals()
        with (tmp_path / "shard").open("wb") as sink:
            tracemalloc.start()
            for _ in range(2):
                shard._append(sink, row, None, sums)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return peak, length

    peak_bytes(100)  # what is made once
    (less, smaller), (more, larger) = peak_bytes(4_000), peak_bytes(24_000)
    assert (more - less) / (larger - smaller) < 1.1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [1, 2, 3, 500, 501])
@pytest.mark.parametrize("high", [1e-3, 3.0, 1e30])
def test_median_of_peaks(files, dtype, count, high):
    files(held=100, stretch=100)
    peaks = PeaksReader(BlockStft(np.zeros(3 * RATE_HZ, np.float32), RATE_HZ, StftDb(), np.dtype(dtype)))
    heights = np.append(np.random.default_rng(count).uniform(0, 1, count // 2), np.full(count - count // 2, high))
    peaks._heights[:count] = heights.astype(dtype)
    peaks._count = count
    assert peaks._median_height() == np.median(heights.astype(dtype))
