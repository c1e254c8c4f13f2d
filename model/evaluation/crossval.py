"""Cross-validation: every song scored by a model that never saw it."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model.config import Config, Training
from model.evaluation import evaluate, leak_gap, robustness
from model.evaluation.metrics import measure
from model.inference import calibration
from model.inference.scores import FileScore, without_temperature
from model.training.train import train
from pipelines.common import output_folder, storage
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import UsageError
from pipelines.config import SPLITS
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import File, written


@dataclass(frozen=True)
class Round:
    """A round's scores, at a temperature of 1, so that those of all rounds can be pooled.

    Attributes
    ----------
    fold : str
        The test fold.
    metrics : dict
        Of its songs, as `model.evaluation.evaluate.evaluate` returns them.
    unseen : list of FileScore
        Of its songs.
    held_out : list of FileScore or None
        Of the held-out ends of the training songs, where the leak gap is asked for.
    tempos : TempoScores or None
        Of its songs at other tempos, where these are asked for.
    """

    fold: str
    metrics: Mapping[str, Any]
    unseen: list[FileScore]
    held_out: list[FileScore] | None
    tempos: robustness.TempoScores | None


def rounds(folds: Sequence[str], training: Training) -> Iterator[dict[str, tuple[str, ...]]]:
    """The splits of each round: one fold is test, the others are train.

    With early stopping (`training.patience`), the fold after the test fold is validation.

    Parameters
    ----------
    folds : sequence of str
        The names of the folds that hold songs.
    training : Training

    Raises
    ------
    UsageError
        There are fewer than three folds, or they are the corpus's own split.

    Examples
    --------
    >>> next(rounds(["fold-00", "fold-01", "fold-02"], Training(patience=None)))
    {'train': ('fold-01', 'fold-02'), 'validation': (), 'test': ('fold-00',)}
    """
    if set(folds) & set(SPLITS):
        raise UsageError(f"crossval needs numbered folds; this dataset has its corpus's own split, {', '.join(folds)}")
    if len(folds) < 3:
        raise UsageError(f"crossval needs at least 3 folds with songs, found {len(folds)}; build with more folds.count")
    for index, test in enumerate(folds):
        validation = (folds[(index + 1) % len(folds)],) if training.patience else ()
        train_folds = tuple(fold for fold in folds if fold not in (test, *validation))
        yield {"train": train_folds, "validation": validation, "test": (test,)}


def crossval(
    config: Config,
    dataset: Dataset,
    output: str,
    *,
    with_leak_gap: bool = False,
    new_pipeline: NewPipeline | None = None,
) -> tuple[dict[str, Any], list[FileScore]]:
    """Trains and evaluates a model for each fold, and measures all songs together.

    Rounds that are done are not repeated, and one that was stopped is resumed.

    Parameters
    ----------
    config : Config
        Its `training`; which folds are test and validation, each round decides.
    dataset : Dataset
    output : str
        A folder, new or left by the same cross-validation; it gets a bundle for each round.
    with_leak_gap : bool
        Whether the end of each training song is held out of the training and scored too, see
        `model.evaluation.leak_gap`; a chart of both accuracies is written to the output.
    new_pipeline : callable, optional
        Returns an empty pipeline, in which each round's test songs are scored at other tempos too. Default: they are
        not.

    Returns
    -------
    metrics : dict
        Over all songs, each scored by the model that was not trained on it; `rounds`: each round's song accuracy;
        `calibration`: as `model.inference.calibration.reliability_of_rounds` returns it, while all else is measured
        on uncalibrated probabilities; `leak_gap` and `tempo`, where they were asked for.
    scores : list of FileScore

    Raises
    ------
    UsageError
        The output holds something else.
    """
    if with_leak_gap:
        config = leak_gap.holding_out(config)
    folds = [fold for fold in dataset.folds if dataset.folds[fold].songs]
    each_splits = list(rounds(folds, config.training))
    own = (*folds, evaluate.METRICS_NAME, evaluate.REPORT_NAME, leak_gap.PICTURE_NAME)
    output_folder.refuse_other_files(output, "crossval", own=own)
    done = []
    for number, splits in enumerate(each_splits, start=1):
        print(f"round {number} of {len(folds)}: {splits['test'][0]} is test", file=sys.stderr)
        done.append(_run_round(config, dataset, output, splits, with_leak_gap, new_pipeline))
    metrics, scores = _measure(done, dataset), [score for each in done for score in each.unseen]
    if with_leak_gap:
        storage.write_bytes(storage.join(output, leak_gap.PICTURE_NAME), leak_gap.draw_gap(metrics["leak_gap"]))
    evaluate.write_metrics(output, metrics)
    return metrics, scores


def _run_round(
    config: Config,
    dataset: Dataset,
    output: str,
    splits: Mapping[str, tuple[str, ...]],
    with_leak_gap: bool,
    new_pipeline: NewPipeline | None,
) -> Round:
    """Trains and scores the model of a round, into the folder of its test fold."""
    fold = splits["test"][0]
    bundle = train(config, dataset, storage.join(output, fold), splits)
    metrics, scores = evaluate.evaluate(bundle, dataset)
    return Round(
        fold,
        metrics,
        without_temperature(scores),
        without_temperature(evaluate.score_held_out(bundle, dataset)) if with_leak_gap else None,
        robustness.score_at_tempos(bundle, dataset, _files(scores, dataset), new_pipeline) if new_pipeline else None,
    )


def _files(scores: Sequence[FileScore], dataset: Dataset) -> list[File]:
    """The ledger's rows of what was scored."""
    paths = {score.path for score in scores}
    return [file for file in written(dataset.ledger()) if file.path in paths]


def _measure(done: Sequence[Round], dataset: Dataset) -> dict[str, Any]:
    """The metrics of all rounds together."""
    unseen = {each.fold: each.unseen for each in done}
    scores = [score for some in unseen.values() for score in some]
    rows = [{"fold": each.fold, **{name: each.metrics[name] for name in ("songs", "song_accuracy")}} for each in done]
    metrics = measure(scores, dataset.genres) | {"dataset": dataset.digest, "rounds": rows}
    counts = [each.metrics["test_songs"] for each in done]
    metrics["test_songs"] = {name: sum(count[name] for count in counts) for name in counts[0]}
    metrics["not_compared"] = dataset.unknown.sentences()
    metrics["calibration"] = calibration.reliability_of_rounds(unseen, dataset.genres)
    if tempos := [each.tempos for each in done if each.tempos]:
        metrics["tempo"] = robustness.measure_tempos(robustness.pool(tempos), dataset.genres)
    if held_out := {each.fold: each.held_out for each in done if each.held_out}:
        metrics["leak_gap"] = leak_gap.measure_gap(held_out, scores, dataset.genres)
    return metrics
