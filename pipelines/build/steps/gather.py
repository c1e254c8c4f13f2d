"""Gathering what is known of the files of a run: one reading each, of earlier versions or staged."""

import itertools
from collections.abc import Iterable
from dataclasses import fields

from pipelines.build.runs import staging
from pipelines.build.runs.run import Listed, Run
from pipelines.build.steps import fingerprints
from pipelines.common import parquet, storage
from pipelines.common.errors import SpectroshardError
from pipelines.common.output.words import counted
from pipelines.copies.search import SEARCH_VERSION, Comparison
from pipelines.dataset.dataset import FINGERPRINTS, Dataset
from pipelines.dataset.ledger import REJECTED
from pipelines.dataset.readings import Content, Reading

_COLUMNS = [field.name for field in fields(Reading)]


def gather(url: str) -> str:
    """Writes the readings of a run's files, and what is to be searched for copies.

    Parameters
    ----------
    url : str
        The run's.

    Returns
    -------
    str
        The folder of the search for copies.

    Raises
    ------
    SpectroshardError
        A file has no reading.
    """
    run = Run(url)
    parent, staged = run.parent, staging.tables(run.staging)
    readings = _readings(run, parent, staged)
    parquet.write(run.readings, Reading, (readings[uri] for uri in sorted(readings)))
    _search(run, parent, staged, readings.values())
    return run.search


def _readings(run: Run, parent: Dataset | None, staged: list[str]) -> dict[str, Reading]:
    """The reading of each file that is to have one, by its URI: a staged one, else the parent's."""
    wanted = {file.uri: file.version for file in parquet.iterate(run.listing, Listed) if file.status != REJECTED}
    found: dict[str, Reading] = {}
    rows = (parquet.rows_of(staging.read([url], _COLUMNS), Reading) for url in staged)
    for reading in itertools.chain.from_iterable(rows):
        if wanted.get(reading.uri) == reading.version:
            # Of several attempts' readings the least counts, whoever made it.
            found[reading.uri] = min(reading, found.get(reading.uri, reading), key=_preference)
    if parent and parent.reading == run.request.reading:
        for reading in parent.readings():
            if wanted.get(reading.uri) == reading.version:
                found.setdefault(reading.uri, reading)
    if unread := sorted(wanted.keys() - found.keys()):
        raise SpectroshardError(
            f"{run.staging}: has no reading of {counted(len(unread), 'file')}, the first {unread[0]}, though all were"
            " staged; nothing is published, run the same command again"
        )
    return found


def _preference(reading: Reading) -> tuple[object, ...]:
    # What could be used once can be used: a file that could not be read at first may be mended.
    return reading.is_rejected, *(getattr(reading, name) for name in _COLUMNS)


def _search(run: Run, parent: Dataset | None, staged: list[str], readings: Iterable[Reading]) -> None:
    """Says what is to be searched: the recordings that are used or remembered, of which only some are new."""
    contents = {reading.content_hash for reading in readings if not reading.is_rejected}
    if parent:
        contents |= parent.recordings()
    parquet.write(run.contents, Content, map(Content, sorted(contents)))
    known = kept_fingerprints(run, parent)
    new = contents - fingerprints.content_hashes(known)
    # What the parent has of other readings than this run's, it has only of recordings that are not read any more.
    fingerprints.write_once(run.fingerprints, new, staged, [] if known else _fingerprint_files(parent))
    # All that are known take part, also what had no fold: `copies` has every pair among `fingerprints`, for ever.
    is_continued = parent is not None and parent.search.version == SEARCH_VERSION
    Comparison(
        known=tuple(known if is_continued else ()),
        new=(run.fingerprints,) if is_continued else (run.fingerprints, *known),
    ).save(run.search)


def kept_fingerprints(run: Run, parent: Dataset | None) -> list[str]:
    """The files of the parent's fingerprints, where they are of the same kind as this run's."""
    if parent is None or parent.reading != run.request.reading:
        return []
    return _fingerprint_files(parent)


def _fingerprint_files(dataset: Dataset | None) -> list[str]:
    return [storage.join(dataset.url, part.name) for part in dataset.tables[FINGERPRINTS]] if dataset else []
