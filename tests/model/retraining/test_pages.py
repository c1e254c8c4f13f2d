from pathlib import Path

import pytest

from model.retraining import journal, pages
from model.retraining.drift import Drift
from tests.model.reports.page_checks import Page
from tests.model.retraining.made import add_entry, decided, scores, verdict_entry

GOOD, FAIR = (scores(jazz=range(n), polka=range(n), rock=range(n)) for n in (9, 7))
DRIFT = Drift(since=1, new_songs=40, genre_shares=0.25, new_shares={"<ska>": 1.0}, alarms=("genre shares: too many",))


@pytest.fixture
def url(tmp_path):
    """A registry with a first champion, a better one, and a worse one that was promoted by force; no bundles."""
    at = str(tmp_path / "registry")
    names = [f"{number:06d}-{str(number) * 12}" for number in (1, 2, 3)]
    verdicts = [decided(FAIR), decided(GOOD, FAIR), decided(FAIR, GOOD, seen=3, other_genres=("ska",))]
    for name, champion, verdict in zip(names, [names[0], names[1], names[1]], verdicts, strict=True):
        add_entry(at, verdict_entry(name, champion, verdict).model_copy(update={"drift": DRIFT}))
    forced = {"kind": "promotion", "champion": names[2], "reason": "<b>because</b>", "forced": True, "verdict": None}
    add_entry(at, verdict_entry(names[2], names[2]).model_copy(update=forced | {"number": 0}))
    return at


def links_apart(faults):
    """A page of a registry links to the others: they lie in one folder."""
    return [fault for fault in faults if not fault.startswith("href='")]


def test_the_history_shows_each_decision_and_draws_each_verdict(url):
    text = Path(pages.write_history(url)).read_text()
    page = Page(text)
    assert links_apart(page.faults) == [] and page.count("svg") == 3
    assert text.count('href="runs/run-') == 3 and "&lt;b&gt;because&lt;/b&gt;" in text
    assert text.count("fill:var(--page)") == 1  # one was not promoted
    assert "The champion is 000003-333333333333" in text


def test_a_registry_of_one_verdict_can_be_drawn(tmp_path):
    add_entry(str(tmp_path), verdict_entry("000001-111111111111", "", decided(FAIR, rules={"least_accuracy": 0.9})))
    text = Path(pages.write_history(str(tmp_path))).read_text()
    assert links_apart(Page(text).faults) == [] and "The champion is none" in text


def test_the_report_shows_rules_figures_and_drift(url, tmp_path):
    entry = journal.entry(url, 3)
    text = Path(pages.write_report(str(tmp_path / "report.html"), entry)).read_text()
    assert links_apart(Page(text).faults) == []
    assert "not promoted" in text and "Alarm: genre shares: too many." in text and "&lt;ska&gt;" in text
    assert "gain -20.0% (champion 90.0%), 1.0% at least" in text
    assert "3 of 30 test files left out" in text


def test_a_report_without_anything_judged(url, tmp_path):
    empty = decided(GOOD, not_judged="none left")
    of = empty.comparison.model_copy(update={"challenger": None, "songs": 0})
    entry = verdict_entry("000001-111111111111", "", empty.model_copy(update={"comparison": of}))
    text = Path(pages.write_report(str(tmp_path / "report.html"), entry)).read_text()
    assert links_apart(Page(text).faults) == [] and "none left" in text
