"""The synthesiser's ten invented styles as data: what their songs share, and what each song draws for itself.

Patterns are step strings, alternatives divided by spaces; each divides a bar of four beats evenly, `.` rests and `-`
holds. For drums, `X`, `x` and `o` are accented, plain and ghost strokes. For pitched parts, `#` strikes the chord, a
digit one note of it (0 the root), and `?` the next note of a motif.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]
Range = tuple[float, float]  # from which every song draws its own value


@dataclass(frozen=True)
class Drum:
    """A struck sound: a sine that falls to its pitch, mixed with high-passed noise."""

    pitch_hz: float
    sweep: float  # how far above its pitch the sine starts, as a multiple of the pitch
    noise: float  # share of noise; the rest is the sine
    highpass_hz: float
    decay_s: float
    level: float


@dataclass(frozen=True)
class Instrument:
    """A pitched sound: a waveform, an envelope and a low-pass filter."""

    waves: str  # alternatives, divided by commas
    attack_s: Range
    decay_s: Range
    sustain: float  # the level that the decay falls to
    cutoff_hz: Range
    drive: float = 0.0


@dataclass(frozen=True)
class Part:
    """What one player may play, and on which instruments."""

    instruments: str  # alternatives, divided by commas
    lowest_midi: int  # chords and motifs are laid out from here upwards
    patterns: str
    level_db: float = 0.0


@dataclass(frozen=True)
class Style:
    """All that the songs of one style share."""

    tempo_bpm: Range
    scale: Sequence[int]  # semitones above the tonic, for motifs
    progressions: Sequence[str]  # one chord a bar, as if the key were C
    bass: Part
    chords: Part
    melody: Part
    drums: Mapping[str, str] = field(default_factory=dict)  # patterns of each
    drums_db: float = 0.0
    swing: Range = (0.0, 0.0)  # lateness of every second sixteenth, in sixteenths
    reverb: Range = (0.03, 0.15)  # share of reverberation in the mix


STROKES = {"X": 1.0, "x": 0.7, "o": 0.35}
ROOTS = {"C": 0, "Db": 1, "D": 2, "Eb": 3, "E": 4, "F": 5, "G": 7, "Ab": 8, "A": 9, "Bb": 10, "B": 11}
CHORDS = {
    "": (0, 4, 7), "m": (0, 3, 7), "5": (0, 7, 12), "dim": (0, 3, 6), "add9": (0, 4, 7, 14),
    "7": (0, 4, 7, 10), "m7": (0, 3, 7, 10), "maj7": (0, 4, 7, 11), "m9": (0, 3, 7, 10, 14),
}  # fmt: skip
MAJOR, MINOR, PHRYGIAN = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 1, 3, 5, 7, 8, 10)
PENTATONIC, BLUES = (0, 2, 4, 7, 9), (0, 3, 5, 6, 7, 10)

WAVES: Mapping[str, Callable[[Signal], Signal]] = {  # amplitude of the nth harmonic
    "sine": lambda n: 1.0 * (n == 1),
    "triangle": lambda n: (n % 2) / n**2,
    "square": lambda n: (n % 2) / n,
    "pulse": lambda n: np.sin(np.pi * n / 8) / n,
    "saw": lambda n: 1 / n,
    "drawbars": lambda n: np.isin(n, (1, 2, 3, 4, 6, 8)) / np.sqrt(n),
    "reed": lambda n: np.sqrt(n) * np.exp(-n / 4),
    "struck": lambda n: np.exp(-n / 3),
    "plucked": lambda n: np.abs(np.sin(0.19 * np.pi * n)) / n**1.2,
}
INSTRUMENTS = {
    "sub": Instrument("sine, triangle", (0.005, 0.02), (0.3, 1.0), 0.6, (200, 600)),
    "bass guitar": Instrument("plucked, struck", (0.003, 0.01), (0.2, 0.7), 0.1, (500, 2000)),
    "synth bass": Instrument("saw, square", (0.002, 0.008), (0.07, 0.3), 0.2, (500, 3000)),
    "piano": Instrument("struck", (0.002, 0.006), (0.3, 1.2), 0.0, (2000, 7000)),
    "guitar": Instrument("plucked", (0.002, 0.008), (0.15, 0.6), 0.0, (1500, 6000)),
    "overdriven": Instrument("saw, plucked", (0.002, 0.006), (0.3, 1.0), 0.5, (2500, 7000), drive=2.5),
    "organ": Instrument("drawbars", (0.005, 0.02), (0.3, 1.0), 0.8, (1500, 6000)),
    "reed": Instrument("reed, saw", (0.02, 0.06), (0.3, 0.9), 0.6, (2000, 6000)),
    "flute": Instrument("sine, triangle", (0.03, 0.09), (0.4, 1.0), 0.7, (3000, 8000)),
    "strings": Instrument("saw", (0.05, 0.2), (0.5, 2.0), 0.7, (1500, 6000)),
    "pad": Instrument("saw, drawbars, triangle", (0.2, 1.2), (1.0, 4.0), 0.7, (400, 3000)),
    "stab": Instrument("saw, pulse", (0.002, 0.008), (0.05, 0.25), 0.0, (1000, 6000)),
    "lead": Instrument("saw, square, pulse", (0.005, 0.03), (0.1, 0.6), 0.4, (1500, 8000)),
    "chip": Instrument("square, pulse", (0.001, 0.003), (0.08, 0.6), 0.3, (5000, 10000)),
}
DRUMS = {
    "kick": Drum(50, 3.0, 0.05, 1500, 0.12, 1.0),
    "tom": Drum(110, 0.6, 0.1, 500, 0.15, 0.7),
    "snare": Drum(190, 0.4, 0.7, 900, 0.09, 0.8),
    "rim": Drum(900, 0.1, 0.4, 1800, 0.02, 0.6),
    "clap": Drum(400, 0.0, 0.95, 1100, 0.11, 0.7),
    "hat": Drum(6000, 0.0, 1.0, 6500, 0.03, 0.4),
    "open hat": Drum(6000, 0.0, 1.0, 5500, 0.16, 0.4),
    "ride": Drum(4200, 0.0, 0.85, 5000, 0.28, 0.25),
    "shaker": Drum(5000, 0.0, 1.0, 4500, 0.05, 0.25),
}

STYLES = {
    "ambient": Style(
        (56, 84), PENTATONIC, ("Cmaj7 Am9 Fmaj7 Gadd9", "Cadd9 Em7 Fmaj7 Fmaj7", "Am9 Fmaj7 Cadd9 Gadd9"),
        Part("sub, pad", 31, "0 02 0-2-"),
        Part("pad, strings", 52, "# ##"),
        Part("flute, piano, pad", 67, "?? ?-?. .?", -4),
        drums={"shaker": ". . x.o."}, drums_db=-20, reverb=(0.3, 0.6),
    ),
    "blues": Style(
        (76, 132), BLUES, ("C7 F7 C7 C7 F7 F7 C7 C7 G7 F7 C7 G7", "Cm7 Cm7 Fm7 Cm7 Ab7 G7 Cm7 G7"),
        Part("bass guitar", 33, "0121 0-.0-.2-.3-2 0232"),
        Part("organ, piano, guitar", 52, ".#.# ..#...#--.#. #-", -3),
        Part("overdriven, reed, piano", 60, "?-.?-??--.?- .?.?-??----. ?----?.?-?--", -1),
        drums={"kick": "x.x. x..x.x", "snare": ".x.x .X.......oX..", "ride": "x..x.xx..x.x xxxx",
               "hat": ".x.x ."},
        drums_db=-1,
    ),
    "bossa": Style(
        (60, 82), MAJOR, ("Cmaj7 Cmaj7 D7 D7 Dm7 G7 Cmaj7 Db7", "Dm7 G7 Em7 A7", "Cm9 Fm7 G7 Cm9"),
        Part("bass guitar, sub", 31, "0-.02-.20-.02-.2 0-.22-..0-.22-.0"),
        Part("guitar, piano", 52, "#-.#..#-..#..#.. #..#..#-.#..#..."),
        Part("flute, reed, guitar", 62, "?--?-?--..?-?--- ..?-?-?---?--?-. ?-----..?--?--.."),
        drums={"rim": "x..x..x...x..x.. x..x...x..x..x..", "kick": "x..xx..xx..xx..x x..x....x..x....",
               "shaker": "xoxoxoxoxoxoxoxo xooxxooxxooxxoox"},
        drums_db=-4, swing=(0.0, 0.12),
    ),
    "chiptune": Style(
        (116, 176), MAJOR, ("C G Am F", "Am F C G", "C F G C", "Cm Ab Bb Cm"),
        Part("chip, sub", 36, "0.0.3.0.0.0.3.0. 00223322"),
        Part("chip", 60, "0123012301230123 012.012.012.0123 01210121", -4),
        Part("chip, lead", 72, "???.?-??.??. ?-???-?? ?--?--?-?--?--?-"),
        drums={"kick": "xxxx x.....x.x.....x.", "snare": ".x.x ....x..o....x.oo", "hat": "xxxxxxxx ."},
        drums_db=-3, reverb=(0.0, 0.05),
    ),
    "classical": Style(
        (66, 132), MAJOR, ("C G Am Em F C F G", "Cm Fm G Cm", "C F Dm G", "Cm Ab Bdim G"),
        Part("piano, strings", 36, "02 0 0."),
        Part("piano, guitar", 55, "0212021202120212 0123432101234321 01210121"),
        Part("piano, strings, flute", 69, "?-???-?- ?---???? ?-??????--?-?---"),
        reverb=(0.15, 0.35),
    ),
    "disco": Style(
        (108, 128), PENTATONIC, ("Am7 Dm7 G7 Cmaj7", "Cm7 Fm7 Bb7 Ebmaj7", "Am7 Am7 Dm7 Em7"),
        Part("bass guitar, synth bass", 33, "0.4.0.4.0.4.0.4. 0.400.400.4.2.3."),
        Part("guitar, piano, stab", 57, "..##..#...##..#. #..#..#.#..#..#.", -2),
        Part("strings, reed, lead", 64, "?---?-?? ....??.?--...... ?-?-..?---------", -2),
        drums={"kick": "XXXX", "clap": ".x.x ....x.......x.o.", "open hat": ".x.x.x.x",
               "hat": "xxxxxxxxxxxxxxxx x.oxx.oxx.oxx.ox"},
        swing=(0.0, 0.1),
    ),
    "jungle": Style(
        (156, 180), MINOR, ("Cm9 Cm9 Abmaj7 Abmaj7", "Cm7 Fm7 Cm7 Bb", "Cm9 Ebmaj7"),
        Part("sub, synth bass", 28, "0-----.0--..2--- 0----32- 0--0--.........."),
        Part("pad, strings, organ", 55, "# #-----#---------", -5),
        Part("stab, lead, piano", 64, "..?....?..?..... ?.........?..?..", -5),
        drums={"kick": "X.x.......x..... X.........xx....", "snare": "....X..o.o..X..o ....X..o.o....X.",
               "hat": "xxxxxxxx xxxoxxxoxxxoxxxo", "ride": ". xxxxxxxx"},
        drums_db=1, swing=(0.0, 0.15), reverb=(0.05, 0.25),
    ),
    "metal": Style(
        (130, 200), PHRYGIAN, ("C5 C5 Db5 C5", "C5 Eb5 Db5 Bb5", "C5 Ab5 Bb5 C5", "C5 C5 F5 Eb5"),
        Part("bass guitar, synth bass", 28, "0.000.000.000.00 00000000", -3),
        Part("overdriven", 40, "#.###.###.###.## #---##..#---#.#. ##.##.##.##.#-#-", 3),
        Part("overdriven, lead", 64, "???????????????? ?????-?? .", -4),
        drums={"kick": "xxxxxxxxxxxxxxxx x.xxx.xxx.xxx.xx x...x.x.x...x.x.", "snare": ".X.X .x.x.x.x",
               "tom": ". ............xxxx", "ride": "XXXX xxxxxxxx"},
    ),
    "reggae": Style(
        (64, 88), MINOR, ("Am G Am G", "C F C G", "Am Dm Am Em", "Cm Bb Ab Bb"),
        Part("sub, bass guitar", 31, "0--2-0..0--2--3. ..0-0-2---0-2-.. 0--0--2-....2-0-", 3),
        Part("guitar, piano, organ", 57, "....#.......#... ....#.#.....#.#. ..#...#...#...#."),
        Part("organ, reed, flute", 60, ". ??-...?- ...???--", -5),
        drums={"kick": "..X. X.X.", "rim": "..x. ........x..x....", "snare": ". ..............ox",
               "hat": "x.xox.xox.xox.xo .x.x.x.x"},
        drums_db=-2, swing=(0.05, 0.3), reverb=(0.1, 0.3),
    ),
    "techno": Style(
        (122, 142), PHRYGIAN, ("Cm", "Cm Cm Cm Db", "Cm Cm Ebmaj7 Cm"),
        Part("synth bass, sub", 31, "..0...0...0...0. .000.000.000.000 0.30.03.0.30.230"),
        Part("stab, pad", 52, "...#..#......... #..#..#..#..#... ......#.......#.", -3),
        Part("lead, stab, synth bass", 55, "?.??.?.??.?.?.?? . ..?...?..?......", -5),
        drums={"kick": "XXXX", "clap": ". .x.x", "open hat": ".x.x.x.x .",
               "hat": "x.xxx.xxx.xxx.xx oooooooo"},
        drums_db=2, reverb=(0.05, 0.25),
    ),
}  # fmt: skip
