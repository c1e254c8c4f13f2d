"""A year of weekly versions: songs arrive, leave, return, are renamed, relabelled, copied; folds and groups change."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import soundfile

from pipelines.audit.verify import verify
from pipelines.build.build import build
from pipelines.corpus.synthetic import synth
from pipelines.dataset.prune import prune
from tests.pipelines.conftest import config_of, in_process
from tests.pipelines.dataset_checks import check_version

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("in_this_process")]

WEEKS, FIRST_SONGS, SONGS, RATE_HZ = 52, 25, 40, 8_000
FEATURES = {"features": {"log_mel": {"n_fft": 512, "hop_length": 512, "n_mels": 4}}}
FOLDS = {
    0: {"count": 4, "group_by": "song", "lone_genres": "drop"},
    14: {"count": 6},
    27: {"group_by": "artist"},
    38: {"count": 3},
}
"""From which week on which settings hold."""


@dataclass
class Library:
    """A corpus whose manifest says genre and artist of each file; songs that are away can come back."""

    folder: Path
    random: random.Random
    files: dict[str, tuple[str, str]] = field(default_factory=dict)
    away: dict[str, tuple[str, str]] = field(default_factory=dict)
    made: int = 0

    def name(self, suffix="wav"):
        self.made += 1
        return f"{self.random.randrange(1 << 30):08x}.{suffix}"

    def pick(self):
        return self.random.choice(sorted(self.files))

    def arrive(self):
        number = self.made
        style, name = synth.STYLES[number % 3], self.name()
        soundfile.write(self.folder / name, synth.song(style, number, duration_s=6.0, sample_rate_hz=RATE_HZ), RATE_HZ)
        self.files[name] = style, f"artist {self.random.randrange(30)}"

    def leave(self):
        name = self.pick()
        self.away[name] = self.files.pop(name)

    def come_back(self):
        if self.away:
            name = self.random.choice(sorted(self.away))
            self.files[name] = self.away.pop(name)

    def rename(self):
        old, new = self.pick(), self.name()
        new = f"{new.partition('.')[0]}{Path(old).suffix}"
        (self.folder / old).rename(self.folder / new)
        self.files[new] = self.files.pop(old)

    def relabel(self):
        name = self.pick()
        self.files[name] = self.random.choice(synth.STYLES[:3]), self.files[name][1]

    def copy(self):
        old, new = self.pick(), self.name(self.random.choice(["wav", "flac"]))
        samples, rate_hz = soundfile.read(self.folder / old)
        soundfile.write(self.folder / new, samples * self.random.choice([1.0, 0.5]), rate_hz)
        self.files[new] = self.files[old][0], f"artist {self.random.randrange(30)}"

    def week(self):
        """What happens in a week."""
        for _ in range(self.random.randrange(1, 4)):
            happening = [self.leave, self.come_back, self.rename, self.relabel, self.copy]
            self.random.choice(happening + [self.arrive] * (3 if len(self.files) < SONGS else 0))()
        lines = [f"{name},{genre},{artist}" for name, (genre, artist) in self.files.items()]
        (self.folder / "m.csv").write_text("\n".join(["path,genre,artist", *lines]))


@dataclass
class Memory:
    """What all versions together have had in which split."""

    folded: set[str] = field(default_factory=set)
    tested: set[str] = field(default_factory=set)

    def check(self, dataset):
        split = {fold: name for name, folds in dataset.splits().items() for fold in folds}
        rows = [file for file in dataset.ledger() if file.fold]
        copies = defaultdict(set)
        for copy in dataset.copies():
            copies[copy.first].add(copy.second)
            copies[copy.second].add(copy.first)
        now = {file.content_hash: split[file.fold] for file in rows}
        self.folded |= now.keys()
        self.tested |= {content for content, name in now.items() if name == "test"}
        for content, name in now.items():
            assert name == "test" or content not in self.tested
            assert name == "test" or not copies[content] & self.tested
        assert self.folded == now.keys() | {file.content_hash for file in dataset.history()}
        assert not now.keys() & {file.content_hash for file in dataset.history()}


@pytest.mark.parametrize("seed", [0, 1])
def test_a_year(tmp_path, seed):
    library, memory, output = Library(tmp_path / "songs", random.Random(seed)), Memory(), str(tmp_path / "out")
    library.folder.mkdir()
    for _ in range(FIRST_SONGS):
        library.arrive()
    folds, read, shown, duplicates = {}, 0, 0, 0
    for week in range(WEEKS):
        library.week()
        folds |= FOLDS.get(week, {})
        config = config_of(library.folder / "m.csv", **FEATURES, folds=folds, build={"max_reject_share": 1.0})
        built = build(config, output, in_process())
        check_version(built.dataset, library.folder)
        memory.check(built.dataset)
        assert built.dataset.shown == len(library.files)
        assert verify(f"{output}@{built.dataset.version}").faults == ()
        assert not built.dataset.rejected.keys() - {"withdrawn", "lone_genre"}
        read, shown = read + built.songs_read, shown + built.dataset.shown
        duplicates += built.dataset.duplicates
        if library.random.random() < 0.15:
            prune(output, keep=library.random.randrange(1, 4))
    assert verify(output).faults == ()
    assert len(memory.tested) > 5 and built.dataset.history() and built.dataset.copies() and duplicates
    assert read < shown / 5
