"""The observers of a retraining that a configuration asks for."""

from functools import partial

from model.config import Config
from model.retraining.outcome import Observer
from model.telling import hook, prometheus


def observers(config: Config) -> list[Observer]:
    """Who is to be told, as a retraining calls them.

    Raises
    ------
    UsageError
        One of them could never be told: a variable of the environment is missing, or a package is not installed.
    """
    telling = config.telling
    found: list[Observer] = []
    if telling.metrics:
        prometheus.check(telling.metrics)
        found.append(partial(prometheus.write, telling.metrics))
    url = hook.check(telling)
    if url or telling.command:
        found.append(partial(hook.tell, telling, url))
    if config.mlflow is not None:
        from model.telling import mlflow_runs  # loads MLflow

        found.append(mlflow_runs.observer(config.mlflow))
    return found
