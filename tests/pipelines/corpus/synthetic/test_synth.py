"""The synthesiser: the same song for the same arguments, and styles that can be told apart."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from pipelines.corpus.synthetic.synth import STYLES, song, write_corpus


def test_there_are_ten_styles_in_order() -> None:
    assert len(set(STYLES)) == 10
    assert list(STYLES) == sorted(STYLES)


@pytest.mark.parametrize("style", STYLES)
def test_a_song_is_sound_of_the_length_asked_for(style: str) -> None:
    audio = song(style, 0, duration_s=1.5, sample_rate_hz=16_000)
    assert audio.shape == (24_000,)
    assert audio.dtype == np.float32
    assert np.isfinite(audio).all()
    assert 0.1 < np.abs(audio).max() <= 1


def test_the_same_song_comes_out_in_any_order() -> None:
    numbers = range(3)
    forwards = {n: song("disco", n, duration_s=1).tobytes() for n in numbers}
    song("metal", 7, duration_s=1)
    backwards = {n: song("disco", n, duration_s=1).tobytes() for n in reversed(numbers)}
    assert forwards == backwards


def test_number_seed_and_style_each_make_another_song() -> None:
    songs = [song("blues", 0, duration_s=2), song("blues", 1, duration_s=2)]
    songs += [song("blues", 0, duration_s=2, seed=1), song("bossa", 0, duration_s=2)]
    likeness = np.corrcoef(songs) - np.eye(len(songs))
    assert np.abs(likeness).max() < 0.5


def test_an_unknown_style_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'polka'.*ambient.*techno"):
        song("polka", 0)


@pytest.mark.parametrize("duration_s", [0.0, -1.0])
def test_a_song_without_samples_is_refused(duration_s: float) -> None:
    with pytest.raises(ValueError, match="no samples"):
        song("techno", 0, duration_s=duration_s)


def test_a_corpus_is_a_folder_of_wave_files_for_each_style(tmp_path: Path) -> None:
    assert write_corpus(tmp_path / "corpus", songs_per_style=2, duration_s=0.5, seed=3) == 20
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert names == {f"corpus/{style}/{style}.0000{n}.wav" for style in STYLES for n in range(2)}
    path = tmp_path / "corpus" / "reggae" / "reggae.00001.wav"
    info = soundfile.info(path)
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (22_050, 1, "PCM_16", 11_025)
    written, _ = soundfile.read(path)
    np.testing.assert_allclose(written, song("reggae", 1, duration_s=0.5, seed=3), atol=1e-4)


def test_a_corpus_that_is_written_again_keeps_its_files_and_has_a_damaged_one_mended(tmp_path):
    write_corpus(tmp_path, songs_per_style=1, duration_s=0.5)
    files = sorted(tmp_path.rglob("*.wav"))
    times, contents = [path.stat().st_mtime_ns for path in files], [path.read_bytes() for path in files]
    files[3].write_bytes(contents[3][:-1])
    write_corpus(tmp_path, songs_per_style=1, duration_s=0.5)
    assert [path.read_bytes() for path in files] == contents
    kept = [path.stat().st_mtime_ns == time for path, time in zip(files, times, strict=True)]
    assert kept == [number != 3 for number in range(len(files))]


@pytest.mark.slow
def test_styles_can_be_told_apart_but_not_by_loudness() -> None:
    songs = [[song(style, number, duration_s=6) for number in range(8)] for style in STYLES]
    timbre = np.array([[_timbre(audio) for audio in row] for row in songs])
    loudness = np.array([[[np.log(np.std(audio))] for audio in row] for row in songs])
    assert _accuracy(timbre) >= 0.5
    assert _accuracy(loudness) <= 0.3


def _timbre(audio: NDArray[np.float32]) -> NDArray[np.float64]:
    mfcc = librosa.feature.mfcc(y=audio, sr=22_050)
    return np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1)])


def _accuracy(features: NDArray[np.float64]) -> float:
    """The share of each style's last three songs that lie nearest to the mean of its first five."""
    train = features[:, :5]
    scaled = (features - train.mean(axis=(0, 1))) / train.std(axis=(0, 1))
    centroids = scaled[:, :5].mean(axis=1)
    nearest = np.linalg.norm(scaled[:, 5:, None] - centroids, axis=-1).argmin(axis=-1)
    return float(np.mean(nearest == np.arange(len(features))[:, None]))
