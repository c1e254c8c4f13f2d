"""A small synthesiser: songs in ten invented styles, for a corpus that needs no download.

A style is data (`pipelines.corpus.synthetic.styles`), and one set of functions renders them all.
"""

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import butter, oaconvolve, sosfilt

from pipelines.corpus.synthetic import styles
from pipelines.corpus.synthetic.styles import (
    CHORDS,
    DRUMS,
    INSTRUMENTS,
    ROOTS,
    STROKES,
    WAVES,
    Drum,
    Instrument,
    Part,
    Signal,
    Style,
)

T = TypeVar("T")
STYLES: tuple[str, ...] = tuple(sorted(styles.STYLES))


@dataclass(frozen=True)
class Score:
    """One song's harmony and time; its recording starts `start_s` after its first bar does."""

    chords: Sequence[Sequence[int]]  # in turn, one a bar: semitones above C, root first
    scale: Sequence[int]  # semitones above C, tonic first
    form: str  # which of its two patterns every part plays, bar by bar
    bar_s: float
    swing: float
    start_s: float
    size: int  # samples of the recording
    sample_rate_hz: int

    def bars(self) -> Iterator[tuple[int, str]]:
        """Every bar that the recording touches, with its letter in the form."""
        end_s = self.start_s + self.size / self.sample_rate_hz
        for bar in range(int(self.start_s / self.bar_s), int(end_s / self.bar_s) + 1):
            yield bar, self.form[bar % len(self.form)]

    def onset(self, bar: int, step: int, steps: int, late_s: float) -> int:
        """The sample at which a step begins; negative before the recording starts."""
        sixteenth = 16 * step / steps
        position_s = self.bar_s * (bar + (sixteenth + self.swing * (sixteenth % 2 == 1)) / 16)
        return round((position_s + late_s - self.start_s) * self.sample_rate_hz)


def song(
    style: str, number: int, *, duration_s: float = 12.0, sample_rate_hz: int = 22_050, seed: int = 0
) -> NDArray[np.float32]:
    """Synthesise one song, as if cut from the middle of its recording.

    Parameters
    ----------
    style : str
        One of `STYLES`.
    number : int >= 0
        Which song of the style: each has its own key, tempo, timbre, patterns and recording.
    duration_s : float > 0
        Length in seconds.
    sample_rate_hz : int > 0
        Samples a second.
    seed : int >= 0
        Which corpus. The same style, number and seed give the same song, whatever was made before it.

    Returns
    -------
    np.ndarray [shape=(round(duration_s * sample_rate_hz),), dtype=float32]
        Mono audio with a peak of at most 1.

    Raises
    ------
    ValueError
        If the style is unknown, or the duration holds no sample.
    """
    if style not in styles.STYLES:
        raise ValueError(f"unknown style {style!r}: the styles are {', '.join(STYLES)}")
    size = round(duration_s * sample_rate_hz)
    if size < 1:
        raise ValueError(f"a song of {duration_s} s at {sample_rate_hz} Hz has no samples")
    # The name itself is the seed, so that a style more or less in the table changes no other style's songs.
    rng = np.random.default_rng([seed, number, *style.encode()])
    recipe = styles.STYLES[style]
    score = _compose(recipe, size, sample_rate_hz, rng)
    mix = _level(_play_drums(recipe.drums, score, rng), recipe.drums_db, rng)
    parts = [recipe.bass, recipe.chords, recipe.melody]
    absent = int(rng.integers(3 * len(parts)))  # a third of the songs do without one of the three
    for part in parts[:absent] + parts[absent + 1 :]:
        mix += _level(_play_part(part, score, rng), part.level_db, rng)
    return _record(mix, rng.uniform(*recipe.reverb), sample_rate_hz, rng)


def write_corpus(folder: Path, *, songs_per_style: int = 12, duration_s: float = 12.0, seed: int = 0) -> int:
    """Write songs of every style as `folder/<style>/<style>.<NNNNN>.wav`: 22,050 Hz, mono, 16 bits.

    Parameters
    ----------
    folder : Path
        Made if missing; files of the same name are replaced, but for those that are as they should be: they keep their
        times, by which a build knows that it has read them.
    songs_per_style : int
        Songs of each style, numbered from 0.
    duration_s : float > 0
        Length of every song in seconds.
    seed : int >= 0
        Which corpus: see `song`.

    Returns
    -------
    int
        How many files were written.
    """
    sample_rate_hz = 22_050
    for style in STYLES:
        (folder / style).mkdir(parents=True, exist_ok=True)
        for number in range(songs_per_style):
            audio = song(style, number, duration_s=duration_s, sample_rate_hz=sample_rate_hz, seed=seed)
            path = folder / style / f"{style}.{number:05d}.wav"
            made = io.BytesIO()
            soundfile.write(made, audio, sample_rate_hz, format="WAV", subtype="PCM_16")
            if not path.exists() or path.read_bytes() != made.getvalue():
                path.write_bytes(made.getvalue())
    return len(STYLES) * songs_per_style


def _pick(options: Sequence[T], rng: Generator) -> T:
    return options[int(rng.integers(len(options)))]


def _compose(style: Style, size: int, sample_rate_hz: int, rng: Generator) -> Score:
    key, bar_s = int(rng.integers(12)), 4 * 60 / rng.uniform(*style.tempo_bpm)
    return Score(
        chords=[_transpose(_chord(name), key) for name in _pick(style.progressions, rng).split()],
        scale=_transpose(style.scale, key),
        form=_pick(("AAAB", "ABAB", "AABB"), rng),
        bar_s=bar_s,
        swing=rng.uniform(*style.swing),
        start_s=rng.uniform(0, 8 * bar_s),
        size=size,
        sample_rate_hz=sample_rate_hz,
    )


def _chord(name: str) -> list[int]:
    """Semitones above C of a chord such as `Ebmaj7`, root first."""
    root = name[:2] if name[1:2] == "b" else name[:1]
    return _transpose(CHORDS[name.removeprefix(root)], ROOTS[root])


def _transpose(pitches: Sequence[int], semitones: int) -> list[int]:
    return [pitch + semitones for pitch in pitches]


def _above(lowest: int, pitches: Sequence[int]) -> list[int]:
    """The pitches moved together by octaves, until the first is the next one from `lowest` upwards."""
    return _transpose(pitches, lowest + (pitches[0] - lowest) % 12 - pitches[0])


def _add(track: Signal, sound: Signal, onset: int) -> None:
    """Add a sound to the track in place, without what falls outside of it."""
    start = max(onset, 0)
    within = sound[start - onset :][: max(track.size - start, 0)]
    track[start : start + within.size] += within


def _level(track: Signal, level_db: float, rng: Generator) -> Signal:
    """The track brought to a loudness near `level_db`: every song has its own balance."""
    loudness = max(float(np.sqrt(np.mean(track**2))), 1e-3)
    return track * (10 ** ((level_db + rng.normal(0, 2)) / 20) / loudness)


def _filter(signal: Signal, kind: str, cutoff_hz: float, sample_rate_hz: int) -> Signal:
    sections = butter(2, min(cutoff_hz, 0.45 * sample_rate_hz), kind, fs=sample_rate_hz, output="sos")
    return np.asarray(sosfilt(sections, signal), dtype=np.float64)


def _play_drums(drums: Mapping[str, str], score: Score, rng: Generator) -> Signal:
    track = np.zeros(score.size)
    for name, patterns in drums.items():
        sound = _strike(DRUMS[name], score.sample_rate_hz, rng)
        chosen = {letter: _pick(patterns.split(), rng) for letter in "AB"}
        for bar, letter in score.bars():
            for step, stroke in enumerate(chosen[letter]):
                if stroke != ".":
                    onset = score.onset(bar, step, len(chosen[letter]), rng.normal(0, 0.003))
                    _add(track, sound * STROKES[stroke] * rng.uniform(0.8, 1.0), onset)
    return track


def _strike(drum: Drum, sample_rate_hz: int, rng: Generator) -> Signal:
    """One stroke of a drum as this song's kit has it."""
    pitch, ring, brightness, level = 2 ** rng.uniform(-0.4, 0.4, size=4)
    time_s = np.arange(int(5 * drum.decay_s * ring * sample_rate_hz)) / sample_rate_hz
    pitch_hz = drum.pitch_hz * pitch * (1 + drum.sweep * np.exp(-time_s / 0.025))
    tone = np.sin(2 * np.pi * np.cumsum(pitch_hz) / sample_rate_hz)
    noise = _filter(rng.normal(size=time_s.size), "highpass", drum.highpass_hz * brightness, sample_rate_hz)
    mixed = (1 - drum.noise) * tone + drum.noise * noise
    return np.asarray(drum.level * level * np.exp(-time_s / (drum.decay_s * ring)) * mixed)


def _play_part(part: Part, score: Score, rng: Generator) -> Signal:
    instrument = INSTRUMENTS[_pick(part.instruments.split(", "), rng)]
    voice = _voice(instrument, score.sample_rate_hz, rng)
    scale = _above(part.lowest_midi, score.scale)
    chosen = {letter: (_pick(part.patterns.split(), rng), _motif(scale, rng)) for letter in "AB"}
    track = np.zeros(score.size)
    for bar, letter in score.bars():
        pattern, motif = chosen[letter]
        chord = _above(part.lowest_midi, score.chords[bar % len(score.chords)])
        for event in re.finditer(r"[^.-]-*", pattern):
            length_s = len(event[0]) * score.bar_s / len(pattern)
            onset = score.onset(bar, event.start(), len(pattern), rng.normal(0, 0.004))
            for pitch in _pitches(event[0][0], chord, motif[event.start()]):
                _add(track, voice(pitch, length_s) * rng.uniform(0.7, 1.0), onset)
    if instrument.drive:
        track = np.tanh(instrument.drive * track)
    return _filter(track, "lowpass", rng.uniform(*instrument.cutoff_hz), score.sample_rate_hz)


def _motif(scale: Sequence[int], rng: Generator) -> list[int]:
    """A walk along two octaves of the scale, one pitch for each step of a bar."""
    walk = rng.integers(len(scale)) + np.cumsum(rng.choice((-2, -1, -1, 0, 1, 1, 2), size=16))
    ladder = [*scale, *_transpose(scale, 12)]
    return [ladder[i] for i in np.clip(np.abs(walk), 0, len(ladder) - 1)]


def _pitches(symbol: str, chord: Sequence[int], motif_pitch: int) -> list[int]:
    """The MIDI pitches that a pattern's symbol strikes."""
    if symbol == "#":
        return list(chord)
    if symbol == "?":
        return [motif_pitch]
    octave, tone = divmod(int(symbol), len(chord))
    return [chord[tone] + 12 * octave]


def _voice(instrument: Instrument, sample_rate_hz: int, rng: Generator) -> Callable[[int, float], Signal]:
    """An instrument with this song's timbre: from a MIDI pitch and a length in seconds to a note."""
    wave = WAVES[_pick(instrument.waves.split(", "), rng)]
    softness, detuning = rng.uniform(0, 0.6), 2 ** (rng.uniform(0, 9) / 1200)
    attack_s, decay_s = rng.uniform(*instrument.attack_s), rng.uniform(*instrument.decay_s)
    release_s = 0.02 + 0.3 * attack_s

    @cache
    def note(pitch: int, length_s: float) -> Signal:
        pitch_hz = 440 * 2 ** ((pitch - 69) / 12)
        harmonics = np.arange(1.0, max(2, min(0.5 * sample_rate_hz / pitch_hz, 200)))
        table = fft.irfft(np.concatenate(([0], -0.5j * wave(harmonics) * harmonics**-softness)), 4096)
        table /= np.abs(table).max()
        time_s = np.arange(int((length_s + release_s) * sample_rate_hz)) / sample_rate_hz
        phase = time_s * pitch_hz * 4096
        pair = table[phase.astype(int) % 4096] + table[(phase * detuning).astype(int) % 4096]
        envelope = instrument.sustain + (1 - instrument.sustain) * np.exp(-time_s / decay_s)
        ends = np.minimum(time_s / attack_s, (length_s + release_s - time_s) / release_s)
        return np.asarray(0.5 * pair * envelope * np.minimum(ends, 1))

    return note


def _record(mix: Signal, reverb: float, sample_rate_hz: int, rng: Generator) -> NDArray[np.float32]:
    """The mix as heard in its room, through its microphone and off its tape."""
    decay_s = rng.uniform(0.1, 0.5)
    echoes = rng.normal(size=int(4 * decay_s * sample_rate_hz))
    echoes *= np.exp(-np.arange(echoes.size) / (decay_s * sample_rate_hz))
    room = oaconvolve(mix, echoes / np.sqrt(np.sum(echoes**2)))[: mix.size]
    recorded = _tilt((1 - reverb) * mix + reverb * room, rng.uniform(-1.5, 0.5), sample_rate_hz)
    hiss = _tilt(rng.normal(size=mix.size), rng.uniform(-5, 0), sample_rate_hz)
    audio = _level(recorded, 0, rng) + _level(hiss, rng.uniform(-60, -32), rng)
    return np.asarray(audio * rng.uniform(0.35, 0.98) / np.abs(audio).max(), dtype=np.float32)


def _tilt(signal: Signal, slope_db: float, sample_rate_hz: int) -> Signal:
    """The signal with its spectrum tilted by `slope_db` an octave; below 30 Hz the slope is level."""
    frequency_hz = np.maximum(fft.rfftfreq(signal.size, 1 / sample_rate_hz), 30)
    gain = (frequency_hz / 1000) ** (slope_db / (20 * np.log10(2)))
    return np.asarray(fft.irfft(fft.rfft(signal) * gain, signal.size))
