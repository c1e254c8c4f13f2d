"""What an audit says: its verdict in a sentence, its counts in a table, everything as JSON."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.audit.leaks import KINDS, Crossing, Crossings, Splits, most_telling
from pipelines.common.output import text_table
from pipelines.dataset import ledger
from pipelines.dataset.ledger import File

NAMES = {
    "fingerprint": "fingerprint",
    "hash": "same samples",
    "song": "song name",
    "artist": "artist",
    "group": "group",
}
"""What the kinds of evidence are called."""


MOST_SHOWN = 10
"""How many pairs a terminal is shown."""


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    source : str
        What was audited.
    files : dict
        How many files each split has.
    compared : dict
        By kind of evidence, how many files have some.
    rejected : tuple of File
        Files that could not be read, and so were compared by their names alone.
    forbidden : tuple of str
        The kinds of evidence that may not cross.
    crossings : Crossings
    faults : tuple of str
        Where a dataset's shards are not what its ledger says.
    split_of : dict
        Where a dataset's folds were compared, the split that each is in.
    without_split : int
        How many files are in no split, and were not looked at.
    """

    source: str
    files: Mapping[str, int]
    compared: Mapping[str, int]
    rejected: tuple[File, ...]
    forbidden: tuple[str, ...]
    crossings: Crossings
    faults: tuple[str, ...] = ()
    split_of: Mapping[str, str] | None = None
    without_split: int = 0

    @property
    def fails(self) -> bool:
        """Whether something crosses that may not, or the dataset is not what it says."""
        return bool(self.crossings.pairs or self.faults)

    @property
    def verdict(self) -> str:
        """What was found, in a sentence."""
        return "; ".join([*self._found(), *self._not_compared()])

    def _found(self) -> list[str]:
        found = [_printable(fault) for fault in self.faults[:1]]
        if len(self.faults) > 1:
            found.append(f"{len(self.faults) - 1} more faults of the shards")
        if pairs := sum(self.crossings.pairs.values()):
            crossing = "1 pair of files crosses" if pairs == 1 else f"{pairs} pairs of files cross"
            shares = [f"{count} of {self.files[split]} in {split}" for split, count in self.crossings.files.items()]
            found.append(f"{crossing} ({', '.join(shares)})")
        elif not self.faults:
            nothing = "nothing crosses among what could be read" if self.rejected else "nothing crosses"
            sizes = ", ".join(f"{split} {count}" for split, count in self.files.items())
            by = ", ".join(f"{NAMES[kind]} ({count})" for kind, count in self.compared.items() if count)
            found.append(f"{nothing}: {sum(self.files.values())} files ({sizes}), compared by {by or 'nothing'}")
        return found

    def _not_compared(self) -> list[str]:
        found = []
        if not self.compared["hash"]:
            found.append("samples and fingerprints were not compared, for want of audio")
        if short := self.compared["hash"] - self.compared["fingerprint"]:
            found.append(f"{short} too short for a fingerprint")
        if self.rejected:
            reasons = ", ".join(f"{count} {reason}" for reason, count in ledger.count_rejects(self.rejected).items())
            few = ", ".join(_printable(song.path) for song in self.rejected[:3])
            more = f" and {len(self.rejected) - 3} more" if len(self.rejected) > 3 else ""
            found.append(f"{len(self.rejected)} that could not be read ({reasons}): {few}{more}")
        if self.without_split:
            found.append(f"{self.without_split} without a split")
        if "artist" not in self.forbidden and "artist" in self.crossings.counts:
            pairs = sum(self.crossings.counts["artist"].values())
            found.append(f"pairs that share an artist, by the configuration's choice: {pairs}")
        return found

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON holds it."""
        crossings = self.crossings
        return {
            "source": self.source,
            "fails": self.fails,
            "verdict": self.verdict,
            "files": dict(self.files),
            "without_split": self.without_split,
            "compared": dict(self.compared),
            "forbidden": list(self.forbidden),
            "faults": list(self.faults),
            "pairs": _by_splits(crossings.pairs),
            "files_in_pairs": dict(crossings.files),
            "counts": {kind: _by_splits(counts) for kind, counts in crossings.counts.items()},
            "not_listed": self.not_listed,
            "split_of_folds": dict(self.split_of or {}),
            "rejected": [
                {"file": song.path, "split": song.fold, "reason": song.reason, "error": song.error}
                for song in self.rejected
            ],
            "listed": [_crossing_json(crossing) for crossing in crossings.listed],
        }

    @property
    def not_listed(self) -> dict[str, int]:
        """By kind of evidence, how many pairs are counted and not listed."""
        listed = Counter(kind for crossing in self.crossings.listed for kind in crossing.kinds)
        left = {kind: sum(counts.values()) - listed[kind] for kind, counts in self.crossings.counts.items()}
        return {kind: count for kind, count in left.items() if count}

    @property
    def leaks(self) -> list[Crossing]:
        """The listed pairs that may not cross."""
        return [crossing for crossing in self.crossings.listed if set(crossing.kinds) & set(self.forbidden)]

    @property
    def splits_with_pairs(self) -> list[Splits]:
        """Between which splits there are pairs."""
        return _splits_of(self.crossings.counts)

    def summary(self) -> str:
        """For a terminal: the counts, the most telling pairs, a line each, and the verdict."""
        shown = most_telling(self.leaks, MOST_SHOWN)
        lines = [
            f"{pair.first.path} ({pair.first.fold}) - {pair.second.path} ({pair.second.fold}): {describe(pair)}"
            for pair in shown
        ]
        lines += self.faults[:MOST_SHOWN]
        table = self.table() if self.crossings.counts else ""
        return "\n\n".join(filter(None, (table, "\n".join(map(_printable, lines)), self.verdict)))

    def table(self) -> str:
        """How many pairs cross, by splits and kind of evidence."""
        counts = self.crossings.counts
        tables = [_table("pairs of files", counts, self.crossings.pairs)]
        if self.split_of:
            merged = {kind: _merged(of_kind, self.split_of) for kind, of_kind in counts.items()}
            tables.append(_table("by split", merged, _merged(self.crossings.pairs, self.split_of)))
        return "\n\n".join(tables)


def describe(crossing: Crossing) -> str:
    """A pair's evidence, in a line."""
    first, second, copy = crossing.first, crossing.second, crossing.copy
    shared = {
        "hash": "the same samples",
        "song": f"both of song {first.song!r}",
        "artist": f"by {first.artist!r} and {second.artist!r}"
        if first.artist != second.artist
        else f"by {first.artist!r}",
        "group": f"both in group {first.group!r}",
    }
    if copy:
        tempo = "" if copy.tempo == 1 else f", at {copy.tempo:.0%} of its tempo"
        shared["fingerprint"] = (
            f"the same recording for {copy.duration_s:.1f} s{tempo}, from {copy.first_s:.1f} s of the first and"
            f" {copy.second_s:.1f} s of the second ({copy.error_rate:.1%} of bits differ)"
        )
    return "; ".join(shared[kind] for kind in crossing.kinds)


def _printable(text: str) -> str:
    """Text in one line, whatever a file's name holds."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _splits_of(counts: Mapping[str, Mapping[Splits, int]]) -> list[Splits]:
    return sorted({splits for of_kind in counts.values() for splits in of_kind})


def _table(title: str, counts: Mapping[str, Mapping[Splits, int]], pairs: Mapping[Splits, int]) -> str:
    kinds = [kind for kind in KINDS if kind in counts]
    rows = [[" - ".join(s), *(counts[kind].get(s, 0) for kind in kinds), pairs.get(s, 0)] for s in _splits_of(counts)]
    if len(rows) > 1:
        rows.append(["all", *(sum(counts[kind].values()) for kind in kinds), sum(pairs.values())])
    return text_table.table([title, *(NAMES[kind] for kind in kinds), "crossing"], rows)


def _merged(counts: Mapping[Splits, int], split_of: Mapping[str, str]) -> dict[Splits, int]:
    """Counts by the folds' splits, of pairs whose splits differ."""
    merged: Counter[Splits] = Counter()
    for (first, second), count in counts.items():
        a, b = sorted((split_of[first], split_of[second]))
        if a != b:
            merged[a, b] += count
    return dict(merged)


def _by_splits(counts: Mapping[Splits, int]) -> list[dict[str, Any]]:
    return [{"splits": list(splits), "pairs": count} for splits, count in counts.items()]


def _crossing_json(crossing: Crossing) -> dict[str, Any]:
    copy = crossing.copy
    return {
        "files": [_file_json(crossing.first), _file_json(crossing.second)],
        "kinds": list(crossing.kinds),
        "evidence": describe(crossing),
        "fingerprint": None
        if copy is None
        else {
            "begins_s": [copy.first_s, copy.second_s],
            "offset_s": round(copy.offset_s, 2),
            "duration_s": copy.duration_s,
            "tempo": copy.tempo,
            "error_rate": copy.error_rate,
        },
    }


def _file_json(song: File) -> dict[str, str]:
    return {
        "file": song.path,
        "split": song.fold,
        "song": song.song,
        "artist": song.artist,
        "content_hash": song.content_hash,
    }
