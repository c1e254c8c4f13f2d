from hypothesis import given
from hypothesis import strategies as st

from pipelines.audio.quality import SILENT
from pipelines.config import BuildConfig
from pipelines.dataset.ledger import File
from pipelines.split.shards import bytes_per_second, in_record_order, with_shards

CONFIG = BuildConfig.model_validate({"features": {"log_mel": {"n_mels": 64}, "chroma": {}}, "shards": {"size_mb": 1}})


def files_of(fold, durations_s):
    return [File(f"{fold}/{n}", "", "g", fold=fold, duration_s=d) for n, d in enumerate(durations_s)]


def test_bytes_are_those_of_the_features():
    assert bytes_per_second(CONFIG) == 22_050 / 512 * (64 + 12) * 2
    quantised = CONFIG.model_copy(update={"shards": CONFIG.shards.model_copy(update={"dtype": "uint8"})})
    assert bytes_per_second(quantised) == bytes_per_second(CONFIG) / 2


def test_each_fold_has_its_shards_in_the_order_of_the_records():
    files = files_of("fold-00", [60.0] * 5) + files_of("test", [60.0] * 2)  # 0.39 MB a file
    sharded = in_record_order(with_shards(files, CONFIG))
    assert [file.shard for file in sharded if file.fold == "fold-00"] == ["fold-00-00000-of-00002.tfrecord"] * 3 + [
        "fold-00-00001-of-00002.tfrecord"
    ] * 2
    assert {file.shard for file in sharded if file.fold == "test"} == {"test-00000-of-00001.tfrecord"}


def test_the_order_of_records_mixes_genres():
    files = [File(f"{genre}/{n}", "", genre) for genre in ("blues", "jazz") for n in range(50)]
    first = [file.genre for file in in_record_order(files)[:20]]
    assert 4 <= first.count("blues") <= 16


def test_rejected_songs_have_no_shard():
    rejected = File("a", "", "g").rejected(SILENT, "why")
    assert with_shards([rejected, *files_of("train", [1.0])], CONFIG)[0] == rejected


@given(st.lists(st.floats(1, 600), min_size=1, max_size=80))
def test_shards_keep_to_their_size_but_for_one_song(durations_s):
    config = CONFIG.model_copy(update={"shards": CONFIG.shards.model_copy(update={"size_mb": 4.0})})
    files = with_shards(files_of("train", durations_s), config)
    count = int(files[0].shard[-14:-9])
    sizes = {}
    for file in files:
        sizes[file.shard] = sizes.get(file.shard, 0) + file.duration_s * bytes_per_second(config)
    assert max(sizes.values()) <= 4e6 + max(durations_s) * bytes_per_second(config)
    assert count == -(-sum(sizes.values()) // 4e6)
