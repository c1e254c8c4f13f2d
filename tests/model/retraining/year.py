"""A year of weekly retrainings on recordings: tracks arrive, leave, are relabelled, retagged and copied.

`python -m tests.model.retraining.year MANIFEST WEEKS` (`make year-retrain CORPUS=MANIFEST`) prints two lines a week,
and fails where test songs enter train, where a bundle is judged by what it has seen, where a champion is replaced
against the policy, where a week without news costs more than the listing, or where more is on the disk than is kept.
"""

import csv
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import soundfile
import yaml

from model.retraining import journal, manage, registry
from pipelines.common import storage
from pipelines.dataset import versions
from pipelines.dataset.ledger import written
from pipelines.dataset.prune import prune
from tests.model.retraining.soak import POLICY, ended, outcome_of, start

FIRST, WEEKLY = 120, 12
"""How many files there are at first, and how many arrive in a week at most."""

KEPT = 3
"""How many versions and bundles stay."""

YEARS_POLICY = POLICY | {"least_songs": 10, "largest_loss": 0.1, "largest_genre_loss": 0.5, "least_genre_songs": 4}


@dataclass
class Library:
    """A growing part of a corpus."""

    source: Path
    folder: Path
    random: random.Random
    waiting: list = field(default_factory=list)
    rows: dict = field(default_factory=dict)

    def __post_init__(self):
        with self.source.open(newline="") as file:
            self.waiting = list(csv.DictReader(file))
        self.random.shuffle(self.waiting)

    def arrive(self, count):
        for _ in range(min(count, len(self.waiting))):
            row = self.waiting.pop()
            (self.folder / row["path"]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.source.parent / row["path"], self.folder / row["path"])
            self.rows[row["path"]] = row

    def leave(self):
        self.rows.pop(self.random.choice(sorted(self.rows)))

    def relabel(self):
        row = self.rows[self.random.choice(sorted(self.rows))]
        row["genre"] = self.random.choice(sorted({each["genre"] for each in self.rows.values()}))

    def retag(self):
        row = self.rows[self.random.choice(sorted(self.rows))]
        row["artist"] = self.random.choice([each["artist"] for each in self.rows.values()])

    def copy(self):
        row = self.rows[self.random.choice(sorted(self.rows))]
        name = f"copies/{self.random.randrange(1 << 30):08x}.flac"
        (self.folder / "copies").mkdir(exist_ok=True)
        samples, rate_hz = soundfile.read(self.folder / row["path"])
        soundfile.write(self.folder / name, samples / 2, rate_hz)
        self.rows[name] = row | {"path": name, "song": "", "artist": ""}

    def week(self):
        """What happens in a week, and whether anything does: in one of five nothing."""
        if self.random.random() < 0.2:
            return False
        self.arrive(self.random.randrange(WEEKLY + 1))
        for happening in (self.leave, self.relabel, self.retag, self.copy):
            for _ in range(self.random.randrange(3)):
                happening()
        return True

    def write(self):
        with (self.folder / "m.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ["path", "genre", "song", "artist"])
            writer.writeheader()
            writer.writerows(self.rows.values())


@dataclass
class Memory:
    """What was ever in test."""

    tested: set = field(default_factory=set)

    def check(self, folder, outcome):
        """The new bundle was not trained on what was ever in test, and neither side was judged by what it has seen."""
        dataset = versions.load(str(folder / "dataset"))
        test = dataset.splits()["test"]
        rows = [row for row in written(dataset.ledger()) if row.fold in test]
        self.tested |= {row.content_hash for row in rows}
        url = str(folder / "registry")
        assert [held.fault for held in registry.bundles(url) if held.fault] == []
        if outcome["challenger"]:
            assert not registry.load(url, outcome["challenger"]).trained_contents() & self.tested
        comparison = (outcome["verdict"] or {}).get("comparison")
        if comparison:
            self.check_comparison(url, dataset, rows, outcome, comparison)

    def check_comparison(self, url, dataset, rows, outcome, comparison):
        sides = [outcome["challenger"], *([comparison["champion"]["bundle"]] if comparison["champion"] else [])]
        seen = set().union(*(registry.load(url, side).trained_contents() for side in sides))
        everything = [*dataset.ledger(), *dataset.history()]
        groups = {row.group for row in everything if row.content_hash in seen and row.group}
        protected = [row for row in rows if row.group not in groups]
        assert len(rows) - len(protected) == comparison["seen"]
        songs = {(row.song_or_path, row.genre) for row in protected if row.genre in comparison["genres"]}
        assert len(songs) == comparison["songs"]
        paired = comparison["paired"]
        if outcome["what"] == "promoted" and paired:
            assert paired["gain"] >= YEARS_POLICY["least_gain"]
            assert paired["interval"][0] >= -YEARS_POLICY["largest_loss"]


def check_quiet_week(outcome, before, after):
    """Nothing was read, trained or written, but how the run ended."""
    assert outcome["what"] == "nothing_new" and outcome["songs"]["read"] == 0
    assert set(outcome["seconds"]) == {"build"}
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} <= {"outcome.json"}


def prune_and_check_disk(dataset, url):
    """What docs/retraining.md says that pruning leaves."""
    prune(dataset, KEPT)
    manage.prune(url, KEPT, dry_run=False)
    assert len(versions.numbers(dataset)) <= KEPT
    assert prune(dataset, KEPT, dry_run=True).files == {}
    assert len(storage.names(f"{url}/bundles")) <= KEPT + 2
    assert storage.names(f"{url}/work") == []
    assert registry.champion(url) in ("", *storage.names(f"{url}/bundles"))


def a_year(manifest, weeks, folder, seed=0):
    library, memory = Library(manifest, folder / "songs", random.Random(seed)), Memory()
    library.folder.mkdir()
    library.arrive(FIRST)
    values = {
        "corpus": {"input": str(folder / "songs" / "m.csv")},
        "folds": {"count": 5, "group_by": "song", "lone_genres": "drop"},
        "training": {"epochs": 4, "windows_per_epoch": 400},
        "build": {"max_reject_share": 0.5},
        "retraining": {"dataset": str(folder / "dataset"), "registry": str(folder / "registry")},
        "promotion": YEARS_POLICY,
    }
    (folder / "c.yaml").write_text(yaml.safe_dump(values))
    for week in range(weeks):
        is_quiet = week > 0 and not library.week()
        library.write()
        before = storage.sizes(str(folder / "dataset")) | storage.sizes(str(folder / "registry"))
        started_s = time.monotonic()
        outcome = outcome_of(ended(start(folder / "c.yaml"))[0])
        elapsed_s = time.monotonic() - started_s
        memory.check(folder, outcome)
        held = {part: sum(storage.sizes(str(folder / part)).values()) / 1e6 for part in ("dataset", "registry")}
        sizes = ", ".join(f"{part} {size_mb:.0f} MB" for part, size_mb in held.items())
        print(f"week {week + 1}: {len(library.rows)} files, {elapsed_s:.0f} s, {sizes}: {outcome['what']}", flush=True)
        print(f"  {outcome['message']}", flush=True)
        if is_quiet:
            after = storage.sizes(str(folder / "dataset")) | storage.sizes(str(folder / "registry"))
            check_quiet_week(outcome, before, after)
        prune_and_check_disk(str(folder / "dataset"), str(folder / "registry"))
    return journal.entries(str(folder / "registry"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        decided = a_year(Path(sys.argv[1]), int(sys.argv[2]), Path(place))
    promoted = sum(entry.verdict.promote for entry in decided if entry.verdict)
    print(f"{len(decided)} verdicts, {promoted} promotions; nothing from test entered train")
