"""What an audit found: its conclusion in a sentence, its counts in a table, everything as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.audit.overlaps import Overlap, Overlaps, SplitFile, Splits, describe_pair, most_telling
from pipelines.common.output import text_table
from pipelines.common.output.words import counted, some_of
from pipelines.dataset import ledger
from pipelines.dataset.unknown import Unknown
from pipelines.split.evidence import BY_NAME, EVIDENCE, FINGERPRINT, HASH, SONG

MOST_SHOWN = 10
"""How many pairs a terminal is shown."""

_NO_AUDIO = "samples and fingerprints were not compared, for want of audio (--audio says where it lies)"
_RECALL_IS_TOLD = "copies were searched for by fingerprint; the report says what share of them such a search finds"


@dataclass(frozen=True)
class AuditResult:
    """What an audit found.

    Attributes
    ----------
    source : str
        What was audited.
    files : dict
        How many files each split has.
    compared : dict
        How many files have evidence of each kind.
    different : dict
        How many different ones of each kind there are, as of artists.
    rejected : tuple of SplitFile
        Files that could not be read, and so were compared by their names alone; or that no build would take, as they
        are silent, and so were compared by their names and samples.
    forbidden : tuple of str
        The kinds of evidence that files in different splits may not share.
    overlaps : Overlaps
    unknown : Unknown
        What is not known of the files that could be read.
    recall : str
        How copies were searched for, and what share of them such a search finds; empty where there was none.
    faults : tuple of str
        Where a dataset's shards are not what its ledger says.
    split_of : dict
        Where a dataset's folds were compared, the split that each is in.
    without_split : int
        How many files are in no split, and were not looked at.
    shared : tuple of str
        The stretches that many files share, a sentence each.
    passed : int
        How many pairs share no more than such a stretch, and pass by the configuration's choice.
    notes : tuple of str
        What a pattern of paths did not tell.
    """

    source: str
    files: Mapping[str, int]
    compared: Mapping[str, int]
    different: Mapping[str, int]
    rejected: tuple[SplitFile, ...]
    forbidden: tuple[str, ...]
    overlaps: Overlaps
    unknown: Unknown
    recall: str = ""
    faults: tuple[str, ...] = ()
    split_of: Mapping[str, str] | None = None
    without_split: int = 0
    shared: tuple[str, ...] = ()
    passed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def fails(self) -> bool:
        """Whether there is a leak, or the dataset is not what it says."""
        return bool(self.overlaps.leaks or self.faults)

    @property
    def conclusion(self) -> str:
        """What was found, in a sentence."""
        return "; ".join([*self._found(), *self.not_compared, *self._details()])

    @property
    def verdict(self) -> str:
        """What was found, in a few words."""
        if self.overlaps.leaks:
            return "the split leaks"
        if self.faults:
            return "the dataset is damaged"
        if not self.compared[HASH.name]:
            return "no leak found by names alone"
        is_whole = not self._unread and not self.unknown.unread_files
        return "no leak found" if is_whole else "no leak found among what could be read"

    @property
    def not_compared(self) -> list[str]:
        """What could not be compared, a line each: without it, that no leak was found would say too much."""
        told = [] if self.compared[HASH.name] else [_NO_AUDIO]
        told += self.unknown.sentences()
        if unread := self._unread:
            told.append(f"{counted(len(unread), 'file')} could not be read {_reasons(unread)}")
        if short := self.compared[HASH.name] - self.compared[FINGERPRINT.name] - len(self._decoded):
            told.append(f"{short:,} too short for a fingerprint")
        return told

    @property
    def _unread(self) -> list[SplitFile]:
        return [file for file in self.rejected if not file.content_hash]

    @property
    def _decoded(self) -> list[SplitFile]:
        return [file for file in self.rejected if file.content_hash]

    def _found(self) -> list[str]:
        found = [_in_a_line(fault) for fault in self.faults[:1]]
        if len(self.faults) > 1:
            found.append(f"{len(self.faults) - 1} more faults; spectroshard verify tells all")
        if pairs := sum(self.overlaps.leaks.values()):
            leak = "1 pair of files leaks" if pairs == 1 else f"{pairs:,} pairs of files leak"
            shares = [f"{count:,} of {self.files[split]:,} in {split}" for split, count in self.overlaps.files.items()]
            found.append(f"{leak} ({', '.join(shares)})")
            found += self._crossing()
        elif not self.faults:
            sizes = ", ".join(f"{split} {count:,}" for split, count in self.files.items())
            by = ", ".join(self._evidence(name) for name, count in self.compared.items() if count)
            found.append(f"{self.verdict}: {sum(self.files.values()):,} files ({sizes}), compared by {by or 'nothing'}")
        return found

    def _crossing(self) -> list[str]:
        """How many artists, or what else metadata names, are in several splits."""
        names = [name for name in ledger.METADATA if name in self.overlaps.crossing]
        counts = self.overlaps.crossing
        crossing = [f"{counts[name]:,} of {self.different[name]:,} {BY_NAME[name].label}s" for name in names]
        return [f"in several splits: {' and '.join(crossing)}"] if crossing else []

    def _evidence(self, name: str) -> str:
        """How many files have evidence of a kind: of metadata, by how many names too."""
        kind, count = BY_NAME[name], self.compared[name]
        return f"{kind.label} ({count:,}{f', {self.different[name]:,} different' if kind.source == 'metadata' else ''})"

    def _details(self) -> list[str]:
        found = []
        if not self.compared[SONG.name]:
            found.append("no song name was known, so none was compared")
        if decoded := self._decoded:
            found.append(f"{len(decoded)} compared by samples alone {_reasons(decoded)}")
        if self.without_split:
            found.append(f"{self.without_split} without a split")
        found += self.notes
        for name, counts in self.overlaps.counts.items():
            if name not in self.forbidden:
                label, pairs = BY_NAME[name].label, sum(counts.values())
                article = "an" if label[0] in "aeiou" else "a"
                found.append(f"pairs that share {article} {label}, by the configuration's choice: {pairs}")
        if self.passed:
            found.append(f"pairs that share an ident, by the configuration's choice: {self.passed}")
        return [*found, *map(_in_a_line, self.shared)]

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON holds it."""
        overlaps = self.overlaps
        return {
            "source": self.source,
            "fails": self.fails,
            "verdict": self.verdict,
            "conclusion": self.conclusion,
            "not_compared": self.not_compared,
            "unknown": self.unknown.model_dump(),
            "files": dict(self.files),
            "without_split": self.without_split,
            "notes": list(self.notes),
            "compared": dict(self.compared),
            "different": dict(self.different),
            "recall": self.recall,
            "forbidden": list(self.forbidden),
            "faults": list(self.faults),
            "pairs": _by_splits(overlaps.leaks),
            "files_in_pairs": dict(overlaps.files),
            "shared": list(self.shared),
            "passed": self.passed,
            "in_several_splits": dict(overlaps.crossing),
            "counts": {name: _by_splits(counts) for name, counts in overlaps.counts.items()},
            "not_listed": self.not_listed,
            "split_of_folds": dict(self.split_of or {}),
            "rejected": [
                {"file": file.path, "split": file.split, "reason": file.reason, "error": file.error}
                for file in self.rejected
            ],
            "listed": [_overlap_json(overlap) for overlap in overlaps.listed],
        }

    @property
    def not_listed(self) -> dict[str, int]:
        """How many pairs of each kind of evidence are counted and not listed."""
        listed = Counter(name for overlap in self.overlaps.listed for name in overlap.evidence)
        left = {name: sum(counts.values()) - listed[name] for name, counts in self.overlaps.counts.items()}
        return {name: count for name, count in left.items() if count}

    @property
    def leaks(self) -> list[Overlap]:
        """The listed pairs that share forbidden evidence."""
        return [overlap for overlap in self.overlaps.listed if set(overlap.evidence) & set(self.forbidden)]

    @property
    def splits_with_pairs(self) -> list[Splits]:
        """Between which splits there are pairs."""
        return _splits_of(self.overlaps.counts)

    def summary(self) -> str:
        """For a terminal: the counts, the most telling leaks, a line each, and the conclusion."""
        shown = most_telling(self.leaks, MOST_SHOWN)
        lines = [
            f"{pair.first.path} ({pair.first.split}) - {pair.second.path} ({pair.second.split}): {describe_pair(pair)}"
            for pair in shown
        ]
        lines += self.faults[:MOST_SHOWN]
        table = self.table() if self.overlaps.counts else ""
        recall = _RECALL_IS_TOLD if self.recall and self.compared[FINGERPRINT.name] else ""
        return "\n\n".join(filter(None, (table, "\n".join(map(_in_a_line, lines)), recall, self.conclusion)))

    def table(self) -> str:
        """How many pairs there are, by splits and kind of evidence."""
        counts = self.overlaps.counts
        tables = [_table("pairs of files", counts, self.overlaps.leaks)]
        if self.split_of:
            merged = {name: _merged(of_kind, self.split_of) for name, of_kind in counts.items()}
            tables.append(_table("by split", merged, _merged(self.overlaps.leaks, self.split_of)))
        return "\n\n".join(tables)


def _reasons(rejected: Sequence[SplitFile]) -> str:
    """Why files were rejected, and which, in a line."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in ledger.count_rejects(rejected).items())
    return f"({reasons}): {some_of([_in_a_line(file.path) for file in rejected], 3)}"


def _in_a_line(text: str) -> str:
    """Text in one line, whatever a file's name holds."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _splits_of(counts: Mapping[str, Mapping[Splits, int]]) -> list[Splits]:
    return sorted({splits for of_kind in counts.values() for splits in of_kind})


def _table(title: str, counts: Mapping[str, Mapping[Splits, int]], leaks: Mapping[Splits, int]) -> str:
    kinds = [kind for kind in EVIDENCE if kind.name in counts]
    rows = [
        [" - ".join(splits), *(counts[kind.name].get(splits, 0) for kind in kinds), leaks.get(splits, 0)]
        for splits in _splits_of(counts)
    ]
    if len(rows) > 1:
        rows.append(["all", *(sum(counts[kind.name].values()) for kind in kinds), sum(leaks.values())])
    return text_table.table([title, *(kind.label for kind in kinds), "leaks"], rows)


def _merged(counts: Mapping[Splits, int], split_of: Mapping[str, str]) -> dict[Splits, int]:
    """Counts between folds as counts between the splits that they are in, where these differ."""
    merged: Counter[Splits] = Counter()
    for (first, second), count in counts.items():
        a, b = sorted((split_of[first], split_of[second]))
        if a != b:
            merged[a, b] += count
    return dict(merged)


def _by_splits(counts: Mapping[Splits, int]) -> list[dict[str, Any]]:
    return [{"splits": list(splits), "pairs": count} for splits, count in counts.items()]


def _overlap_json(overlap: Overlap) -> dict[str, Any]:
    copy = overlap.copy
    return {
        "files": [_file_json(overlap.first), _file_json(overlap.second)],
        "kinds": list(overlap.evidence),
        "evidence": describe_pair(overlap),
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


def _file_json(file: SplitFile) -> dict[str, str]:
    metadata = {name: getattr(file, name) for name in ledger.METADATA}
    return {"file": file.path, "split": file.split, **metadata, "content_hash": file.content_hash}
