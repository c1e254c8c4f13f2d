from collections import Counter
from dataclasses import replace

import pytest

from pipelines.corpus.names.song_names import summarise_segments, with_song_names, with_songs_of_segments
from pipelines.dataset.ledger import File


def names_of(paths, durations_s=None):
    durations_s = durations_s or [0.0] * len(paths)
    songs = [File(path, path, duration_s=duration_s) for path, duration_s in zip(paths, durations_s, strict=True)]
    return [song.song for song in with_song_names(songs)]


def numbered(form, songs, numbers):
    return [form.format(song=song, n=number) for song in songs for number in numbers]


@pytest.mark.parametrize(
    ("path", "song"),
    [
        ("song-seg04.wav", "song"),
        ("x_part_chunk_12.wav", "x_part"),
        ("train/blues/x (clip 3).mp3", "x"),
        ("x.segment.0007.flac", "x"),
        ("Valid/x_slice10.wav", "x"),
        ("x (1 of 6).wav", "x"),
        ("x - part 2 of 12.wav", "x"),
        ("x_3of4.wav", "x"),
        ("x_00m_30s__01m_00s.mp3", "x"),
        ("x_00m_30s__01m_00s_99h.mp3", "x"),
        ("2 of 3.wav", "2 of 3"),
        ("x_part2.wav", "x_part2"),
        ("x003.wav", "x003"),
        ("3_x.wav", "3_x"),
        ("vitamin_c.wav", "vitamin_c"),
        ("subsample3.wav", "subsample3"),
        ("blues/blues.00000.wav", "blues.00000"),
        ("test/Ann/Live/intro.ogg", "intro"),
        ("01 - title.wav", "01 - title"),
        ("track 1.wav", ""),
        ("album/0001.wav", ""),
        ("sample_3.wav", ""),
    ],
)
def test_a_file_alone(path, song):
    assert names_of([path]) == [song]


SONGS = ["blues.00000", "blues.00001", "jazz.00007"]


@pytest.mark.parametrize(
    ("paths", "songs"),
    [
        (numbered("train/{song}.{n}.wav", SONGS, range(6)), SONGS),
        (numbered("{song}_{n}.wav", SONGS, (0, 3, 5)), SONGS),
        (numbered("{song} ({n}).wav", SONGS, (1, 2)), SONGS),
        (numbered("{song}/{n}.wav", SONGS, range(3)), SONGS),
        (numbered("{song}/seg_{n}.wav", SONGS, range(3)), SONGS),
        (numbered("{song}-part{n}.wav", ["a", "b", "c"], (1, 2, 3)), ["a", "b", "c"]),
        (numbered("{song}_{n}.wav", ["a", "b", "c"], (0, 5000, 10000)), ["a", "b", "c"]),
        (numbered("{song}_{n}.wav", ["000002", "000005"], range(3)), ["000002", "000005"]),
        (
            numbered("{song}{n:03d}.wav", ["morningrain", "oldriver", "citylights"], range(3)),
            ["morningrain", "oldriver", "citylights"],
        ),
        (
            numbered("{song}{n}.wav", ["morningrain", "oldriver", "citylights"], range(3)),
            ["morningrain", "oldriver", "citylights"],
        ),
        (numbered("{n}_{song}.wav", ["rain", "river", "lights"], range(3)), ["rain", "river", "lights"]),
        (numbered("{song}_{n}.wav", ["rain", "river"], "ab"), ["rain", "river"]),
        (numbered("g/{song} ({n} of 6).wav", ["rain", "river"], (1, 6)), ["rain", "river"]),
        (["x_0.0_5.0.wav", "x_5.0_10.0.wav", "y 2_10.0_15.0.wav"], ["x", "x", "y 2"]),
        (
            numbered("{song}/{n}.wav", ["a/Night Train", "b/Rain", "c/Sea"], range(3)),
            ["a/Night Train", "b/Rain", "c/Sea"],
        ),
        (numbered("{song}_{n}s.wav", ["a x", "b x", "c x"], (0, 30, 60)), ["a x", "b x", "c x"]),
        (numbered("{song}_offset_{n}.wav", ["rain", "river", "sea"], (0, 15, 30)), ["rain", "river", "sea"]),
        (["x_0s_to_30s.wav", "x_30s_to_60s.wav", "y 2_60s_to_90s.wav"], ["x", "x", "y 2"]),
        (["x_00-00-30_00-01-00.wav", "x [1:00-1:30].wav", "y 01.30-02.00.wav"], ["x", "x", "y"]),
        (["seg01_a rain.wav", "seg02_a rain.wav", "Chunk 0 - river.wav"], ["a rain", "a rain", "river"]),
        (["bach-01-aria-0-29.mp3", "bach-01-aria-30-59.mp3", "bach-01-aria-59-88.mp3"], ["bach-01-aria"] * 3),
    ],
)
def test_pieces_are_of_one_song(paths, songs):
    songs = [song for song in songs for _ in range(len(paths) // len(songs))]
    assert names_of(paths) == songs


@pytest.mark.parametrize(
    "paths",
    [
        numbered("{song}/{song}.{n:05d}.wav", ["blues", "jazz", "metal"], range(6)),
        numbered("{song}.{n:05d}.wav", ["blues", "jazz", "metal"], range(6)),
        numbered("{song}_{n:02d}.wav", ["first", "second", "third"], range(1, 13))[:-5],
        [f"album{a}_{n:02d}.wav" for a, length in enumerate((6, 9, 14)) for n in range(1, length)],
        [f"album{a}_{n}.mp3" for a in "abcdef" for n in range(1, 4 + 3 * "abcdef".index(a))],
        ["one_1-2.wav", "one_1-3.wav", "one_1-9.wav", "two_1-5.wav"],
        ["here - 1.wav", "here - 2.wav", "here - 3.wav"],
        numbered("{song}{n}.wav", ["sonata", "opus"], range(1, 3)),
        [f"{n:02d}_{title}.wav" for n, title in enumerate(("intro", "rain", "river", "outro"))],
        [
            "01_intro.wav",
            "12_intro.wav",
            "02_outro.wav",
            "11_outro.wav",
            "03_rain.wav",
            *(f"{n}_s{n}x.wav" for n in range(4, 9)),
        ],
        ["vitamin_c.wav", "plan_b.wav", "side_a.wav", "side_b.wav"],
        [f"U2 - {n:02d} - title{n}.wav" for n in range(9)],
    ],
)
def test_whole_songs_are_not_pieces(paths):
    assert len(set(names_of(paths))) == len(paths)


def test_folders_are_part_of_a_name_but_for_splits_and_those_that_all_share():
    assert names_of(["d/train/a/x.wav", "d/my_test/a/x.wav", "d/test/b/x_seg1.wav"]) == ["a/x", "a/x", "b/x"]


EXCERPTS_OF_ALBUMS = [f"Jam{a}-{n:02d}.wav" for a, last in enumerate((4, 9, 14, 15)) for n in range(1, last, 2)]
EXCERPTS_OF_CLASSES = numbered("wav/genre/{song}/{n}.wav", [f"g{n}x" for n in range(10)], range(10))


@pytest.mark.parametrize("paths", [EXCERPTS_OF_ALBUMS, EXCERPTS_OF_CLASSES])
def test_equally_long_excerpts_are_not_pieces_for_that(paths):
    assert not set(names_of(paths, [30.0] * len(paths))) & {"Jam1", "Jam2", "g0x", "genre/g0x"}


def test_pieces_are_equally_long_but_for_the_last():
    paths = numbered("disc{song}_{n}.wav", (1, 2), range(1, 4))
    assert names_of(paths, [5.0, 5.0, 3.1, 5.0, 5.02, 1.2]) == ["disc1"] * 3 + ["disc2"] * 3
    assert len(set(names_of(paths, [181.2, 240.0, 99.0, 305.3, 215.0, 260.0]))) == 6


def test_numbers_that_are_counted_anew_in_each_split_name_nothing():
    assert names_of(numbered("{song}_{n}.wav", ["train/01", "train/02", "test/01"], range(3))) == [""] * 9
    once_each = [
        "train/01_0.wav",
        "train/01_2.wav",
        "train/02_0.wav",
        "train/02_1.wav",
        "test/01_1.wav",
        "test/02_2.wav",
    ]
    assert names_of(once_each) == ["01", "01", "02", "02", "01", "02"]
    assert names_of(numbered("{song}.{n}.wav", ["train/a/a", "test/a/a", "test/b/b"], range(3))) == [""] * 9
    mostly_once = [*numbered("train/a/{song}{n}.wav", ["a"], range(20)), "test/a/a3.wav", "test/b/b1.wav"]
    assert names_of(mostly_once)[20] == names_of(mostly_once)[3] == "a/a3"


def test_one_file_in_several_splits_is_one_song_whatever_its_name():
    assert names_of(["0001.wav", "a/02.wav", "0001.wav"]) == ["0001", "", "0001"]


def test_the_corpus_own_word_wins():
    song = File("x_seg3.wav", "x", song="another")
    assert with_song_names([song]) == [song]


def test_a_build_names_pieces_alone_and_no_genre():
    pieces = [File(f"{g}/{g}.{n}.{k}.wav", "", g, duration_s=5) for g in ("a", "b") for n in range(4) for k in range(6)]
    assert {song.song for song in with_songs_of_segments(pieces)} == {
        f"{g}/{g}.{n}" for g in ("a", "b") for n in range(4)
    }
    songs = [File(f"{g}/{g}.{n:05d}.wav", "", g, duration_s=30) for g in ("game1", "game2") for n in range(20)]
    assert with_songs_of_segments(songs) == songs
    assert with_songs_of_segments([File("x/a_seg1.wav", "", "x", song="own")])[0].song == "own"


def test_short_pieces_are_seen_however_few_their_songs():
    pieces = [File(f"x/{name}_{n}.wav", "", "x", duration_s=5.0) for name in ("adventure", "battle") for n in range(6)]
    assert {song.song for song in with_songs_of_segments(pieces)} == {"adventure", "battle"}
    long = [replace(song, duration_s=30.0) for song in pieces]
    assert with_songs_of_segments(long) == long


def lengths_of(paths, durations_s, genre=""):
    """How many files each name is given to, in a build."""
    files = [
        File(path, "", genre or path.partition("/")[0], duration_s=d)
        for path, d in zip(paths, durations_s, strict=True)
    ]
    return Counter(file.song for file in with_songs_of_segments(files) if file.song)


def test_what_a_segmenter_leaves_is_seen_however_long_and_few():
    # ffmpeg's segmenter counts from 0, sox's `newfile : restart` from 1; the last piece is what was left.
    for first in (0, 1):
        paths = [
            f"x/{song}{n:03d}.wav" for song, count in (("rain", 6), ("river", 8)) for n in range(first, first + count)
        ]
        durations_s = [*[30.0] * 5, 12.5, *[30.02] * 7, 21.0]
        assert lengths_of(paths, durations_s) == {"rain": 6, "river": 8}
        # A piece that is too short is rejected, and its length is not known.
        assert lengths_of(paths, [*[4.0] * 5, 0.0, *[4.0] * 7, 0.0]) == {"rain": 6, "river": 8}


def test_songs_cut_in_equal_parts_are_seen():
    paths = numbered("x/{song}_{n}.wav", ["rain", "river", "lights"], "ab")
    assert lengths_of(paths, [100.0, 100.1, 83.0, 83.0, 151.0, 150.9]) == {"rain": 2, "river": 2, "lights": 2}
    assert lengths_of(paths, [100.0, 140.1, 83.0, 61.0, 151.0, 210.9]) == {}


def test_tracks_of_an_album_keep_apart_however_they_are_numbered():
    for form in ("x/{song}{n:02d}.wav", "x/{song}_{n:02d}.wav", "x/{n:02d} - {song}.wav", "x/{song} ({n}).wav"):
        paths = numbered(form, ["first", "second", "third"], range(1, 10))
        assert lengths_of(paths, [180.0 + 37 * n % 101 for n in range(27)]) == {}
        assert lengths_of(paths, [30.0] * 27) == {}


def test_names_that_would_make_each_class_one_song_count_its_songs():
    paths = numbered("{song}/{song[0]}{n:04d}.wav", ["dog", "cat", "rain"], range(20))
    assert lengths_of(paths, [5.0] * 60) == {}
    named = numbered("all/hiphop_{n:04d}.wav", ["x"], range(20))
    paths = [*named, *numbered("all/{song}_{n}.wav", ["rain", "river"], range(3))]
    assert lengths_of(paths, [5.0] * 26, "Hip-Hop") == {"rain": 3, "river": 3}


def test_what_was_decided_is_told_with_examples():
    paths = numbered("x/{song}{n:03d}.wav", ["rain", "sun"], range(4))
    files = with_songs_of_segments([File(path, "", "x", duration_s=4.0) for path in paths])
    assert summarise_segments(files) == (
        "8 files are of 2 songs, by names such as rain (rain000.wav, rain001.wav, rain002.wav and 1 more);"
        " sun (sun000.wav, sun001.wav, sun002.wav and 1 more)"
    )
    assert summarise_segments([File("a.wav", "", song="own")]) == ""


def test_times_of_day_are_no_times_of_pieces():
    paths = [f"rec_2020-01-{day:02d}_10-30-00.wav" for day in range(1, 9)]
    assert len(set(names_of(paths))) == len(paths)


@pytest.mark.parametrize("form", ["{title}{n:03d}", "{title}_{n:03d}", "{title} {n}"])
def test_titles_that_end_with_a_number_are_cut_as_the_others_are(form):
    """`Opus 7000` alone may be a song of that name."""
    titles = ["Rain", "Le Caf\u00e9", "Sea", "River", "Opus 7", "Blue (Live)"]
    files = [
        File(f"{form.format(title=title, n=n)}.wav", "", duration_s=30.0 if n < 5 else 7.0)
        for title in titles
        for n in range(6)
    ]
    assert {file.song for file in with_song_names(files)} == set(titles)
    whole = [replace(file, duration_s=100.0 + n) if "Opus" in file.path else file for n, file in enumerate(files)]
    assert len({file.song for file in with_song_names(whole) if "Opus" in file.path}) == 6
