"""The audio files that a prediction is asked for: paths, folders, globs and manifests."""

from collections.abc import Sequence

from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.corpus import listing, manifest, tags

_GLOB = "*?["


def years_by_file(urls: Sequence[str]) -> dict[str, int | None]:
    """The audio files that paths, folders, globs and manifests name, sorted, each once.

    A path to nothing is kept, so that the prediction reports it as unreadable.

    Parameters
    ----------
    urls : sequence of str

    Returns
    -------
    dict
        By file, its year where a manifest gives one, else None.

    Raises
    ------
    UsageError
        A folder, a glob or a manifest holds no audio, or a manifest has an invalid row.
    """
    years: dict[str, int | None] = {}
    for url in urls:
        for path, year in (_in_manifest(url) if manifest.is_manifest(url) else _at(url)).items():
            years[path] = years.get(path) or year
    return dict(sorted(years.items()))


def refuse_missing(urls: Sequence[str]) -> None:
    """Refuses a request of which nothing is there; what else is missing the prediction reports.

    Raises
    ------
    UsageError
    """
    if not any(set(url) & set(_GLOB) or storage.is_folder(url) or storage.version(url) for url in urls):
        raise UsageError(f"{urls[0]}: no such file or folder")


def _at(url: str) -> dict[str, int | None]:
    """The file at a path, or the audio files of a folder or a glob; without years."""
    fs, path = storage.filesystem(url)
    is_glob = not fs.exists(path) and any(sign in path for sign in _GLOB)
    if not is_glob and not storage.is_folder(url):
        return {storage.absolute(url): None}
    members = storage.find_glob(url) if is_glob else storage.find(url)
    files = [storage.url_of(fs, member) for member in members if listing.is_audio(member.rpartition("/")[2])]
    if not files:
        raise UsageError(f"{url}: no audio there; give audio files, folders of them, globs, or manifests")
    return dict.fromkeys(files)


def _in_manifest(url: str) -> dict[str, int | None]:
    """The files of a manifest, with their years."""
    columns, rows = manifest.read_table(url)
    if "path" not in columns or not rows:
        found = ", ".join(sorted(columns)) or "none"
        raise UsageError(
            f"manifest {url}: expected rows with a path and optionally a year; found {len(rows)}, of {found}"
        )
    folder = storage.absolute(url).rpartition("/")[0]
    years: dict[str, int | None] = {}
    for row in rows:
        path, year = row["path"], row.get("year", "")
        if not path or (year and tags.year_of(year) is None):
            raise UsageError(
                f"manifest {url}: path {path!r}, year {year!r}; expected a path, and four digits or nothing"
            )
        years[manifest.file_url(path, folder)] = tags.year_of(year)
    return years
