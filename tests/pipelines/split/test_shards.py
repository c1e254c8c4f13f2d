import random
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipelines.audio.quality import SILENT
from pipelines.config import BuildConfig
from pipelines.dataset.ledger import File, record_id, written
from pipelines.split.shards import allot, bytes_per_second, in_record_order

CONFIG = BuildConfig.model_validate({"features": {"log_mel": {"n_mels": 64}, "chroma": {}}, "shards": {"size_mb": 1}})


def files_of(fold, durations_s):
    paths = [f"{fold}/{n}" for n in range(len(durations_s))]
    rows = zip(paths, durations_s, strict=True)
    return [File(path, "", "g", fold=fold, record=record_id(path, "g"), duration_s=d) for path, d in rows]


def with_shards(files, config):
    return allot(files, [], {}, config)


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
    files = [File("", "", genre, record=record_id(f"{n}", genre)) for genre in ("blues", "jazz") for n in range(50)]
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


def published(files, version):
    """Rows as a dataset has them once their shards are written, and the bytes of these."""
    ends = Counter()
    rows = []
    for file in in_record_order(files):
        name = file.shard if file.length else f"shards/{version}/{file.shard}"
        length = file.length or round(file.duration_s * bytes_per_second(CONFIG))
        offset = file.offset if file.length else ends[name]
        ends[name] += length
        rows.append(replace(file, shard=name, offset=offset, length=length))
    return rows, ends


def test_a_shard_stays_while_all_of_its_records_do():
    rows, sizes = published(
        with_shards([*files_of("fold-00", [60.0] * 9), *files_of("fold-01", [60.0] * 9)], CONFIG), 1
    )
    again = [replace(row, shard="", offset=0, length=0) for row in rows]
    assert allot(again, rows, sizes, CONFIG) == rows
    gone, moved = again[0], next(row for row in again if row.fold == "fold-01" and row is not again[0])
    changed = [replace(row, fold="fold-00") if row is moved else row for row in again if row is not gone]
    broken = {row.shard for row in rows if row.record in (gone.record, moved.record)}
    for row in allot(changed, rows, sizes, CONFIG):
        old = next(other for other in rows if other.record == row.record)
        if old.shard in broken:
            assert (row.offset, row.length) == (0, 0) and row.shard.startswith(f"{row.fold}-0000")
        else:
            assert row == old


def test_small_shards_are_merged_with_what_is_new_and_only_in_its_fold():
    rows, sizes = published(with_shards([*files_of("fold-00", [60.0]), *files_of("fold-01", [60.0])], CONFIG), 1)
    again = [replace(row, shard="", offset=0, length=0) for row in rows]
    new = File("new", "", "g", fold="fold-00", record="0", duration_s=60.0)
    shard_of = {row.path: row.shard for row in allot([*again, new], rows, sizes, CONFIG)}
    assert shard_of["new"] == shard_of["fold-00/0"] == "fold-00-00000-of-00001.tfrecord"
    assert shard_of["fold-01/0"] == "shards/1/fold-01-00000-of-00001.tfrecord"


def test_a_year_of_weekly_versions_leaves_few_shards_and_copies_little():
    rng, rows, sizes = random.Random(1), [], Counter()
    most = CONFIG.shards.size_mb * 1e6
    for week in range(52):
        arriving = [replace(file, fold="test") for file in files_of(f"week {week}", [30.0] * rng.randrange(4))]
        leaving = set(rng.sample([row.record for row in rows], len(rows) // 100))
        staying = [replace(row, shard="", offset=0, length=0) for row in rows if row.record not in leaving]
        planned = allot([*staying, *arriving], rows, sizes, CONFIG)
        new = [file for file in planned if not file.length]
        broken = {row.shard for row in rows if row.record in leaving}
        small = [name for name, size in sizes.items() if size < most / 2]
        rows, sizes = published(planned, week)
        copied = sum(row.length for row in rows if row.record in {file.record for file in new})
        if new:
            assert len(sizes) <= 1 + 2 * sizes.total() / most
            record = round(30.0 * bytes_per_second(CONFIG))
            assert copied <= len(arriving) * record + len(broken) * (most + record) + len(small) * most / 2
            assert len(small) <= 2
    assert len(written(rows)) > 50 and len(sizes) > 5
