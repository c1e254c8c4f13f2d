import io
import stat
import struct
import tarfile
import zipfile
import zlib

import pytest

from pipelines.config import CorpusConfig
from pipelines.corpus.forms import archives
from pipelines.corpus.listing import list_corpus
from tests.pipelines.corpus.entries import contents, listed


def reasons_of(entries):
    return [(entry.file.path, entry.file.reason) for entry in entries]


def add(archive, name, content=b"", **told):
    """Adds a member to a tar archive: a file, or with `type` and `linkname` something else."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for key, value in told.items():
        setattr(member, key, value)
    archive.addfile(member, io.BytesIO(content))


def linked_tar(path, *contents):
    """A tar archive that has a song as often as it has contents, and links to it from another genre."""
    with tarfile.open(path, "w:gz") as archive:
        for content in contents:
            add(archive, "g/a.wav", content)
        add(archive, "h/b.wav", type=tarfile.LNKTYPE, linkname="g/a.wav")
    return path


def test_of_a_member_that_is_repeated_the_last_counts(tmp_path):
    archive = linked_tar(tmp_path / "a.tar.gz", b"old", b"new")
    entries = listed(archive)
    assert reasons_of(entries) == [("g/a.wav", ""), ("g/a.wav", "repeated"), ("h/b.wav", "")]
    assert entries[0].file.uri == entries[1].file.uri == f"tar://g/a.wav::{archive}"
    assert contents(archive, entries, tmp_path / "unpacked") == [b"new"] * 3
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for name, content in (("g/a.wav", b"old"), ("h/b.wav", b"other"), ("g/a.wav", b"new")):
            packed.writestr(name, content)
    entries = listed(tmp_path / "a.zip")
    assert reasons_of(entries) == [("g/a.wav", ""), ("g/a.wav", "repeated"), ("h/b.wav", "")]
    assert contents(tmp_path / "a.zip", entries, "") == [b"new", b"new", b"other"]


def test_a_link_in_a_tar_is_another_version_where_its_content_is(tmp_path):
    versions = [
        [entry.version for entry in listed(linked_tar(tmp_path / "a.tar.gz", content))]
        for content in (b"old", b"newer")
    ]
    assert versions == [["3-0", "3-0"], ["5-0", "5-0"]]


LINKS = {
    "top/blues/b.wav": "../.annex/b.wav",
    "top/blues/again.wav": "b.wav",
    "top/blues/gone.wav": "nowhere.wav",
    "top/blues/out.wav": "../../../out.wav",
    "top/blues/absolute.wav": "/etc/a.wav",
    "top/blues/round.wav": "turn.wav",
    "top/blues/turn.wav": "round.wav",
    "top/blues/through.wav": "../folk/c.wav",
    "top/blues/up": "..",
    "top/folk": ".annex/folk",
    "top/rock": "/music/rock",
    "top/same": "blues",
}
LISTED = {
    "blues/a.wav": ("a", ""),
    "blues/b.wav": ("b", ""),
    "blues/again.wav": ("b", ""),
    "blues/through.wav": ("c", ""),
    "folk/c.wav": ("c", ""),
    "blues/gone.wav": ("", "unreadable"),
    "blues/round.wav": ("", "unreadable"),
    "blues/turn.wav": ("", "unreadable"),
    "blues/out.wav": ("", "outside_root"),
    "blues/absolute.wav": ("", "outside_root"),
    "rock": ("", "outside_root"),
}


def write_links(path, links):
    files = {"top/blues/a.wav": b"a", "top/.annex/b.wav": b"b", "top/.annex/folk/c.wav": b"c"}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, target in links.items():
                info = zipfile.ZipInfo(name)
                info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
                archive.writestr(info, target)
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(path, "w") as archive:
            for name, target in links.items():
                add(archive, name, type=tarfile.SYMTYPE, linkname=target)
            for name, content in files.items():
                add(archive, name, content)
    return path


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_links_are_followed_within_an_archive(tmp_path, name):
    archive = write_links(tmp_path / name, LINKS)
    entries = listed(archive)
    assert dict(reasons_of(entries)) == {path: reason for path, (_, reason) in LISTED.items()}
    good = [entry for entry in entries if not entry.file.reason]
    found = [content.decode() for content in contents(archive, good, tmp_path / "unpacked")]
    assert found == [LISTED[entry.file.path][0] for entry in good]
    for entry in good:
        assert archives.location_of(entry.file.uri, str(archive)) == entry.location


def test_pipes_in_a_tar_are_told(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "g/a.wav", b"a")
        add(archive, "h/b.wav", type=tarfile.FIFOTYPE)
    assert reasons_of(listed(tmp_path / "a.tar")) == [("g/a.wav", ""), ("h/b.wav", "unreadable")]


def test_only_the_members_that_are_asked_for_are_unpacked(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in ("g/a.wav", "g/b.wav", "README"):
            add(archive, name, name.encode())
    location = f"tar://g/b.wav::{tmp_path}/a.tar"
    unpacked = archives.unpack(str(tmp_path / "a.tar"), [location], str(tmp_path / "unpacked"))
    assert list(unpacked) == [location]
    assert [path.read_bytes() for path in (tmp_path / "unpacked").iterdir()] == [b"g/b.wav"]
    assert unpacked[location].endswith(".wav")


def zip_of(path, *names, extra=b""):
    """A zip with names as they are given, in bytes that no flag explains."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            info = zipfile.ZipInfo()
            info.filename = info.orig_filename = "_" * (len(name) - 2) + f"{number:02}"
            info.extra = extra
            archive.writestr(info, name)
    content = path.read_bytes()
    for number, name in enumerate(names):
        content = content.replace(b"_" * (len(name) - 2) + b"%02d" % number, name)
    path.write_bytes(content)
    return path


def unicode_path(raw, name):
    field = struct.pack("<BI", 1, zlib.crc32(raw)) + name.encode()
    return struct.pack("<HH", 0x7075, len(field)) + field


@pytest.mark.parametrize(
    ("raw", "extra", "path"),
    [
        ("Forr\u00f3/a.wav".encode(), b"", "Forr\u00f3/a.wav"),
        ("Forr\u00f3/a.wav".encode("cp437"), b"", "Forr\u00f3/a.wav"),
        (b"Forr#U00f3/a.wav", unicode_path(b"Forr#U00f3/a.wav", "Forr\u00f3/a.wav"), "Forr\u00f3/a.wav"),
        ("Forr\u00f3/a.wav".encode(), unicode_path(b"renamed", "b/c.wav"), "Forr\u00f3/a.wav"),
        (b"genres\\blues\\a.wav", b"", "blues/a.wav"),
    ],
)
def test_names_in_a_zip_are_read_as_they_were_meant(tmp_path, raw, extra, path):
    archive = zip_of(tmp_path / "a.zip", raw, extra=extra)
    ((entry),) = listed(archive)
    assert (entry.file.path, entry.file.reason) == (path, "")
    assert contents(archive, [entry], "") == [raw]


def test_names_of_an_encoding_that_a_zip_does_not_tell_are_told(tmp_path):
    archive = zip_of(
        tmp_path / "a.zip", "\u97f3\u697d/a.wav".encode("cp932"), b"Forro/b.wav", "Forr\u00f3/c.wav".encode()
    )
    found = list_corpus(CorpusConfig(input=str(archive)))
    assert len(found.entries) == 3
    (note,) = [note for note in found.notes if "encoding" in note]
    assert f"{archive}: 1 name in an encoding" in note and "/a.wav" in note and "unpack it" in note


def test_a_backslash_is_one_where_the_other_name_is_taken(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed, tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in ("g/a.wav", "g\\a.wav", "g\\b.wav", "h/a.wav"):
            packed.writestr(name, name)
            add(archive, name, name.encode())
    for source in (tmp_path / "a.zip", tmp_path / "a.tar"):
        entries = listed(source)
        assert reasons_of(entries) == [("g/a.wav", ""), ("g/b.wav", ""), ("g\\a.wav", "no_genre"), ("h/a.wav", "")]
        names = ["g/a.wav", "g\\b.wav", "g\\a.wav", "h/a.wav"]
        assert contents(source, entries, tmp_path / "unpacked") == [name.encode() for name in names]


def test_an_archive_with_a_very_long_name_is_listed(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "g/" + "x/" * 100_000 + "a.wav", type=tarfile.SYMTYPE, linkname="b.wav")
        add(archive, "g/b.wav", b"b")
    assert [reason for _, reason in reasons_of(listed(tmp_path / "a.tar"))] == ["", "unreadable"]


@pytest.mark.parametrize(
    ("name", "mode"), [("a.zip", ""), ("a.tar", "w"), ("a.tar.bz2", "w:bz2"), ("a.tar.xz", "w:xz"), ("a.txz", "w:xz")]
)
def test_what_else_lies_in_an_archive_is_told(tmp_path, name, mode):
    paths = ["blues/a.wav", "jazz/b.wav", "jazz/c.mpga", "jazz/.d.mpga", "inner.zip", "notes.txt"]
    for path in paths:
        (tmp_path / "set" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / path).write_bytes(b"x")
    if not mode:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for path in paths:
                archive.write(tmp_path / "set" / path, f"set/{path}")
    else:
        with tarfile.open(tmp_path / name, mode) as archive:
            archive.add(tmp_path / "set", "set")
    listing = list_corpus(CorpusConfig(input=str(tmp_path / name)))
    assert [entry.file.path for entry in listing.entries] == ["blues/a.wav", "jazz/b.wav"]
    assert sorted(listing.others) == ["inner.zip", "jazz/c.mpga", "notes.txt"]
