"""The pages in a real browser, headless Chromium: `make test-browser`. Without one, it fails."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from model.evaluation.evaluate import evaluate
from model.evaluation.metrics import measure
from model.reports.prediction_page import write_page
from model.reports.report import write_report
from tests.model.reports.made_up_predictions import GENRES, rejected, song

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--virtual-time-budget=5000"),
    *("--enable-logging=stderr", "--v=0", "--dump-dom"),
)

PROBE = """
const cells = (table, column) => [...table.tBodies[0].rows].map((row) => row.cells[column].innerText.trim());
const tables = [...document.querySelectorAll("table.sortable")];
const probe = {
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
  background: getComputedStyle(document.body).backgroundColor,
  color: getComputedStyle(document.body).color,
  overflow: document.documentElement.scrollWidth - innerWidth,
  fetched: performance.getEntriesByType("resource").map((entry) => entry.name),
  broken: [...document.images].filter((image) => !image.naturalWidth).length,
  flat: [...document.querySelectorAll("svg")].filter((svg) => svg.getBoundingClientRect().height < 20).length,
  sorts: tables.flatMap((table) => [...table.tHead.rows[0].cells].map((header, column) => {
    const button = header.querySelector("button");
    button.focus();
    const focused = document.activeElement === button;
    const before = cells(table, column);
    button.click();
    const first = [header.ariaSort, cells(table, column)];
    button.click();
    const marked = table.querySelectorAll("th[aria-sort]").length;
    return { focused, before, first, second: [header.ariaSort, cells(table, column)], marked };
  })),
};
const input = document.querySelector("input[data-filters]");
input.value = " Wrong AMB";
input.dispatchEvent(new Event("input"));
probe.shown = [...document.getElementById("all-songs").tBodies[0].rows].filter((row) => row.checkVisibility())
  .map((row) => row.innerText.toLowerCase());
probe.told = input.nextElementSibling.value;
const result = document.createElement("pre");
result.id = "probe";
result.textContent = JSON.stringify(probe);
document.body.append(result);
"""


def opened(page, folder, *flags, script=PROBE):
    """What the script found in a page, and what the console said."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.fail(
            f"no browser found (looked for {', '.join(NAMES)}); install Chromium, as with: apt install chromium"
        )
    probed = folder / "probed.html"
    probed.write_text(f"{page}<script>{{{script}}}</script>")
    command = [browser, *FLAGS, *flags, f"--user-data-dir={folder}/profile", probed.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search('<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return json.loads(html.unescape(found[1])) if found else None, console


@pytest.fixture(scope="module")
def page(bundle, dataset):
    metrics, scores = evaluate(bundle, dataset)
    some_wrong = [
        type(each)(**{**vars(each), "window_probabilities": np.roll(each.window_probabilities, number % 2, axis=1)})
        for number, each in enumerate(scores)
    ]
    metrics |= measure(some_wrong, dataset.genres)
    return Path(write_report(bundle.url, "A title", metrics, some_wrong, dataset)).read_text()


@pytest.fixture(scope="module")
def light(page, tmp_path_factory):
    return opened(page, tmp_path_factory.mktemp("light"))


def test_it_opens_without_a_word_and_fetches_nothing(light):
    found, console = light
    assert console == []
    assert found["fetched"] == []
    assert (found["broken"], found["flat"]) == (0, 0)


def test_what_the_console_says_is_seen(page, tmp_path):
    _, console = opened(page, tmp_path, script="undefined.name")
    assert len(console) == 1 and "TypeError" in console[0]


def test_it_is_dark_where_the_reader_wants_it(page, light, tmp_path):
    dark, console = opened(page, tmp_path, "--blink-settings=preferredColorScheme=0")
    assert console == [] and dark["dark"] and not light[0]["dark"]
    for found in (light[0], dark):
        ground, ink = (sum(map(int, re.findall(r"\d+", found[name]))) for name in ("background", "color"))
        assert (ground < 150 and ink > 600) if found["dark"] else (ground > 700 and ink < 150)


def test_it_is_no_wider_than_a_small_window(page, tmp_path):
    found, _ = opened(page, tmp_path, "--window-size=500,900")
    assert found["overflow"] <= 0


def value(text):
    """What a cell is sorted by."""
    number = re.match(r"[\d.]+", text)
    return (0, float(number[0]), "") if number else (1, 0.0, text)


def test_every_column_sorts_upwards_then_downwards(light):
    sorts = light[0]["sorts"]
    assert len(sorts) == 5 + 6
    for column in sorts:
        assert column["focused"] and column["marked"] == 1  # a button, so the keyboard's Enter and Space click it
        upwards = sorted(column["before"], key=value)
        assert column["first"] == ["ascending", upwards]
        assert column["second"] == ["descending", upwards[::-1]]
    assert any(column["before"] != column["first"][1] for column in sorts)


def test_songs_are_filtered_by_words(light):
    found = light[0]
    assert found["shown"] and all("wrong" in row and "amb" in row for row in found["shown"])
    assert found["told"] == f"{len(found['shown'])} of 6"
    assert len(found["shown"]) < 6


@pytest.fixture(scope="module")
def mixtures(tmp_path_factory):
    songs = [
        song("/music/amber.mp3", [0.7, 0.2, 0.1], 1971, duration_s=125.0),
        song("/music/b.mp3", [0.1, 0.3, 0.6], 1990, duration_s=65.0, is_confident=False),
        song("/music/wrong amber.mp3", [0.4, 0.5, 0.1], 1990, duration_s=605.0),
    ]
    url = str(tmp_path_factory.mktemp("mixtures") / "songs.html")
    return Path(write_page(url, [*songs, rejected("/music/text.wav")], GENRES)).read_text()


MIXTURES_PROBE = f"""
document.querySelector("details").open = true;
{PROBE}
probe.colours = [...document.querySelectorAll(".legend .swatch")].map((each) => getComputedStyle(each).backgroundColor);
result.textContent = JSON.stringify(probe);
"""


def test_mixtures_open_sort_and_filter_in_light_and_dark(mixtures, tmp_path):
    for name in ("light", "dark"):
        (tmp_path / name).mkdir()
    light, console = opened(mixtures, tmp_path / "light", script=MIXTURES_PROBE)
    dark, dark_console = opened(
        mixtures, tmp_path / "dark", "--blink-settings=preferredColorScheme=0", script=MIXTURES_PROBE
    )
    assert (console, dark_console) == ([], []) and dark["dark"] and not light["dark"]
    for found in (light, dark):
        assert (found["fetched"], found["broken"], found["flat"]) == ([], 0, 0)
        assert len(set(found["colours"])) == len(GENRES)
    assert not set(light["colours"]) & set(dark["colours"])
    assert len(light["sorts"]) == (2 + len(GENRES)) + 6 + 3
    for column in light["sorts"]:
        assert column["focused"] and column["marked"] == 1
        assert column["second"] == ["descending", column["first"][1][::-1]]
    durations = light["sorts"][2 + len(GENRES) + 3]
    assert durations["first"] == ["ascending", ["1:05", "2:05", "10:05"]]
    assert (len(light["shown"]), light["told"]) == (1, "1 of 3")


def test_mixtures_are_no_wider_than_a_small_window(mixtures, tmp_path):
    found, _ = opened(mixtures, tmp_path, "--window-size=500,900", script=MIXTURES_PROBE)
    assert found["overflow"] <= 0
