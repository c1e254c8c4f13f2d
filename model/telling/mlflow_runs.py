"""Retrainings as MLflow shows them: a run for each challenger, a version of a model, and the champion as its alias.

A run is found again by the bundle's name, and what it has is not logged twice: a retraining may be killed at any moment
and tell of itself again.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from model.config import Mlflow
from model.retraining import registry
from model.retraining.outcome import Observer, RunOutcome
from model.telling.figures import figures
from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.common.redaction import redacted

# It would tell its makers of each use, unless it is told not to before it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# It would print where each run is seen, which is no part of a command's output, with the password of its address.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

ALIAS = "champion"
_BUNDLE = "spectroshard.bundle"
_FINISHED = "FINISHED"


def observer(config: Mlflow) -> Observer:
    """An observer that logs retrainings.

    Raises
    ------
    UsageError
        MLflow is not installed, nobody says where it is, or its address holds a secret.
    """
    try:
        from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UsageError("mlflow: MLflow is not installed; pip install 'spectroshard[mlflow]'") from error
    if (shown := redacted(config.tracking_uri)) != config.tracking_uri:
        raise UsageError(f"mlflow.tracking_uri: {shown} holds a secret; set MLFLOW_TRACKING_URI instead")
    uri = config.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        raise UsageError("mlflow.tracking_uri: is not set, nor is MLFLOW_TRACKING_URI in the environment")
    return partial(tell, MlflowClient(uri), config)


def tell(client: Any, config: Mlflow, outcome: RunOutcome) -> None:
    """Logs the challenger that a retraining has judged, and points the alias to the champion.

    Parameters
    ----------
    client : mlflow.MlflowClient
    config : Mlflow
    outcome : RunOutcome
    """
    if outcome.verdict is not None:
        _log_bundle(client, config, outcome, outcome.challenger)
    if outcome.champion:
        version = _log_bundle(client, config, outcome, outcome.champion)
        aliases = client.get_registered_model(config.model).aliases
        if aliases.get(ALIAS) != version:
            client.set_registered_model_alias(config.model, ALIAS, version)


def _log_bundle(client: Any, config: Mlflow, outcome: RunOutcome, bundle: str) -> str:
    """Sees to it that a bundle has its run, and gives its version of the registered model."""
    run = _run_of(client, config, outcome, bundle)
    if run.info.status != _FINISHED:
        _log(client, run, outcome, bundle)
    return _version_of(client, config, run.info.run_id, bundle)


def _run_of(client: Any, config: Mlflow, outcome: RunOutcome, bundle: str) -> Any:
    experiment = client.get_experiment_by_name(config.experiment)
    number = experiment.experiment_id if experiment else client.create_experiment(config.experiment)
    found = client.search_runs([number], f"tags.`{_BUNDLE}` = '{bundle}'", max_results=1)
    if found:
        return found[0]
    tags = {_BUNDLE: bundle, "spectroshard.registry": outcome.registry, "spectroshard.dataset": outcome.dataset}
    return client.create_run(number, run_name=bundle, tags=tags)


def _log(client: Any, run: Any, outcome: RunOutcome, bundle: str) -> None:
    """Logs what a run has not yet, and ends it."""
    from mlflow.entities import Metric, Param  # pyright: ignore[reportMissingImports]

    number, at_ms = run.info.run_id, int(datetime.fromisoformat(outcome.ended).timestamp() * 1000)
    values = registry.load(outcome.registry, bundle).training.decisive_values()
    metrics = []
    if bundle == outcome.challenger:  # a champion that MLflow has not seen yet was judged by another retraining
        known = run.data.metrics
        told = metrics_of(outcome)
        metrics = [Metric(k, v, at_ms, outcome.dataset_version) for k, v in told.items() if k not in known]
        client.log_text(number, outcome.to_json(), registry.OUTCOME_NAME)
        client.log_text(number, storage.read_bytes(outcome.report).decode(), registry.REPORT_NAME)
    client.log_batch(number, metrics, [Param(f"training.{key}", str(value)) for key, value in values.items()])
    folder = registry.bundle_url(outcome.registry, bundle)
    with tempfile.TemporaryDirectory() as copy:
        for name, size in storage.sizes(folder).items():
            file = Path(copy, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            storage.fetch(storage.join(folder, name), file, size)
        client.log_artifacts(number, copy, "bundle")
    client.set_terminated(number, _FINISHED, at_ms)


def metrics_of(outcome: RunOutcome) -> Mapping[str, float]:
    """The figures of a run under the names that MLflow allows: `genre_accuracy/challenger/jazz`."""
    found = {}
    for figure in figures(outcome):
        if figure.name not in ("retraining_outcome", "champion"):  # these are words
            labels = (re.sub(r"[^\w.\- ]", "_", label) or "_" for label in figure.labels.values())
            found["/".join([figure.name, *labels])] = float(figure.value)
    return found


def _version_of(client: Any, config: Mlflow, run: str, bundle: str) -> str:
    from mlflow.exceptions import MlflowException  # pyright: ignore[reportMissingImports]

    try:
        client.get_registered_model(config.model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_registered_model(config.model)
    versions = [each for each in client.search_model_versions(f"run_id = '{run}'") if each.name == config.model]
    if not versions:
        # A tracking server only takes a source that lies in the run's own artifacts.
        source = f"runs:/{run}/bundle"
        versions = [client.create_model_version(config.model, source, run, {_BUNDLE: bundle}, await_creation_for=0)]
    return str(versions[0].version)
