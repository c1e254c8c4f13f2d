"""Versions: what a further build reads, writes and remembers, whatever has happened to the corpus since."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipelines.build.build import build
from pipelines.build.steps.make_record import RecordMaker
from pipelines.common.child import Child
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset import records, versions
from tests.audio_files import tone, write
from tests.pipelines.conftest import config_of, content_of, in_process, no_pipeline, published, records_of
from tests.pipelines.dataset_checks import check_version

pytestmark = pytest.mark.usefixtures("in_this_process")


@dataclass
class Corpus:
    """A copy of the songs, of which there is a first version already; what is decoded from then on is noted."""

    songs: Path
    output: str
    decoded: list[str] = field(default_factory=list)

    def build(self, new_pipeline=None, *, verify_content=False, **sections):
        """Builds a further version, checks all that must hold of any, and gives it."""
        self.decoded.clear()
        config = config_of(self.songs, **sections)
        built = build(config, self.output, new_pipeline or in_process(), verify_content=verify_content)
        check_version(built.dataset, self.songs)
        return built

    def path(self, name):
        return self.songs / name.partition(".")[0] / name


@pytest.fixture
def corpus(built, songs_folder, tmp_path, monkeypatch):
    songs = Path(shutil.copytree(songs_folder, tmp_path / "songs"))
    corpus, make = Corpus(songs, str(shutil.copytree(built.dataset.url, tmp_path / "out"))), RecordMaker.make

    def noting(self, location, *rest):
        corpus.decoded.append(Path(location).name)
        return make(self, location, *rest)

    monkeypatch.setattr(RecordMaker, "make", noting)
    return corpus


def write_song(path, frequency_hz=999):
    write(path, tone(1.5, 8_000, frequency_hz=frequency_hz), 8_000)


def folds_of(dataset):
    return {file.content_hash: file.fold for file in dataset.ledger() if file.fold}


def split_of(dataset):
    """The split of each content."""
    split = {fold: split for split, folds in dataset.splits().items() for fold in folds}
    return {content: split[fold] for content, fold in folds_of(dataset).items()}


def assert_kept(before, after):
    """What both versions have is in the same fold, and its record has the same bytes."""
    assert {c: f for c, f in folds_of(after).items() if c in folds_of(before)}.items() <= folds_of(before).items()
    old, new = records_of(before), records_of(after)
    assert all(new[id] == old[id] for id in old.keys() & new.keys())


def test_a_new_song_alone_is_read(corpus, built):
    write_song(corpus.path("jazz.new.wav"))
    after = corpus.build()
    assert (corpus.decoded, after.songs_read, after.is_new) == (["jazz.new.wav"], 1, True)
    assert (after.dataset.version, after.dataset.ancestors) == (2, (built.dataset.digest,))
    assert_kept(built.dataset, after.dataset)
    assert set(records_of(after.dataset)) > set(records_of(built.dataset))
    assert not after.dataset.history()


def test_earlier_versions_stay_as_they_were(corpus, built):
    before = published(corpus.output)
    write_song(corpus.path("jazz.new.wav"))
    corpus.path("blues.00000.wav").unlink()
    corpus.build()
    after = published(corpus.output)
    top = {"dataset.json", "train.txt", "validation.txt", "test.txt"}
    assert {name: after[name] for name in before.keys() - top} == {name: before[name] for name in before.keys() - top}
    assert records_of(versions.load(f"{corpus.output}@1")) == records_of(built.dataset)


def test_a_changed_song_is_read_again(corpus, built):
    write_song(corpus.path("jazz.00003.wav"))
    after = corpus.build().dataset
    assert corpus.decoded == ["jazz.00003.wav"]
    assert_kept(built.dataset, after)
    (remembered,) = after.history()
    old = next(file for file in built.dataset.ledger() if file.path == "jazz/jazz.00003.wav")
    assert (remembered.content_hash, remembered.fold, remembered.shard) == (old.content_hash, old.fold, "")


def test_a_song_that_changes_while_it_is_read_is_read_by_the_next_build(corpus, monkeypatch):
    song, make = corpus.path("jazz.new.wav"), RecordMaker.make
    write_song(song)
    whole = song.read_bytes()
    song.write_bytes(whole[:-8_000])

    def copied_meanwhile(self, location, *rest):
        made = make(self, location, *rest)
        song.write_bytes(whole)
        return made

    with monkeypatch.context() as patch:
        patch.setattr(RecordMaker, "make", copied_meanwhile)
        during = corpus.build(build={"max_reject_share": 0.5}).dataset
    row = next(file for file in during.ledger() if file.path == "jazz/jazz.new.wav")
    assert (row.status, row.reason) == ("rejected", "unreadable")
    assert "changed since it was listed (from 16,044 bytes to 24,044 bytes)" in row.error
    after = corpus.build(build={"max_reject_share": 0.5}).dataset
    row = next(file for file in after.ledger() if file.path == "jazz/jazz.new.wav")
    assert (row.status, row.reason, row.duration_s) == ("written", "", 1.5)


def test_a_song_that_was_only_touched_is_not_decoded(corpus, built):
    os.utime(corpus.path("jazz.00003.wav"))
    after = corpus.build()
    assert (corpus.decoded, after.songs_read) == ([], 1)
    assert after.dataset.shards == built.dataset.shards


def test_what_size_and_time_do_not_show_is_found_by_reading(corpus):
    corpus.build()  # the copy lies elsewhere
    song = corpus.path("jazz.00003.wav")
    status = song.stat()
    write_song(song)
    os.utime(song, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert song.stat().st_size == status.st_size
    config = config_of(corpus.songs)
    assert not build(config, corpus.output, no_pipeline).is_new
    after = corpus.build(verify_content=True)
    assert corpus.decoded == ["jazz.00003.wav"]
    assert after.is_new


def test_songs_that_were_removed_leave(corpus, built):
    gone = {"jazz/jazz.00003.wav", "metal/metal.00001.wav"}
    for path in gone:
        (corpus.songs / path).unlink()
    after = corpus.build(no_songs(in_process())).dataset
    assert corpus.decoded == []
    assert_kept(built.dataset, after)
    assert {file.path for file in built.dataset.ledger()} - {file.path for file in after.ledger()} == gone
    wanted = {(f.content_hash, f.fold) for f in built.dataset.ledger() if f.path in gone}
    assert {(file.content_hash, file.fold) for file in after.history()} == wanted
    assert after.fingerprints() == built.dataset.fingerprints()


def no_songs(new_pipeline):
    """Gives pipelines to builds that are to read nothing."""

    def of_none(songs):
        assert songs == 0
        return new_pipeline(songs)

    return of_none


def test_what_returns_is_in_its_fold_again(corpus, built):
    folds = folds_of(built.dataset)
    away = {path: path.read_bytes() for path in corpus.songs.rglob("*.0000[0-2].wav")}
    for path in away:
        path.unlink()
    assert len(corpus.build().dataset.history()) == len(away)
    for path, content in away.items():
        path.write_bytes(content)
    after = corpus.build().dataset
    assert sorted(corpus.decoded) == sorted(path.name for path in away)
    assert folds_of(after) == folds
    assert not after.history()


def test_renamed_songs_are_not_decoded(corpus, built):
    names = [file.path for file in built.dataset.ledger()]
    for number, name in enumerate(reversed(names)):
        (corpus.songs / name).rename(corpus.songs / name.partition("/")[0] / f"song.{number:05d}.wav")
    after = corpus.build().dataset
    assert corpus.decoded == []
    assert (after.shards, folds_of(after)) == (built.dataset.shards, folds_of(built.dataset))
    assert not {file.path for file in after.ledger()} & set(names)


def test_another_genre_is_written_into_the_record_that_is_there(corpus, built):
    corpus.path("jazz.00003.wav").rename(corpus.songs / "blues/jazz.00003.wav")
    after = corpus.build().dataset
    assert corpus.decoded == []
    assert folds_of(after) == folds_of(built.dataset)
    (was,), (now,) = (
        [content for id, content in records_of(one).items() if id not in records_of(other)]
        for one, other in ((built.dataset, after), (after, built.dataset))
    )
    was, now = records.decode(was), records.decode(now)
    assert (was.genre, now.genre) == ("jazz", "blues")
    assert {k: v.tobytes() for k, v in was.features.items()} == {k: v.tobytes() for k, v in now.features.items()}


def test_a_genre_that_a_manifest_corrects_decodes_nothing(corpus):
    manifest = corpus.songs / "m.csv"
    rows = [(f"{genre}/{genre}.{n:05d}.wav", genre) for genre in ("blues", "jazz", "metal") for n in range(6)]
    manifest.write_text("\n".join(["path,genre", *map(",".join, rows)]))
    sections = {"corpus": {"input": str(manifest)}}
    assert corpus.build(**sections).songs_read == 0
    rows[7] = rows[7][0], "blues"
    manifest.write_text("\n".join(["path,genre", *map(",".join, rows)]))
    after = corpus.build(**sections)
    assert (after.songs_read, corpus.decoded) == (0, [])
    assert after.dataset.songs_of(list(after.dataset.folds)) == {"blues": 7, "jazz": 5, "metal": 6}


def test_other_groups_decode_nothing_and_nobody_leaves_the_test_split(corpus, built):
    before = split_of(built.dataset)
    rows = [f"{genre}/{genre}.{n:05d}.wav,{genre},{n // 2}" for genre in ("blues", "jazz", "metal") for n in range(6)]
    (corpus.songs / "m.csv").write_text("\n".join(["path,genre,artist", *rows]))
    config = {"corpus": {"input": str(corpus.songs / "m.csv")}, "build": {"max_reject_share": 1.0}}
    after = corpus.build(no_songs(in_process()), **config).dataset
    assert {file.group for file in after.ledger()} == {"artist:0", "artist:1", "artist:2"}
    assert all(before[content] == split for content, split in split_of(after).items())
    assert after.rejected.keys() <= {"withdrawn"}
    artists = {}
    for file in after.ledger():
        artists.setdefault(file.artist, set()).update({file.fold} - {""})
    assert all(len(folds) == 1 for folds in artists.values())


def test_another_number_of_folds_decodes_nothing(corpus, built, monkeypatch):
    monkeypatch.setattr(Child, "start", lambda _: pytest.fail("a process was started"))
    before = split_of(built.dataset)
    after = corpus.build(no_songs(in_process()), folds={"count": 6}).dataset
    assert corpus.decoded == []
    assert set(after.folds) == {f"fold-{number:02d}" for number in range(6)}
    assert split_of(after) == before
    assert records_of(after) == records_of(built.dataset)


def test_grouping_by_less_is_refused(corpus):
    with pytest.raises(UsageError, match=r"folds\.group_by"):
        corpus.build(no_pipeline, folds={"group_by": "song"})


def test_test_folds_that_become_train_are_refused(corpus):
    with pytest.raises(UsageError, match=r"fold-00 was in test and would be in train"):
        corpus.build(no_pipeline, folds={"test": (3,)})


def test_a_dataset_is_continued_elsewhere(corpus, built):
    origin, corpus.output = corpus.output, f"{corpus.output} 2"
    write_song(corpus.path("jazz.new.wav"))
    after = corpus.build(build={"previous": origin}).dataset
    assert corpus.decoded == ["jazz.new.wav"]
    assert (after.version, after.ancestors) == (1, (built.dataset.digest,))
    assert_kept(built.dataset, after)
    shutil.rmtree(origin)
    assert records_of(after).keys() > records_of(built.dataset).keys()
    assert after.fingerprints().keys() >= {file.content_hash for file in after.ledger()} & after.fingerprints().keys()


def test_continued_elsewhere_again_is_up_to_date(corpus):
    origin, corpus.output = corpus.output, f"{corpus.output} 2"
    corpus.build(build={"previous": origin})
    assert corpus.decoded == []
    assert not corpus.build(no_pipeline, build={"previous": origin}).is_new
    assert not corpus.build(no_pipeline).is_new


def test_going_on_from_one_dataset_where_another_is_is_refused(corpus, tmp_path):
    write_song(corpus.path("jazz.new.wav"))
    build(config_of(corpus.songs), str(tmp_path / "other"), in_process())
    with pytest.raises(UsageError, match="is a dataset that does not go on from"):
        corpus.build(no_pipeline, build={"previous": str(tmp_path / "other")})


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "verify"), [(Path.unlink, False), (lambda path: os.truncate(path, 100), False), (flip, True)]
)
def test_a_published_shard_that_is_missing_or_damaged_is_mended(corpus, built, damage, verify):
    before = published(corpus.output)
    shard = built.dataset.shards[1]
    damage(Path(corpus.output) / shard.name)
    after = corpus.build(verify_content=verify)
    assert len(corpus.decoded) == shard.songs
    assert after.is_new == (after.dataset.version == 2)
    shards = {name: content for name, content in before.items() if name.startswith("shards")}
    assert published(corpus.output).items() >= shards.items()


def test_a_damaged_shard_of_a_song_that_has_left_is_not_needed(corpus, built):
    shard = built.dataset.shards[1]
    for file in built.dataset.ledger():
        if file.shard == shard.name:
            (corpus.songs / file.path).unlink()
            break
    (Path(corpus.output) / shard.name).unlink()
    after = corpus.build().dataset
    assert shard.name not in {other.name for other in after.shards}
    assert len(corpus.decoded) == shard.songs - 1


@pytest.mark.parametrize("name", ["dataset.json", "train.txt"])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"{}")])
def test_what_lies_at_the_top_is_mended(built, songs_folder, tmp_path, name, damage):
    output = Path(shutil.copytree(built.dataset.url, tmp_path / "out"))
    damage(output / name)
    assert not build(config_of(songs_folder), str(output), no_pipeline).is_new
    assert content_of(output) == content_of(Path(built.dataset.url))


def test_songs_that_are_all_bad_are_a_version_too(corpus, built):
    write(corpus.path("jazz.short.wav"), tone(0.1, 8_000), 8_000)
    sections = {"build": {"max_reject_share": 0.1}}
    after = corpus.build(**sections)
    assert after.dataset.rejected == {"too_short": 1}
    assert after.dataset.shards == built.dataset.shards
    again = corpus.build(no_pipeline, **sections)
    assert not again.is_new


def test_what_could_not_be_read_is_tried_again(corpus, built):
    sections = {"build": {"max_reject_share": 0.1}}
    corpus.path("jazz.linked.wav").symlink_to(corpus.songs / "unmounted.wav")
    for is_new in (True, False):
        after = corpus.build(**sections)
        assert (after.songs_read, after.is_new) == (1, is_new)
        assert after.dataset.rejected == {"unreadable": 1}
    write_song(corpus.songs / "unmounted.wav")
    corpus.path("jazz.linked.wav").unlink()
    (corpus.songs / "unmounted.wav").rename(corpus.path("jazz.linked.wav"))
    after = corpus.build(**sections)
    assert (after.dataset.version, after.dataset.songs, after.dataset.rejected) == (3, 19, {})


def test_a_song_that_was_readable_and_is_not_blocks(corpus, built):
    song = corpus.path("jazz.00003.wav")
    song.unlink()
    song.symlink_to(corpus.songs / "unmounted.wav")
    message = r"jazz/jazz\.00003\.wav: could be read once and cannot now \(.*\); nothing is published"
    for _ in range(2):
        with pytest.raises(SpectroshardError, match=message):
            corpus.build(build={"max_reject_share": 1.0})
    assert versions.numbers(corpus.output) == [1]
    song.unlink()
    after = corpus.build().dataset
    assert (after.version, after.songs, len(after.history())) == (2, 17, 1)


def test_a_copy_takes_the_place_of_a_better_one_that_has_left(corpus):
    shutil.copy(corpus.path("jazz.00003.wav"), corpus.path("jazz.zcopy.wav"))
    both = corpus.build().dataset
    assert (corpus.decoded, both.songs, both.duplicates) == ([], 18, 1)
    corpus.path("jazz.00003.wav").unlink()
    after = corpus.build().dataset
    assert (corpus.decoded, after.songs, after.duplicates) == ([], 18, 0)
    assert (records_of(after), after.shards) == (records_of(both), both.shards)


def test_a_build_anew_has_the_same_records(corpus, tmp_path):
    write_song(corpus.path("jazz.new.wav"))
    corpus.path("blues.00001.wav").unlink()
    extended = corpus.build().dataset
    anew = build(config_of(corpus.songs), str(tmp_path / "anew"), in_process()).dataset
    assert records_of(extended) == records_of(anew)


def test_a_recording_that_never_had_a_fold_is_compared_with_what_came_while_it_was_away(corpus, music):
    """Its genre was a single song's at first, so nothing but its fingerprint is left of it."""
    drop = {"lone_genres": "drop"}
    away, came = corpus.path("lone.away.wav"), corpus.path("blues.came.wav")
    write(away, music, 22_050)
    assert corpus.build(folds=drop).dataset.rejected == {"lone_genre": 1}
    away.unlink()
    write(came, music[22_050:], 22_050)
    corpus.build(folds=drop)
    write(away, music, 22_050)
    write_song(corpus.path("lone.other.wav"))
    group_of = {file.path: file.group for file in corpus.build(folds=drop).dataset.ledger()}
    assert group_of["lone/lone.away.wav"] == group_of["blues/blues.came.wav"]


def test_a_genre_of_which_one_song_is_left_stops_a_build_and_keeps_its_fold(corpus, built):
    for number in range(1, 6):
        corpus.path(f"metal.{number:05d}.wav").unlink()
    with pytest.raises(SpectroshardError, match=r"1 of 3 genres cannot be split.*'metal' has a single song"):
        corpus.build()
    assert versions.numbers(corpus.output) == [1]
    dropped = corpus.build(folds={"lone_genres": "drop"}).dataset
    assert dropped.genres == ("blues", "jazz") and len(dropped.history()) == 6
    write_song(corpus.path("metal.new.wav"))
    after = corpus.build().dataset
    assert after.songs == 14 and after.rejected == {}
    assert_kept(built.dataset, after)


def test_a_version_whose_test_songs_have_all_left_is_published(corpus):
    test = [file for file in corpus.build().dataset.ledger() if file.fold == "fold-00"]
    for file in test:
        (corpus.songs / file.path).unlink()
    dataset = corpus.build().dataset
    assert dataset.splits()["test"] == () and (Path(corpus.output) / "test.txt").read_bytes() == b""
    assert {row.record for row in dataset.history()} == {file.record for file in test}
