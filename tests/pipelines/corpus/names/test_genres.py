import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpus.names import genres

TELL_NOTHING = st.sampled_from(["", " ", "-", "_", "  ", " - ", "\u2010", "\u2013", "\u00a0"])
WORDS = st.lists(
    st.text(st.characters(max_codepoint=0x4FF, categories=["Lu", "Ll"]), min_size=1, max_size=6), min_size=1
)


@given(WORDS, st.data())
def test_spaces_hyphens_case_and_form_do_not_count(words, data):
    spelled = "".join(word + data.draw(TELL_NOTHING) for word in words)
    plain = genres.key("".join(words))
    assert {genres.key(unicodedata.normalize(form, spelled)) for form in ("NFC", "NFD")} == {plain}
    assert genres.key(spelled.upper().lower()) == genres.key("".join(words).upper().lower())


@pytest.mark.parametrize(
    "spellings",
    [
        ["Hip-Hop", "hip-hop", "Hip Hop", "HIP_HOP", "hiphop", "Hip\u2010Hop", " hip  hop "],
        ["R&B", "r & b", "R &B"],
        ["Forr\u00f3", "Forro\u0301", "FORR\u00d3"],
        ["Old-Time / Historic", "Old Time/Historic", "old-time / historic"],
        ["Folk, World, & Country", "folk,world,&country"],
        ["\u30ed\u30c3\u30af", "\uff9b\uff6f\uff78"],
        ["2-Step", "2step", "2 Step"],
    ],
)
def test_spellings_of_one_genre(spellings):
    assert len({genres.key(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("R&B", "RB"),
        ("Forr\u00f3", "Forro"),
        ("\u0440\u043e\u043a", "\u0440\u044d\u043f"),
        ("1", "-1"),
        ("1-1", "11"),
        ("1.0", "10"),
        ("C", "C#"),
        ("Ballad", "Ballads"),
        ("\u30ab", "\u30ac"),
        ("-", "--"),
    ],
)
def test_others_keep_apart(one, other):
    assert genres.key(one) != genres.key(other)


def test_the_spelling_of_most_files_is_shown_and_of_several_the_first():
    told = ["hip-hop", "Hip Hop", "Hip-Hop", "Hip-Hop", "jazz", "Jazz", "R&B", "Old-Time / Historic"]
    shown = genres.spellings(told)
    assert [shown[genre] for genre in told] == [
        "Hip-Hop", "Hip-Hop", "Hip-Hop", "Hip-Hop", "Jazz", "Jazz", "R&B", "Old-Time / Historic",
    ]  # fmt: skip
    assert genres.notes(told, shown) == [
        "genre 'Hip-Hop': files spell it 'Hip-Hop' (2), 'hip-hop' (1), 'Hip Hop' (1)",
        "genre 'Jazz': files spell it 'jazz' (1), 'Jazz' (1)",
    ]


def test_two_unicode_forms_are_one_spelling_and_nothing_to_tell():
    told = ["Forro\u0301", "Forro\u0301", "Forr\u00f3"]
    shown = genres.spellings(told)
    assert set(shown.values()) == {"Forr\u00f3"}
    assert genres.notes(told, shown) == []


def test_a_dataset_stays_with_its_spelling():
    told = ["Hip-Hop"] * 9 + ["hip hop"]
    shown = genres.spellings(told, known=("hip hop", "jazz"))
    assert set(shown.values()) == {"hip hop"}
    assert genres.notes(told, shown) == ["genre 'hip hop': files spell it 'Hip-Hop' (9), 'hip hop' (1)"]
    # One that had both, as it was built before they were one, goes on with the one that most files have.
    assert set(genres.spellings(told, known=("Hip-Hop", "hip hop")).values()) == {"Hip-Hop"}
