import pytest

from pipelines.audit import external_splits
from pipelines.common.errors import UsageError
from pipelines.corpus.forms import split_lists
from pipelines.dataset.ledger import File

INDEX = "# an index\nblues.00000.wav ::: Ann ::: One\nblues.00001.wav ::: Bob :::\n"


@pytest.fixture
def at(tmp_path, monkeypatch):
    """Makes files in the current folder; those without content are empty."""
    monkeypatch.chdir(tmp_path)

    def make(*names, **texts):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        for name, text in texts.items():
            name, _, suffix = name.rpartition("_")
            (tmp_path / f"{name}.{suffix}").write_text(text)
        return tmp_path

    return make


def rows(files):
    return sorted(
        (entry.file.path, split, entry.file.reason) for split, entries in files.entries.items() for entry in entries
    )


def test_folders(at):
    folder = at("s/train/g/a.wav", "s/Valid/b.mp3", "s/test/g/deep/c.ogg", "s/test/notes.txt", "s/other/d.wav")
    expected = [("Valid/b.mp3", "validation", ""), ("test/g/deep/c.ogg", "test", ""), ("train/g/a.wav", "train", "")]
    assert rows(external_splits.list_split(["s"])) == rows(external_splits.list_split(["s/"])) == expected
    assert rows(external_splits.list_split(["s/train", "s/Valid/", str(folder / "s/test")])) == expected


def test_lists_find_audio_by_path_or_by_name(at):
    at("G/a/x.au", "G/b/x.wav", "G/b/y.wav", "G/z.wav")
    at(
        l_train_txt="a/x.wav\n\nb/x.wav\r\nb/x.wav\n",
        l_test_txt="c/y\nq/z.mp3\nb/x.wav\n",
        l_dev_txt="d/x.wav\nu.wav\n",
    )
    files = external_splits.list_split(["l_train.txt", "l_test.txt", "l_dev.txt"], "G")
    assert rows(files) == [
        ("a/x.wav", "train", ""),
        ("b/x.wav", "test", ""),
        ("b/x.wav", "train", ""),
        ("c/y", "test", ""),
        ("d/x.wav", "validation", "unreadable"),
        ("q/z.mp3", "test", ""),
        ("u.wav", "validation", "unreadable"),
    ]
    assert files.entries["train"][0].location.endswith("G/a/x.au")
    assert "several files have its name: a/x.au, b/x.wav" in files.entries["validation"][0].file.error
    assert rows(external_splits.list_split(["."], "G")) == rows(files)


def test_lists_without_audio_are_names(at):
    at(train_txt="a.wav\n", test_txt="a.wav\nb.wav\n", train_index_txt=INDEX)
    files = external_splits.list_split(["train.txt", "test.txt"], artists="train_index.txt")
    assert not files.has_audio and list(map(len, files.entries.values())) == [1, 2]
    assert files.index == {"blues.00000": ("Ann", "Ann: One"), "blues.00001": ("Bob", "")}


def test_a_manifest_needs_neither_genre_nor_root(at):
    folder = at("m/a.wav", m_csv="x")
    (folder / "m/m.csv").write_text(
        f"path,split,artist\na.wav,train,Ann\n{folder}/b.wav,val,\na.wav,test,\nc.wav,,\n,dev,\n"
    )
    files = external_splits.list_split(["m/m.csv"])
    assert rows(files) == [
        (f"{folder}/b.wav", "validation", ""),
        ("a.wav", "test", ""),
        ("a.wav", "train", ""),
        ("row 5", "validation", "unreadable"),
    ]
    assert files.without_split == 1
    first = files.entries["train"][0]
    assert (first.location, first.file.artist) == (f"{folder}/m/a.wav", "Ann")
    assert external_splits.list_split(["m/m.csv"], "/elsewhere/..").entries["train"][0].location == "/a.wav"


def test_a_manifest_names_files_of_its_own_kind_alone(at):
    at(m_csv="path,split\na.wav,train\nzip://b::http://127.0.0.1:9/x,test\nnul\0.wav,test\n,\n")
    assert rows(external_splits.list_split(["m.csv"])) == [
        ("a.wav", "train", ""),
        ("nul\0.wav", "test", "outside_root"),
        ("zip://b::http://127.0.0.1:9/x", "test", "outside_root"),
    ]


def test_lists_and_manifests_find_names_in_the_other_form_of_unicode(at):
    folder = at("G/b/Canc\u0327a\u0303o.wav", "G/b/y.wav")
    at(train_txt="\ufeffb\\Can\u00e7\u00e3o.wav\r\n", test_txt="y.wav\n")
    (entry,) = external_splits.list_split(["train.txt", "test.txt"], "G").entries["train"]
    location = f"{folder}/G/b/Canc\u0327a\u0303o.wav"
    assert (entry.file.path, entry.file.reason, entry.location) == ("b\\Can\u00e7\u00e3o.wav", "", location)
    (folder / "m.csv").write_text("path,split\nG\\b\\Can\u00e7\u00e3o.wav,train\nG/b/y.wav,test\n")
    assert external_splits.list_split(["m.csv"]).entries["train"][0].location == location


def test_split_folders_may_hold_links(at):
    folder = at("pool/a.wav", "pool/b.wav")
    for split, name in (("train", "a.wav"), ("test", "b.wav")):
        (folder / "s" / split).mkdir(parents=True)
        (folder / "s" / split / name).symlink_to(folder / "pool" / name)
    assert [reason for *_, reason in rows(external_splits.list_split(["s"]))] == ["", ""]


def test_a_manifest_by_fold_and_one_by_both(at):
    at(m_csv="path,fold\na.wav,1\nb.wav,2\n", n_csv="path,fold,split\na.wav,1,train\nb.wav,2,test\nc.wav,3,\n")
    assert external_splits.list_split(["m.csv"]).splits == ["fold-01", "fold-02"]
    files = external_splits.list_split(["n.csv"])
    assert (files.splits, files.without_split) == (["test", "train"], 1)


def test_tables_that_are_named_as_splits(at):
    at("t/notes.md", t_train_csv="path,artist\na.wav,Ann\n", t_test_csv="path,artist\nb.wav,Bob\nb.wav,Bob\n")
    files = external_splits.list_split(["t_train.csv", "t_test.csv"])
    assert rows(files) == [("a.wav", "train", ""), ("b.wav", "test", "")]
    assert files.entries["test"][0].file.artist == "Bob" and not files.has_audio
    assert rows(external_splits.list_split(["."])) == rows(files)


@pytest.mark.parametrize(("there", "has_audio"), [("a.wav", True), ("c.wav", False)])
def test_a_manifest_has_audio_where_one_of_its_files_is_there(at, there, has_audio):
    at(there, m_csv="path,split\na.wav,train\nb.wav,test\n")
    assert external_splits.list_split(["m.csv"]).has_audio == has_audio
    assert external_splits.list_split(["m.csv"], ".").has_audio


@pytest.mark.parametrize(
    ("sources", "options", "message"),
    [
        (["gone"], {}, "gone: no such file or folder"),
        (["s"], {"artists": "gone.txt"}, "gone.txt: no such file"),
        (
            ["empty"],
            {},
            "empty: is not named as a split and has no folder or list that is; expected a dataset, a",
        ),
        (["s/train"], {}, "s/train: found files of train; expected two splits or more"),
        (["s"], {"audio": "s"}, "--audio s: says where"),
        (["half"], {}, "half/test: no audio found"),
        (["s/train/a.wav"], {}, "a.wav: expected a dataset, a folder"),
        (["s/train", "train.txt"], {}, "s/train train.txt: expected"),
        (["none.txt", "train.txt"], {}, "none.txt: its name tells no split"),
        (["traintest.txt", "train_test.txt"], {}, "traintest.txt: its name tells no split"),
        (["train.txt", "test.txt"], {}, "test.txt: lists no file"),
        (["train.txt", "dev.txt"], {"audio": "empty"}, "empty: no audio found"),
        (["train.txt", "dev.txt"], {"audio": "train.txt"}, "train.txt: no such folder; --audio"),
        (["train.txt", "dev.txt"], {"artists": "dev.txt"}, "dev.txt: no line of the form"),
        (["m.csv"], {}, "m.csv: expected the columns path, and split or fold; found genre, path"),
        (["n.csv"], {}, "split 'eval' of a; expected one of train"),
        (["one.csv"], {}, "found files of test; expected two splits or more"),
    ],
)
def test_what_is_no_split_is_told(at, sources, options, message):
    at("s/train/a.wav", "s/test/a.wav", "empty/x.txt", "half/train/a.wav", "half/test/x.txt", "none.txt")
    at(train_txt="a\n", test_txt="\n", dev_txt="b\n", traintest_txt="a\n", train_test_txt="a\n")
    at(m_csv="path,genre\na,b\n", n_csv="path,split\na,eval\n", one_csv="path,split\na,test\nb,\n")
    with pytest.raises(UsageError) as raised:
        external_splits.list_split(sources, **options)
    assert message in str(raised.value)


def test_a_piece_has_its_song_s_artist_and_title():
    index = {"blues.00000": ("Ann", "Ann: One"), "x": ("Bob", "")}
    songs = [
        File("blues/blues.00000.3.wav", "", song="blues/blues.00000"),
        File("x.wav", "", song="x", artist="Che"),
        File("y.wav", "", song="y"),
    ]
    named = split_lists.with_index(songs, index)
    assert [(song.artist, song.song) for song in named] == [("Ann", "Ann: One"), ("Che", "x"), ("", "y")]


def test_a_pattern_tells_artists_and_songs(at):
    at(
        train_txt="0/ann-live-01-one-0-29.mp3\n0/a-ha-live-01-two-0-29.mp3\n",
        test_txt="7/ann-live-02-one-30-59.mp3\nx.mp3\n",
    )
    found = external_splits.list_split(
        ["train.txt", "test.txt"], pattern="{artist}-{album}-{track}-{title}-{start}-{end}"
    )
    assert [(split, e.file.artist, e.file.song) for split, entries in found.entries.items() for e in entries] == [
        ("train", "ann", "ann - live - 01 - one"),
        ("train", "a", "a - ha-live - 01 - two"),
        ("test", "ann", "ann - live - 02 - one"),
        ("test", "", ""),
    ]
    unmatched, ambiguous = found.notes
    assert "1 of 4 paths do not match, as x.mp3" in unmatched
    assert "1 of 4 paths can be read in several ways, as 0/a-ha-live-01-two-0-29.mp3" in ambiguous


def test_a_pattern_says_nothing_that_a_manifest_says_otherwise(at):
    at("Ann/a.mp3", "Bob/b.mp3", m_csv="path,split,artist\nAnn/a.mp3,train,Own\nBob/b.mp3,test,\n")
    found = external_splits.list_split(["m.csv"], pattern="{artist}/{title}")
    assert [entry.file.artist for entries in found.entries.values() for entry in entries] == ["Own", "Bob"]
    with pytest.raises(UsageError, match=r"there is no field {artits}"):
        external_splits.list_split(["m.csv"], pattern="{artits}/{title}")
    with pytest.raises(UsageError, match="matches none of 2 paths"):
        external_splits.list_split(["m.csv"], pattern="{artist} - {title}")
