"""The names of a zip archive's members, where the program that packed it did not write them as the format says."""

import struct
import zlib
from collections import Counter
from zipfile import ZipFile, ZipInfo

_IS_UTF8, _UNICODE_PATH = 0x800, 0x7075


def mend(archive: ZipFile) -> None:
    """Gives members the names that are meant.

    The Mac's Finder writes UTF-8 and does not say so, others keep it in a field of its own, and some of Windows'
    programs write backslashes. Where a name comes several times, it is the last member's, as it is when one unpacks.
    """
    members = archive.infolist()
    for member in members:
        member.filename = _meant(member) or member.filename
    known = Counter(member.filename for member in members)
    for member in members:
        with_slashes = member.filename.replace("\\", "/")
        if with_slashes not in known:
            member.filename = with_slashes
    archive.NameToInfo = {member.filename: member for member in members}


def of_unknown_encoding(archive: ZipFile) -> list[str]:
    """The names whose encoding nothing tells, as they are read: by code page 437, which is a guess."""
    return [member.filename for member in archive.infolist() if _meant(member) is None]


def _meant(member: ZipInfo) -> str | None:
    """The name of a member; None where it cannot be known."""
    if member.flag_bits & _IS_UTF8:
        return member.filename
    raw = member.orig_filename.encode("cp437")
    try:
        return _unicode_path(member.extra, raw) or raw.decode()
    except UnicodeDecodeError:
        return None


def _unicode_path(extra: bytes, raw: bytes) -> str:
    """The name in Info-ZIP's field of its own, unless another program has changed the member's name since."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and len(field) >= 5 and struct.unpack_from("<I", field, 1)[0] == zlib.crc32(raw):
            return field[5:].decode()
    return ""
