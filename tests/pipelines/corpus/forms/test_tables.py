import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.common.errors import UsageError
from pipelines.corpus.forms.tables import read_table


@pytest.fixture
def table_of(tmp_path):
    def table(content, name="m.csv"):
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(str(tmp_path / name))

    return table


def parquet(table):
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_table_is_read_as_any_system_writes_it(table_of, encoding, end):
    text = end.join([",Path,genre", "0,a.wav,Forr\u00f3", '1,"b, c.wav","say ""yes"""', ""])
    table = table_of(text.encode(encoding))
    assert table.names == ("path", "genre")
    assert table.rows == [{"path": "a.wav", "genre": "Forr\u00f3"}, {"path": "b, c.wav", "genre": 'say "yes"'}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_header_tells_what_is_between_cells(table_of, delimiter, end):
    rows = [["path", "title", "genre"], ["a.wav", "One, two", "rock"], [f'"b{delimiter}c.wav"', "1,5", "Folk, World"]]
    table = table_of(end.join(delimiter.join(row) for row in rows))
    assert table.rows == [
        {"path": "a.wav", "genre": "rock"},
        {"path": f"b{delimiter}c.wav", "genre": "Folk, World"},
    ]
    with pytest.raises(UsageError, match="line 2 has"):
        table_of(delimiter.join(rows[0]) + end + delimiter.join(["a.wav", '"One', "rock"]) + end)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.wav,Folk, World, & Country,x\n", r"line 3 has 5 cells where the header has 3: 'a.wav,Folk, World"),
        ("a.wav\n", "line 3 has 1 cells where the header has 3: 'a.wav'"),
        ('a.wav,"Heroes,x\nb.wav,rock,y\nc.wav,rock,z\n', r"line 3 has a stray quote \(unexpected end of data\)"),
        ('a.wav,"Her"oes,x\nb.wav,rock,y\n', "line 3 has a stray quote"),
        ('a.wav,rock,"x\nb.wav,rock,y\nc.wav,rock,z"\n', "line 3 has a quote that ends 2 lines further down"),
        ('"a.wav,rock,x\nb.wav",rock,y\n', "line 3 has a quote that ends 1 line further down"),
    ],
)
def test_a_row_that_is_torn_apart_is_refused_with_its_line(table_of, rows, message):
    with pytest.raises(UsageError, match=rf"m\.csv: {message}"):
        table_of("path,genre,title\ngood.wav,rock,x\n" + rows)


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        ('a.wav,rock,"Live,\nin Paris"\n', {"path": "a.wav", "genre": "rock"}),
        ('a.wav,rock,7" single\n', {"path": "a.wav", "genre": "rock"}),
        ('"two\nlines.wav",rock,x\n', {"path": "two\nlines.wav", "genre": "rock"}),
        ("a.wav,NaN,\n", {"path": "a.wav", "genre": ""}),
    ],
)
def test_what_is_only_unusual_is_read(table_of, cells, read):
    assert table_of("path,genre,title\n" + cells).rows == [read]


def test_rows_of_nothing_are_skipped_and_counted(table_of, capsys):
    table = table_of("path,genre\na.wav,x\n,\n , ,,,\n\n,NaN\nb.wav,y\n")
    assert ([row["path"] for row in table.rows], table.blank) == (["a.wav", "b.wav"], 3)
    assert "m.csv: 3 rows without content, skipped" in capsys.readouterr().err
    table = table_of(parquet(pa.table({"path": ["a.wav", None], "genre": ["x", ""]})), "m.parquet")
    assert (len(table.rows), table.blank) == (1, 1)


@pytest.mark.parametrize("header", ["path,genre,Genre ", "path,path,genre"])
def test_columns_of_one_name_are_refused(table_of, header):
    with pytest.raises(UsageError, match=r"m\.csv: several columns are called (genre|path); keep or rename"):
        table_of(f"{header}\na,b,c\n")
    names = header.split(",")
    table = pa.Table.from_arrays([pa.array(["a"])] * 3, names=names)
    with pytest.raises(UsageError, match="several columns are called"):
        table_of(parquet(table), "m.parquet")


def test_a_column_without_a_name_may_only_number_the_rows(table_of):
    assert len(table_of("path,genre,,\na.wav,x,,\n").rows) == 1
    with pytest.raises(UsageError, match="line 2 has a cell in a column without a name"):
        table_of("path,genre,,\na.wav,Folk, World,\n")


def test_several_labels_a_file_are_refused(table_of):
    content = parquet(pa.table({"path": ["a.wav"], "genre": [["blues", "Pop"]]}))
    with pytest.raises(UsageError, match=r"column genre holds list.*; several labels a file are not learned here"):
        table_of(content, "m.parquet")
    content = parquet(pa.table({"path": ["a.wav"], "artist": [["Ann", "Bob"]]}))
    with pytest.raises(UsageError, match=r"column artist holds list.*; expected one text for each file"):
        table_of(content, "m.parquet")
    assert table_of(parquet(pa.table({"path": ["a.wav"], "tags": [["x"]]})), "m.parquet").rows == [{"path": "a.wav"}]


def test_a_tsv_has_lists_at_its_end_and_quotes_in_its_cells(table_of):
    text = 'TRACK_ID\tARTIST_ID\tPATH\tTAGS\nt1\tartist_7\t"a, b.mp3"\trock\tpop\nt2\t"Heroes" x\tc.mp3\t\n'
    table = table_of(text, "m.tsv")
    assert table.names == ("track_id", "artist", "path", "tags")
    assert table.rows == [
        {"artist": "artist_7", "path": "a, b.mp3"},
        {"artist": '"Heroes" x', "path": "c.mp3"},
    ]  # fmt: skip
    with pytest.raises(UsageError, match="line 2 has 3 cells where the header has 2"):
        table_of("path\tgenre\na.wav\trock\tpop\n", "m.tsv")


def test_an_artist_s_own_column_comes_before_others_names_for_it(table_of):
    assert table_of("path,artist_id,artist\na.wav,7,Ann\n").rows == [{"path": "a.wav", "artist": "Ann"}]
    assert table_of("path,artist_id,artist_name\na.wav,7,Ann\n").rows == [{"path": "a.wav", "artist": "Ann"}]
