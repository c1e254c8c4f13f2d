"""Commands that train models and use them."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.common.errors import UsageError
from pipelines.common.output.words import counted
from spectroshard.commands.shared import Options, config_of, joined, print_written

if TYPE_CHECKING:
    from model.inference.bundle import Bundle


def train(options: Options) -> int:
    """A dataset to a bundle, which holds the trained model."""
    from model.inference.bundle import Bundle
    from model.inference.calibration import FEW_SONGS
    from pipelines.common import storage
    from spectroshard import api

    is_new = Bundle.json_name() not in storage.names(options.output)
    bundle = api.train(options.dataset, options.output, config_of(options)).manifest
    kept = dict(bundle.validation)
    which = "best" if bundle.training.patience is not None and "validation_loss" in kept else "last"
    epoch = f"weights of the {which} epoch ({kept.pop('epoch') + 1:.0f})"
    metrics = [f"{name.replace('_', ' ')} {value:.3f}" for name, value in kept.items()]
    print(f"{options.output}: {bundle.training.network}, {len(bundle.genres)} genres; {', '.join([epoch, *metrics])}")
    if bundle.calibration and bundle.calibration.songs < FEW_SONGS:
        print(
            f"probabilities were calibrated on only {counted(bundle.calibration.songs, 'validation song')};"
            " crossval gives a better figure"
        )
    if is_new:
        print_written(options.output, "bundle.json", "model.keras", "history.csv", "trained-*.parquet", "logs/")
    else:
        print(f"{options.output}: up to date, nothing to do")
    return 0


def evaluate(options: Options) -> int:
    """A bundle's metrics on its test songs, and a report."""
    from spectroshard import api

    _refuse_swapped(options.command, options.bundle, [options.dataset])
    metrics = api.evaluate(options.bundle, options.dataset, tempo=options.tempo, beam=options.beam)
    _print_metrics(metrics, options.bundle, "metrics.json")
    return 0


def crossval(options: Options) -> int:
    """Every song of a dataset scored by a model that never saw it."""
    from spectroshard import api

    how = {"leak_gap": options.leak_gap, "tempo": options.tempo, "beam": options.beam}
    metrics = api.crossval(options.dataset, options.output, config_of(options), **how)
    for row in metrics["rounds"]:
        print(f"{row['fold']}: {row['song_accuracy']:.1%} of {row['songs']} songs")
    _print_metrics(metrics, options.output, "metrics.json", f"{len(metrics['rounds'])} bundles")
    return 0


def predict(options: Options) -> int:
    """The genres of audio files."""
    from model.inference.bundle import Bundle
    from model.inference.input_files import refuse_missing
    from model.reports.prediction_tables import check_output, is_folder_output
    from model.retraining import registry

    for output in options.output:
        check_output(output, options.audio)
    folders = [output for output in options.output if is_folder_output(output)]
    pages = [output for output in options.output if output.endswith(".html")]
    if folders and len(options.output) > 1 + len(pages):
        raise UsageError(
            f"--output {folders[0]}: beside a folder, only pages (.html) are written; leave out the others"
        )
    _refuse_swapped(options.command, options.bundle, options.audio)
    bundle = Bundle.load(registry.resolve(options.bundle))
    refuse_missing(options.audio)
    return _predict_into(bundle, options, folders[0], pages) if folders else _predict_at_once(bundle, options)


def _predict_at_once(bundle: "Bundle", options: Options) -> int:
    """Predicts into files of all predictions, or on the terminal."""
    from model.inference.predict import predict
    from model.inference.prediction import REJECTED, unread
    from model.reports.prediction_tables import summarise_prediction, write_predictions
    from pipelines.common import storage
    from pipelines.common.beam.runners import new_pipelines

    folder = f"{options.output[0]}.work" if options.output else None
    predictions = predict(bundle, options.audio, folder, new_pipelines(options.beam, options.workers, default=1))
    for output in options.output:
        write_predictions(output, predictions, bundle.genres)
    rejected = [prediction for prediction in predictions if prediction.status == REJECTED]
    if folder:
        storage.remove(folder)
        print(f"{counted(len(predictions) - len(rejected), 'song')} predicted, {len(rejected):,} rejected")
        print(f"wrote {', '.join(options.output)}")
    else:
        usable = [prediction for prediction in predictions if prediction.status != REJECTED]
        print("\n\n".join(map(summarise_prediction, usable)), end="\n" if usable else "")
    if line := unread(predictions):
        print(line)
    for prediction in rejected:
        print(f"cannot use {prediction.path}: {prediction.reason}: {prediction.error}", file=sys.stderr)
    return 1 if rejected else 0


def _predict_into(bundle: "Bundle", options: Options, folder: str, pages: Sequence[str]) -> int:
    """Predicts into a folder, and writes pages of what is in it."""
    from model.inference.batch.predict import first_predictions, predict_into
    from model.reports.prediction_page import MOST_REJECTED, MOST_SONGS, MOST_TIMELINES, write_page
    from pipelines.common.beam.runners import new_pipelines

    pipelines = new_pipelines(options.beam, options.workers, default=1)
    predictions, is_new = predict_into(bundle, options.audio, folder, pipelines)
    totals = predictions.totals
    shown = first_predictions(predictions, MOST_SONGS, MOST_TIMELINES, MOST_REJECTED) if pages else []
    for page in pages:
        write_page(page, shown, predictions.genres, totals)
    print(f"{counted(totals.songs, 'song')} predicted, {totals.failures:,} rejected")
    if is_new:
        print_written(folder, "predictions.json", "songs/", "failures/")
    else:
        print(f"{folder}: up to date, nothing to do")
    if pages:
        print(f"wrote {', '.join(pages)}")
    if totals.unread:
        print(totals.unread_in_words)
    if totals.failures:
        reasons = ", ".join(f"{count} {reason}" for reason, count in totals.rejected.items())
        failed = counted(totals.failures, "file")
        print(f"cannot use {failed} ({reasons}); {joined(folder, 'failures')} has each", file=sys.stderr)
    return 1 if totals.failures else 0


def _refuse_swapped(command: str, bundle: str, others: Sequence[str]) -> None:
    """Refuses a bundle that comes after what it is to be used on."""
    from pipelines.common import storage

    def is_bundle(url: str) -> bool:
        return bool(storage.version(storage.join(url, "bundle.json")))

    swapped = None if is_bundle(bundle) else next(filter(is_bundle, others), None)
    if swapped:
        raise UsageError(f"the bundle comes first: {shlex.join(['spectroshard', command, swapped, bundle])}")


def _print_metrics(metrics: Mapping[str, Any], folder: str, *names: str) -> None:
    from model.evaluation import leak_gap
    from model.evaluation.evaluate import REPORT_NAME, summarise_metrics
    from model.inference.calibration import FEW_SONGS

    print(summarise_metrics(metrics))
    if metrics["songs"] < FEW_SONGS and "rounds" not in metrics:
        print(f"accuracy was measured on only {counted(metrics['songs'], 'test song')}; crossval gives a better figure")
    if "leak_gap" in metrics:
        print(f"\n{leak_gap.summarise_gap(metrics['leak_gap'])}\n{leak_gap.SENTENCE}\n")
    print_written(folder, *names)
    print(f"report: {joined(folder, REPORT_NAME)}")
