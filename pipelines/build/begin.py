"""The beginning of a run: the corpus is listed, and what is known of it already is looked up."""

import hashlib
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from importlib.metadata import version as package_version

from pipelines.audio import quality
from pipelines.audio.decode import UNREADABLE
from pipelines.audio.guarded import CRASHED
from pipelines.build import refusals
from pipelines.build.runs import staging
from pipelines.build.runs.run import FileToRead, Listed, Request, Run, is_run
from pipelines.common import checksum, output_folder, parquet, storage
from pipelines.common.section import digest
from pipelines.config import BuildConfig
from pipelines.copies import fingerprint
from pipelines.copies.search import SEARCH_VERSION
from pipelines.corpus import class_list, listing, root
from pipelines.corpus.forms import archives
from pipelines.corpus.names.pattern import PathPattern
from pipelines.corpus.names.spellings import escape_undecodable
from pipelines.dataset import layout, versions
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import METADATA, REJECTED, Entry, File
from pipelines.dataset.readings import Reading
from pipelines.features import compute

_LEAST_FILES, _LEAST_PARTS, _MANY_FILES, _MOST_PARTS = 8, 32, 32, 1000
_PASSING = (UNREADABLE.name, CRASHED.name)


def check(config: BuildConfig, output: str) -> None:
    """Refuses at once, and before anything is written, what cannot be built.

    Raises
    ------
    UsageError
        There is no such corpus, or the output holds something else or lies in the music's own folder.
    """
    listing.check_input(config.corpus.input)
    if config.corpus.pattern:
        PathPattern.of(config.corpus.pattern)
    refusals.refuse_output_in_corpus(output, config.corpus.input)
    output_folder.refuse_other_files(output, "build", own=layout.NAMES if _is_ours(output) else ())
    parent_of(config, output)


def _is_ours(output: str) -> bool:
    """Whether a folder has a version, or a run of a build: others too may call their own files as a dataset's."""
    runs = storage.names(storage.join(output, layout.RUNS))
    return bool(versions.numbers(output)) or (layout.RUNS in storage.names(output) and all(map(_is_of_runs, runs)))


def _is_of_runs(name: str) -> bool:
    """Whether a build gives such a name in the folder of runs: to a run, its lease, or to what takes or writes one."""
    return is_run(name) or f"{layout.RUNS}/{name}".startswith(layout.LEASE_NAME) or storage.is_unfinished(name)


def parent_of(config: BuildConfig, output: str) -> Dataset | None:
    """The version that a build goes on from: the newest in its output, or else that of `build.previous`.

    Raises
    ------
    UsageError
        This configuration cannot go on from it.
    """
    newest = versions.newest(output)
    if newest:
        refusals.refuse_other_previous(newest, config)
    elif config.build.previous:
        newest = versions.load(storage.absolute(config.build.previous))
    if newest:
        refusals.refuse_other_lineage(newest, config)
    return newest


def begin(
    config: BuildConfig,
    output: str,
    parent: Dataset | None,
    verify_content: bool,
    token: str = "",
    is_detached: bool = False,
) -> Run | None:
    """Lists the corpus, and begins a run; None where the parent is of just this.

    Parameters
    ----------
    config : BuildConfig
    output : str
    parent : Dataset
    verify_content : bool
        Whether files are read, and shards too, that seem to be as they were.
    token : str
        That of the output's lease.
    is_detached : bool
        Whether nobody will wait for the run's end.
    """
    entries, corpus_root = _entries(config, parent), root.root_of(config.corpus)
    listed = [_listed(entry, corpus_root) for entry in entries]
    is_own = parent is not None and parent.url == output
    request = Request(
        config=config,
        output=output,
        version=parent.version + 1 if parent and is_own else 1,
        parent=parent.name if parent else "",
        root=corpus_root,
        listing=_listing_digest(listed),
        reading=reading_digest(config),
        songs_to_read=0,
        broken=tuple(_broken(parent, verify_content)) if parent and is_own else (),
        lease=token,
        is_detached=is_detached,
    )
    known = _known(parent, request)
    if parent and is_own and not verify_content and _is_up_to_date(parent, request, known):
        return None
    run = Run.new(output)
    unread = _unpacked(_unread(listed, {} if verify_content else known, request.staging), config, run)
    by_bytes = _of_sizes(known.values(), {_size(file.version) for file in unread})
    parquet.write(run.listing, Listed, sorted(listed, key=lambda file: file.uri))
    parquet.write(run.known, Reading, by_bytes)
    storage.write_bytes(run.reads, parquet.encode_groups(FileToRead, _parts(_to_read(unread, by_bytes))))
    run.begin(request.model_copy(update={"songs_to_read": len(unread)}))
    return run


def reading_digest(config: BuildConfig) -> str:
    """A digest of all that decides what reading a file gives: configuration, decoders, features and fingerprint."""
    decoders = {name: package_version(name) for name in ("soundfile", "soxr", "av")}
    # Without defaults: a version of this program that has one more feature reads no file again for that.
    values = config.record_values(exclude_defaults=True)
    return digest([values, decoders, quality.VERSION, compute.VERSION, fingerprint.VERSION])


def _entries(config: BuildConfig, parent: Dataset | None) -> list[Entry]:
    """The corpus as it is now; what is odd about it is told."""
    found = listing.list_corpus(config.corpus, parent.genres if parent else ())
    for note in [*found.notes, *class_list.look_at([entry.file for entry in found.entries], found.others)]:
        print(note, file=sys.stderr, flush=True)
    return found.entries


def _listed(entry: Entry, corpus_root: str) -> Listed:
    told = {field.name: getattr(entry.file, field.name) for field in fields(File)}
    told["uri"] = root.relative(entry.file.uri, corpus_root)
    return Listed(**told, location=escape_undecodable(entry.location), version=entry.version)


def _listing_digest(files: Iterable[Listed]) -> str:
    """A digest of all that the corpus says of its files."""
    told = hashlib.sha256()
    for file in files:
        row = [file.path, file.uri, file.version, file.genre, file.fold, *(getattr(file, name) for name in METADATA)]
        told.update(json.dumps(row).encode())
    return told.hexdigest()


def _broken(parent: Dataset, verify_content: bool) -> Iterator[str]:
    """The parent's shards that are not as they were published: by their sizes or, if need be, by their content."""
    sizes = versions.shard_sizes(parent.url)
    for shard in parent.shards:
        if sizes.get(shard.name) != shard.bytes or (
            verify_content and checksum.sha256(storage.join(parent.url, shard.name)) != shard.sha256
        ):
            yield shard.name


def _known(parent: Dataset | None, request: Request) -> dict[str, Reading]:
    if parent is None or parent.reading != request.reading:
        return {}
    return {reading.uri: reading for reading in parent.readings()}


def _is_known(reading: Reading | None, file: Listed) -> bool:
    return reading is not None and reading.version == file.version and not _is_passing(reading)


def _is_passing(reading: Reading) -> bool:
    """Whether what went wrong may be over by now."""
    return reading.is_rejected and reading.reason in _PASSING


def _is_up_to_date(parent: Dataset, request: Request, known: dict[str, Reading]) -> bool:
    return (
        (parent.listing, parent.root, parent.reading, parent.search.version)
        == (request.listing, request.root, request.reading, SEARCH_VERSION)
        and parent.config.makes_the_same_as(request.config)
        and not request.broken
        and not any(map(_is_passing, known.values()))
    )


def _unread(files: Iterable[Listed], known: Mapping[str, Reading], staging_url: str) -> list[Listed]:
    """The files that neither an earlier version nor a run that was stopped has read as they are now."""
    staged = _staged_keys(staging_url)
    return [
        file
        for file in files
        if file.status != REJECTED
        and (file.uri, file.version) not in staged
        and not _is_known(known.get(file.uri), file)
    ]


def _staged_keys(folder: str) -> set[tuple[str, str]]:
    """The URIs and versions of files that stopped runs have read, and that are not to be tried again."""
    rows = staging.read(staging.tables(folder), [field.name for field in fields(Reading)])
    return {(each.uri, each.version) for each in parquet.rows_of(rows, Reading) if not _is_passing(each)}


def _of_sizes(readings: Iterable[Reading], sizes: set[str]) -> list[Reading]:
    """The readings of files that had one of some sizes: one of them may be a file that was renamed, or copied."""
    return [each for each in readings if each.bytes_hash and _size(each.version) in sizes and not _is_passing(each)]


def _to_read(files: Iterable[Listed], by_bytes: Iterable[Reading]) -> list[FileToRead]:
    """Files as they are to be read, with a mark on each whose bytes had better be compared with these readings."""
    sizes = {_size(reading.version) for reading in by_bytes}
    return [
        FileToRead(file.uri, file.genre, file.location, file.version, may_be_known=_size(file.version) in sizes)
        for file in files
    ]


def _size(version: str) -> str:
    return version.partition("-")[0]


def _unpacked(files: Sequence[Listed], config: BuildConfig, run: Run) -> list[Listed]:
    """Files with locations that workers can read: members of a tar archive are unpacked for that."""
    url = config.corpus.input
    if not files or not archives.is_tar(url):
        return list(files)
    location_of = archives.unpack(url, {file.location for file in files}, run.path("unpacked"))
    return [replace(file, location=location_of[file.location]) for file in files]


def _parts(files: Sequence[FileToRead]) -> list[Sequence[FileToRead]]:
    size = files_in_part(len(files))
    return [files[start : start + size] for start in range(0, len(files), size)]


def files_in_part(files: int) -> int:
    """How many of so many files are read together: few enough to share out, so many that a part costs them little.

    >>> [files_in_part(files) for files in (10, 400, 10_000, 1_000_000)]
    [8, 13, 32, 1000]
    """
    return max(_LEAST_FILES, min(_MANY_FILES, math.ceil(files / _LEAST_PARTS)), math.ceil(files / _MOST_PARTS))
