"""A retraining that is stopped before or after each single write: the next one ends as if it had not been."""

import contextlib
import itertools
import shutil
from pathlib import Path

import pytest

from model.config import Config
from model.inference.bundle import Bundle
from model.retraining import challenger, journal, manage, registry, retrain
from pipelines.build.build import Built
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError
from tests.model.conftest import new_pipeline
from tests.model.retraining.made import LEAK, NO_LEAK, POLICY, add_entry, comparison, decided, scores, verdict_entry

GOOD = scores(jazz=range(9), polka=range(9), rock=range(9))


class Stopped(BaseException):
    """As a kill is, nothing that an `except Exception` catches."""


@pytest.fixture
def retraining(config, tmp_path):
    """The configuration of a retraining."""
    places = {"dataset": str(tmp_path / "d"), "registry": str(tmp_path / "r")}
    return Config.model_validate(config.model_dump() | {"retraining": places, "promotion": POLICY})


@pytest.fixture
def quick(monkeypatch, dataset, bundle):
    """Retrainings whose build, audit, training and comparison take no time; gives how often each was asked."""
    asked = dict.fromkeys(("build", "train", "compare"), 0)

    def build(*_):
        asked["build"] += 1
        return Built(dataset, False, 0, 0.0)

    def train(config, dataset, output, start=None):
        asked["train"] += 1
        shutil.copytree(bundle.url, output, dirs_exist_ok=True)
        return Bundle.load(output)

    def compare(challenger, champion, *_):
        asked["compare"] += 1
        return comparison(GOOD, GOOD if champion else None)

    monkeypatch.setattr(retrain, "build", build)
    monkeypatch.setattr(challenger, "train", train)
    monkeypatch.setattr(challenger, "compare", compare)
    monkeypatch.setattr(challenger, "_audited", lambda *_: NO_LEAK)
    return asked


def stop_at(monkeypatch, number, after):
    """Stops at a write, before or after it is done; gives what was written."""
    written = []

    @contextlib.contextmanager
    def noted(name, url):
        if "lease" not in str(url):
            written.append(f"{name} {url}")
            if len(written) == number + 1 and not after:
                raise Stopped
        yield
        if "lease" not in str(url) and len(written) == number + 1:
            raise Stopped

    def stopping(name, function):
        def call(url, *rest):
            with noted(name, url):
                return function(url, *rest)

        return call

    @contextlib.contextmanager
    def writing(url, function=storage.writing):
        with noted("writing", url), function(url) as path:
            yield path

    for name in ("write_bytes", "create", "remove"):
        monkeypatch.setattr(storage, name, stopping(name, getattr(storage, name)))
    monkeypatch.setattr(storage, "writing", writing)
    return written


def state_of(url):
    """What a registry holds, without times."""
    entry = journal.newest(url)
    files = [name for name in storage.sizes(url) if not name.startswith("bundles/")]
    return len(journal.numbers(url)), entry.champion, entry.bundle, entry.verdict.promote, sorted(files)


@pytest.mark.parametrize("after", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_stopped_at_each_write(quick, retraining, tmp_path, after):
    url, told = retraining.retraining.registry, []
    assert retrain.retrain(retraining, new_pipeline, [told.append]).what == "promoted"
    undisturbed = state_of(url)
    assert [outcome.what for outcome in told] == ["promoted"]
    for number in itertools.count():
        shutil.rmtree(url)
        told = []
        with pytest.MonkeyPatch.context() as patch:
            written = stop_at(patch, number, after)
            try:
                retrain.retrain(retraining, new_pipeline, [told.append])
            except Stopped:
                pass
            else:
                break
        if journal.numbers(url):
            assert registry.load(url, registry.champion(url))
        again = retrain.retrain(retraining, new_pipeline, [told.append])
        assert again.what == "promoted" or told[0].what == "promoted", written
        assert state_of(url) == undisturbed, written[-1]
        assert not (Path(url) / "work").exists() or not list((Path(url) / "work").iterdir())
    assert number > 12


def test_a_challenger_that_is_trained_and_not_judged_is_not_trained_again(quick, retraining, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(challenger, "decide", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            retrain.retrain(retraining, new_pipeline)
    assert not journal.numbers(retraining.retraining.registry)
    assert retrain.retrain(retraining, new_pipeline).what == "promoted" and quick["train"] == 1
    assert retrain.retrain(retraining, new_pipeline).what == "nothing_new" and quick["compare"] == 2


def test_a_leak_is_refused_before_anything_is_trained(quick, retraining, monkeypatch):
    told = []
    monkeypatch.setattr(challenger, "_audited", lambda *_: LEAK)
    with pytest.raises(SpectroshardError, match="2 pairs leak; nothing was trained on it"):
        retrain.retrain(retraining, new_pipeline, [told.append])
    assert [outcome.what for outcome in told] == ["refused"] and quick["train"] == 0


def test_a_champion_that_changes_meanwhile_is_compared_with(quick, retraining, bundle, monkeypatch):
    url = retraining.retraining.registry
    older, newer = (registry.add(url, bundle, version) for version in (7, 8))
    add_entry(url, verdict_entry(older, older, decided(GOOD)))
    compare, against = challenger.compare, []

    def while_somebody_promotes(new, champion, *rest):
        if not against:
            manage.promote(url, newer, force=True, reason="now")
        against.append(registry.name_of(champion))
        return compare(new, champion, *rest)

    monkeypatch.setattr(challenger, "compare", while_somebody_promotes)
    outcome = retrain.retrain(retraining, new_pipeline)
    assert against == [older, newer] and outcome.what == "kept" and outcome.champion == newer
    assert [entry.kind for entry in journal.entries(url)] == ["verdict", "promotion", "verdict"]


def test_a_damaged_champion_is_an_error_with_a_way_out(quick, retraining, bundle):
    url = retraining.retraining.registry
    version = registry.add(url, bundle, 7)
    add_entry(url, verdict_entry(version, version, decided(GOOD)))
    Path(registry.bundle_url(url, version), "model.keras").write_bytes(b"half")
    with pytest.raises(
        SpectroshardError, match=r"the champion cannot be compared with: .*model.keras: .*; or go back: "
    ):
        retrain.retrain(retraining, new_pipeline)
    assert registry.champion(url) == version
