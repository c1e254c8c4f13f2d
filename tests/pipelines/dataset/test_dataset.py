import json
import shutil

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.config import FoldsConfig
from pipelines.dataset import records, tfrecord, versions
from pipelines.dataset.dataset import SONGS, Dataset
from pipelines.dataset.sums import Sums


def parsed(dataset, folds):
    for shard in dataset.shards_of(folds):
        with storage.local_copy(storage.join(dataset.url, shard.name)) as path, path.open("rb") as file:
            yield from (records.decode(content) for content in tfrecord.read_records(file))


@pytest.mark.parametrize("folds", [["fold-00"], ["fold-01", "fold-03"], ["fold-00", "fold-01", "fold-02", "fold-03"]])
def test_statistics_are_those_of_the_stored_records_of_these_folds(dataset, folds):
    songs = list(parsed(dataset, folds))
    for name, (mean, deviation) in dataset.statistics(folds).items():
        frames = np.concatenate([song.features[name] for song in songs]).astype(np.float64)
        np.testing.assert_allclose(mean, frames.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(deviation, frames.std(axis=0), rtol=1e-5)
        assert mean.shape == (dataset.features[name].bins,)


def test_sums_of_parts_are_the_sums_of_all():
    values = np.random.default_rng(0).normal(1000, 1, (300, 4)).astype(np.float32)
    total = Sums.total([Sums.of(values[:100]), Sums.of(values[100:])])
    assert total.frames == 300
    np.testing.assert_allclose(total.mean_and_deviation(), (values.mean(axis=0), values.std(axis=0)), rtol=1e-3)
    constant = Sums.of(np.full((7, 1), 0.1, np.float32))
    assert constant.mean_and_deviation()[1] == pytest.approx(0, abs=1e-6)


def test_splits_are_the_dataset_s_own_or_as_asked(dataset):
    assert dataset.splits() == {"train": ("fold-02", "fold-03"), "validation": ("fold-01",), "test": ("fold-00",)}
    asked = dataset.splits(FoldsConfig(test=(3,), validation=(0, 1)))
    assert asked == {"train": ("fold-02",), "validation": ("fold-00", "fold-01"), "test": ("fold-03",)}
    with pytest.raises(UsageError, match=r"folds\.test names fold 9"):
        dataset.splits(FoldsConfig(test=(9,)))


def test_counts_agree_with_shards_and_ledger(dataset):
    every = list(dataset.folds)
    assert dataset.songs_of(every) == {"blues": 6, "jazz": 6, "metal": 6}
    assert dataset.songs == dataset.shown == len(dataset.ledger()) == len(list(parsed(dataset, every))) == 18
    for fold in every:
        assert sum(shard.songs for shard in dataset.shards_of([fold])) == sum(dataset.folds[fold].songs.values())


def test_what_is_saved_is_loaded(dataset):
    assert Dataset.load(dataset.url) == dataset
    assert "url" not in json.loads(storage.read_bytes(storage.join(dataset.url, "dataset.json")))


def test_the_digest_changes_with_any_record(dataset):
    shard = dataset.shards[0].model_copy(update={"sha256": "0" * 64})
    other = dataset.model_copy(update={"shards": (shard, *dataset.shards[1:])})
    assert other.digest != dataset.digest == Dataset.load(dataset.url).digest


def test_the_digest_stays_in_a_later_version_that_has_more_settings(dataset):
    class Later(Dataset):
        more: int = 1

    url = dataset.url
    assert Later.load(url).digest == dataset.digest
    assert Later.load(url).model_copy(update={"more": 2}).digest != dataset.digest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"no dataset there \(no dataset\.json\); spectroshard build makes one"),
        ({"format": 1}, r"dataset\.json: is not what this version reads \(format: "),
        ({"shards": "none"}, r"\(shards: "),
        ({"surprise": 1}, r"\(surprise: "),
        ("[]", r"\(the file: "),
    ],
)
def test_what_is_no_dataset_is_refused(tmp_path, dataset, content, message):
    if isinstance(content, dict):
        content = json.dumps(json.loads(dataset.model_dump_json()) | content)
    if content is not None:
        (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(UsageError, match=message) as refused:
        Dataset.load(str(tmp_path))
    assert str(tmp_path) in str(refused.value)


def harmed(content, bit):
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9999])
def test_a_table_with_a_flipped_bit_or_that_is_missing_is_named(dataset, tmp_path, share):
    shutil.copytree(dataset.url, tmp_path / "d")
    copied = Dataset.load(str(tmp_path / "d"))
    table = tmp_path / "d" / dataset.tables[SONGS][0].name
    content = table.read_bytes()
    table.write_bytes(harmed(content, int(8 * len(content) * share)))
    with pytest.raises(SpectroshardError, match=f"{table}: is damaged"):
        copied.ledger()
    table.unlink()
    with pytest.raises(SpectroshardError, match=f"{table}: is missing"):
        copied.ledger()


@hypothesis.given(st.floats(0, 1, exclude_max=True))
def test_a_dataset_json_with_a_flipped_bit_is_refused(dataset, share):
    content = dataset.content()
    with pytest.raises(SpectroshardError, match=r"d/dataset\.json: is "):
        Dataset.parsed(harmed(content, int(8 * len(content) * share)), "d/dataset.json")


def test_a_version_is_named_unless_a_folder_is_called_so(dataset, tmp_path):
    shutil.copytree(dataset.url, tmp_path / "music@2024")
    assert versions.load(f"{dataset.url}@1") == versions.load(dataset.url) == dataset
    assert versions.load(str(tmp_path / "music@2024")).url == str(tmp_path / "music@2024")
    assert versions.load(f"{tmp_path}/music@2024@1").digest == dataset.digest
    with pytest.raises(UsageError, match="no version 2; there are 1"):
        versions.load(f"{dataset.url}@2")
