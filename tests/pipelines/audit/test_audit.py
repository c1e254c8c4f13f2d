import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from pipelines.audit import audit, external_splits
from pipelines.audit.overlaps import Overlap, in_split
from pipelines.audit.page import audio_spectrogram, draw_pair, record_spectrograms, write_page
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.copies import fingerprint
from pipelines.corpus.synthetic import synth
from pipelines.dataset.dataset import SONGS, Dataset
from pipelines.dataset.ledger import Copy, File
from spectroshard import cli
from tests.audio_files import BAD, ffmpeg, tone, write
from tests.pipelines.conftest import in_process
from tests.pipelines.dataset import made

RATE_HZ = 22_050


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A split in which a crop is in test, its song in train, and not all can be read."""
    folder = tmp_path_factory.mktemp("folders")
    for split, style in (("train", "blues"), ("test", "metal"), ("val", "techno")):
        (folder / split).mkdir()
        soundfile.write(folder / split / f"{style}.wav", synth.song(style, 0, duration_s=16.0), RATE_HZ)
    ffmpeg(folder / "train" / "blues.wav", folder / "test" / "other.mp3", "-ss", "4", "-t", "11", "-b:a", "96k")
    write(folder / "val" / "short.wav", tone(0.2))
    BAD["not_audio"](folder / "val" / "bad <b>$.wav")
    return folder


@pytest.fixture(scope="module")
def audited(folders, tmp_path_factory):
    return audit.of_external_split(
        external_splits.list_split([str(folders)]), "mine", str(tmp_path_factory.mktemp("work")), in_process()
    )


def test_a_crop_leaks_with_its_offset(audited):
    (pair,) = audited.overlaps.listed
    assert {pair.first.path, pair.second.path} == {"train/blues.wav", "test/other.mp3"}
    assert pair.evidence == ("fingerprint",)
    begins_s = {pair.first.split: pair.copy.first_s, pair.second.split: pair.copy.second_s}
    assert begins_s["train"] - begins_s["test"] == pytest.approx(4, abs=0.3)
    assert pair.copy.duration_s > 8 and pair.copy.error_rate < 0.1
    assert audited.fails


def test_the_conclusion_says_what_was_not_compared(audited):
    assert audited.conclusion == (
        "1 pair of files leaks (1 of 2 in test, 1 of 1 in train);"
        " artists of 5 of 5 files are not known, and were not compared;"
        " 1 file could not be read (1 not_audio): val/bad <b>$.wav;"
        " 1 too short for a fingerprint"
    )
    assert "test/other.mp3 (test)" in audited.summary() and "of bits differ" in audited.summary()


def test_json_holds_all_of_it(audited):
    said = json.loads(json.dumps(audited.to_json()))
    assert (said["fails"], said["files"]) == (True, {"test": 2, "train": 1, "validation": 3})
    assert {name: count for name, count in said["compared"].items() if count} == {
        "fingerprint": 4,
        "hash": 5,
        "song": 6,
    }
    assert said["compared"]["artist"] == 0 and said["unknown"]["artists"] == 5
    assert said["not_compared"] == audited.conclusion.split("; ")[1:]
    assert said["pairs"] == said["counts"]["fingerprint"] == [{"splits": ["test", "train"], "pairs": 1}]
    assert said["rejected"][0]["file"] == "val/bad <b>$.wav" and said["not_listed"] == {}
    assert abs(said["listed"][0]["fingerprint"]["offset_s"]) == pytest.approx(4, abs=0.3)


def test_the_page_has_the_pair_s_picture(audited, tmp_path):
    page = write_page(str(tmp_path), audited, audio_spectrogram)
    text = storage.read_bytes(page).decode()
    assert "The split leaks" in text and text.count("data:image/png") == 1
    assert "val/bad &lt;b&gt;$.wav" in text and "<b>$" not in text


def test_a_pair_without_audio_is_listed_without_a_picture(audited, tmp_path):
    text = storage.read_bytes(write_page(str(tmp_path), audited, lambda _: None)).decode()
    assert "data:image/png" not in text and "test/other.mp3" in text


def test_what_no_build_would_take_is_compared_by_its_samples(tmp_path):
    for split in ("train", "test"):
        write(tmp_path / "s" / split / "song.wav", tone(1.0, frequency_hz=300 + len(split)))
        BAD["silent"](tmp_path / "s" / split / f"silence of {split}.wav")
        BAD["not_finite"](tmp_path / "s" / split / f"noise of {split}.wav")
        write(tmp_path / "s" / split / f"nothing of {split}.wav", tone(0))
    files = external_splits.list_split([str(tmp_path / "s")])
    found = audit.of_external_split(files, "s", str(tmp_path / "w"), in_process())
    assert sorted((pair.first.path, pair.second.path, pair.evidence) for pair in found.overlaps.listed) == [
        ("test/noise of test.wav", "train/noise of train.wav", ("hash",)),
        ("test/silence of test.wav", "train/silence of train.wav", ("hash",)),
    ]
    assert found.conclusion == (
        "2 pairs of files leak (2 of 4 in test, 2 of 4 in train);"
        " artists of 2 of 2 files are not known, and were not compared;"
        " 2 files could not be read (2 too_short): test/nothing of test.wav, train/nothing of train.wav;"
        " 2 too short for a fingerprint;"
        " 4 compared by samples alone (2 not_finite, 2 silent): test/noise of test.wav, test/silence of test.wav,"
        " train/noise of train.wav and 1 more"
    )


def segments(folder, split_of):
    """Four songs cut into three segments of a second each."""
    for style in synth.STYLES[:4]:
        samples = synth.song(style, 1, duration_s=3.0)
        for number in range(3):
            path = folder / split_of(style, number) / style / f"{style}.00001.{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, samples[number * RATE_HZ : (number + 1) * RATE_HZ], RATE_HZ)
    return external_splits.list_split([str(folder)])


def test_segments_of_a_song_in_two_splits_leak(tmp_path):
    files = segments(tmp_path / "s", lambda _, number: "test" if number == 1 else "train")
    found = audit.of_external_split(files, "s", str(tmp_path / "w"), in_process())
    assert found.overlaps.counts == {"song": {("test", "train"): 8}}
    assert found.overlaps.files == {"test": 4, "train": 8}


def test_segments_split_by_song_do_not(tmp_path):
    files = segments(tmp_path / "s", lambda style, _: "test" if style == synth.STYLES[0] else "train")
    found = audit.of_external_split(files, "s", str(tmp_path / "w"), in_process())
    assert not found.fails
    assert found.conclusion == (
        "no leak found: 12 files (test 3, train 9), compared by same samples (12), song name (12, 4 different);"
        " artists of 12 of 12 files are not known, and were not compared; 12 too short for a fingerprint"
    )


def test_names_alone_are_compared_without_reading(tmp_path):
    (tmp_path / "train.txt").write_text("a.wav\nb.wav\n")
    (tmp_path / "test.txt").write_text("c.wav\nd.wav\nb.wav\n")
    (tmp_path / "index.txt").write_text("a.wav ::: Ann ::: One\nc.wav ::: ANN ::: Two\n")
    files = external_splits.list_split(
        [str(tmp_path / name) for name in ("train.txt", "test.txt")], "", str(tmp_path / "index.txt")
    )
    found = audit.of_external_split(files, "lists", str(tmp_path / "w"), lambda: pytest.fail("nothing is to be read"))
    assert [(c.first.path, c.second.path, c.evidence) for c in found.overlaps.listed] == [
        ("b.wav", "b.wav", ("song",)),
        ("c.wav", "a.wav", ("artist",)),
    ]
    assert "samples and fingerprints were not compared" in found.conclusion
    assert "; in several splits: 1 of 4 song names and 1 of 1 artists; " in found.conclusion


def test_a_manifest_without_its_audio_is_compared_by_names_and_artists(tmp_path):
    """As splits are published: what lies nowhere is no file that cannot be read."""
    rows = [
        f"{n}.mp3,{'train' if n % 4 else 'test'},{f'artist {n % 4}' if n % 3 else 'Various Artists'}" for n in range(12)
    ]
    (tmp_path / "m.csv").write_text("\n".join(["path,split,artist", *rows]))
    files = external_splits.list_split([str(tmp_path / "m.csv")])
    found = audit.of_external_split(files, "m", str(tmp_path / "w"), lambda: pytest.fail("nothing is to be read"))
    assert (found.verdict, found.rejected, found.fails) == ("no leak found by names alone", (), False)
    assert found.conclusion == (
        "no leak found by names alone: 12 files (test 3, train 9), compared by artist (8, 4 different);"
        " samples and fingerprints were not compared, for want of audio (--audio says where it lies);"
        " artists of 4 of 12 files are not known, and were not compared; no song name was known, so none was compared"
    )
    page = storage.read_bytes(write_page(str(tmp_path), found, lambda _: None)).decode()
    headline = page.partition('class="headline')[2].partition("</p>")[0]
    assert "No leak found by names alone" in headline and "artists of 4 of 12 files are not known" in headline


@pytest.mark.parametrize("audio", ["", "elsewhere"])
def test_a_split_of_which_nothing_can_be_read_is_refused(tmp_path, audio):
    """Where other splits can be, or where the user says that audio is there."""
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "b.wav", tone(1.0))
    (tmp_path / "m.csv").write_text("path,split\na.wav,train\nb.wav,test\n")
    files = external_splits.list_split([str(tmp_path / "m.csv")], audio and str(tmp_path / audio))
    with pytest.raises(UsageError, match=r"no file of train could be read \(a\.wav: No such file"):
        audit.of_external_split(files, "m", str(tmp_path / "w"), in_process())


def test_what_was_not_read_of_a_file_is_told(audited):
    unknown = audited.unknown.model_copy(update={"unread_files": 2, "unread_s": 1234.5})
    found = replace(audited, unknown=unknown, overlaps=replace(audited.overlaps, leaks={}), rejected=())
    assert found.conclusion.startswith("no leak found among what could be read: ")
    assert "; 1,234 s of 2 files were not read, and not compared; " in found.conclusion


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return made.dataset(tmp_path_factory.mktemp("original") / "dataset", made.rows())


@pytest.fixture
def dataset(original, tmp_path):
    """A dataset of 18 songs in four folds, to be spoiled."""
    shutil.copytree(original.url, tmp_path / "dataset")
    return Dataset.load(str(tmp_path / "dataset"))


def respell(dataset, **facts):
    """Gives the first songs of two folds the same facts."""
    songs = {song.fold: song for song in reversed(dataset.ledger())}
    changed = {songs[fold].path: replace(songs[fold], **facts) for fold in ("fold-00", "fold-02")}
    return made.with_table(dataset, SONGS, [changed.get(s.path, s) for s in dataset.ledger()])


def test_a_dataset_of_ours_is_tight(dataset, tmp_path):
    found = audit.audit([dataset.url], str(tmp_path / "a"), in_process())
    assert not found.fails and found.conclusion.startswith("no leak found: 18 files (fold-00 6, fold-01 6,")
    assert found == audit.of_dataset(dataset)
    assert found.recall == dataset.search.recall and found.recall not in found.summary()  # all are too short
    assert json.loads((tmp_path / "a" / "audit.json").read_text())["recall"] == found.recall


def test_the_ledger_is_read_once_for_all_that_is_held_against_it(dataset, monkeypatch):
    ledger, reads = Dataset.ledger, []
    monkeypatch.setattr(Dataset, "ledger", lambda self: reads.append(self.name) or ledger(self))
    audit.of_dataset(dataset)
    assert reads == [dataset.name]


def test_copies_are_searched_for_anew(original, tmp_path):
    """What a dataset says of copies is not taken on trust."""
    songs = [replace(song, duration_s=16.0) for song in made.rows(songs=4)]
    samples = synth.song("blues", 0, duration_s=16.0)
    values = fingerprint.of_samples(samples, RATE_HZ)
    cut = fingerprint.of_samples(samples[4 * RATE_HZ :], RATE_HZ)
    ours = {songs[0].content_hash: values, songs[2].content_hash: cut}
    others = {s.content_hash: np.random.default_rng(n).bytes(480) for n, s in enumerate(songs)}
    dataset = made.dataset(tmp_path / "d", songs, fingerprints=others | ours)
    assert not audit.of_dataset(dataset).fails
    found = audit.audit([f"{dataset.url}@1"], str(tmp_path / "a"), in_process())
    assert found.overlaps.leaks == {("fold-00", "fold-02"): 1}
    assert dataset.search.recall not in found.summary() and "copies were searched for" in found.summary()
    (pair,) = found.leaks
    assert {pair.first.path, pair.second.path} == {songs[0].path, songs[2].path}


def test_an_earlier_version_is_audited_by_its_own_ledger(dataset, tmp_path):
    first = respell(dataset, song="one")
    made.dataset(first.url, made.rows(songs=5), earlier=first)
    assert audit.audit([f"{first.url}@1"], str(tmp_path / "a"), in_process()).fails
    assert not audit.audit([first.url], str(tmp_path / "b"), in_process()).fails


def test_folds_are_compared_or_splits(dataset):
    dataset = respell(dataset, song="one")
    found = audit.of_dataset(dataset)
    assert found.overlaps.leaks == {("fold-00", "fold-02"): 1}
    assert "by split      song name  leaks\ntest - train          1      1" in found.table()
    assert audit.of_dataset(dataset, dataset.splits()).overlaps.leaks == {("test", "train"): 1}
    assert not audit.of_dataset(dataset, {"train": ["fold-00", "fold-02"], "test": ["fold-01"]}).fails


def test_near_copies_leak_by_what_the_build_found(dataset):
    first, second = ({s.fold: s for s in dataset.ledger()}[fold] for fold in ("fold-00", "fold-01"))
    hashes = sorted([first.content_hash, second.content_hash])
    found = audit.of_dataset(dataset, copies=[Copy(*hashes, 0.0, 0.0, 1.0, 1.0, 0.1)])
    assert found.overlaps.counts == {"fingerprint": {("fold-00", "fold-01"): 1}}


@pytest.mark.parametrize(("group_by", "fails"), [("artist", True), ("song", False)])
def test_artists_may_overlap_where_the_configuration_says_so(dataset, group_by, fails):
    dataset = respell(dataset, artist="Ann")
    folds = dataset.config.folds.model_copy(update={"group_by": group_by})
    dataset = dataset.model_copy(update={"config": dataset.config.model_copy(update={"folds": folds})})
    found = audit.of_dataset(dataset)
    assert found.overlaps.counts == {"artist": {("fold-00", "fold-02"): 1}}
    assert found.fails == fails
    assert ("an artist, by the configuration's choice: 1" in found.conclusion) != fails
    assert bool(found.leaks) == fails


def test_faults_of_the_shards_are_told(dataset, tmp_path):
    rows = dataset.ledger()
    moved = rows[0]
    other = next(song for song in rows if song.fold != moved.fold)
    rows[0] = replace(moved, fold=other.fold, shard=other.shard, offset=1)
    forged = made.with_table(dataset, SONGS, rows)
    found = audit.of_dataset(forged)
    assert found.fails and not found.overlaps.leaks
    assert f"{moved.shard}: the record at byte {moved.offset}: the ledger has none there" in found.faults
    assert found.conclusion.startswith(found.faults[0])
    (tmp_path / "dataset" / dataset.shards[-1].name).unlink()
    assert f"{dataset.shards[-1].name}: is missing" in audit.of_dataset(forged).faults


def test_a_fingerprint_that_is_missing_is_told(dataset):
    forged = made.with_table(dataset, SONGS, [replace(song, duration_s=30.0) for song in dataset.ledger()])
    with pytest.raises(SpectroshardError, match=r"its fingerprints lack that of blues/blues\.00000\.wav"):
        audit.of_dataset(forged)


def test_artists_are_taken_from_tags(tmp_path):
    for split, name in (("train", "One"), ("test", "Two")):
        path = write(tmp_path / f"{name}.wav", tone(1.0, frequency_hz=300 + len(split)))
        (tmp_path / "s" / split).mkdir(parents=True)
        ffmpeg(path, tmp_path / "s" / split / f"{name}.mp3", "-metadata", "artist=Ann")
    files = external_splits.list_split([str(tmp_path / "s")])
    found = audit.of_external_split(files, "s", str(tmp_path / "w"), in_process())
    assert found.overlaps.counts == {"artist": {("test", "train"): 1}} and found.compared["artist"] == 2


def test_pictures_record_spectrograms_and_of_what_is_not_there(dataset):
    first, second = (in_split(file, file.fold) for file in dataset.ledger()[:2])
    spectrogram = record_spectrograms(dataset)
    values, rate_hz = spectrogram(first)
    assert values.shape[1] == 16 and rate_hz == 8_000 / 256
    copy = Copy("x", "y", 1.0, 0.2, 0.5, 1.1, 0.2)
    aligned = draw_pair(Overlap(first, second, ("fingerprint",), copy), spectrogram(first), spectrogram(second))
    apart = draw_pair(Overlap(first, second, ("song",)), spectrogram(first), spectrogram(second))
    assert aligned.startswith(b"\x89PNG") and aligned != apart
    assert audio_spectrogram(replace(first, uri="/gone.wav")) is None and audio_spectrogram(File("a", "a")) is None


def test_the_command(dataset, folders, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["audit", dataset.url]) == 0
    assert "no leak found: 18 files" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "audit").iterdir()) == ["audit.html", "audit.json"]
    assert cli.main(["audit", str(folders), "--output", "again"]) == 1
    assert "1 pair of files leaks" in capsys.readouterr().out
    assert json.loads((tmp_path / "again" / "audit.json").read_text())["fails"]
    assert not (tmp_path / "again" / audit.WORK_NAME).exists()
    for wrong in (["gone"], [dataset.url, "more"], [str(folders / "train")]):
        assert cli.main(["audit", *wrong, "--output", "none"]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "none").exists()
