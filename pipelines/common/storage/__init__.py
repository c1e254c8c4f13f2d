"""Files anywhere fsspec reaches: whole reads, atomic writes, and local copies for libraries that need a path."""

from pipelines.common.storage.conditional import create
from pipelines.common.storage.faults import is_of_the_path, naming
from pipelines.common.storage.filesystems import (
    absolute,
    filesystem,
    is_local,
    join,
    local_version,
    url_of,
    version,
    zip_archive,
)
from pipelines.common.storage.listing import (
    LEADS_OUT,
    Links,
    find,
    find_glob,
    is_folder,
    names,
    series,
    sizes,
    versions_below,
)
from pipelines.common.storage.reading import fetch, local_copy, opened, read_bytes
from pipelines.common.storage.retries import StoreError
from pipelines.common.storage.writing import is_unfinished, put_new, remove, write_bytes, writing

__all__ = [
    "LEADS_OUT",
    "Links",
    "StoreError",
    "absolute",
    "create",
    "fetch",
    "filesystem",
    "find",
    "find_glob",
    "is_folder",
    "is_local",
    "is_of_the_path",
    "is_unfinished",
    "join",
    "local_copy",
    "local_version",
    "names",
    "naming",
    "opened",
    "put_new",
    "read_bytes",
    "remove",
    "series",
    "sizes",
    "url_of",
    "version",
    "versions_below",
    "write_bytes",
    "writing",
    "zip_archive",
]
