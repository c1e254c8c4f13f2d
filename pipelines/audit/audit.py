"""The audit: whether a split leaks, of a dataset or of other people's files.

Every file goes with the split that it is in; `pipelines.audit.overlap_search` finds what splits share.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from pipelines.audit import external_splits, page
from pipelines.audit.external_splits import READ_WITH, ExternalSplit
from pipelines.audit.overlap_search import find_overlaps
from pipelines.audit.overlaps import SplitFile, in_split
from pipelines.audit.read_files import read_all
from pipelines.audit.result import AuditResult
from pipelines.audit.version_faults import fingerprinted
from pipelines.common import parquet, storage
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.copies.fingerprint import LEAST_S
from pipelines.copies.search import RECALL, Comparison, compare, find_copies
from pipelines.corpus.forms.split_lists import with_index
from pipelines.corpus.names.song_names import with_song_names
from pipelines.dataset import ledger, versions
from pipelines.dataset.check import check_dataset
from pipelines.dataset.dataset import FINGERPRINTS, Dataset
from pipelines.dataset.ledger import REJECTED, Copy
from pipelines.dataset.readings import Content
from pipelines.dataset.unknown import Unknown
from pipelines.split.evidence import ARTIST, BY_NAME, EVIDENCE, FINGERPRINT, forbidden
from pipelines.split.idents import JudgedCopies, judge_copies, judge_copies_of, sentences

WORK_NAME, JSON_NAME = "_audit", "audit.json"
"""In an audit's output: the folder of one that is not finished, and all that it found."""

_SOME = b"some"
"""Instead of a dataset's fingerprints, which are large: what they tell is among the copies."""


def audit(
    sources: Sequence[str],
    output: str,
    new_pipeline: NewPipeline,
    audio: str = "",
    artists: str = "",
    pattern: str = "",
) -> AuditResult:
    """Audits a dataset or an external split, and writes `audit.json` and a page, `audit.html`.

    Parameters
    ----------
    sources : sequence of str
        One dataset, or `DATASET@7`; or folders that are named as splits, or one folder of such; lists, or a manifest:
        see `pipelines.audit.external_splits.list_split`.
    output : str
        A folder. An audit that was stopped goes on from what it left there.
    new_pipeline : callable
        Gives an empty pipeline.
    audio : str
        Where the files of lists or of a manifest lie.
    artists : str
        An index of lines `file ::: artist ::: title`.
    pattern : str
        What the files' paths tell, as `{artist}/{album}/{title}`.

    Raises
    ------
    UsageError
        The sources are no split, or nothing of one of the splits could be read.
    SpectroshardError
        The dataset is damaged.
    """
    folder = storage.join(output, WORK_NAME)
    if versions.is_there(sources[0]):
        if sources[1:] or audio or artists or pattern:
            raise UsageError(f"{sources[0]}: a dataset is audited alone, by its own ledger and records")
        dataset = versions.load(sources[0])
        # Copies are searched for again: what the build found is not taken on trust.
        result = of_dataset(dataset, copies=_copies(dataset, folder, new_pipeline))
        spectrogram = page.record_spectrograms(dataset)
    else:
        external = external_splits.list_split(sources, audio, artists, pattern)
        result = of_external_split(external, " ".join(sources), folder, new_pipeline)
        spectrogram = page.audio_spectrogram
    storage.write_bytes(storage.join(output, JSON_NAME), json.dumps(result.to_json(), indent=1).encode())
    page.write_page(output, result, spectrogram)
    storage.remove(folder)
    return result


def of_dataset(
    dataset: Dataset, splits: Mapping[str, Sequence[str]] | None = None, copies: Sequence[Copy] | None = None
) -> AuditResult:
    """Audits a dataset by its ledger and its shards; audio is not read.

    Parameters
    ----------
    dataset : Dataset
    splits : dict
        The folds of each split, as `Dataset.splits` gives them; folds in none are left out. Default: folds are
        compared with each other, as cross-validation makes each a split of its own.
    copies : sequence of Copy
        By content hash. Default: what its build found.

    Returns
    -------
    AuditResult
        Which evidence is forbidden, the dataset's `folds.group_by` says.

    Raises
    ------
    SpectroshardError
        A table is damaged, or the fingerprint of a song is missing.
    """
    with_fingerprint, rows = fingerprinted(dataset), dataset.ledger()
    written = ledger.written(rows)
    for file in written:
        if file.duration_s > LEAST_S + 0.1 and file.content_hash not in with_fingerprint:
            raise SpectroshardError(f"{dataset.name}: its fingerprints lack that of {file.path}; build it anew")
    split_of = {fold: name for name, folds in (splits or dataset.splits()).items() for fold in folds}
    of_file = {fold: fold for fold in dataset.folds} if splits is None else split_of
    by_fold = splits is None and any(fold != split for fold, split in split_of.items())
    return _compared(
        dataset.name,
        [
            in_split(file, of_file.get(file.fold, ""), _SOME if file.content_hash in with_fingerprint else b"")
            for file in written
        ],
        judge_copies_of(dataset, rows, copies),
        forbidden(dataset.config.folds.group_by),
        Unknown.of(rows, ARTIST.key),
        dataset.search.recall,
        faults=tuple(check_dataset(dataset, written)),
        split_of=split_of if by_fold else None,
    )


def _copies(dataset: Dataset, folder: str, new_pipeline: NewPipeline) -> list[Copy]:
    """The copies among the recordings that are in a dataset's shards; among all where others tell what is an ident."""
    tables = tuple(storage.join(dataset.url, part.name) for part in dataset.tables[FINGERPRINTS])
    folder = storage.join(folder, dataset.digest)
    if dataset.config.folds.shared_stretch_s:
        return compare(Comparison((), tables), folder, dataset.search.recordings, new_pipeline)
    wanted = storage.join(folder, "wanted.parquet")
    parquet.write(wanted, Content, (Content(file.content_hash) for file in ledger.written(dataset.ledger())))
    return compare(Comparison((), tables, wanted), folder, dataset.songs, new_pipeline)


def of_external_split(external: ExternalSplit, source: str, folder: str, new_pipeline: NewPipeline) -> AuditResult:
    """Audits an external split: reads every file, unless there are only names.

    Parameters
    ----------
    external : ExternalSplit
        As `pipelines.audit.external_splits.list_split` gives it.
    source : str
        What it is called.
    folder : str
        Where the audit keeps its tasks and results; an audit that was stopped goes on from there.
    new_pipeline : callable
        Gives an empty pipeline; it is asked for two.

    Returns
    -------
    AuditResult
        All evidence is forbidden.

    Raises
    ------
    UsageError
        No file of a split could be read.
    """
    entries = [(split, entry) for split, entries in external.entries.items() for entry in entries]
    splits = [split for split, _ in entries]
    files = [entry.file for _, entry in entries]
    copies: list[Copy] = []
    if external.has_audio:
        files = read_all([entry for _, entry in entries], READ_WITH.audio, folder, new_pipeline)
        _refuse_unread_splits(list(map(in_split, files, splits)), source)
        fingerprints = {file.content_hash: file.fingerprint for file in files if file.fingerprint}
        copies = find_copies(fingerprints, storage.join(folder, "copies"), new_pipeline)
    named = with_song_names(files)
    if external.index:
        named = with_index(named, external.index)
    return _compared(
        source,
        list(map(in_split, named, splits)),
        judge_copies(named, copies, READ_WITH.folds),
        tuple(BY_NAME),
        Unknown.of(named, ARTIST.key),
        RECALL if external.has_audio else "",
        without_split=external.without_split,
        notes=external.notes,
    )


def _refuse_unread_splits(files: Sequence[SplitFile], source: str) -> None:
    """Refuses a split of which nothing could be read: only names would have been compared."""
    read_splits = {file.split for file in files if file.content_hash}
    for file in files:
        if file.split not in read_splits:
            raise UsageError(
                f"{source}: no file of {file.split} could be read ({file.path}: {file.error});"
                " --audio says where listed files lie"
            )


def _compared(
    source: str,
    files: Sequence[SplitFile],
    judged: JudgedCopies,
    forbidden: tuple[str, ...],
    unknown: Unknown,
    recall: str,
    *,
    faults: tuple[str, ...] = (),
    split_of: Mapping[str, str] | None = None,
    without_split: int = 0,
    notes: tuple[str, ...] = (),
) -> AuditResult:
    keys = {kind.name: Counter(filter(None, map(kind.key, files))) for kind in EVIDENCE if kind.source != "groups"}
    return AuditResult(
        source,
        dict(sorted(Counter(file.split for file in files if file.split).items())),
        {name: of_kind.total() for name, of_kind in keys.items()},
        {name: len(of_kind) for name, of_kind in keys.items()},
        tuple(file for file in files if file.status == REJECTED),
        forbidden,
        find_overlaps(files, judged.tying, forbidden),
        unknown,
        recall,
        faults,
        split_of,
        without_split,
        tuple(sentences(judged, files)),
        _passed_pairs(files, judged),
        notes,
    )


def _passed_pairs(files: Sequence[SplitFile], judged: JudgedCopies) -> int:
    """How many pairs of files in different splits share an ident that passed, of those that were found."""
    passed = {(copy.first, copy.second): copy for ident in judged.passed for copy in ident.copies}
    counts = find_overlaps(files, list(passed.values()), ()).counts if passed else {}
    return sum(counts.get(FINGERPRINT.name, {}).values())
