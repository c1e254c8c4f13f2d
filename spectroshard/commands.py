"""What each verb of the command line does: the rooms' functions, and what is printed of their results.

Each imports what it needs when it is called, what is cheap first, so that a slip is refused at once.
"""

import argparse
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.output.words import counted

if TYPE_CHECKING:
    from model.config import Config
    from model.inference.bundle import Bundle
    from pipelines.common.beam.runners import NewPipeline

Options = argparse.Namespace


def build(options: Options) -> int:
    """A folder, list or archive of songs to a dataset."""
    config = _build_config(options)
    from pipelines.corpus import listing

    listing.check_input(config.corpus.input)  # at once, as what follows takes a while to load
    from pipelines.build import summary
    from pipelines.build.build import build
    from pipelines.common.beam.runners import new_pipelines

    pipelines = new_pipelines(options.beam, options.workers)
    if options.detach:
        return _submit(options, config, pipelines)
    built = build(config, options.output, pipelines, verify_content=options.verify_content)
    dataset = built.dataset
    for part in (summary.genres_by_folds(dataset), summary.rejects(dataset), summary.findings(dataset)):
        print(part, end="\n\n" if part else "")
    up_to_date = f"{options.output}: up to date, nothing to do (version {dataset.version})"
    print(summary.summarise_build(built) if built.is_new else up_to_date)
    for sentence in dataset.unknown.sentences():
        print(sentence)
    if built.is_new and config.training.model_fields_set and options.command == "build":
        given = (["--config", options.config] if options.config else []) + [f"--set={key}" for key in options.set]
        line = shlex.join(["spectroshard", "train", options.output, "--output", "BUNDLE", *given])
        print(f"a dataset does not store how to train, so say it again: {line}")
    return 0


def _submit(options: Options, config: "Config", pipelines: "NewPipeline") -> int:
    """Begins a build on a cluster, and says where it is."""
    from pipelines.build.build import submit

    job = submit(config, options.output, pipelines, verify_content=options.verify_content)
    if job is None:
        print(f"{options.output}: up to date, nothing to do")
    else:
        print(
            f"{options.output}: left to {job}; how far it is: {shlex.join(['spectroshard', 'status', options.output])}"
        )
    return 0


def train(options: Options) -> int:
    """A dataset to a bundle, which holds the trained model."""
    from model.inference.bundle import Bundle
    from model.inference.calibration import FEW_SONGS
    from pipelines.common import storage
    from spectroshard import api

    is_new = Bundle.json_name() not in storage.names(options.output)
    bundle = api.train(options.dataset, options.output, _config(options)).manifest
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
        _print_written(options.output, "bundle.json", "model.keras", "history.csv", "trained-*.parquet", "logs/")
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
    metrics = api.crossval(options.dataset, options.output, _config(options), **how)
    for row in metrics["rounds"]:
        print(f"{row['fold']}: {row['song_accuracy']:.1%} of {row['songs']} songs")
    _print_metrics(metrics, options.output, "metrics.json", f"{len(metrics['rounds'])} bundles")
    return 0


def predict(options: Options) -> int:
    """The genres of audio files."""
    from model.inference.bundle import Bundle
    from model.inference.input_files import refuse_missing
    from model.inference.prediction import REJECTED, unread
    from model.reports.prediction_tables import (
        check_output,
        is_folder_output,
        summarise_prediction,
        write_predictions,
    )
    from model.retraining import registry
    from pipelines.common import storage

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
    from model.inference.predict import predict
    from pipelines.common.beam.runners import new_pipelines

    if folders:
        return _predict_into(bundle, options, folders[0], pages)
    folder = f"{options.output[0]}.work" if options.output else None
    predictions = predict(bundle, options.audio, folder, new_pipelines(options.beam, options.workers, default=1))
    for output in options.output:
        write_predictions(output, predictions, bundle.genres)
    rejected = [prediction for prediction in predictions if prediction.status == REJECTED]
    if folder:
        storage.remove(folder)
        print(f"{len(predictions) - len(rejected)} songs predicted, {len(rejected)} rejected")
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
    print(f"{totals.songs} songs predicted, {totals.failures} rejected")
    if is_new:
        _print_written(folder, "predictions.json", "songs/", "failures/")
    else:
        print(f"{folder}: up to date, nothing to do")
    if pages:
        print(f"wrote {', '.join(pages)}")
    if totals.unread:
        print(totals.unread_in_words)
    if totals.failures:
        reasons = ", ".join(f"{count} {reason}" for reason, count in totals.rejected.items())
        failed = counted(totals.failures, "file")
        print(f"cannot use {failed} ({reasons}); {_join(folder, 'failures')} has each", file=sys.stderr)
    return 1 if totals.failures else 0


def audit(options: Options) -> int:
    """Whether splits leak: of a dataset, or of anyone's folders, lists or manifest."""
    from spectroshard import api

    how = {name: getattr(options, name) for name in ("audio", "artists", "pattern", "workers", "beam")}
    found = api.audit(options.split, options.output, **how)
    print(found.summary(), end="\n\n")
    _print_written(options.output, "audit.json")
    print(f"report: {_join(options.output, 'audit.html')}")
    return int(found.fails)


def _tell_of_unfinished_build(url: str) -> None:
    """Prints what a build rejected that has not published, and says that it has not; where there is none, nothing."""
    from pipelines.build import summary
    from pipelines.build.runs import status

    rejected = status.rejected_of_last_run(url)
    if rejected is not None:
        if rejected:
            print(summary.summarise_rejects(rejected))
        why = "the files above were rejected" if rejected else "run the same build again to continue"
        raise SpectroshardError(f"{url}: its build was not finished; {why}")


def verify(options: Options) -> int:
    """Every byte of a dataset, held against what its versions say."""
    from pipelines.audit.verify import verify

    found = verify(options.dataset)
    for line in (*found.faults, found.summary):
        print(line)
    return int(found.fails)


def inspect(options: Options) -> int:
    """Counts, statistics and pictures of a dataset."""
    from pipelines.build import summary
    from pipelines.common import storage
    from pipelines.dataset import versions
    from pipelines.dataset.reading import find_file, read_record

    if not options.output.endswith(".png"):
        raise UsageError(f"--output {options.output}: expected a file that ends in .png")
    if not versions.is_there(options.dataset):
        _tell_of_unfinished_build(options.dataset)
    dataset = versions.load(options.dataset)
    if not options.song:
        print(summary.summarise_dataset(dataset))
        return 0
    song = find_file(dataset, options.song)
    print(summary.summarise_file(song))
    record = read_record(dataset, song)
    if record is not None:
        from pipelines.common.output.plots import draw_features

        rates = {name: info.frame_rate_hz for name, info in dataset.features.items()}
        storage.write_bytes(options.output, draw_features(record.features, rates, song.path))
        print(f"\npicture: {options.output}")
    return 0


def versions(options: Options) -> int:
    """The versions of a dataset."""
    from pipelines.build import summary

    print(summary.summarise_versions(options.dataset))
    return 0


def status(options: Options) -> int:
    """How far a build is, or how the last one ended; its exit code is the same."""
    from pipelines.build.runs.status import status_of

    found = status_of(options.dataset)
    print("\n".join(found.lines))
    return found.exit_code


def prune(options: Options) -> int:
    """Removes old versions of a dataset, and what no kept one needs."""
    from pipelines.dataset.prune import prune

    pruned = prune(options.dataset, options.keep, dry_run=options.dry_run)
    if options.dry_run:
        print("".join(f"{name}  {size}\n" for name, size in pruned.files.items()), end="")
    print(f"{options.dataset}: {'would remove' if options.dry_run else 'removed'} {pruned}")
    return 0


def run(options: Options) -> int:
    """Build, audit, train and evaluate, one after the other."""
    from pipelines.build.refusals import refuse_output_in_corpus
    from pipelines.common import output_folder, storage

    places = {name: storage.join(options.output, name) for name in ("dataset", "audit", "bundle")}
    shared = vars(options) | {
        "tempo": False,
        "audio": "",
        "artists": "",
        "pattern": "",
        "previous": "",
        "verify_content": False,
        "detach": False,
    }
    config = _build_config(Options(**shared))  # so that a slip in it is reported before anything is done
    refuse_output_in_corpus(options.output, config.corpus.input)
    output_folder.refuse_other_files(options.output, "run", work="dataset", own=places)
    steps: tuple[tuple[Callable[[Options], int], dict[str, Any]], ...] = (
        (build, {"output": places["dataset"]}),
        (audit, {"split": [places["dataset"]], "output": places["audit"]}),
        (train, {"dataset": places["dataset"], "output": places["bundle"]}),
        (evaluate, {"bundle": places["bundle"], "dataset": places["dataset"]}),
    )
    for number, (step, own) in enumerate(steps, 1):
        print(f"\n{number} of {len(steps)}: {step.__name__}", flush=True)
        if code := step(Options(**shared | own)):
            return code
    return 0


def retrain(options: Options) -> int:
    """What is new in a corpus to a challenger, which is promoted if it is better; told in a line, then in JSON."""
    config = _config(options)
    from model.telling.observers import observers

    told = observers(config)  # at once, as one of them may lack something
    from model.retraining.retrain import retrain
    from pipelines.common.beam.runners import new_pipelines
    from pipelines.common.output import log

    outcome = retrain(config, new_pipelines(options.beam, options.workers), told)
    if not log.is_json():
        print("\n".join([f"{outcome.what}: {outcome.message}", *(f"alarm: {alarm}" for alarm in outcome.alarms)]))
    print(outcome.to_json())
    return outcome.exit_code


def models(options: Options) -> int:
    """A registry: list its bundles, show one, promote one, roll back to the champion before, prune old ones."""
    _refuse_other_options(options)
    from model.retraining import manage

    url = options.registry.removeprefix("registry:")
    if options.action == "list":
        print(manage.summarise(url))
    elif options.action == "show":
        print(manage.describe(url, options.bundle))
    elif options.action == "prune":
        pruned = manage.prune(url, options.keep, dry_run=options.dry_run)
        if options.dry_run:
            print("".join(f"{name}  {size}\n" for name, size in pruned.bundles.items()), end="")
        print(f"{url}: {'would remove' if options.dry_run else 'removed'} {pruned}")
    else:
        entry = (
            manage.promote(url, options.bundle, force=options.force, reason=options.reason)
            if options.action == "promote"
            else manage.roll_back(url, options.reason)
        )
        print(f"{url}: {entry.champion} is the champion (entry {entry.number} of the journal: {entry.reason})")
    return 0


MODELS_OPTIONS = {
    "list": (),
    "show": ("bundle",),
    "promote": ("bundle", "force", "reason"),
    "rollback": ("reason",),
    "prune": ("keep", "dry_run"),
}
"""What each action of `models` takes."""


def _refuse_other_options(options: Options) -> None:
    takes = MODELS_OPTIONS[options.action]
    for name in ("bundle", "force", "reason", "keep", "dry_run"):
        if getattr(options, name) and name not in takes:
            word = options.bundle if name == "bundle" else f"--{name.replace('_', '-')}"
            raise UsageError(f"models {options.action}: takes no {word}")
    for name in {"promote": ("bundle",), "rollback": ("reason",), "prune": ("keep",)}.get(options.action, ()):
        if getattr(options, name) in (None, ""):
            raise UsageError(f"models {options.action}: needs {'a BUNDLE' if name == 'bundle' else f'--{name}'}")


def demo(options: Options) -> int:
    """The whole chain on a corpus that is synthesised here."""
    from spectroshard.demo import NOTE, demo

    report = demo(Path(options.folder), lambda line: print(f"\n{line}", flush=True))
    print(f"\n{NOTE}\nreport: {report}")
    return 0


def configs(options: Options) -> int:
    """The configurations that come with the program."""
    from pipelines.common.suggestion import suggestion
    from spectroshard.configuration import packaged

    paths = packaged()
    if options.name is None:
        width = max(map(len, paths))
        for name, path in paths.items():
            print(f"{name:<{width}}  {path.read_text().splitlines()[0].lstrip('# ')}")
    elif options.name in paths:
        print(paths[options.name].read_text(), end="")
    else:
        raise UsageError(f"no configuration {options.name!r}; {suggestion(options.name, paths)}")
    return 0


def _refuse_swapped(command: str, bundle: str, others: Sequence[str]) -> None:
    """Refuses a bundle that comes after what it is to be used on."""
    from pipelines.common import storage

    def is_bundle(url: str) -> bool:
        return bool(storage.version(storage.join(url, "bundle.json")))

    swapped = None if is_bundle(bundle) else next(filter(is_bundle, others), None)
    if swapped:
        raise UsageError(f"the bundle comes first: {shlex.join(['spectroshard', command, swapped, bundle])}")


def _config(options: Options) -> "Config":
    from spectroshard.configuration import load_config

    return load_config(options.config, options.set)


def _build_config(options: Options) -> "Config":
    from spectroshard.configuration import with_sources

    return with_sources(_config(options), options.music, options.previous)


def _print_metrics(metrics: Mapping[str, Any], folder: str, *names: str) -> None:
    from model.evaluation import leak_gap
    from model.evaluation.evaluate import REPORT_NAME, summarise_metrics
    from model.inference.calibration import FEW_SONGS

    print(summarise_metrics(metrics))
    if metrics["songs"] < FEW_SONGS and "rounds" not in metrics:
        print(f"accuracy was measured on only {counted(metrics['songs'], 'test song')}; crossval gives a better figure")
    if "leak_gap" in metrics:
        print(f"\n{leak_gap.summarise_gap(metrics['leak_gap'])}\n{leak_gap.SENTENCE}\n")
    _print_written(folder, *names)
    print(f"report: {_join(folder, REPORT_NAME)}")


def _print_written(folder: str, *names: str) -> None:
    print(f"wrote {', '.join(names)} in {folder}")


def _join(folder: str, name: str) -> str:
    from pipelines.common import storage

    return storage.join(folder, name)
