"""Retraining as a scheduler sees it: by its exit code, its line, its JSON, and what the registry holds then."""

import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from model.config import Config
from model.retraining import challenger, journal
from model.retraining.at_work import AtWork
from model.retraining.outcome import RunOutcome
from model.retraining.retrain import retrain
from pipelines.common.errors import UsageError
from spectroshard import cli
from tests.model.conftest import new_pipeline
from tests.model.retraining.made import NO_LEAK
from tests.model.retraining.made import POLICY as STRICT
from tests.model.retraining.soak import (
    STYLES,
    add_songs,
    configured,
    ended,
    on_disk,
    on_s3,
    outcome_of,
    start,
)


def test_a_configuration_without_its_sections_is_refused():
    with pytest.raises(UsageError, match="has no section retraining and promotion; a retraining needs"):
        retrain(Config(), new_pipeline)
    places = {"dataset": "memory://d", "registry": "memory://r"}
    with pytest.raises(UsageError, match="has no section promotion"):
        retrain(Config.model_validate({"retraining": places}), new_pipeline)


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("Dear Ann")
    places = {"dataset": str(tmp_path / "d"), "registry": str(tmp_path)}
    with pytest.raises(UsageError, match="holds files that no retraining wrote"):
        retrain(Config.model_validate({"retraining": places, "promotion": STRICT}), new_pipeline)


def test_a_run_is_named_by_what_its_training_depends_on(config, dataset):
    def name(**sections):
        places = {"dataset": "memory://d", "registry": "memory://r"}
        values = {"retraining": places, "promotion": STRICT, **sections}
        changed = Config.model_validate(config.model_dump(exclude=set(values)) | values)
        return AtWork.of(changed, new_pipeline).run_name(dataset)

    assert name() == name(promotion=STRICT | {"least_gain": 0.5})  # which alone judges nothing again
    others = {name(training={"seed": 9}), name(folds={"count": 4, "test": [2]})}
    assert len({name(), *others}) == 3 and all(other.startswith("000001-") for other in others)


def test_observers_are_told_of_a_failure_and_one_that_fails_changes_nothing(tmp_path, capsys):
    told = []

    def broken(outcome):
        raise RuntimeError("no network")

    values = {
        "corpus": {"input": str(tmp_path / "nothing")},
        "retraining": {"dataset": str(tmp_path / "d"), "registry": str(tmp_path / "r")},
        "promotion": STRICT,
    }
    with pytest.raises(UsageError, match="nothing"):
        retrain(Config.model_validate(values), new_pipeline, [broken, told.append])
    assert [(outcome.what, outcome.exit_code) for outcome in told] == [("failed", 1)]
    assert (
        "nothing" in told[0].message
        and "the outcome could not be told: RuntimeError: no network" in capsys.readouterr().err
    )
    assert RunOutcome.from_json((tmp_path / "r" / "outcome.json").read_text()) == told[0]
    assert not (tmp_path / "r" / "runs" / "lease.json").exists()


def test_workers_of_a_cluster_need_not_see_the_folder_that_is_trained_in(
    config, dataset, bundle, tmp_path, monkeypatch
):
    def compare(challenger, champion, dataset, work, new_pipeline):
        assert (new_pipeline, work) == (at_work.new_pipeline, f"{tmp_path}/registry/runs/000001-0123")
        raise KeyboardInterrupt

    places = {"dataset": dataset.url, "registry": f"{tmp_path}/registry", "work": f"{tmp_path}/work"}
    values = {"retraining": places, "promotion": STRICT | {"largest_tempo_loss": 0.1}}
    at_work = AtWork.of(Config.model_validate(config.model_dump(exclude=set(values)) | values), new_pipeline)
    monkeypatch.setattr(challenger, "compare", compare)
    with pytest.raises(KeyboardInterrupt):
        challenger._judged(at_work, dataset, "000001-0123", bundle, NO_LEAK)


def models(capsys, *arguments):
    code = cli.main(["models", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """A registry after its first champion."""
    folder = tmp_path_factory.mktemp("life")
    add_songs(folder / "corpus", range(6))
    config = configured(folder, folder / "corpus", str(folder))
    out, _ = ended(start(config))
    return folder, config, outcome_of(out)


@pytest.mark.slow
def test_the_life_of_a_registry(life, capsys):
    folder, config, first = life
    url = folder / "registry"
    assert first["what"] == "promoted" and first["champion"] == first["challenger"]
    assert (url / "bundles" / first["champion"] / "bundle.json").exists() and not list((url / "work").iterdir())
    assert "not promoted" not in Path(first["report"]).read_text()

    # Nothing new: the listing says so.
    out, errors = ended(start(config))
    assert out.startswith("nothing_new: nothing new since version 1") and "retrain: train" not in errors
    assert outcome_of(out)["songs"]["read"] == 0 and len(journal.numbers(str(url))) == 1

    # The corpus has grown: the old test songs are still protected.
    add_songs(folder / "corpus", range(6, 9))
    grown = outcome_of(ended(start(config))[0])
    assert grown["dataset_version"] == 2 and grown["songs"]["read"] == 9
    assert grown["verdict"]["comparison"]["songs"] == grown["verdict"]["comparison"]["test_songs"] > 0
    assert grown["drift"]["new_songs"] == 9 and grown["what"] in ("promoted", "kept")

    # A challenger that has learned nothing is kept out, with reasons.
    worse = outcome_of(ended(start(config, "--set", "training.learning_rate=1.0e-9"))[0])
    assert worse["what"] == "kept" and worse["champion"] == grown["champion"] != worse["challenger"]
    code, text = models(capsys, "promote", url, worse["challenger"])
    assert code == 2 and "is not to be promoted: gain -" in text

    # By force, and back.
    code, text = models(capsys, "promote", url, worse["challenger"], "--force", "--reason", "to see it fail")
    assert code == 0 and f"{worse['challenger']} is the champion (entry 4" in text
    code, text = models(capsys, "rollback", url, "--reason", "it fails")
    assert code == 0 and f"{grown['champion']} is the champion (entry 5" in text
    code, text = models(capsys, "list", url)
    assert text.count("\n") == 1 + 3 and f"{grown['champion']}" in text
    history = (url / "history.html").read_text()
    assert "to see it fail" in history and "it fails" in history

    # What a prediction takes is the champion of the moment.
    song = str(folder / "corpus" / "metal" / "metal.00000.wav")
    assert cli.main(["predict", f"registry:{url}", song]) == 0
    assert "metal.00000.wav" in capsys.readouterr().out
    code, text = models(capsys, "prune", url, "--keep", 1)
    assert code == 0 and {path.name for path in (url / "bundles").iterdir()} >= {grown["champion"]}


@pytest.mark.slow
def test_two_at_once(life, tmp_path):
    folder, _, _ = life
    shutil.copytree(folder / "corpus", tmp_path / "corpus")
    config = configured(tmp_path, tmp_path / "corpus", str(tmp_path))
    first = start(config)
    while not (tmp_path / "registry" / "runs" / "lease.json").exists():
        assert first.poll() is None
        time.sleep(0.02)
    _, errors = ended(start(config), code=3)
    assert f"a retraining by {journal.who().partition(' on ')[2]} (process {first.pid}) has been at work here" in errors
    first.send_signal(signal.SIGKILL)
    first.communicate()
    # Its lease is of a process that is no more.
    assert outcome_of(ended(start(config))[0])["what"] == "promoted"


@pytest.mark.slow
def test_a_leaky_dataset_is_refused_and_nothing_trained(life, tmp_path):
    folder, _, _ = life
    corpus = tmp_path / "corpus"
    shutil.copytree(folder / "corpus", corpus)
    lists = {}
    for split, numbers in {"train": range(3), "validation": (3,), "test": (4, 5)}.items():
        names = [f"{style}/{style}.{number:05d}.wav" for style in STYLES for number in numbers]
        lists[split] = str(tmp_path / f"{split}.txt")
        Path(lists[split]).write_text("".join(f"{name}\n" for name in names))
    # The same recording in train and in test, by the corpus's own lists.
    shutil.copy(corpus / "metal" / "metal.00000.wav", corpus / "metal" / "metal.00004.wav")
    sections = {"corpus": {"input": str(corpus), "splits": lists}, "training": {"epochs": 1, "allow_leaks": True}}
    config = configured(tmp_path, corpus, str(tmp_path), sections)
    _, errors = ended(start(config), code=1)
    last = json.loads((tmp_path / "registry" / "outcome.json").read_text())
    assert last["what"] == "refused" and "leak" in last["message"] and "leak" in errors
    assert not (tmp_path / "registry" / "bundles").exists() and not journal.numbers(str(tmp_path / "registry"))


@pytest.mark.slow
@pytest.mark.parametrize("where", [on_disk, on_s3])
def test_killed_at_random_moments(tmp_path, where):
    decided = where(tmp_path, 6, seed=1)
    assert len(decided) == 3 and decided[0]["verdict"]["promote"]
