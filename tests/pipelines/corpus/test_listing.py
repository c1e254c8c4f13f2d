import io
import os
import tarfile
import uuid
import zipfile
from pathlib import Path

import pytest

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.config import CorpusConfig
from pipelines.corpus import listing
from pipelines.corpus.names.spellings import escape_undecodable, unescaped
from pipelines.corpus.paths import is_audio
from tests.pipelines.corpus.entries import contents, listed

SONGS = ["blues/a 1.wav", "blues/é#%.FLAC", "jazz/album/b.mp3", "jazz/c.m4a"]
OTHERS = [
    "._a.wav",
    "blues/._a 1.wav",
    "blues/.hidden.wav",
    ".git/x.wav",
    "__MACOSX/jazz/c.wav",
    "jazz/cover.jpg",
    "README",
]


def genres_of(entries):
    return {entry.file.path: entry.file.genre for entry in entries}


def write_tree(folder):
    for name in [*SONGS, *OTHERS, "jazz/dir.wav/notes.txt"]:
        storage.write_bytes(storage.join(folder, name), name.encode())
    return folder


def write_zip(path, names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return path


def write_tar(path, names):
    with tarfile.open(path, "w:gz" if path.suffix != ".tar" else "w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name.encode())
            archive.addfile(member, io.BytesIO(name.encode()))
    return path


@pytest.fixture(params=["tree", "memory", "links", "a.zip", "tar.gz", "tgz", "tar", "topped.zip", "topped.tar.gz"])
def any_form(request, tmp_path):
    form = request.param
    names = [f"gtzan/genres/{name}" if form.startswith("topped") else name for name in [*SONGS, *OTHERS]]
    if form == "memory":
        return write_tree(f"memory://{uuid.uuid4().hex}/songs") + "/"
    if form.endswith("zip"):
        return str(write_zip(tmp_path / form, names))
    if "." in form or form in ("tar", "tgz"):
        return str(write_tar(tmp_path / f"packed.{form}", names))
    write_tree(str(tmp_path / "songs"))
    if form == "tree":
        return str(tmp_path / "songs") + "/"
    (tmp_path / "links").mkdir()
    for genre in ("blues", "jazz"):
        (tmp_path / "links" / genre).symlink_to(tmp_path / "songs" / genre)
    return str(tmp_path / "links")


def test_every_form_gives_the_same_songs(any_form, tmp_path):
    entries = listed(any_form, follow_links=True)
    assert genres_of(entries) == {name: name.partition("/")[0] for name in SONGS}
    assert [entry.file.path for entry in entries] == sorted(SONGS)
    for entry, content in zip(entries, contents(any_form, entries, tmp_path / "unpacked"), strict=True):
        assert content.decode().endswith(entry.file.path)
        assert not entry.file.reason


def test_local_songs_go_by_plain_paths(tmp_path, monkeypatch):
    write_tree(str(tmp_path / "songs"))
    monkeypatch.chdir(tmp_path)
    (entry, *_) = listed("./songs/../songs")
    assert entry.file.uri == entry.location == str(tmp_path / "songs/blues/a 1.wav")


@pytest.mark.parametrize("folder", ["memory://{}", "{}"])
def test_globs_take_the_genre_from_the_folder(tmp_path, folder):
    root = write_tree(folder.format(tmp_path.name if "memory" in folder else tmp_path / "songs"))
    assert genres_of(listed(f"{root}/**/*.[mw]*")) == {
        "blues/a 1.wav": "blues", "jazz/album/b.mp3": "album", "jazz/c.m4a": "jazz",
    }  # fmt: skip
    assert genres_of(listed(f"{root}/blues/*")) == {"a 1.wav": "blues", "é#%.FLAC": "blues"}


def test_a_folder_may_be_called_like_a_glob(tmp_path):
    write_tree(str(tmp_path / "best of [2001]"))
    assert len(listed(tmp_path / "best of [2001]")) == len(SONGS)


@pytest.mark.parametrize("pack", [write_zip, write_tar])
def test_members_that_lead_out_are_rejected_and_not_written(tmp_path, pack):
    archive = pack(
        tmp_path / ("a.zip" if pack is write_zip else "a.tar.gz"),
        ["top/g/a.wav", "top/h/b.wav", "../up.wav", "/abs.wav"],
    )
    entries = listed(archive)
    reasons = {entry.file.path: entry.file.reason for entry in entries}
    assert reasons == {"g/a.wav": "", "h/b.wav": "", "../up.wav": "outside_root", "/abs.wav": "outside_root"}
    if pack is write_tar:  # also where somebody asks for them
        assert len(contents(archive, entries, tmp_path / "some" / "folder")) == 4
    assert not list(tmp_path.rglob("up.wav")) and not Path("/abs.wav").exists()


def test_songs_beside_the_genre_folders_have_no_genre(tmp_path):
    storage.write_bytes(str(tmp_path / "songs/a.wav"), b"")
    storage.write_bytes(str(tmp_path / "songs/g/b.wav"), b"")
    reasons = {e.file.path: (e.file.status, e.file.reason) for e in listed(tmp_path / "songs")}
    assert reasons == {"a.wav": ("rejected", "no_genre"), "g/b.wav": ("written", "")}


def test_names_that_are_no_utf8_or_very_long(tmp_path):
    names = ["g/caf\udce9.wav", "g/" + "n" * 240 + ".wav"]
    for name in names:
        storage.write_bytes(str(tmp_path / "songs/g/new"), name.encode("utf-8", "surrogateescape"))
        (tmp_path / "songs/g/new").rename(tmp_path / "songs" / name)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "songs/g", "g")
    for source in (tmp_path / "songs", tmp_path / "a.tar"):
        entries = listed(source)
        assert [entry.file.path for entry in entries] == ["g/caf\\xe9.wav", names[1]]
        assert [content[:6] for content in contents(source, entries, tmp_path / "u")] == [b"g/caf\xe9", b"g/nnnn"]


def test_an_escaped_name_leads_to_its_file(tmp_path):
    name, own = str(tmp_path / "caf\udce9.wav"), str(tmp_path / "own\\xe9.wav")
    storage.write_bytes(own, b"")
    assert unescaped(escape_undecodable(name)) == name
    assert unescaped(own) == own
    assert unescaped("s3://music/a.wav") == "s3://music/a.wav"


@pytest.fixture
def linked(tmp_path):
    """Genre folders with a song, links to songs and folders in them and elsewhere, and links in circles."""
    for name in ("music/blues/a.wav", "music/.annex/b.wav", "music/.annex/folk/c.wav", "elsewhere/d.wav"):
        storage.write_bytes(str(tmp_path / name), name.encode())
    links = {
        "blues/b.wav": "../.annex/b.wav",
        "blues/d.wav": f"{tmp_path}/elsewhere/d.wav",
        "blues/notes": f"{tmp_path}/elsewhere/notes.txt",
        "blues/gone.wav": "nowhere.wav",
        "blues/round.wav": "round.wav",
        "blues/up": "..",
        "folk": ".annex/folk",
        "rock": f"{tmp_path}/elsewhere",
        "same": "blues",
    }
    for name, target in links.items():
        (tmp_path / "music" / name).symlink_to(target)
    return tmp_path / "music"


WITHIN = {"blues/a.wav": "", "blues/b.wav": "", "blues/gone.wav": "", "blues/round.wav": "", "folk/c.wav": ""}


@pytest.mark.parametrize("glob", ["", "/*/*", "/**"])
def test_links_are_followed_within_the_corpus_alone(linked, glob):
    entries = [e for e in listed(f"{linked}{glob}") if not e.file.path.startswith("same/")]
    out = {"blues/d.wav": "outside_root"} | ({} if glob == "/*/*" else {"rock": "outside_root"})
    if glob == "/*/*":
        out["rock/d.wav"] = "outside_root"
    assert {e.file.path: e.file.reason for e in entries} == WITHIN | out
    assert "corpus.follow_links: true" in next(e.file.error for e in entries if e.file.reason)


def test_links_out_of_the_corpus_are_followed_where_that_is_asked_for(linked):
    found = {e.file.path: (e.file.genre, e.file.reason) for e in listed(linked, follow_links=True)}
    assert found.keys() == WITHIN.keys() | {"blues/d.wav", "rock/d.wav"}
    assert found["rock/d.wav"] == ("rock", "")


def test_folders_lead_in_circles_that_end(linked):
    for name in ("one", "two", "three"):
        (linked / "blues" / name).symlink_to(linked)
    assert len(listed(linked)) == len(listed(f"{linked}/**/*")) == 7


def test_a_genre_is_one_line(tmp_path):
    storage.write_bytes(str(tmp_path / "songs/folk\nrock/a.wav"), b"")
    ((entry),) = listed(tmp_path / "songs")
    assert (entry.file.reason, entry.file.genre) == ("odd_genre", "folk\nrock")


@pytest.mark.parametrize("form", ["folder", "zip", "tar.gz", "glob"])
def test_an_empty_corpus_is_refused(tmp_path, form):
    source = tmp_path / f"a.{form}"
    if form == "folder":
        storage.write_bytes(str(source / "g/notes.txt"), b"")
    elif form != "glob":
        (write_zip if form == "zip" else write_tar)(source, ["g/notes.txt"])
    with pytest.raises(
        SpectroshardError, match=r"a\.\S+: no audio found; looked for files that end in \.3gp, \.aac, .*\.wav"
    ):
        listed(source if form != "glob" else f"{tmp_path}/a.glob/*.wav")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none", None, "no such file or folder"),
        ("none.zip", None, "no such file"),
        ("none.tar.gz", None, "no such file"),
        ("none.csv", None, "no such file"),
        ("a.zip", b"this is no archive", "is damaged, or not what its suffix says"),
        ("a.tar.gz", b"this is no archive", "is damaged, or not what its suffix says"),
        ("a.tgz", b"\x1f\x8b\x08" + bytes(100), "is damaged, or not what its suffix says"),
        ("a.parquet", b"this is no table", "is no table in UTF-8 CSV or Parquet"),
        ("file.log", b"", "is not music that can be listed"),
        ("rows.csv", b"path,genre\n", "has no rows"),
        ("**.wav", None, r"\*\* stands for folders"),
    ],
)
def test_an_input_that_cannot_be_read_is_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message) as refused:
        listed(tmp_path / name)
    assert str(tmp_path / name) in str(refused.value)


def test_a_truncated_archive_is_an_error_not_a_smaller_corpus(tmp_path):
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for number in range(3):
            member = tarfile.TarInfo(f"g/{number}.wav")
            member.size = 50_000
            archive.addfile(member, io.BytesIO(os.urandom(50_000)))
    path.write_bytes(path.read_bytes()[:80_000])
    with pytest.raises(SpectroshardError, match=r"a\.tar\.gz: "):
        listed(path)


def test_no_input_at_all_is_told():
    with pytest.raises(SpectroshardError, match=r"no music given: .* corpus\.input"):
        listing.list_files(CorpusConfig())


def test_a_folder_that_may_not_be_read_is_an_error(tmp_path, monkeypatch):
    write_tree(str(tmp_path / "songs"))
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "jazz":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SpectroshardError, match=r"PermissionError.*jazz"):
        listed(tmp_path / "songs")


@pytest.mark.parametrize(
    "suffix", ["3gp", "DSF", "dff", "dts", "eac3", "mp1", "rf64", "shn", "spx", "tak", "voc", "weba"]
)
def test_containers_that_are_read_are_listed(suffix):
    assert is_audio(f"blues/a.{suffix}")
