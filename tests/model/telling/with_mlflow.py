"""Retrainings in the real MLflow, and metrics before Prometheus' own parser; `make test-mlflow` runs this."""

import math
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from prometheus_client.parser import text_string_to_metric_families

from model.config import Config, Mlflow
from model.retraining import registry
from model.telling import mlflow_runs, prometheus
from model.telling.observers import observers
from pipelines.common import storage
from pipelines.common.errors import UsageError
from tests.model.telling import made

CONFIG = Mlflow(experiment="music", model="genres")


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """Makes databases that have their tables, which takes MLflow seconds, and nothing in them."""
    empty = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(f"sqlite:///{empty}").search_experiments()
    return lambda path: MlflowClient(f"sqlite:///{shutil.copy(empty, path)}")


@pytest.fixture(params=["sqlite", "file"])
def client(request, database, tmp_path, monkeypatch):
    """MLflow in a database, and in files."""
    monkeypatch.chdir(tmp_path)  # artifacts of a database's runs lie below the working folder
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return database(tmp_path / "mlflow.db") if request.param == "sqlite" else MlflowClient(f"file://{tmp_path}/mlruns")


@pytest.fixture
def outcome(bundle, tmp_path):
    """A run that promoted a bundle, which lies in the registry with its report."""
    url = str(tmp_path / "registry")
    version = registry.add(url, bundle, 1)
    report = storage.join(url, "runs/000001-cccccccccccc/report.html")
    storage.write_bytes(report, b"<p>a report</p>")
    places = {"registry": url, "challenger": version, "champion": version, "report": report}
    return made.promoted(**places, dataset_version=1)


def state(client):
    """All that MLflow shows, without its own names and times."""
    runs = {}
    for experiment in client.search_experiments(filter_string=f"name = '{CONFIG.experiment}'"):
        for run in client.search_runs([experiment.experiment_id]):
            name = run.info.run_name
            assert name not in runs
            artifacts = [each.path for part in ("", "bundle") for each in client.list_artifacts(run.info.run_id, part)]
            history = {key: len(client.get_metric_history(run.info.run_id, key)) for key in run.data.metrics}
            runs[name] = run.info.status, run.data.params, run.data.metrics, history, artifacts
    versions = [v for v in client.search_model_versions() if v.name == CONFIG.model]
    assert [int(v.version) for v in versions] == list(range(len(versions), 0, -1))
    models = {m.name: {alias: client.get_model_version(m.name, v).tags for alias, v in m.aliases.items()}
              for m in client.search_registered_models()}  # fmt: skip
    return runs, models


def test_a_run_has_its_parameters_metrics_report_and_bundle(client, outcome, bundle):
    mlflow_runs.tell(client, CONFIG, outcome)
    runs, models = state(client)
    status, params, metrics, history, artifacts = runs[outcome.challenger]
    assert status == "FINISHED"
    assert params["training.window_s"] == str(bundle.training.window_s) and params["training.network"] == "cnn"
    assert metrics["gain"] == 0.25 and metrics["genre_accuracy/challenger/drum _ bass"] == 0.75
    assert metrics["song_accuracy/champion"] == 0.5 and all(map(math.isfinite, metrics.values()))
    assert set(history.values()) == {1}
    assert {"outcome.json", "report.html", "bundle/bundle.json", "bundle/model.keras"} <= set(artifacts)
    assert models == {"genres": {"champion": {"spectroshard.bundle": outcome.challenger}}}


def test_the_bundle_can_be_used_from_there(client, outcome, bundle, tmp_path):
    mlflow_runs.tell(client, CONFIG, outcome)
    champion = client.get_model_version_by_alias(CONFIG.model, "champion")
    folder = Path(client.download_artifacts(champion.run_id, "bundle", str(tmp_path)))
    assert type(bundle).load(str(folder)).digest == bundle.digest


def test_told_twice_nothing_changes(client, outcome):
    mlflow_runs.tell(client, CONFIG, outcome)
    before = state(client)
    mlflow_runs.tell(client, CONFIG, outcome)
    assert state(client) == before


class Killed(BaseException):
    """What ends a process in the middle."""


class Dying:
    """A client that is no more from one of the calls that change something on: before it was done, or after."""

    def __init__(self, client, calls, is_after):
        self.client, self.calls, self.is_after = client, calls, is_after

    def __getattr__(self, name):
        def call(*args, **kwargs):
            if name.startswith(("get", "search")):
                return getattr(self.client, name)(*args, **kwargs)
            self.calls -= 1
            if self.calls == 0 and not self.is_after:
                raise Killed
            result = getattr(self.client, name)(*args, **kwargs)
            if self.calls == 0:
                raise Killed
            return result

        return call


@pytest.mark.parametrize("is_after", [False, True])
def test_killed_at_any_call_the_next_one_completes(outcome, database, tmp_path, monkeypatch, is_after):
    monkeypatch.chdir(tmp_path)
    undisturbed = database(tmp_path / "undisturbed.db")
    mlflow_runs.tell(undisturbed, CONFIG, outcome)
    expected, calls, was_killed = state(undisturbed), 0, True
    while was_killed:
        calls += 1
        client = database(tmp_path / f"{calls}.db")
        try:
            mlflow_runs.tell(Dying(client, calls, is_after), CONFIG, outcome)
            was_killed = False
        except Killed:
            mlflow_runs.tell(client, CONFIG, outcome)
        assert state(client) == expected
    assert calls > 8


def test_a_challenger_that_was_kept_out_has_a_run_and_the_alias_stays(client, outcome, bundle):
    mlflow_runs.tell(client, CONFIG, outcome)
    other = registry.add(outcome.registry, bundle, 2)
    mlflow_runs.tell(client, CONFIG, made.promoted(**outcome.model_dump() | {"what": "kept", "challenger": other}))
    runs, models = state(client)
    assert set(runs) == {outcome.challenger, other}
    assert models["genres"]["champion"] == {"spectroshard.bundle": outcome.champion}


def test_a_rollback_that_nobody_told_is_seen_at_the_next_run(client, outcome, bundle):
    older = registry.add(outcome.registry, bundle, 0)
    mlflow_runs.tell(client, CONFIG, outcome)
    nothing_new = made.failed(what="nothing_new", registry=outcome.registry, champion=older)
    mlflow_runs.tell(client, CONFIG, nothing_new)
    runs, models = state(client)
    assert models["genres"]["champion"] == {"spectroshard.bundle": older}
    assert runs[older][2] == {} and "bundle/model.keras" in runs[older][4]


def test_a_run_that_failed_early_logs_nothing(client):
    mlflow_runs.tell(client, CONFIG, made.failed())
    assert state(client) == ({}, {})


def test_where_it_is_comes_from_the_environment_or_the_configuration(monkeypatch, tmp_path):
    def observed(**values):
        return observers(Config.model_validate({"mlflow": values}))

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UsageError, match="nor is MLFLOW_TRACKING_URI in the environment"):
        observed()
    with pytest.raises(UsageError, match=r"\*\*\*@host/ holds a secret; set MLFLOW_TRACKING_URI") as refused:
        observed(tracking_uri="https://ann:hunter2@host/")
    assert "hunter2" not in str(refused.value)
    assert len(observed(tracking_uri=f"sqlite:///{tmp_path}/a.db")) == 1
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/b.db")
    assert len(observed()) == 1


@pytest.mark.parametrize("outcome", [made.promoted(), made.failed(registry='a "b" \\ c\nd')])
def test_prometheus_reads_the_same(outcome):
    families = list(text_string_to_metric_families(prometheus.text(outcome)))
    assert len({family.name for family in families}) == len(families) > 2
    assert all(family.documentation and family.type == "gauge" for family in families)
    samples = [sample for family in families for sample in family.samples]
    assert all(sample.labels["registry"] == outcome.registry for sample in samples)
    told = {(figure.name, *figure.labels.values()): figure.value for figure in mlflow_runs.figures(outcome)}
    read = {(s.name.removeprefix("spectroshard_"), *[v for k, v in s.labels.items() if k != "registry"]): s.value
            for s in samples if "succeeded" not in s.name}  # fmt: skip
    assert read == told
