import errno
import os
import zipfile
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from pipelines.audio import decode, mono
from pipelines.audio.schema import AudioConfig
from pipelines.common import storage
from pipelines.common.arrays import spooled
from pipelines.common.errors import FileError
from pipelines.corpus import tags
from tests.audio_files import cut, ffmpeg, patch_wav, tone, write
from tests.conftest import DATA

CONFIG = AudioConfig()


def close_to_librosa(path, samples, atol=1e-4):
    reference, _ = librosa.load(path, sr=CONFIG.sample_rate_hz)
    assert abs(len(samples) - len(reference)) <= 1
    length = min(len(samples), len(reference))
    np.testing.assert_allclose(samples[:length], reference[:length], atol=atol)


def test_real_music_equals_librosa():
    recording = decode.load(str(DATA / "xeon6.ogg"), CONFIG)
    assert (recording.sample_rate_hz, recording.channels, recording.truncated) == (44_100, 2, False)
    close_to_librosa(DATA / "xeon6.ogg", recording.samples)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_pcm_depth(tmp_path, subtype):
    path = write(tmp_path / "a.wav", subtype=subtype)
    close_to_librosa(path, decode.load(str(path), CONFIG).samples)


@pytest.mark.parametrize("channels", [2, 6])
@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 48_000, 96_000])
def test_any_rate_and_channels(tmp_path, rate_hz, channels):
    path = write(tmp_path / "a.wav", tone(rate_hz=rate_hz, channels=channels), rate_hz)
    recording = decode.load(str(path), CONFIG)
    assert (recording.sample_rate_hz, recording.channels) == (rate_hz, channels)
    close_to_librosa(path, recording.samples)


@pytest.mark.parametrize("suffix", ["au", "flac", "ogg", "mp3", "aiff"])
def test_formats_of_libsndfile(tmp_path, suffix):
    subtype = {"ogg": "VORBIS", "mp3": "MPEG_LAYER_III"}.get(suffix, "PCM_16")
    path = write(tmp_path / f"a.{suffix}", subtype=subtype)
    assert len(decode.load(str(path), CONFIG).samples) == pytest.approx(3 * 22_050, abs=2)


def test_opus(tmp_path):
    path = write(tmp_path / "a.opus", tone(rate_hz=48_000), 48_000, subtype="OPUS", fmt="OGG")
    assert len(decode.load(str(path), CONFIG).samples) == pytest.approx(3 * 22_050, abs=2)


@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.aac", "aac"), ("a.m4a", "alac"), ("a.wma", "wmav2")])
def test_formats_of_ffmpeg(tmp_path, name, codec):
    path = ffmpeg(write(tmp_path / "a.wav", tone(channels=2)), tmp_path / name, "-c:a", codec)
    recording = decode.load(str(path), CONFIG)
    assert (recording.sample_rate_hz, recording.channels, recording.truncated) == (44_100, 2, False)
    assert len(recording.samples) == pytest.approx(3 * 22_050, abs=3000)  # AAC adds a frame at either end
    spectrum = np.abs(np.fft.rfft(recording.samples[22_050:44_100]))
    assert np.argmax(spectrum) == 440


def test_what_a_file_holds_counts_not_its_name(tmp_path):
    path = ffmpeg(write(tmp_path / "a.wav"), tmp_path / "a.m4a").rename(tmp_path / "b.wav")
    assert len(decode.load(str(path), CONFIG).samples) > 2 * 22_050


@pytest.mark.parametrize(("name", "share"), [("a.wav", 0.6), ("a.flac", 0.6), ("a.mp3", 0.6), ("a.au", 0.6)])
def test_truncated_data_gives_what_is_there(tmp_path, name, share):
    subtype = "MPEG_LAYER_III" if name.endswith("mp3") else "PCM_16"
    whole = decode.load(str(write(tmp_path / name, subtype=subtype)), CONFIG)
    recording = decode.load(str(cut(tmp_path / name, share)), CONFIG)
    assert recording.truncated and not whole.truncated
    assert 1.0 <= len(recording.samples) / 22_050 < 2.0
    common = len(recording.samples) - 4_000
    np.testing.assert_allclose(recording.samples[:common], whole.samples[:common], atol=2e-3)


def test_truncated_m4a_is_called_so(tmp_path):
    path = cut(ffmpeg(write(tmp_path / "a.wav"), tmp_path / "a.m4a"), 0.5)
    with pytest.raises(FileError) as rejected:
        decode.load(str(path), CONFIG)
    assert rejected.value.reason.name == "truncated"


def test_absurd_size_in_the_header_gives_what_is_there(tmp_path):
    recording = decode.load(str(patch_wav(write(tmp_path / "a.wav"), data_bytes=0xE0000000)), CONFIG)
    assert recording.truncated
    assert len(recording.samples) == pytest.approx(3 * 22_050, abs=2)


def test_vanished_files_directories_and_pipes_are_unreadable(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "gone.wav", tmp_path, tmp_path / "pipe.wav"):
        with pytest.raises(FileError) as rejected:
            decode.load(str(path), CONFIG)
        assert rejected.value.reason.name == "unreadable"


def test_a_fault_of_the_machine_is_no_fault_of_the_file(tmp_path, monkeypatch):
    path = write(tmp_path / "a.wav")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp")

    monkeypatch.setattr(spooled, "concatenate", full)
    with pytest.raises(OSError, match="No space left on device"):
        decode.load(str(path), CONFIG)
    monkeypatch.setattr(Path, "open", lambda *_: full(None))
    with pytest.raises(OSError, match="No space left on device"):
        decode.load(str(path), CONFIG)


def test_longest_duration_cuts(tmp_path):
    path = write(tmp_path / "a.flac", tone(5.0))
    short = decode.load(str(path), AudioConfig(max_duration_s=2.0)).samples
    assert len(short) == 2 * 22_050
    np.testing.assert_allclose(short[:-100], decode.load(str(path), CONFIG).samples[: len(short) - 100], atol=1e-6)


def test_content_hash_is_of_samples_not_of_files(tmp_path):
    pcm = (tone() * 32_767).astype(np.int16)
    wav, flac = (decode.load(str(write(tmp_path / name, pcm)), CONFIG) for name in ("a.wav", "a.flac"))
    other = decode.load(str(write(tmp_path / "b.wav", tone(frequency_hz=220))), CONFIG)
    assert wav.content_hash == flac.content_hash != other.content_hash


def test_any_file_system(tmp_path):
    path = write(tmp_path / "a.wav")
    storage.write_bytes("memory://audio/a.wav", path.read_bytes())
    np.testing.assert_array_equal(
        decode.load("memory://audio/a.wav", CONFIG).samples, decode.load(str(path), CONFIG).samples
    )


def test_a_playlist_opens_nothing_else(tmp_path):
    write(tmp_path / "a.wav")
    (tmp_path / "list.m4a").write_text(f"#EXTM3U\n#EXTINF:3,\n{tmp_path}/a.wav\n")
    with pytest.raises(FileError):
        decode.load(str(tmp_path / "list.m4a"), CONFIG)


def damaged(content):
    """A zip archive whose member's compressed bytes are changed."""
    start = content.index(b"a.wav") + len("a.wav")
    return content[:start] + bytes(byte ^ 0xFF for byte in content[start : start + 2000]) + content[start + 2000 :]


def encrypted(content):
    """A zip archive whose directory says that its member is encrypted."""
    flags = content.index(b"PK\x01\x02") + 8
    return content[:flags] + bytes([content[flags] | 1]) + content[flags + 1 :]


@pytest.mark.parametrize("spoil", [damaged, encrypted])
def test_a_spoilt_member_of_an_archive_is_a_fault_of_the_file(tmp_path, spoil):
    with zipfile.ZipFile(tmp_path / "whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(write(tmp_path / "a.wav"), "a.wav")
    (tmp_path / "spoilt.zip").write_bytes(spoil((tmp_path / "whole.zip").read_bytes()))
    assert decode.load(f"zip://a.wav::{tmp_path}/whole.zip", CONFIG).channels == 1
    with pytest.raises(FileError) as rejected:
        decode.load(f"zip://a.wav::{tmp_path}/spoilt.zip", CONFIG)
    assert rejected.value.reason.name == "failed" and rejected.value.detail


def spoilt_files(folder):
    """Files that each of the decoders and archives refuses, in its own words."""
    whole = ffmpeg(write(folder / "whole.wav"), folder / "whole.mka", "-c:a", "libmp3lame").read_bytes()
    (folder / "short.mka").write_bytes(whole[:300])
    (folder / "text.mp3").write_text("this is a text\n" * 100)
    (folder / "noise.aac").write_bytes(np.random.default_rng(0).bytes(20_000))
    with zipfile.ZipFile(folder / "whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "whole.wav", "a.wav")
    (folder / "spoilt.zip").write_bytes(damaged((folder / "whole.zip").read_bytes()))
    names = [f"{folder}/{name}" for name in ("short.mka", "text.mp3", "noise.aac", "gone.wav")]
    return [*names, f"zip://a.wav::{folder}/spoilt.zip"]


def test_the_same_file_gives_the_same_error_wherever_it_lies(tmp_path):
    def errors(folder):
        folder.mkdir()
        for url in spoilt_files(folder):
            if url.endswith((".mp3", ".mka", ".aac")):  # and as a temporary copy
                storage.write_bytes("memory://spoilt", Path(url).read_bytes())
                with pytest.raises(FileError) as copied:
                    decode.load("memory://spoilt", CONFIG)
                yield str(copied.value)
            with pytest.raises(FileError) as rejected:
                decode.load(url, CONFIG)
            yield str(rejected.value)

    first, second = list(errors(tmp_path / "one")), list(errors(tmp_path / "two"))
    assert first == second and len(set(first)) > 4
    assert not [error for error in first if "tmp" in error or "@ 0x" in error or "\n" in error]


def test_an_error_of_the_decoder_is_a_fault_of_the_file(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise soundfile.SoundFileRuntimeError("out of tune")

    path = write(tmp_path / "a.wav")
    monkeypatch.setattr(soundfile.SoundFile, "read", refuse)
    with pytest.raises(FileError, match="SoundFileRuntimeError: out of tune") as rejected:
        decode.load(str(path), CONFIG)
    assert rejected.value.reason.name == "failed"


@pytest.mark.parametrize("error", [KeyError, TypeError, AttributeError, ValueError, MemoryError])
def test_an_error_of_the_program_is_no_fault_of_the_file(tmp_path, monkeypatch, error):
    def slip(*_):
        raise error("slip")

    path = write(tmp_path / "a.wav")
    monkeypatch.setattr(mono, "to_mono", slip)
    with pytest.raises(error, match="slip"):
        decode.load(str(path), CONFIG)


@pytest.mark.parametrize("name", [b"caf\xe9.wav", b"a.raw", b"a.RAW"])
def test_names_that_libsndfile_would_stumble_over(tmp_path, name):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    write(tmp_path / "a.wav").rename(path)
    assert len(decode.load(path, CONFIG).samples) == pytest.approx(3 * 22_050, abs=2)
    assert tags.read_year(Path(path)) is None
