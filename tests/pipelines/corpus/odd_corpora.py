"""Corpora with random oddities, in every form that a corpus may come in, and what becomes of each file."""

import csv
import io
import shutil
import stat
import tarfile
import unicodedata
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from pipelines.config import CorpusConfig

GENRES = ("blues", "Forr\u00f3", "Folk, World, & Country", "=R&B", "it's \u201cnew\u201d")

Outcomes = Counter[tuple[str, str]]
"""How many files have each path and reason."""


@dataclass(frozen=True)
class Song:
    """A song and how it comes.

    Attributes
    ----------
    path : str
    spelt : str
        How a table or a list spells its path: 'nfd', 'nfc', 'backslashes', 'dots', or just so.
    is_linked : bool
        Whether the file is a link to where it lies.
    rows : int
        How many rows, lines or members it has.
    """

    path: str
    spelt: str = ""
    is_linked: bool = False
    rows: int = 1

    @property
    def genre(self) -> str:
        return self.path.partition("/")[0]

    @property
    def listed(self) -> str:
        """Its path as a table or a list has it."""
        spell: dict[str, Callable[[str], str]] = {
            "nfc": lambda path: unicodedata.normalize("NFC", path),
            "nfd": lambda path: unicodedata.normalize("NFD", path),
            "backslashes": lambda path: path.replace("/", "\\"),
            "dots": lambda path: f"./{path}",
        }
        return spell.get(self.spelt, str)(self.path)


STEMS = st.text("ab09 -_#%'\"&,;=@\u00e9\u00df\u5b57[]()", min_size=1, max_size=8).map(str.strip).filter(bool)
SONGS = st.lists(
    st.builds(
        lambda genre, album, stem, form, spelt, is_linked, rows: Song(
            unicodedata.normalize(form, f"{genre}/{album}{stem}.wav"), spelt, is_linked, rows
        ),
        st.sampled_from(GENRES),
        st.sampled_from(("", "", "an album/", "Can\u00e7\u00e3o/")),
        STEMS,
        st.sampled_from(("NFC", "NFD")),
        st.sampled_from(("", "nfc", "nfd", "backslashes", "dots")),
        st.booleans(),
        st.sampled_from((1, 1, 1, 2, 3)),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda song: unicodedata.normalize("NFC", PurePosixPath(song.path).stem),
).map(lambda songs: [replace(song, path=_folder_form(song.path)) for song in songs])


def _folder_form(path: str) -> str:
    """A path whose folders are in one form, as one folder has one."""
    folder, _, name = path.rpartition("/")
    return f"{unicodedata.normalize('NFC', folder)}/{name}"


def lay(folder: Path, songs: list[Song], write: Callable[[Path, Song], object]) -> Path:
    """A folder of genre folders, with what lies about in such folders, and links that lead in circles."""
    root = folder / "music"
    for number, song in enumerate(songs):
        path = root / song.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if song.is_linked:
            (root / ".annex").mkdir(exist_ok=True)
            write(root / f".annex/{number}.wav", song)
            path.symlink_to(root / f".annex/{number}.wav")
        else:
            write(path, song)
        (path.parent / f"._{path.name}").write_bytes(b"AppleDouble")
        (path.parent / "cover.jpg").write_bytes(b"a picture")
        if not (path.parent / "up").is_symlink():
            (path.parent / "up").symlink_to("..")
    return root


def as_folder(folder: Path, root: Path, songs: list[Song]) -> tuple[CorpusConfig, Outcomes]:
    """The folder itself, with a link out of it, and a song beside the genre folders."""
    (folder / "elsewhere").mkdir()
    shutil.copy((root / songs[0].path).resolve(), folder / "elsewhere/out.wav")
    (root / "linked").symlink_to(folder / "elsewhere")
    (root / "beside.wav").symlink_to(songs[0].path)
    (root / songs[0].genre / "lost.wav").symlink_to("nowhere.wav")
    extra = {"linked": "outside_root", "beside.wav": "no_genre", f"{songs[0].genre}/lost.wav": LATER}
    return CorpusConfig(input=str(root)), Counter([*((s.path, "") for s in songs), *extra.items()])


def as_glob(folder: Path, root: Path, songs: list[Song]) -> tuple[CorpusConfig, Outcomes]:
    return CorpusConfig(input=f"{root}/**/*.wav"), Counter((song.path, "") for song in songs)


LATER = "unreadable, as reading it will show"
"""The reason of a file that the listing leaves to reading."""

_BAD_ROWS = {
    "../up.wav": "outside_root",
    "foo://x.wav": "outside_root",
    "zip://a.wav::http://127.0.0.1:9/a.zip": "outside_root",
    "nul\0.wav": "outside_root",
    "gone.wav": LATER,
}


def _of_rows(songs: list[Song]) -> Outcomes:
    """What becomes of rows: the first of each path counts."""
    outcomes = Counter({(song.path, ""): 1 for song in songs}) + Counter(
        {(song.path, "repeated"): song.rows - 1 for song in songs}
    )
    return outcomes + Counter(_BAD_ROWS.items())


def _rows(songs: list[Song]) -> list[tuple[str, str]]:
    rows = [(song.listed, song.genre) for song in songs for _ in range(song.rows)]
    return [*rows, ("", ""), *((path, GENRES[0]) for path in _BAD_ROWS), ("", "")]


def as_csv(encoding: str, end: str) -> Callable[[Path, Path, list[Song]], tuple[CorpusConfig, Outcomes]]:
    def write(folder: Path, root: Path, songs: list[Song]) -> tuple[CorpusConfig, Outcomes]:
        sink = io.StringIO(newline="")
        csv.writer(sink, lineterminator=end).writerows([("path", "genre"), *_rows(songs)])
        (folder / "m.csv").write_bytes(sink.getvalue().encode(encoding))
        return CorpusConfig(input=str(folder / "m.csv"), root=str(root)), _of_rows(songs)

    return write


def as_parquet(folder: Path, root: Path, songs: list[Song]) -> tuple[CorpusConfig, Outcomes]:
    paths, genres = zip(*_rows(songs), strict=True)
    pq.write_table(pa.table({"path": paths, "genre": genres}), folder / "m.parquet")
    return CorpusConfig(input=str(folder / "m.parquet"), root=str(root)), _of_rows(songs)


def as_lists(folder: Path, root: Path, songs: list[Song]) -> tuple[CorpusConfig, Outcomes]:
    lines = [song.listed for song in songs for _ in range(song.rows)]
    text = "\r\n".join(["", *lines, "foo://x.wav", "nul\0.wav", ""])
    (folder / "train.txt").write_bytes(text.encode("utf-8-sig"))
    missing = {"foo://x.wav": "unreadable", "nul\0.wav": "unreadable"}
    config = CorpusConfig(input=str(root), splits={"train": str(folder / "train.txt")})
    return config, Counter([*((song.path, "") for song in songs), *missing.items()])


def _of_members(songs: list[Song]) -> Outcomes:
    return Counter({(song.path, ""): 1 for song in songs}) + Counter(
        {(song.path, "repeated"): song.rows - 1 for song in songs}
    )


def as_zip(folder: Path, root: Path, songs: list[Song]) -> tuple[CorpusConfig, Outcomes]:
    """A zip without the flag that names are UTF-8, with backslashes, links and repeated members."""
    with warnings.catch_warnings(), zipfile.ZipFile(folder / "a.zip", "w") as archive:
        warnings.simplefilter("ignore", UserWarning)  # of members of one name
        archive.writestr("top/__MACOSX/._a.wav", b"AppleDouble")
        for number, song in enumerate(songs):
            content = (root / song.path).read_bytes()
            info = zipfile.ZipInfo()
            name = f"top/{song.path}"
            info.filename = info.orig_filename = name.replace("/", "\\") if song.spelt == "backslashes" else name
            if song.is_linked:
                archive.writestr(f"top/.annex/{number}.wav", content)
                info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
                content = f"{'../' * song.path.count('/')}.annex/{number}.wav".encode()
            for _ in range(song.rows):
                archive.writestr(info, content)
    return CorpusConfig(input=str(folder / "a.zip")), _of_members(songs)


def as_tar(suffix: str) -> Callable[[Path, Path, list[Song]], tuple[CorpusConfig, Outcomes]]:
    """A tar with links of both kinds, repeated members, and a pipe."""

    def write(folder: Path, root: Path, songs: list[Song]) -> tuple[CorpusConfig, Outcomes]:
        with tarfile.open(folder / f"a{suffix}", "w:gz" if suffix.endswith("gz") else "w") as archive:
            for number, song in enumerate(songs):
                content = (root / song.path).read_bytes()
                member = tarfile.TarInfo(f"top/.annex/{number}.wav" if song.is_linked else f"top/{song.path}")
                member.size = len(content)
                for _ in range(1 if song.is_linked else song.rows):
                    archive.addfile(member, io.BytesIO(content))
                link = tarfile.TarInfo(f"top/{song.path}")
                link.type = tarfile.LNKTYPE if number % 2 else tarfile.SYMTYPE
                link.linkname = member.name if number % 2 else f"{'../' * song.path.count('/')}.annex/{number}.wav"
                for _ in range(song.rows if song.is_linked else 0):
                    archive.addfile(link)
            pipe = tarfile.TarInfo(f"top/{songs[0].genre}/pipe.wav")
            pipe.type = tarfile.FIFOTYPE
            archive.addfile(pipe)
        outcomes = _of_members(songs) + Counter({(f"{songs[0].genre}/pipe.wav", "unreadable"): 1})
        return CorpusConfig(input=str(folder / f"a{suffix}")), outcomes

    return write


FORMS = {
    "csv": as_csv("utf-8", "\n"),
    "csv of Windows": as_csv("utf-8-sig", "\r\n"),
    "parquet": as_parquet,
    "lists": as_lists,
    "zip": as_zip,
    "tar": as_tar(".tar"),
    "tar.gz": as_tar(".tar.gz"),
    "glob": as_glob,
    "folder": as_folder,
}
"""Writes a corpus in a form, beside the folder that it is laid in; the folder itself last, as it adds to it."""
