"""Cross-validation: every song scored by a model that never saw it."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from model.config import Config, Training
from model.evaluation import evaluate, leak_gap, robustness
from model.evaluation.metrics import measure
from model.inference import calibration
from model.inference.bundle import REPORT_NAME
from model.inference.scores import FileScore
from model.training.train import train
from pipelines.common import output_folder, storage
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import UsageError
from pipelines.config import SPLITS
from pipelines.dataset.dataset import Dataset


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
        A local folder, new or left by the same cross-validation; it gets a bundle for each round.
    with_leak_gap : bool
        Whether the end of each train song is held out of the training and scored too, see
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
    own = (*folds, evaluate.METRICS_NAME, REPORT_NAME, leak_gap.PICTURE_NAME)
    output_folder.refuse_other_files(output, "crossval", own=own)
    unseen: dict[str, list[FileScore]] = {}
    trained: dict[str, list[FileScore]] = {}
    tempo_scores: list[robustness.TempoScores] = []
    each: list[dict[str, Any]] = []
    for splits in each_splits:
        fold = splits["test"][0]
        print(f"round {len(each) + 1} of {len(folds)}: {fold} is test", file=sys.stderr)
        bundle = train(config, dataset, storage.join(output, fold), splits)
        metrics, unseen[fold] = evaluate.evaluate(bundle, dataset)
        each.append({"fold": fold, "songs": metrics["songs"], "song_accuracy": metrics["song_accuracy"]})
        if with_leak_gap:
            trained[fold] = evaluate.score_held_out(bundle, dataset)
        if new_pipeline:
            tempo_scores.append(robustness.score_at_tempos(bundle, dataset, new_pipeline))
    scores = [score for some in unseen.values() for score in some]
    metrics = measure(scores, dataset.genres) | {"dataset": dataset.digest, "rounds": each}
    metrics["calibration"] = calibration.reliability_of_rounds(unseen, dataset.genres)
    if tempo_scores:
        metrics["tempo"] = robustness.measure_tempos(robustness.pool(tempo_scores), dataset.genres)
    if with_leak_gap:
        metrics["leak_gap"] = leak_gap.measure_gap(trained, scores, dataset.genres)
        storage.write_bytes(storage.join(output, leak_gap.PICTURE_NAME), leak_gap.draw_gap(metrics["leak_gap"]))
    evaluate.write_metrics(output, metrics)
    return metrics, scores
