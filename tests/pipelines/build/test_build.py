"""The build, on a small corpus: the same bytes whatever runs it, and nothing lost or leaked whatever happens."""

import errno
import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest

from pipelines.audio import decode, mono, quality
from pipelines.build import begin
from pipelines.build.build import add_graph, build
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.copies import fingerprint
from pipelines.dataset import records, tfrecord
from pipelines.features import blockwise
from tests.audio_files import tone, write, write_bad_corpus, write_songs
from tests.pipelines.conftest import Pipelines, config_of, content_of, in_process, no_pipeline, published, records_of

pytestmark = pytest.mark.usefixtures("in_this_process")


def ledger_of(built):
    return {song.path: song for song in built.dataset.ledger()}


def shards_of(folder):
    return {name: content for name, content in content_of(Path(folder)).items() if name.endswith(".tfrecord")}


def test_every_song_is_in_one_record_of_the_shard_that_the_ledger_says(built):
    ledger, genres = {song.record: song for song in built.dataset.ledger()}, Counter()
    for shard in built.dataset.shards:
        path = Path(built.dataset.url) / shard.name
        assert (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()) == (shard.bytes, shard.sha256)
        with path.open("rb") as file:
            for record in map(records.decode, tfrecord.read_records(file)):
                song = ledger.pop(record.id)
                assert (song.shard, song.fold, song.genre) == (shard.name, shard.fold, record.genre)
                assert {name: values.shape for name, values in record.features.items()} == {
                    "log_mel": (47, 16), "spectral_centroid": (24, 1),
                }  # fmt: skip
                genres[record.genre] += 1
    assert not ledger
    assert genres == {"blues": 6, "jazz": 6, "metal": 6}


def test_every_record_lies_where_the_ledger_says(built):
    for id, content in records_of(built.dataset).items():
        assert records.decode(content).id == id


def test_nothing_else_is_left(built):
    dataset = built.dataset
    names = {shard.name for shard in dataset.shards} | {part.name for some in dataset.tables.values() for part in some}
    names |= {"dataset.json", "versions/000001/dataset.json", "train.txt", "validation.txt", "test.txt"}
    assert set(published(dataset.url)) == names
    (left,) = (Path(dataset.url) / "runs").rglob("*.*")
    assert json.loads(left.read_bytes())["status"] == "published"
    assert (built.is_new, built.songs_read) == (True, 18)


def test_the_lists_at_the_top_name_the_shards_of_each_split(built):
    folder = Path(built.dataset.url)
    assert (folder / "dataset.json").read_bytes() == (folder / "versions/000001/dataset.json").read_bytes()
    listed = {split: (folder / f"{split}.txt").read_text().splitlines() for split in ("train", "validation", "test")}
    assert sorted(name for names in listed.values() for name in names) == [shard.name for shard in built.dataset.shards]
    for split, folds in built.dataset.splits().items():
        assert listed[split] == [shard.name for shard in built.dataset.shards_of(folds)]


def test_no_song_and_no_group_is_in_two_folds(tmp_path):
    write_songs(tmp_path / "songs")
    rows = [
        f"{genre}/{genre}.{n:05d}.wav,{genre},{genre} song {n // 2}"
        for genre in ("blues", "jazz", "metal")
        for n in range(6)
    ]
    (tmp_path / "m.csv").write_text("\n".join(["path,genre,song", *rows]))
    config = config_of(tmp_path / "m.csv", corpus={"root": str(tmp_path / "songs")}, folds={"count": 3})
    dataset = build(config, str(tmp_path / "out"), in_process()).dataset
    group_of = {song.record: song.group for song in dataset.ledger()}
    folds = {}
    for name in shards_of(tmp_path / "out"):
        with (tmp_path / "out" / name).open("rb") as file:
            for record in map(records.decode, tfrecord.read_records(file)):
                folds.setdefault(group_of[record.id], []).append(PurePosixPath(name).name[:7])
    assert len(folds) == 9
    assert all(len(names) == 2 and len(set(names)) == 1 for names in folds.values())


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--direct_running_mode=multi_threading", "--direct_num_workers=3"],
        ["--direct_running_mode=multi_processing", "--direct_num_workers=2"],
    ],
    ids=["in_memory", "multi_threading", "multi_processing"],
)
def test_the_same_bytes_whatever_runs_it(built, songs_folder, tmp_path, options):
    build(config_of(songs_folder), str(tmp_path / "b"), in_process(*options))
    assert published(tmp_path / "b") == published(built.dataset.url)


def test_the_same_bytes_whatever_the_order_of_files(built, songs_folder, tmp_path, monkeypatch):
    found = storage.find
    monkeypatch.setattr(storage, "find", lambda folder, **keys: dict(reversed(found(folder, **keys).items())))
    build(config_of(songs_folder), str(tmp_path / "b"), in_process())
    assert published(tmp_path / "b") == published(built.dataset.url)


@pytest.mark.parametrize("form", ["copy", "memory", "zip", "tar.gz"])
def test_the_same_shards_wherever_the_songs_lie(built, songs_folder, tmp_path, form):
    source = str(tmp_path / "songs")
    if form == "copy":
        shutil.copytree(songs_folder, source)
    elif form == "memory":
        source = f"memory://{tmp_path.name}"
        for name, content in content_of(songs_folder).items():
            storage.write_bytes(storage.join(source, name), content)
    else:
        source = shutil.make_archive(source, "zip" if form == "zip" else "gztar", songs_folder)
    build(config_of(source), str(tmp_path / "out"), in_process())
    assert shards_of(tmp_path / "out") == shards_of(built.dataset.url)


def test_an_output_anywhere(built, songs_folder, tmp_path):
    output = f"memory://{tmp_path.name}/out/"
    dataset = build(config_of(songs_folder), output, in_process()).dataset
    wanted = published(built.dataset.url)
    assert {name for name in storage.sizes(output) if not name.startswith("runs/")} == set(wanted)
    for name, content in wanted.items():
        assert storage.read_bytes(storage.join(output, name)) == content
    assert dataset == built.dataset.model_copy(update={"url": dataset.url})


def test_the_same_build_again_changes_nothing(built, songs_folder, tmp_path):
    def state():
        return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(tmp_path.rglob("*")) if p.is_file()}

    shutil.copytree(built.dataset.url, tmp_path / "b")
    before = state()
    # How many rejects are allowed changes no version.
    again = build(config_of(songs_folder, build={"max_reject_share": 1.0}), str(tmp_path / "b"), no_pipeline)
    assert (again.is_new, again.songs_read) == (False, 0)
    assert again.dataset == built.dataset.model_copy(update={"url": again.dataset.url})
    assert state() == before


@pytest.mark.parametrize(
    ("sections", "change"),
    [
        ({"features": {"chroma": {}}}, r"features\.chroma"),
        ({"audio": {"max_duration_s": 1}}, r"audio\.max_duration_s was .*, is 1"),
        ({"shards": {"dtype": "uint8"}}, r"shards\.dtype was float16, is uint8"),
    ],
)
def test_a_configuration_of_other_records_is_refused_by_its_keys(built, songs_folder, sections, change):
    before = content_of(Path(built.dataset.url))
    message = rf"is a dataset of another configuration \(.*{change}.*\); give a new --output"
    with pytest.raises(UsageError, match=message):
        build(config_of(songs_folder, **sections), built.dataset.url, no_pipeline)
    assert content_of(Path(built.dataset.url)) == before


@pytest.mark.parametrize(
    "name", ["thesis.doc", "dataset.json", "songs.parquet", "old/dataset.json", "runs/events", "tables/1.csv"]
)
def test_what_no_build_wrote_is_left_alone(songs_folder, tmp_path, name):
    storage.write_bytes(str(tmp_path / name), b"precious")
    with pytest.raises(UsageError, match=r"holds files that no build wrote \(.*\); give a folder of its own"):
        build(config_of(songs_folder), str(tmp_path), in_process())
    assert content_of(tmp_path) == {name: b"precious"}


@pytest.mark.parametrize("name", [f".lease.json.{'0' * 32}", f"lease.json.{'0' * 32}"])
def test_what_the_first_moments_of_a_build_leave_is_its_own(songs_folder, tmp_path, name):
    storage.write_bytes(str(tmp_path / "runs" / name), b"")
    begin.check(config_of(songs_folder), str(tmp_path))


def test_an_output_that_is_a_file_is_refused(songs_folder, tmp_path):
    (tmp_path / "out").write_bytes(b"precious")
    with pytest.raises(UsageError, match=r"is a file\); give a folder of its own"):
        build(config_of(songs_folder), str(tmp_path / "out"), in_process())
    assert (tmp_path / "out").read_bytes() == b"precious"


def test_a_song_whose_name_is_no_utf8_is_a_song(tmp_path):
    write_songs(tmp_path / "songs")
    song = next((tmp_path / "songs").rglob("*.wav"))
    song.rename(song.with_name("caf\udce9.wav"))
    dataset = build(config_of(tmp_path / "songs"), str(tmp_path / "out"), in_process()).dataset
    assert f"{song.parent.name}/caf\\xe9.wav" in {file.path for file in dataset.ledger() if file.status == "written"}


def test_every_bad_input_has_its_reason_and_harms_nothing_else(tmp_path):
    manifest, expected = write_bad_corpus(tmp_path / "songs")
    pipelines = Pipelines()
    config = config_of(manifest, build={"max_reject_share": 0.9}, folds={"lone_genres": "drop"})
    built = build(config, str(tmp_path / "out"), pipelines)
    ledger = built.dataset.ledger()
    assert sorted((song.path, song.reason) for song in ledger) == sorted(expected)
    rejects = Counter(song.reason for song in ledger if song.status == "rejected")
    assert built.dataset.shown == len(ledger) == built.dataset.songs + rejects.total()
    assert built.dataset.rejected == rejects
    assert {song.path for song in ledger if song.status == "written"} == {
        song_id for song_id, reason in expected if not reason or song_id == "cut.wav"
    }
    assert all(song.error for song in ledger if song.status == "rejected")
    counted = {name: count for name, count in pipelines.counters().items() if name.startswith("rejected_")}
    of_the_listing = {"outside_root", "no_genre", "repeated", "contradicted"}
    elsewhere = {"lone_genre", "crosses_folds", *of_the_listing}
    assert counted == {f"rejected_{reason}": count for reason, count in rejects.items() if reason not in elsewhere}
    assert pipelines.counters()["songs"] == built.songs_read == sum(r not in of_the_listing for _, r in expected)
    assert pipelines.counters()["written_songs"] == built.dataset.songs


@pytest.mark.parametrize(
    ("module", "name"), [(mono, "to_mono"), (quality, "check"), (fingerprint, "of_samples"), (blockwise, "_to_db")]
)
def test_a_programming_error_stops_the_build(songs_folder, tmp_path, monkeypatch, module, name):
    def slip(*_):
        raise KeyError("slip")

    monkeypatch.setattr(module, name, slip)
    with pytest.raises(KeyError, match="slip"):
        build(config_of(songs_folder), str(tmp_path / "out"), in_process())
    assert "dataset.json" not in storage.names(str(tmp_path / "out"))


def test_too_many_rejects_publish_nothing_until_they_are_mended(tmp_path):
    write_songs(tmp_path / "songs")
    for name in ("a", "b"):
        (tmp_path / f"songs/blues/{name}.wav").write_bytes(b"")
    config, output = config_of(tmp_path / "songs"), str(tmp_path / "out")
    message = (
        r"2 of 20 files were rejected \(2 empty\), 10\.0% where build\.max_reject_share allows 5\.0%; blues/a\.wav: .*"
        r"; nothing is pub"
    )
    with pytest.raises(SpectroshardError, match=message):
        build(config, output, in_process())
    assert "dataset.json" not in storage.names(output)
    for name in ("a", "b"):
        write(tmp_path / f"songs/blues/{name}.wav", tone(1.5, 8_000, frequency_hz=100 * ord(name)), 8_000)
    again = build(config, output, in_process())
    assert (again.dataset.songs, again.songs_read) == (20, 2)
    build(config, str(tmp_path / "undisturbed"), in_process())
    assert published(tmp_path / "out") == published(tmp_path / "undisturbed")


def test_all_rejected_is_told(tmp_path):
    for genre in "ab":
        storage.write_bytes(str(tmp_path / f"songs/{genre}/a.wav"), b"")
    config = config_of(tmp_path / "songs", build={"max_reject_share": 1.0})
    with pytest.raises(
        SpectroshardError, match=r"all 2 files were rejected \(2 empty\); .*rejected\.parquet has every error"
    ):
        build(config, str(tmp_path / "out"), in_process())


def test_all_rejected_says_a_way_out(tmp_path):
    write_songs(tmp_path / "songs")
    with pytest.raises(
        SpectroshardError, match=r"6 no_genre\); give the folder that holds the genre folders; blues\.0"
    ):
        build(config_of(tmp_path / "songs/blues"), str(tmp_path / "out"), in_process())
    (tmp_path / "m.csv").write_text("path,genre\njazz.wav,jazz\nblues.wav,blues\n")
    with pytest.raises(SpectroshardError, match=r"2 unreadable\); set corpus\.root to .*; blues\.wav: "):
        build(config_of(tmp_path / "m.csv"), str(tmp_path / "out2"), in_process())


@pytest.mark.parametrize("output", [".", "blues/dataset"])
def test_an_output_in_the_musics_folder_is_refused(songs_folder, output, monkeypatch):
    monkeypatch.chdir(songs_folder)
    before = content_of(songs_folder)
    with pytest.raises(UsageError, match="is in the music's own folder"):
        build(config_of("."), output, in_process())
    assert content_of(songs_folder) == before


def test_a_full_disk_costs_no_file(songs_folder, tmp_path, monkeypatch):
    """A fault of the machine is never recorded as a fault of a file: nothing is published, and the rerun is whole."""
    config, output, load = config_of(songs_folder), str(tmp_path / "out"), decode.load_local

    def full_at_times(path, audio):
        if "jazz.00003" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device", "/tmp")
        return load(path, audio)

    monkeypatch.setattr(decode, "load_local", full_at_times)
    with pytest.raises(RuntimeError, match="No space left on device"):  # which is how Beam wraps it
        build(config, output, in_process())
    assert "dataset.json" not in storage.names(output)
    monkeypatch.undo()
    assert build(config, output, in_process()).dataset.rejected == {}


def test_the_graph_has_one_size_whatever_the_corpus(tmp_path):
    """What is submitted must not grow with the corpus: services refuse requests beyond some size."""

    def graph_bytes(files):
        rows = [f"{n:08d}.wav,{'blues' if n % 2 else 'jazz'}" for n in range(files)]
        (tmp_path / "m.csv").write_text("\n".join(["path,genre", *rows]))
        run = begin.begin(config_of(tmp_path / "m.csv"), str(tmp_path / f"{files:08d}"), None, False)
        assert run.request.songs_to_read == files
        pipeline = in_process()(files)
        add_graph(pipeline, run)
        return len(pipeline.to_runner_api().SerializeToString())

    assert abs(graph_bytes(10) - graph_bytes(10_000)) < 100  # the runs have other names
