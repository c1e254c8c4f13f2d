import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from model.reports.mixture_charts import DARK, LIGHT, draw_timeline
from model.reports.prediction_page import MOST_REJECTED, MOST_SONGS, MOST_TIMELINES, write_page
from tests.model.reports.made_up_predictions import GENRES, rejected, song
from tests.model.reports.page_checks import Page

SONGS = [
    song("/music/old/a & b.mp3", [0.7, 0.2, 0.1], year=1970),
    song("/music/old/b.mp3", [0.1, 0.4, 0.5], year=1970),
    song("/music/new/c.mp3", [0.0, 1.0, 0.0], year=1973, is_confident=False),
    song("/music/new/d.mp3", [0.2, 0.2, 0.6]),
]
BAD = rejected("/music/<text>.wav")


def page_of(tmp_path, predictions, genres=GENRES):
    text = Path(write_page(str(tmp_path / "p.html"), predictions, genres)).read_text()
    page = Page(text)
    assert page.faults == []
    return text, page


def test_the_page_tells_of_every_file(tmp_path):
    text, page = page_of(tmp_path, [*SONGS, BAD])
    assert text.count('class="name"') == 5
    assert "old/<wbr>a &amp; b.mp3" in text and "/music" not in text
    assert "&lt;text&gt;.wav" in text and "not_audio" in text
    assert page.count("svg") == 1 + len(SONGS)
    assert text.count(">unsure</span>") == 1 and "For 1 song no genre is predicted with confidence" in re.sub(
        r"\s+", " ", text
    )
    assert 'aria-label="techno 70 %, metal 20 %, ambient 10 %"' in text
    assert "not read" not in text


def test_what_was_not_read_is_on_the_page(tmp_path):
    text, _ = page_of(tmp_path, [SONGS[0].model_copy(update={"unread_s": 75.0}), *SONGS[1:]])
    assert '<p class="note">75 s of 1 file were not read.</p>' in text


def test_years_stand_where_they_are_in_time(tmp_path):
    text, _ = page_of(tmp_path, SONGS)
    chart = text[text.index("The mixture of genres by year</title>") :].partition("</svg>")[0]
    left = {name: float(x) for x, name in re.findall(r'<rect x="([\d.]+)".*?<title>(.*?)</title>', chart)}
    heights = [float(height) for height in re.findall(r'<rect .*?height="([\d.]+)"', chart)]
    assert left.keys() == {"1970: techno 40 %", "1970: metal 30 %", "1970: ambient 30 %", "1973: metal 100 %"}
    bar = float(re.search(r'<rect .*?width="([\d.]+)"', chart)[1])
    assert left["1973: metal 100 %"] - left["1970: metal 30 %"] > 3 * bar
    assert heights == pytest.approx([96, 72, 72, 240], abs=0.11)


def test_one_year_makes_no_chart(tmp_path):
    text, page = page_of(tmp_path, [SONGS[0], SONGS[3]])
    assert page.count("svg") == 2 and 'id="years"' not in text


def test_only_files_that_cannot_be_used(tmp_path):
    text, page = page_of(tmp_path, [BAD])
    assert "1 file rejected" in text and page.count("svg") == 0


def test_a_timeline_has_its_times_and_the_changes_of_genre():
    drawn = draw_timeline(song("a.mp3", [0.7, 0.2, 0.1], duration_s=200.0).timeline, 200.0, "a.mp3", GENRES)
    assert re.findall(r">(\d+:\d\d)</text>", drawn) == ["0:00", "1:00", "2:00", "3:00"]
    assert "the most probable: 0:00 techno, 1:37 metal, 2:26 techno." in drawn
    assert re.findall(r'class="g(\d)"', drawn) == ["2", "1", "0"]
    techno = re.search(r'd="M6 80([VH\d]*)V80Z" class="g0"', drawn)[1]
    assert [int(height) for height in re.findall(r"V(\d+)", techno)] == [27, 27, 65, 27]


@pytest.mark.slow
def test_very_many_long_songs_of_many_genres_make_no_heavy_page(tmp_path):
    genres = [f"a genre {number}" for number in range(12)]
    shares = np.random.default_rng(0).dirichlet(np.ones(12), MOST_SONGS + 1)
    songs = [
        song(
            f"/music/the name of an artist/the name of an album/a song of a rather long name, {n:04d}.mp3",
            row.tolist(),
            1900 + n % 120,
            600.0,
            61,
            genres,
        )
        for n, row in enumerate(shares)
    ]
    bad = [rejected(f"/music/the name of an artist/{number}.mp3") for number in range(MOST_REJECTED + 1)]
    text, page = page_of(tmp_path, [*songs, *bad], genres)
    assert len(text.encode()) < 4.5e6  # with some room for longer names
    assert page.count("svg") == 1 + MOST_TIMELINES
    assert f"The first {MOST_TIMELINES} of {len(songs)} songs by name." in text
    assert f"The first {MOST_SONGS} of {len(songs)} songs by name;" in text
    assert f"The first {MOST_REJECTED} of {len(bad)} files by name." in text


def linear(colour):
    values = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def oklab(colour):
    """Ottosson, A perceptual color space for image processing (2020)."""
    cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    mixed = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(mixed) @ np.cbrt(np.array(cones) @ linear(colour))


def luminance(colour):
    return linear(colour) @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize(("colours", "ground"), [(LIGHT, "#fcfcfa"), (DARK, "#14161b")])
def test_twelve_genres_can_be_told_apart(colours, ground, tmp_path):
    assert f"--page: {ground}" in page_of(tmp_path, SONGS)[0]
    assert len(colours) == 12
    for one, other in itertools.combinations(colours, 2):
        assert np.linalg.norm(oklab(one) - oklab(other)) > 0.12, (one, other)
    for colour in colours:
        dark, light = sorted(luminance(each) + 0.05 for each in (colour, ground))
        assert light / dark > 3, colour
