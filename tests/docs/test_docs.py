"""The documentation: what it says is run, where it points to is there, what is generated is up to date."""

import re

import pytest
import yaml
from pydantic import Field

from docs import generate
from model.config import Config
from pipelines.config import check
from pipelines.features.schema import Features, Mfcc
from tests.docs import runner
from tests.docs.markdown import PAGES, README, REPOSITORY, anchors, blocks, commands, links, paths
from tests.docs.runner import run_page

MOST_LINES_OF_README = 130


def _has_code(page):
    return any(language in ("bash", "python") for language, _ in blocks(page))


@pytest.mark.slow
def test_readme_runs_from_nothing(after_readme):
    assert (after_readme / "predictions.html").exists()


WITH_CODE = [pytest.param(p, id=p.stem) for p in PAGES if p != README and _has_code(p)]


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE)
def test_page_runs(page, folder, home):
    run_page(page, folder, home)


def test_every_exception_is_needed():
    lines = [" ".join(c) for page in PAGES for language, b in blocks(page) if language == "bash" for c in commands(b)]
    for start in runner.NOT_RUN:
        assert any(line.startswith(start) for line in lines), f"no page has {start!r}: take it out of NOT_RUN"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_configurations_are_valid(page):
    for language, block in blocks(page):
        if language == "yaml":
            check(yaml.safe_load(block), Config, str(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for link in links(page):
        if not link.startswith("https://"):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), f"{page.name} links to {link}, which is not there"
            assert not anchor or anchor in anchors(target), f"{page.name} links to {link}; it has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_named_files_are_there(page):
    assert [path for path in paths(page) if not (REPOSITORY / path).exists()] == []


def test_readme_is_short_and_knows_every_page():
    text = README.read_text()
    assert len(text.splitlines()) <= MOST_LINES_OF_README
    for page in PAGES[1:]:
        assert f"](docs/{page.name})" in text, f"README's map lacks docs/{page.name}"


@pytest.mark.parametrize("page", [README, REPOSITORY / "docs" / "command-line.md"], ids=lambda page: page.stem)
def test_every_command_is_told(page, capsys):
    with pytest.raises(SystemExit):
        runner.cli.main(["--help"])
    listed = re.findall(r"^ {4}([a-z]+)(?: |$)", capsys.readouterr().out, re.MULTILINE)
    assert listed
    for command in listed:
        assert f"`spectroshard {command}" in page.read_text(), f"{page.name} has no command {command}"


def test_generated_pages_are_up_to_date():
    for page, text in generate.pages().items():
        assert page.read_text() == text, f"docs/{page.name} is out of date: run make docs"


class CoarseMfcc(Mfcc):
    """An MFCC that bounds and explains a parameter otherwise.

    Attributes
    ----------
    n_mfcc : int
        Even, for once.
    """

    n_mfcc: int = Field(default=2, ge=2)


def test_parameters_of_one_name_share_a_row_only_where_they_mean_the_same(monkeypatch):
    class MoreFeatures(Features):
        coarse_mfcc: CoarseMfcc | None = None

    monkeypatch.setattr(generate, "Features", MoreFeatures)
    table = generate._parameters_table()
    assert "| `n_mfcc` | `mfcc` | integer | `20` | at least 1 | How many coefficients, from the zeroth. |" in table
    assert "| `n_mfcc` | `coarse_mfcc` | integer | `2` | at least 2 | Even, for once. |" in table
    assert table.count("| `n_fft` | all |") == 1
