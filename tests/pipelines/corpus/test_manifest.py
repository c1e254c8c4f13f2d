import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError
from pipelines.corpus import manifest

EVERY = """path,genre,song,artist,fold
blues/a.wav,blues,One,Ann,0
jazz/b.wav,jazz,Two,Bob,3
"""


def entries_of(tmp_path, text, name="m.csv", root="", encoding="utf-8"):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return manifest.entries(str(tmp_path / name), root)


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
        ("path;genre\na.wav;blues\n", "genre or path", "path;genre"),
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
