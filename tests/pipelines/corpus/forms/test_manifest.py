import io
import uuid
from unittest.mock import Mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError
from pipelines.corpus.forms import manifest

EVERY = """path,genre,song,artist,fold
blues/a.wav,blues,One,Ann,0
jazz/b.wav,jazz,Two,Bob,3
"""


def entries_of(tmp_path, text, name="m.csv", root="", encoding="utf-8", **keys):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return manifest.entries(str(tmp_path / name), root, **keys)


def reasons_of(entries):
    return [(entry.file.path, entry.file.status, entry.file.reason) for entry in entries]


def parquet(**columns):
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_every_column_is_read(tmp_path, encoding):
    one, two = (entry.file for entry in entries_of(tmp_path, EVERY, encoding=encoding))
    assert (one.path, one.genre, one.song, one.artist, one.fold) == ("blues/a.wav", "blues", "One", "Ann", "fold-00")
    assert (two.uri, two.fold) == (str(tmp_path / "jazz/b.wav"), "fold-03")


def test_columns_may_be_in_any_order_and_case_with_others_between(tmp_path):
    (entry,) = entries_of(tmp_path, ' Genre ,bpm,PATH\r\n"blues, slow",90, a b#.wav \r\n')
    assert (entry.file.path, entry.file.genre) == ("a b#.wav", "blues, slow")


def test_parquet_may_hold_numbers_and_nothing(tmp_path):
    content = parquet(path=["a.wav", "b.wav", "c.wav"], genre=[1, 2, None], fold=[1.0, float("nan"), None])
    entries = entries_of(tmp_path, content, "m.parquet")
    assert [(e.file.genre, e.file.fold, e.file.reason) for e in entries] == [
        ("1", "fold-01", ""), ("2", "", ""), ("", "", "no_genre"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "missing", "found"),
    [
        ("file,genre\na.wav,blues\n", "path", "file, genre"),
        ("path,label\n", "genre", "label, path"),
        ("path:genre\na.wav:blues\n", "genre or path", "path:genre"),
        ("", "genre or path", "none"),
    ],
)
def test_missing_columns_are_named(tmp_path, text, missing, found):
    with pytest.raises(SpectroshardError, match=rf"m\.csv: no column {missing}; found {found}; expected path, genre"):
        entries_of(tmp_path, text)


@pytest.mark.parametrize("content", [parquet(file=["a.wav"]), parquet(path=[], title=[])])
def test_missing_columns_of_parquet_are_named(tmp_path, content):
    with pytest.raises(SpectroshardError, match=r"m\.parquet: no column genre"):
        entries_of(tmp_path, content, "m.parquet")


@pytest.mark.parametrize(
    ("name", "content"),
    [("m.csv", "path,genre\ncafé.wav,blues\n".encode("latin-1")), ("m.parquet", b""), ("m.parquet", b"PAR1...PAR1")],
)
def test_what_is_no_table_is_told(tmp_path, name, content):
    with pytest.raises(SpectroshardError, match=f"{name}: is no table in UTF-8 CSV or Parquet"):
        entries_of(tmp_path, content, name)


def test_the_first_of_equal_rows_counts(tmp_path):
    text = "path,genre\n" + "a.wav,blues\n./a.wav,blues\n" * 40 + "b.wav,jazz\n"
    reasons = reasons_of(entries_of(tmp_path, text))
    assert reasons.count(("a.wav", "rejected", "repeated")) == 79
    assert [r for r in reasons if r[1] == "written"] == [("a.wav", "written", ""), ("b.wav", "written", "")]


@pytest.mark.parametrize("rows", ["a.wav,blues,1\na.wav,jazz,1\n", "a.wav,blues,1\n.//a.wav,blues,2\n"])
def test_rows_that_contradict_each_other_are_all_rejected(tmp_path, rows):
    entries = entries_of(tmp_path, f"path,genre,fold\n{rows}")
    assert reasons_of(entries) == [("a.wav", "rejected", "contradicted")] * 2
    assert "2 rows for a.wav disagree" in entries[0].file.error


@pytest.mark.parametrize(
    "path", ["../a.wav", "x/../../a.wav", "x/../a.wav", "/etc/a.wav", "OUTSIDE/a.wav", "", "s3://bucket/a.wav"]
)
def test_paths_out_of_the_root_are_rejected(tmp_path, path):
    path = path.replace("OUTSIDE", f"{tmp_path}-sister")
    (entry,) = entries_of(tmp_path, f"path,genre\n{path},blues\n")
    assert reasons_of([entry]) == [(path, "rejected", "outside_root")]
    assert f"path {path!r} is not below {tmp_path}" in entry.file.error


def test_absolute_paths_within_the_root_are_relative_to_it(tmp_path):
    root = tmp_path / "songs"
    (entry,) = entries_of(tmp_path, f"path,genre\n{root}/blues/a.wav,blues\n", root=f"{root}/")
    assert (entry.file.path, entry.file.reason) == ("blues/a.wav", "")
    (entry,) = entries_of(tmp_path, f"path,genre\n{root}/blues/a.wav,blues\n", root="/")
    assert entry.file.path == f"{root}/blues/a.wav".lstrip("/")


def test_a_relative_manifest_and_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.csv").write_text("path,genre\na.wav,blues\n")
    assert manifest.entries("m.csv", "")[0].file.uri == str(tmp_path / "a.wav")
    assert manifest.entries("m.csv", "../x")[0].file.uri == str(tmp_path.parent / "x/a.wav")


def test_remote_manifests_and_roots(tmp_path):
    storage.write_bytes("memory://lists/m.csv", b"path,genre\na.wav,blues\nmemory://lists/b.wav,jazz\n")
    assert [e.file.path for e in manifest.entries("memory://lists/m.csv", "")] == ["a.wav", "b.wav"]
    elsewhere = manifest.entries("memory://lists/m.csv", str(tmp_path))
    assert reasons_of(elsewhere) == [("a.wav", "written", ""), ("memory://lists/b.wav", "rejected", "outside_root")]


def test_a_remote_file_that_is_replaced_has_another_version():
    folder = f"memory://{uuid.uuid4().hex}"
    rows = "path,genre\nsongs/a.wav,blues\nsongs/b.wav,jazz\nsongs/gone.wav,jazz\n../c.wav,pop\nmemory://d/e.wav,pop\n"
    for name, content in (("songs/a.wav", b"1"), ("songs/b.wav", b"1"), ("m.csv", rows.encode())):
        storage.write_bytes(f"{folder}/{name}", content)
    storage.write_bytes("memory://d/e.wav", b"1")

    def versions():
        entries = manifest.entries(f"{folder}/m.csv", "", ["memory://d"])
        return {entry.file.path.rpartition("/")[2]: entry.version for entry in entries}

    before = versions()
    storage.write_bytes(f"{folder}/songs/b.wav", b"22")
    after = versions()
    assert before["a.wav"] == after["a.wav"] != ""
    assert "" != before["b.wav"] != after["b.wav"] != ""
    assert [after[name] for name in ("gone.wav", "c.wav", "e.wav")] == ["", "", ""]


def test_a_store_that_may_not_be_listed_tells_no_versions(monkeypatch):
    storage.write_bytes("memory://lists/m.csv", b"path,genre\na.wav,blues\n")
    monkeypatch.setattr(MemoryFileSystem, "ls", Mock(side_effect=PermissionError("list")))
    assert [entry.version for entry in manifest.entries("memory://lists/m.csv", "")] == [""]


@pytest.fixture
def no_store(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a store was asked")

    monkeypatch.setattr("fsspec.core.url_to_fs", refuse)


@pytest.mark.parametrize(
    "path",
    [
        "zip://a.wav::http://127.0.0.1:9/x.zip",
        "reference://a.wav",
        "ftp://127.0.0.1/a.wav",
        "foo://x.wav",
        "simplecache::http://127.0.0.1:9/a.wav",
        "a\0b.wav",
        "http://127.0.0.1:9/a.wav",
        "file:///etc/a.wav",
    ],
)
def test_what_a_path_may_name_is_decided_by_its_text(tmp_path, no_store, path):
    (tmp_path / "b.wav").touch()
    entries = entries_of(tmp_path, f"path,genre\n{path},blues\nb.wav,jazz\n")
    assert reasons_of(entries) == [(path, "rejected", "outside_root"), ("b.wav", "written", "")]


@pytest.mark.parametrize(
    ("path", "is_allowed"),
    [
        ("s3://bucket/a.wav", True),
        ("https://host/songs/a.wav", True),
        ("https://host/song/a.wav", False),
        ("https://host/songs/../a.wav", False),
        ("https://host.evil/songs/a.wav", False),
        ("zip://a.wav::s3://bucket/a.zip", False),
        ("s3::https://evil/a.wav", False),
    ],
)
def test_what_else_a_manifest_may_name_is_configured(tmp_path, no_store, path, is_allowed):
    allowed = ["s3", "https://host/songs"]
    (entry,) = entries_of(tmp_path, f"path,genre\n{path},blues\n", allow_remote=allowed)
    assert (entry.file.path, entry.location, not entry.file.reason) == (path, path, is_allowed)


@pytest.mark.parametrize("path", ["/etc/a.wav", "memory://other/a.wav", "a::http://host/b.wav", "../a.wav"])
def test_a_remote_manifest_names_nothing_of_this_machine(path):
    storage.write_bytes("memory://lists/m.csv", f"path,genre\n{path},blues\n".encode())
    assert reasons_of(manifest.entries("memory://lists/m.csv", "")) == [(path, "rejected", "outside_root")]


def test_a_file_by_its_own_protocol_is_below_the_root(tmp_path):
    (entry,) = entries_of(tmp_path, f"path,genre\nfile://{tmp_path}/a.wav,blues\n")
    assert reasons_of([entry]) == [("a.wav", "written", "")]


def test_links_out_of_the_root_are_followed_where_that_is_asked_for(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.wav").touch()
    (tmp_path / "music").mkdir()
    (tmp_path / "music/b.wav").touch()
    for name, target in {"a.wav": "../elsewhere/a.wav", "out": "../elsewhere", "c.wav": "b.wav"}.items():
        (tmp_path / "music" / name).symlink_to(target)
    text = "path,genre\na.wav,x\nb.wav,x\nc.wav,x\nout/a.wav,x\n"
    reasons = [reason for *_, reason in reasons_of(entries_of(tmp_path / "music", text))]
    assert reasons == ["outside_root", "", "", "outside_root"]
    assert not any(entry.file.reason for entry in entries_of(tmp_path / "music", text, follow_links=True))


NFC, NFD = "Can\u00e7\u00e3o", "Canc\u0327a\u0303o"


@pytest.mark.parametrize(("there", "named"), [(NFC, NFD), (NFD, NFC)])
def test_a_file_is_found_in_the_other_form_of_unicode(tmp_path, there, named):
    (tmp_path / there).mkdir()
    (tmp_path / there / f"{there}.wav").touch()
    (entry,) = entries_of(tmp_path, f"path,genre\n{named}/{named}.wav,blues\n")
    assert (entry.file.path, entry.location) == (f"{there}/{there}.wav", f"{tmp_path}/{there}/{there}.wav")
    assert entry.version


def test_a_file_in_just_that_form_comes_first(tmp_path):
    for name in (NFC, NFD):
        (tmp_path / f"{name}.wav").touch()
    text = f"path,genre\n{NFC}.wav,blues\n{NFD}.wav,jazz\n"
    assert reasons_of(entries_of(tmp_path, text)) == [(f"{name}.wav", "written", "") for name in (NFC, NFD)]


def test_a_backslash_separates_where_no_such_file_is(tmp_path):
    (tmp_path / "blues").mkdir()
    for name in ("blues/a.wav", "blues/b.wav", "blues\\b.wav"):
        (tmp_path / name).touch()
    text = "path,genre\r\nblues\\a.wav,blues\r\nblues\\b.wav,blues\r\nblues\\..\\..\\c.wav,blues\r\n"
    paths = [path for path, *_ in reasons_of(entries_of(tmp_path, text))]
    assert paths == ["blues/a.wav", "blues\\b.wav", "blues\\..\\..\\c.wav"]


def test_a_name_that_is_no_utf8_is_found_as_a_ledger_has_it(tmp_path):
    (tmp_path / "caf\udce9.wav").touch()
    (entry,) = entries_of(tmp_path, "path,genre\ncaf\\xe9.wav,blues\n")
    assert (entry.file.path, entry.location) == ("caf\\xe9.wav", f"{tmp_path}/caf\udce9.wav")
    content = parquet(path=[b"caf\xe9.wav"], genre=["blues"])
    assert entries_of(tmp_path, content, "m.parquet") == [entry]


def test_a_genre_is_one_line(tmp_path):
    entries = entries_of(tmp_path, parquet(path=["a.wav", "b.wav"], genre=["folk\nrock", "a\tb"]), "m.parquet")
    assert [entry.file.reason for entry in entries] == ["odd_genre"] * 2


def test_a_version_follows_the_file(tmp_path):
    before = entries_of(tmp_path, "path,genre\na.wav,blues\n")[0].version
    (tmp_path / "a.wav").write_bytes(b"x")
    assert entries_of(tmp_path, "path,genre\na.wav,blues\n")[0].version != before == ""


@pytest.mark.parametrize(
    ("column", "value", "fold"),
    [
        ("fold", "10", "fold-10"), ("fold", "fold-3", "fold-03"), ("fold", "Fold 3", "fold-03"),
        ("fold", "2.0", "fold-02"), ("fold", "", ""),
        ("split", "Train", "train"), ("split", "val", "validation"), ("split", "valid", "validation"),
        ("split", "dev", "validation"), ("split", "TEST", "test"), ("split", "", ""),
    ],
)  # fmt: skip
def test_own_folds_and_splits(tmp_path, column, value, fold):
    (entry,) = entries_of(tmp_path, f"path,genre,{column}\na.wav,blues,{value}\n")
    assert entry.file.fold == fold


@pytest.mark.parametrize(
    ("columns", "values", "message"),
    [
        ("split", "eval", r"split 'eval' of a\.wav; expected one of train, "),
        ("fold", "first", r"fold 'first' of a\.wav; expected a whole number"),
        ("fold", "1.5", r"fold '1\.5' of a\.wav"),
        ("fold", "-1", r"fold '-1' of a\.wav"),
        ("fold,split", "1,test", r"has both a fold and a split column"),
    ],
)
def test_wrong_folds_and_splits_are_named(tmp_path, columns, values, message):
    with pytest.raises(SpectroshardError, match=rf"m\.csv: {message}"):
        entries_of(tmp_path, f"path,genre,{columns}\na.wav,blues,{values}\n")
