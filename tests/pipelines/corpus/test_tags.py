import errno
import os
import signal

import mutagen.aiff
import mutagen.apev2
import mutagen.id3
import mutagen.wave
import pytest

from pipelines.corpus import tags
from tests import audio_files

FORMATS = {
    "mp3": ["-id3v2_version", "4"],
    "v23.mp3": ["-id3v2_version", "3"],
    "ogg": ["-c:a", "libvorbis"],
    "opus": ["-c:a", "libopus", "-ar", "48000"],
    "flac": [],
    "m4a": [],
    "wav": [],
    "wv": [],
    "wma": [],
    "tta": [],
    "caf": [],
    "mka": ["-c:a", "libvorbis"],
    "webm": ["-c:a", "libopus", "-ar", "48000"],
    "aac": ["-write_id3v2", "1"],
}


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_year_of_a_file(tone, tmp_path, suffix):
    options = ["-metadata", "artist=1999", *FORMATS[suffix]]
    dated = audio_files.ffmpeg(tone, tmp_path / f"dated.{suffix}", *options, "-metadata", "date=1969-09-26")
    assert tags.read_year(dated) == 1969
    assert tags.read_year(audio_files.ffmpeg(tone, tmp_path / f"bare.{suffix}", *options)) is None


@pytest.mark.parametrize("frames", [["TDRC"], ["TYER"], ["TDOR", "TDRC"]])
def test_id3_in_wav(tone, tmp_path, frames):
    tagged = mutagen.wave.WAVE(audio_files.ffmpeg(tone, tmp_path / "a.wav"))
    tagged.add_tags()
    for year, name in zip(("1958", "2009"), frames, strict=False):
        tagged.tags.add(getattr(mutagen.id3, name)(encoding=3, text=[year]))
    tagged.save()
    assert tags.read_year(tmp_path / "a.wav") == 1958


def test_ape_in_mp3(tone, tmp_path):
    mp3 = audio_files.ffmpeg(tone, tmp_path / "a.mp3", "-id3v2_version", "0")
    ape = mutagen.apev2.APEv2()
    ape["Year"] = "1984"
    ape.save(mp3)
    assert tags.read_year(mp3) == 1984


def test_the_musics_year_comes_before_the_releases(tone, tmp_path):
    dates = ["-metadata", "date=2009", "-metadata", "originaldate=1967-05-26"]
    assert tags.read_year(audio_files.ffmpeg(tone, tmp_path / "a.flac", *dates)) == 1967
    broken = ["-metadata", "date=2009", "-metadata", "originaldate=0000"]
    assert tags.read_year(audio_files.ffmpeg(tone, tmp_path / "b.flac", *broken)) == 2009


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("1969", 1969),
        ("2019-03", 2019),
        ("20190304", 2019),
        ("1999.0", 1999),
        ("2999", 2999),
        ("3000", None),
        ("0999", None),
        ("69", None),
        ("in 1969", None),
        ("\u0661\u0669\u0666\u0669", None),
        ("", None),
    ],
)
def test_what_is_a_year(text, year):
    assert tags.year_of(text) == year


def test_texts_come_in_the_order_of_the_names_without_the_empty_ones(tone, tmp_path):
    options = ["-metadata", "title=A  title", "-metadata", "artist=One", "-metadata", "album= "]
    song = audio_files.ffmpeg(tone, tmp_path / "a.flac", *options)
    assert tags.read(song, ["artist", "album", "mood", "title"]) == ["One", "A title"]
    assert tags.read(tmp_path / "missing.flac", ["artist"]) == []


def test_what_nothing_can_read_is_not_without_tags(tone, tmp_path):
    (tmp_path / "a.mp3").write_bytes(b"?" * 1_000)
    assert tags.find(tmp_path / "a.mp3", ["artist"]) is None
    assert tags.find(tone, ["artist"]) == []


def test_a_file_in_which_mutagen_would_go_round_and_round(tmp_path):
    (tmp_path / "a.mpc").write_bytes(b"MPCK" + b"XX\0" * 100)  # a packet that is no longer than nothing
    signal.alarm(60)
    assert not tags.find(tmp_path / "a.mpc", ["artist"])
    signal.alarm(0)


@pytest.mark.parametrize("error", [ZeroDivisionError, AttributeError, IndexError, OSError])
def test_what_mutagen_raises_is_no_error_of_the_program(tone, tmp_path, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(mutagen, "File", fail)
    song = audio_files.ffmpeg(tone, tmp_path / "a.flac", "-metadata", "artist=Ann")
    assert tags.find(song, ["artist"]) == ["Ann"]


@pytest.mark.parametrize("wrapped", [lambda error: error, mutagen.MutagenError])
def test_a_disk_that_fails_is_no_file_without_an_artist(tone, monkeypatch, wrapped):
    def fail(*_, **__):
        raise wrapped(OSError(errno.EIO, os.strerror(errno.EIO)))

    monkeypatch.setattr(mutagen, "File", fail)
    with pytest.raises((OSError, mutagen.MutagenError), match="Input/output error"):
        tags.find(tone, ["artist"])
