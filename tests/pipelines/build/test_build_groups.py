"""Builds of corpora with copies, artists and groups that are too large."""

import re
import shutil

import pytest
import soundfile

from pipelines.build import summary
from pipelines.build.build import build
from pipelines.build.runs.status import status_of
from pipelines.common.errors import SpectroshardError
from pipelines.corpus.synthetic import synth
from tests.audio_files import ffmpeg, tone, write, write_songs
from tests.pipelines.conftest import config_of, in_process
from tests.pipelines.dataset_checks import check_version

DROP = {"lone_genres": "drop"}

pytestmark = pytest.mark.usefixtures("in_this_process")


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """Twelve songs of two styles, and of the first of one style an MP3, a crop, and a copy under another genre."""
    folder = tmp_path_factory.mktemp("copied")
    for style in synth.STYLES[:2]:
        for number in range(6):
            path = folder / style / f"{number}.wav"
            path.parent.mkdir(exist_ok=True)
            soundfile.write(path, synth.song(style, number, duration_s=14.0), 22_050)
    first, second = (folder / style for style in synth.STYLES[:2])
    ffmpeg(first / "0.wav", first / "encoded.mp3", "-b:a", "64k")
    ffmpeg(first / "0.wav", first / "cropped.flac", "-ss", "3", "-t", "10")
    shutil.copy(first / "0.wav", second / "elsewhere.wav")
    return folder


def outcome(dataset):
    return {song.path: song for song in dataset.ledger()}


@pytest.mark.parametrize("action", ["keep", "drop"])
def test_copies_share_a_fold_and_may_be_dropped(copied, tmp_path, action):
    config = config_of(copied, folds={"copies": action})
    dataset = build(config, str(tmp_path / "out"), in_process()).dataset
    songs, (first, second) = outcome(dataset), synth.STYLES[:2]
    copies = [f"{first}/encoded.mp3", f"{first}/cropped.flac", f"{second}/elsewhere.wav"]
    assert {songs[path].group for path in copies} == {songs[f"{first}/0.wav"].group}
    assert {songs[path].fold for path in copies} == {songs[f"{first}/0.wav"].fold}
    assert {songs[path].copy_of for path in copies} == {f"{first}/0.wav"}
    assert len({song.group for song in songs.values()}) == 12
    dropped = {path for path, song in songs.items() if song.status == "duplicate"}
    assert dropped == (set(copies) if action == "drop" else set())
    assert all(bool(song.shard) == (song.status == "written") for song in songs.values())
    assert (dataset.shown, dataset.songs, dataset.duplicates) == (15, 15 - len(dropped), len(dropped))
    assert f"copies disagree: {first}/0.wav is {first}, {second}/elsewhere.wav is {second}" in summary.findings(dataset)
    assert "15 files found: " in summary.rejects(dataset)


def test_the_artists_of_tags_share_a_group(tmp_path):
    songs = write_songs(tmp_path / "songs")
    for path, artist in (("blues/blues.00000", "Änn"), ("jazz/jazz.00000", "ANN feat. Bob")):
        ffmpeg(songs / f"{path}.wav", songs / f"{path}.flac", "-metadata", f"artist={artist}")
        (songs / f"{path}.wav").unlink()
    dataset = build(config_of(songs), str(tmp_path / "out"), in_process()).dataset
    tagged = outcome(dataset)
    assert {tagged[f"{path}.flac"].group for path in ("blues/blues.00000", "jazz/jazz.00000")} == {"artist:ann"}
    assert dataset.unknown.sentences() == ["artists of 16 of 18 files are not known, and were not compared"]
    config = config_of(songs, corpus={"input": str(songs), "artist_tags": False})
    untagged = build(config, str(tmp_path / "untagged"), in_process()).dataset
    assert outcome(untagged)["blues/blues.00000.flac"].artist == "" and untagged.unknown.artists == 18


def manifest_of_one_artist(folder):
    """Six songs of jazz, four of which are Ann's, and six of blues, all of them Bob's."""
    write_songs(folder, songs=6)
    rows = [f"jazz/jazz.{n:05d}.wav,jazz,{'Ann' if n < 5 else n}" for n in range(6)]
    rows += [f"blues/blues.{n:05d}.wav,blues,Bob" for n in range(6)]
    rows += [f"metal/metal.{n:05d}.wav,metal,{n}" for n in range(6)]
    (folder / "m.csv").write_text("\n".join(["path,genre,artist", *rows]))
    return folder / "m.csv"


def test_groups_that_are_too_large_are_named(tmp_path):
    manifest = manifest_of_one_artist(tmp_path / "songs")
    dataset = build(config_of(manifest, folds=DROP), str(tmp_path / "out"), in_process()).dataset
    assert summary.findings(dataset).splitlines() == [
        "left out: all 6 files of 'blues' are by Bob",
        "validation: has no song of jazz; fewer folds.count may help",
        "unbalanced: group 'artist:ann' holds 5 of the 6 songs of 'jazz'; even folds have at most 2",
    ]
    assert dataset.rejected == {"lone_genre": 6}


def test_a_genre_of_one_artist_stops_a_build(tmp_path):
    manifest, output = manifest_of_one_artist(tmp_path / "songs"), str(tmp_path / "out")
    message = (
        "1 of 3 genres cannot be split, which takes two groups of songs: all 6 files of 'blues' are by Bob; nothing is"
        " published: songs of other artists or folds.group_by: song, which lets splits share artists, or"
        " folds.lone_genres: drop, which leaves these songs out, would go on, "
    )
    with pytest.raises(SpectroshardError, match=re.escape(message)):
        build(config_of(manifest), output, in_process())
    assert status_of(output).exit_code == 1 and not (tmp_path / "out" / "dataset.json").exists()
    assert build(config_of(manifest, folds={"group_by": "song"}), output, in_process()).dataset.songs == 18


def test_dropped_genres_must_leave_two(tmp_path):
    manifest = manifest_of_one_artist(tmp_path / "songs")
    rows = [row for row in manifest.read_text().splitlines() if "metal" not in row]
    manifest.write_text("\n".join(rows))
    with pytest.raises(SpectroshardError, match=r"^1 of 2 genres cannot be split.*'blues' are by Bob; (?!.*lone_g)"):
        build(config_of(manifest, folds=DROP), str(tmp_path / "out"), in_process())


def test_groups_that_are_too_large_stop_a_build_that_says_so(tmp_path):
    manifest = manifest_of_one_artist(tmp_path / "songs")
    config = config_of(manifest, folds={"unbalanced": "fail", **DROP})
    with pytest.raises(SpectroshardError, match=r"group 'artist:ann' holds 5 of the 6 songs.*nothing is published"):
        build(config, str(tmp_path / "out"), in_process())
    assert not (tmp_path / "out" / "dataset.json").exists()
    assert len(list((tmp_path / "out").glob("runs/*/rejected.parquet"))) == 1


def test_a_song_too_short_to_be_compared_is_no_copy(tmp_path):
    songs = write_songs(tmp_path / "songs")
    write(songs / "jazz" / "short.wav", tone(2.0, 8_000), 8_000)
    dataset = build(config_of(songs), str(tmp_path / "out"), in_process()).dataset
    file = outcome(dataset)["jazz/short.wav"]
    assert dataset.fingerprints()[file.content_hash] == b""
    assert not file.copy_of


def test_segments_of_a_song_share_its_group(tmp_path):
    folder = write_songs(tmp_path / "songs")
    for song, path in enumerate(sorted(folder.rglob("*.wav"))):
        for piece in range(3):
            samples = tone(1.5, 8_000, frequency_hz=300 + 10 * song + piece)
            write(path.with_name(f"{path.stem}.{piece}.wav"), samples, 8_000)
        path.unlink()
    dataset = build(config_of(folder), str(tmp_path / "out"), in_process()).dataset
    groups = {f"song:{genre}/{genre}.{n:05d}" for genre in ("blues", "jazz", "metal") for n in range(6)}
    assert {song.group for song in dataset.ledger()} == groups


def test_a_copy_that_was_left_out_stands_in_for_a_better_one_that_has_left(copied, tmp_path):
    folder, first = shutil.copytree(copied, tmp_path / "songs"), synth.STYLES[0]
    config, output = config_of(folder, folds={"copies": "drop"}), str(tmp_path / "out")
    before = build(config, output, in_process()).dataset
    (folder / first / "0.wav").unlink()
    after = build(config, output, in_process())
    check_version(after.dataset, folder)
    files = outcome(after.dataset)
    assert (after.songs_read, after.dataset.shown) == (0, 14)
    stand_in = min(
        (path for path, file in files.items() if file.group == files[f"{first}/encoded.mp3"].group),
        key=lambda path: files[path].status != "written",
    )
    assert files[stand_in].status == "written" and outcome(before)[stand_in].status == "duplicate"
    assert files[stand_in].fold == outcome(before)[stand_in].fold


def test_a_new_copy_of_a_song_of_the_test_split_is_there_too(copied, tmp_path):
    folder, first = shutil.copytree(copied, tmp_path / "songs"), synth.STYLES[0]
    config, output = config_of(folder), str(tmp_path / "out")
    before = outcome(build(config, output, in_process()).dataset)
    path = next(path for path, file in before.items() if file.fold == "fold-00" and not file.copy_of)
    ffmpeg(folder / path, folder / first / "new.mp3", "-filter:a", "volume=0.5")
    after = build(config, output, in_process())
    check_version(after.dataset, folder)
    new = outcome(after.dataset)[f"{first}/new.mp3"]
    assert (after.songs_read, new.fold, new.copy_of) == (1, "fold-00", path)
    assert len(after.dataset.copies()) > 0
