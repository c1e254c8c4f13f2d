"""Everything that is in a file, and not a frame less: whatever its header says, and however it came about."""

import contextlib
import io
import struct
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from pipelines.audio import decode
from pipelines.audio.containers import table
from pipelines.audio.ffmpeg import open_container
from pipelines.audio.schema import AudioConfig
from pipelines.common.errors import FileError
from tests.audio_files import cut, ffmpeg, tone, write

CONFIG = AudioConfig()
FRAME_S = 0.06  # an encoder's frame at either end, where nothing tells how much of it is music


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Two songs: stereo of 2 s, and mono of 1.5 s at half its rate."""
    folder = tmp_path_factory.mktemp("songs")
    one = write(folder / "one.wav", tone(2.0, channels=2))
    return one, write(folder / "two.wav", tone(1.5, 22_050, frequency_hz=660), 22_050)


def load(path, **config):
    return decode.load(str(path), AudioConfig(**config))


def duration_s(path):
    return len(load(path).samples) / CONFIG.sample_rate_hz


def assert_same(recording, other):
    for each in ("content_hash", "truncated", "unread_s"):
        assert getattr(recording, each) == getattr(other, each)


def piped(source, fmt, *options):
    """What ffmpeg writes where it cannot come back to the header."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", source, *options, "-f", fmt, "pipe:1"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def mp3(source, target, *options, header=True):
    bare = [] if header else ["-write_xing", "0", "-id3v2_version", "0"]
    return ffmpeg(source, target, *options, *bare)


def joined(target, *parts):
    target.write_bytes(b"".join(part.read_bytes() for part in parts))
    return target


def test_an_mp3_of_variable_bit_rate_without_a_header(songs, tmp_path):
    quiet_end = np.concatenate([tone(1.0), 1e-3 * tone(5.0)])
    path = mp3(write(tmp_path / "a.wav", quiet_end), tmp_path / "a.mp3", "-q:a", "2", header=False)
    recording = load(path)
    assert len(recording.samples) / 22_050 == pytest.approx(6.0, abs=FRAME_S)
    assert not recording.truncated and not recording.unread_s


@pytest.mark.parametrize("stated", [0, 20, 70, 100_000])
def test_an_mp3_whose_header_states_another_length(songs, tmp_path, stated):
    path = mp3(songs[0], tmp_path / "a.mp3")
    content = bytearray(path.read_bytes())
    at = max(content.find(b"Xing"), content.find(b"Info")) + 8
    content[at : at + 4] = struct.pack(">I", stated)
    path.write_bytes(content)
    assert duration_s(path) == pytest.approx(2.0, abs=FRAME_S) and not load(path).truncated


@pytest.mark.parametrize("codec", ["mp2", "libmp3lame"])
def test_a_constant_bit_rate_without_a_header_is_whole(songs, tmp_path, codec):
    path = mp3(songs[0], tmp_path / "a.mp3", "-c:a", codec, "-f", "mp3" if codec != "mp2" else "mp2", header=False)
    assert duration_s(path) == pytest.approx(2.0, abs=FRAME_S) and not load(path).truncated
    assert load(cut(path, 0.6)).truncated


def test_mp3s_that_are_joined_are_read_to_the_sample(songs, tmp_path):
    first, second = mp3(songs[0], tmp_path / "1.mp3", "-ac", "1"), mp3(songs[1], tmp_path / "2.mp3", "-ar", "44100")
    recording = load(joined(tmp_path / "a.mp3", first, second))
    assert len(recording.samples) == pytest.approx(3.5 * 22_050, abs=2) and not recording.unread_s
    np.testing.assert_allclose(recording.samples[22_050:44_000], load(first).samples[22_050:44_000], atol=1e-3)
    np.testing.assert_allclose(recording.samples[44_200:-100], load(second).samples[100:-100], atol=1e-3)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize(
    ("suffix", "options"), [("mp3", ()), ("ogg", ("-c:a", "libvorbis")), ("opus", ("-c:a", "libopus"))]
)
def test_rate_and_channels_that_change_on_the_way(songs, tmp_path, suffix, options, order):
    parts = [ffmpeg(songs[n], tmp_path / f"{n}.{suffix}", *options) for n in order]
    recording = load(joined(tmp_path / f"a.{suffix}", *parts))
    assert len(recording.samples) == pytest.approx(3.5 * 22_050, abs=4)
    of_first, of_second = (load(part) for part in parts)
    assert (recording.sample_rate_hz, recording.channels) == (of_first.sample_rate_hz, of_first.channels)
    middle = len(of_first.samples)
    np.testing.assert_allclose(recording.samples[1000 : middle - 100], of_first.samples[1000:-100], atol=1e-3)
    np.testing.assert_allclose(
        recording.samples[middle + 1000 : -100], of_second.samples[1000:][: -100 or None], atol=1e-3
    )


@pytest.mark.parametrize("seconds", [0.6, 1.2, 2.0])
@pytest.mark.parametrize("rate", [22_050, 44_100])
def test_flac_of_unknown_length(songs, tmp_path, seconds, rate):
    path = tmp_path / "a.flac"
    path.write_bytes(piped(songs[0], "flac", "-t", str(seconds), "-ar", str(rate)))
    assert duration_s(path) == pytest.approx(seconds, abs=1e-4) and not load(path).truncated
    assert load(cut(path, 0.8)).truncated and 0.5 * seconds < duration_s(path) < seconds


@pytest.mark.parametrize("count", range(2, 8))
def test_flac_that_ends_within_the_header_of_a_frame(songs, tmp_path, count):
    path = ffmpeg(songs[0], tmp_path / "a.flac")
    whole = load(path)
    path.write_bytes(path.read_bytes() + b"\xff\xf8\xc9\x18\x14\0\0\0"[:count])
    assert load(path).content_hash == whole.content_hash


def test_joined_flac(songs, tmp_path):
    first, second = (ffmpeg(song, tmp_path / f"{n}.flac") for n, song in enumerate(songs))
    assert duration_s(joined(tmp_path / "a.flac", first, first)) == pytest.approx(4.0, abs=1e-4)
    assert duration_s(joined(tmp_path / "b.flac", first, second)) == pytest.approx(3.5, abs=1e-3)


def test_a_damaged_flac_is_read_before_and_after(songs, tmp_path):
    path = ffmpeg(songs[0], tmp_path / "a.flac")
    whole = load(path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 100] = bytes(100)
    path.write_bytes(content)
    recording = load(path)
    lost_s = (len(whole.samples) - len(recording.samples)) / 22_050
    assert 0 < lost_s < 0.3 and recording.unread_s == pytest.approx(lost_s, abs=1e-3) and not recording.truncated
    np.testing.assert_allclose(recording.samples[:15_000], whole.samples[:15_000], atol=1e-5)
    np.testing.assert_allclose(recording.samples[-15_000:], whole.samples[-15_000:], atol=1e-5)


def test_a_damaged_mp3_is_read_before_and_after(songs, tmp_path):
    path = mp3(songs[0], tmp_path / "a.mp3")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2_000] = bytes(2_000)
    path.write_bytes(content)
    recording = load(path)
    assert len(recording.samples) / 22_050 + recording.unread_s == pytest.approx(2.0, abs=FRAME_S)
    assert recording.unread_s > 0.05 and not recording.truncated


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("wav", ()), ("wav", ("-c:a", "adpcm_ms")), ("aiff", ()), ("m4a", ()), ("mov", ("-c:a", "pcm_s16be")),
        ("mp4", ("-movflags", "frag_keyframe+empty_moov+default_base_moof")),
    ],
)  # fmt: skip
def test_files_of_one_container_that_are_joined(songs, tmp_path, suffix, options):
    first, second = (ffmpeg(song, tmp_path / f"{n}.{suffix}", *options) for n, song in enumerate(songs))
    whole = joined(tmp_path / f"a.{suffix}", first, second, first)
    recording = load(whole)
    parts = [load(part).samples for part in (first, second, first)]
    assert len(recording.samples) == pytest.approx(sum(map(len, parts)), abs=4) and not recording.truncated
    np.testing.assert_allclose(recording.samples[-20_000:], parts[2][-20_000:], atol=1e-3)
    assert load(cut(whole, 0.9)).truncated


CONTAINERS = ("wav", "flac", "ogg", "mp3", "m4a", "aiff", "au", "caf", "w64", "mka", "wma", "tta", "wv", "aac", "ac3")


@pytest.mark.parametrize("number", range(len(CONTAINERS)))
def test_files_of_any_containers_that_are_joined(songs, tmp_path, number):
    suffixes = CONTAINERS[number], CONTAINERS[(number * 4 + 3) % 13], "wav"  # the second says what it is
    parts = [ffmpeg(songs[n % 2], tmp_path / f"{n}.{suffix}") for n, suffix in enumerate(suffixes)]
    recording = load(joined(tmp_path / "a", *parts))
    assert len(recording.samples) == pytest.approx(sum(len(load(part).samples) for part in parts), abs=6)
    assert not recording.unread_s and not recording.truncated
    np.testing.assert_allclose(recording.samples[-40_000:], load(parts[2]).samples[-40_000:], atol=1e-3)


@pytest.mark.parametrize("suffix", ["au", "caf", "w64", "mka", "wma", "tta", "wv", "flac"])
def test_a_file_that_is_joined_to_itself(songs, tmp_path, suffix):
    path = ffmpeg(songs[0], tmp_path / f"a.{suffix}")
    assert duration_s(joined(tmp_path / "b", path, path)) == pytest.approx(2 * duration_s(path), abs=1e-3)


def wav_of(*chunks):
    body = b"WAVE" + b"".join(kind + struct.pack("<I", len(content)) + content for kind, content in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_samples_behind_the_end_of_a_file_are_told(songs, tmp_path):
    content = songs[0].read_bytes()
    format_, samples = (b"fmt ", content[20:36]), content[44:]
    second = wav_of(format_, (b"data", samples), (b"LIST", b"INFO"), (b"data", samples[: 4 * 44_100]))
    wrong_size = wav_of(format_, (b"data", samples[: 4 * 44_100])) + samples[4 * 44_100 :]
    for odd, read_s in ((second, 2.0), (wrong_size, 1.0)):
        (tmp_path / "a.wav").write_bytes(odd)
        recording = load(tmp_path / "a.wav")
        assert len(recording.samples) == read_s * 22_050
        assert recording.unread_s == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("suffix", ["wav", "aiff", "m4a", "w64", "caf", "wma", "wv", "tta", "flac", "ogg"])
def test_tags_and_padding_behind_the_end_of_a_file_are_no_samples(songs, tmp_path, suffix):
    path = ffmpeg(songs[0], tmp_path / f"a.{suffix}")
    whole, content = load(path), path.read_bytes()
    ape = b"APETAGEX" + struct.pack("<IIII", 2000, 9_032, 1, 0xA0000000) + bytes(8)
    tags = [bytes(20_000), b"TAG" + bytes(125), b"ID3\4\0\0\0\0\x40\0" + b"x" * (64 << 7), b"LIST\4\0\0\0INFO"]
    for tag in [*tags, ape + b"y" * 9_000 + ape[:20] + struct.pack("<I", 0x80000000) + bytes(8)]:
        path.write_bytes(content + tag)
        recording = load(path)
        assert (recording.content_hash, recording.unread_s) == (whole.content_hash, 0.0), tag[:4]


def test_a_header_that_flac_keeps_of_another_container_begins_no_file(songs, tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(piped(songs[0], "flac"))
    whole, content = load(path), path.read_bytes()
    kept = b"riff" + songs[0].read_bytes()[:44]
    path.write_bytes(content[:42] + b"\2" + len(kept).to_bytes(3) + kept + content[42:])
    assert_same(load(path), whole)


@pytest.mark.parametrize("suffix", ["wav", "aiff", "ogg", "flac", "aac", "wv"])
def test_an_id3_tag_in_front_of_any_container(songs, tmp_path, suffix):
    path = ffmpeg(songs[0], tmp_path / f"a.{suffix}", *(("-c:a", "libvorbis") if suffix == "ogg" else ()))
    whole = load(path)
    path.write_bytes(b"ID3\4\0\0\0\0\x10\0" + bytes(16 << 7) + path.read_bytes())
    assert_same(load(path), whole)


def test_tags_at_the_end_of_an_mp3_are_no_damaged_music(songs, tmp_path):
    path = mp3(songs[0], tmp_path / "a.mp3", header=False)
    whole, music = load(path), path.read_bytes()
    lyrics = b"LYRICSBEGIN" + b"LYR00600" + b"la " * 200
    ape = b"\xff\xfb\x90\x44" * 5_000
    tags = [
        b"TAG" + bytes(125),
        b"TAG+" + bytes(223) + b"TAG" + bytes(125),
        lyrics + b"%06dLYRICS200" % len(lyrics) + b"TAG" + bytes(125),
        b"LYRICSBEGIN" + b"la " * 200 + b"LYRICSEND" + b"TAG" + bytes(125),
        ape + b"APETAGEX" + struct.pack("<IIII", 1000, len(ape) + 32, 1, 0) + bytes(8) + b"TAG" + bytes(125),
        b"ID3\4\0\x10\0\0\x10\0" + bytes(16 << 7) + b"3DI\4\0\x10\0\0\x10\0",
    ]
    for tag in tags:
        path.write_bytes(music + tag)
        assert_same(load(path), whole)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0xFFFFFFDA, 0x7FFFF000, 0x7FFFFFFF, 0x7F000024, 0x80000000, 0])
def test_wav_of_a_pipe(songs, tmp_path, size):
    content = bytearray(songs[0].read_bytes())
    content[4:8], content[40:44] = struct.pack("<I", (size + 36) & 0xFFFFFFFF), struct.pack("<I", size)
    (tmp_path / "a.wav").write_bytes(content)
    recording = load(tmp_path / "a.wav")
    assert recording.content_hash == load(songs[0]).content_hash and not recording.truncated


@pytest.mark.parametrize("fmt", ["wav", "au", "w64", "caf", "aiff", "flac"])
def test_what_comes_from_a_pipe_is_the_same_recording(songs, tmp_path, fmt):
    (tmp_path / "a").write_bytes(piped(songs[0], fmt))
    recording = load(tmp_path / "a")
    assert recording.content_hash == load(songs[0]).content_hash and not recording.truncated


ENCODED = {
    "mp3": (), "flac": (), "wav": (), "aiff": (), "au": (), "caf": (), "w64": (), "ogg": ("-c:a", "libvorbis"),
    "opus": ("-c:a", "libopus"), "oga": ("-c:a", "flac"), "aac": (), "mka": ("-c:a", "libvorbis"), "tta": (), "wv": (),
    "webm": ("-c:a", "libopus"), "ac3": (), "wma": (), "mp2": (), "dts": ("-c:a", "dca", "-strict", "-2"),
    "frag.mp4": ("-c:a", "aac", "-movflags", "frag_keyframe+empty_moov+default_base_moof"),
    "fast.m4a": ("-movflags", "faststart"), "live.mka": ("-c:a", "mp3", "-live", "1"),
    "adpcm.wav": ("-c:a", "adpcm_ms"), "mp3.wav": ("-c:a", "libmp3lame"), "amr": ("-ar", "8000", "-ac", "1"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", ENCODED)
def test_a_file_is_truncated_where_its_bytes_end_in_the_middle(songs, tmp_path, suffix):
    path = ffmpeg(songs[0], tmp_path / f"a.{suffix}", *ENCODED[suffix])
    whole = load(path)
    assert not whole.truncated and not whole.unread_s
    assert len(whole.samples) / 22_050 == pytest.approx(2.0, abs=FRAME_S)
    part = load(cut(path, 0.7))
    assert part.truncated and len(part.samples) < len(whole.samples)
    assert len(part.samples) / 22_050 > (0.5 if suffix in ("ogg", "opus") else 1.0)  # pages of a second


@pytest.mark.slow
def test_the_sum_of_the_parts(songs, tmp_path):
    """Of any files of a kind that are joined, as many seconds are decoded as they have by themselves."""
    rng = np.random.default_rng(0)
    for suffix in ("mp3", "ogg", "opus"):
        names = [f"{n}.{suffix}" for n in range(4)]
        rates = rng.choice([16_000, 24_000, 48_000], len(names))
        parts = [
            ffmpeg(
                songs[n % 2],
                tmp_path / name,
                "-ar",
                str(rate),
                "-ac",
                str(1 + n // 2),
                "-t",
                f"{rng.uniform(0.4, 1.4):.2f}",
            )
            for n, (name, rate) in enumerate(zip(names, rates, strict=True))
        ]
        total = duration_s(joined(tmp_path / f"all.{suffix}", *parts))
        assert total == pytest.approx(sum(map(duration_s, parts)), abs=1e-3)


@pytest.mark.slow
def test_what_lies_beyond_the_longest_duration_is_counted(songs, tmp_path):
    for suffix in ("wav", "flac", "mp3", "ogg", "m4a", "wma", "opus", "wv"):
        path = ffmpeg(songs[0], tmp_path / f"a.{suffix}")
        recording = load(path, max_duration_s=1.5)
        assert len(recording.samples) == pytest.approx(1.5 * 22_050, abs=1)
        assert recording.unread_s == pytest.approx(0.5, abs=FRAME_S), suffix
    assert not load(songs[0], max_duration_s=2.0).unread_s


def test_times_of_vorbis_that_ffmpeg_guesses_are_no_gaps(music, tmp_path):
    soundfile.write(tmp_path / "a.wav", music, 22_050)
    path = ffmpeg(tmp_path / "a.wav", tmp_path / "a.ogg", "-c:a", "libvorbis")
    container, _ = table.container_of(io.BytesIO(path.read_bytes()))
    with path.open("rb", buffering=0) as file, open_container([file], container, is_cut=False) as stream:
        assert sum(block.duration_s for block in stream.blocks) == pytest.approx(8.0, abs=FRAME_S)
        assert stream.damaged_s == 0.0


def test_a_position_that_cannot_be_is_a_fault_of_the_file(songs, tmp_path):
    path = ffmpeg(songs[0], tmp_path / "a.caf", "-c:a", "alac")
    once = duration_s(path)
    path.write_bytes(2 * path.read_bytes())  # FFmpeg takes the second one's header for chunks of this one
    container, _ = table.container_of(io.BytesIO(path.read_bytes()))
    with path.open("rb", buffering=0) as file, open_container([file], container, is_cut=False) as stream:
        read_s = sum(block.duration_s for block in stream.blocks)  # an OSError would end the build
    assert read_s == pytest.approx(once, abs=1e-3) and duration_s(path) == pytest.approx(2 * once, abs=1e-3)


def test_a_chunk_of_gigabytes_asks_for_no_memory(songs, tmp_path):
    asked = []

    class File(io.BytesIO):
        def read(self, size=-1):
            asked.append(size)
            return super().read(size)

    content = ffmpeg(songs[0], tmp_path / "a.aiff").read_bytes()
    content = content[:12] + b"NAME\x70\0\0\0" + content[12:]
    container, _ = table.container_of(io.BytesIO(content))
    with (
        contextlib.suppress(FileError, MemoryError),
        open_container([File(content)], container, is_cut=False) as stream,
    ):
        list(stream.blocks)
    assert asked and max(asked) <= 1 << 20


def test_an_mp3_of_free_format_is_called_so(tmp_path):
    (tmp_path / "a.mp3").write_bytes((b"\xff\xfb\x00\x44" + bytes(1_300)) * 50)
    with pytest.raises(FileError, match="free format"):
        load(tmp_path / "a.mp3")


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXTINF:3,\n{path}\n",
        "ffconcat version 1.0\nfile {path}\n",
        "[playlist]\nFile1={path}\n",
        "file '{path}'\n",
        "<?xml version='1.0'?><MPD><Period><BaseURL>{path}</BaseURL></Period></MPD>",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    ],
)
@pytest.mark.parametrize("suffix", ["mp3", "m4a", "m3u8", "mpd"])
def test_only_what_holds_its_own_audio_is_opened(songs, tmp_path, text, suffix):
    (tmp_path / f"a.{suffix}").write_text(text.format(path=songs[0]))
    with pytest.raises(FileError) as rejected:
        load(tmp_path / f"a.{suffix}")
    assert rejected.value.reason.name == "not_audio"


@pytest.mark.parametrize(
    "begins", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\0\x10JFIF", b"GIF89a", b"%PDF-1.4", b"MThd\0\0\0\6"]
)
def test_what_is_no_audio(tmp_path, begins):
    (tmp_path / "a.mp3").write_bytes(begins + np.random.default_rng(0).bytes(50_000))
    with pytest.raises(FileError) as rejected:
        load(tmp_path / "a.mp3")
    assert rejected.value.reason.name == "not_audio"


def test_an_id3_tag_that_claims_more_than_the_file_hides_no_music(songs, tmp_path):
    path = mp3(songs[0], tmp_path / "a.mp3", header=False)
    whole = load(path)
    path.write_bytes(b"ID3\4\0\0\x7f\x7f\x7f\x7f" + path.read_bytes())
    assert load(path).content_hash == whole.content_hash


@pytest.mark.parametrize("bits", [0, 64])
def test_samples_of_an_absurd_size_are_the_files_fault(songs, tmp_path, bits):
    content = bytearray(songs[0].read_bytes())
    content[34:36] = struct.pack("<H", bits)
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(FileError):
        load(tmp_path / "a.wav")


def test_the_content_hash_of_ordinary_files_stays(songs, tmp_path):
    """It names records: another would have every dataset read anew."""
    samples = (np.arange(20_000) % 200 - 100).astype(np.int16) * 100
    write(tmp_path / "a.wav", samples)
    write(tmp_path / "a.flac", samples)
    hashes = {load(tmp_path / name).content_hash for name in ("a.wav", "a.flac")}
    assert hashes == {"fd8f0b78b9fa46b54fb0d0f2d7403d9f"}


def test_the_same_samples_are_one_recording_in_any_container(songs, tmp_path):
    names = {"a.flac": (), "a.wv": (), "a.tta": (), "a.m4a": ("-c:a", "alac"), "a.mka": ("-c:a", "flac"), "a.caf": ()}
    hashes = {load(ffmpeg(songs[0], tmp_path / name, *options)).content_hash for name, options in names.items()}
    assert hashes == {load(songs[0]).content_hash}
    soundfile.write(tmp_path / "b.wav", tone(1.0), 44_100, subtype="PCM_24")
    (tmp_path / "b.flac").write_bytes(piped(tmp_path / "b.wav", "flac"))
    assert load(tmp_path / "b.flac").content_hash == load(tmp_path / "b.wav").content_hash
