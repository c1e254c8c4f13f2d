"""The audio files that a prediction is asked for: paths, folders, globs and manifests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.corpus import tags
from pipelines.corpus.forms import manifest
from pipelines.corpus.forms.named_files import NamedFiles
from pipelines.corpus.forms.tables import read_table
from pipelines.corpus.listing import glob_root
from pipelines.corpus.paths import is_audio

_GLOB = "*?["


@dataclass
class InputFiles:
    """What is to be predicted.

    Attributes
    ----------
    years : dict
        By file, its year where a manifest gives one, else None.
    versions : dict
        By file, what changes when it does, as `storage.version` gives it; empty for remote files of a manifest.
    faults : dict
        By the path of a manifest, why it may not be read.
    """

    years: dict[str, int | None] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def input_files(urls: Sequence[str]) -> InputFiles:
    """The audio files that paths, folders, globs and manifests name, sorted, each once.

    A path to nothing is kept, so that the prediction reports it as unreadable.

    Parameters
    ----------
    urls : sequence of str

    Raises
    ------
    UsageError
        A folder, a glob or a manifest holds no audio, or a manifest has an invalid row.
    """
    found = InputFiles()
    for url in urls:
        each = _in_manifest(url) if manifest.is_manifest(url) else _at(url)
        for path, year in each.years.items():
            found.years[path] = found.years.get(path) or year
        found.versions |= each.versions
        found.faults |= each.faults
    return replace(found, years=dict(sorted(found.years.items())))


def refuse_missing(urls: Sequence[str]) -> None:
    """Refuses a request of which nothing is there; what else is missing the prediction reports.

    Raises
    ------
    UsageError
    """
    if not any(set(url) & set(_GLOB) or storage.is_folder(url) or storage.version(url) for url in urls):
        raise UsageError(f"{urls[0]}: no such file or folder")


def _at(url: str) -> InputFiles:
    """The file at a path, or the audio files of a folder or a glob."""
    fs, path = storage.filesystem(url)
    is_glob = not fs.exists(path) and any(sign in path for sign in _GLOB)
    if not is_glob and not storage.is_folder(url):
        versions = {storage.absolute(url): storage.version(url)}
    else:
        members = storage.find_glob(url) if is_glob else storage.find(url)
        root = glob_root(path) if is_glob else path
        versions = {
            storage.url_of(fs, member): version
            for member, version in members.items()
            if is_audio(member.removeprefix(root).lstrip("/"))
        }
    if not versions:
        raise UsageError(f"{url}: no audio there; give audio files, folders of them, globs, or manifests")
    return InputFiles(dict.fromkeys(versions), versions)


def _in_manifest(url: str) -> InputFiles:
    """The files of a manifest, with their years."""
    table = read_table(url)
    if "path" not in table.names or not table.rows:
        found = f"{len(table.rows)}, of {table.found}"
        raise UsageError(f"manifest {url}: expected rows with a path and optionally a year; found {found}")
    inputs, files = InputFiles(), NamedFiles(manifest.root_url(url, ""), anywhere=True)
    for row in table.rows:
        path, year = row["path"], row.get("year", "")
        if not path or not (_is_unknown(year) or tags.year_of(year)):
            raise UsageError(
                f"manifest {url}: path {path!r}, year {year!r}; expected a path, and four digits or nothing"
            )
        named = files.find(path)
        if named.fault:
            inputs.faults[path] = f"{named.fault}; name it after the command to have it read"
        else:
            inputs.years[named.uri] = tags.year_of(year)
            inputs.versions[named.uri] = named.version
    inputs.versions.update(files.listed(inputs.years))
    return inputs


def _is_unknown(year: str) -> bool:
    """Whether a year says that nothing is known, as 0 and -1 in the Million Song Dataset.

    >>> [_is_unknown(year) for year in ("", "0", "-1.0", "1994.0", "sixties")]
    [True, True, True, False, False]
    """
    return not year or re.fullmatch(r"-\d+(\.\d*)?|0+(\.0*)?", year) is not None
