"""The command line: a table of subcommands, importing nothing heavy until one is chosen."""

import argparse
import contextlib
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.common.errors import SpectroshardError
from pipelines.common.output.quiet import quiet

if TYPE_CHECKING:
    from model.config import Config

Options = argparse.Namespace
Argument = tuple[str, str, str, dict[str, Any]]
"""A subcommand's argument: its name, metavar (none for a switch) and help, and what else argparse is to know."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a subcommand; returns 0 where it is done, 1 where the work failed, 2 where it was asked wrongly."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(_before_beam(arguments))
    options.beam = arguments[len(_before_beam(arguments)) + 1 :]
    try:
        logging.basicConfig(level=logging.INFO if options.verbose else logging.ERROR)
        with contextlib.nullcontext() if options.verbose else quiet():
            code: int = options.run(options)
        return code
    except KeyboardInterrupt:
        print("stopped; the same command goes on where it was", file=sys.stderr)
        return 1
    except Exception as error:
        if options.verbose:
            traceback.print_exc()
        print(f"spectroshard {options.command}: {_in_a_line(error)}", file=sys.stderr)
        return error.exit_code if isinstance(error, SpectroshardError) else 1


def build(options: Options) -> int:
    """CONFIG's corpus to a dataset."""
    from pipelines.build import summary
    from pipelines.build.build import build
    from pipelines.common.beam.runners import new_pipelines

    given = {"corpus.input": options.input, "build.previous": options.previous}
    config = _config(options.config, [*options.set, *(f"{key}={url}" for key, url in given.items() if url)])
    built = build(config, options.output, new_pipelines(options.beam, options.workers))
    for part in (
        summary.genres_by_folds(built.dataset),
        summary.rejects(built.dataset),
        summary.findings(built.dataset),
    ):
        print(part, end="\n\n" if part else "")
    if built.is_new:
        duration_s = sum(fold.duration_s for fold in built.dataset.folds.values())
        print(
            f"{options.output}: {built.dataset.songs} songs, {duration_s:.0f} s of audio in {built.elapsed_s:.1f} s,"
            f" {duration_s / built.elapsed_s:.0f} seconds of audio per second"
        )
    else:
        print(f"{options.output}: up to date, nothing to do")
    return 0


def inspect(options: Options) -> int:
    """Counts, statistics and pictures of a dataset."""
    from pipelines.build import summary
    from pipelines.common import storage
    from pipelines.common.output.plots import draw_features
    from pipelines.dataset.dataset import Dataset

    dataset = Dataset.load(options.dataset)
    if not options.song:
        print(summary.describe(dataset))
        return 0
    song = summary.find_song(dataset, options.song)
    print(summary.describe_song(song))
    record = summary.read_song(dataset, song)
    if record is not None:
        rates = {name: info.frame_rate_hz for name, info in dataset.features.items()}
        storage.write_bytes(options.output, draw_features(record.features, rates, song.path))
        print(f"\npicture: {options.output}")
    return 0


def audit(options: Options) -> int:
    """Whether splits leak: of a dataset, or of anyone's folders, lists or manifest."""
    from pipelines.audit.audit import audit
    from pipelines.audit.page import PAGE_NAME
    from pipelines.common import storage
    from pipelines.common.beam.runners import new_pipelines

    pipelines = new_pipelines(options.beam, options.workers)
    found = audit(options.split, options.output, pipelines, options.audio, options.artists)
    print(found.summary(), f"report: {storage.join(options.output, PAGE_NAME)}", sep="\n\n")
    return int(found.fails)


def train(options: Options) -> int:
    """A dataset to a bundle."""
    from model.training.train import train
    from pipelines.dataset.dataset import Dataset

    bundle = train(_config(options.config, options.set), Dataset.load(options.dataset), options.output)
    kept = dict(bundle.validation)
    epoch = f"epoch {kept.pop('epoch') + 1:.0f}"
    figures = [f"{name.replace('_', ' ')} {value:.3f}" for name, value in kept.items()]
    print(f"{options.output}: {bundle.training.network}, {len(bundle.genres)} genres; {', '.join([epoch, *figures])}")
    return 0


def evaluate(options: Options) -> int:
    """A bundle's figures on its test songs, and a report."""
    from model.evaluation.evaluate import describe, evaluate
    from model.inference.bundle import Bundle
    from model.reports.report import write_report
    from pipelines.common.beam.runners import new_pipelines
    from pipelines.dataset.dataset import Dataset

    bundle, dataset = Bundle.load(options.bundle), Dataset.load(options.dataset)
    metrics, scores = evaluate(bundle, dataset, new_pipelines(options.beam) if options.tempo else None)
    print(describe(metrics))
    print(f"report: {write_report(bundle.url, f'{bundle.training.network} on unseen songs', metrics, scores, dataset)}")
    return 0


def crossval(options: Options) -> int:
    """Every song scored by a model that never saw it."""
    from model.evaluation import leak_gap
    from model.evaluation.crossval import crossval
    from model.evaluation.evaluate import describe
    from model.reports.report import write_report
    from pipelines.common.beam.runners import new_pipelines
    from pipelines.dataset.dataset import Dataset

    config, dataset = _config(options.config, options.set), Dataset.load(options.dataset)
    new_pipeline = new_pipelines(options.beam) if options.tempo else None
    metrics, scores = crossval(
        config, dataset, options.output, with_leak_gap=options.leak_gap, new_pipeline=new_pipeline
    )
    for row in metrics["rounds"]:
        print(f"{row['fold']}: {row['song_accuracy']:.1%} of {row['songs']} songs")
    print(describe(metrics))
    if options.leak_gap:
        print(f"\n{leak_gap.describe(metrics['leak_gap'])}\n{leak_gap.SENTENCE}\n")
    title = f"{config.training.network}, cross-validated by song"
    print(f"report: {write_report(options.output, title, metrics, scores, dataset)}")
    return 0


def predict(options: Options) -> int:
    """Audio files to distributions over genres."""
    from model.inference.bundle import Bundle
    from model.inference.predict import predict
    from model.reports.predictions import check_output, show, write_predictions
    from pipelines.common import storage
    from pipelines.common.beam.runners import new_pipelines

    for output in options.output:
        check_output(output, options.audio)
    bundle = Bundle.load(options.bundle)
    folder = f"{options.output[0]}.work" if options.output else None
    predictions = predict(bundle, options.audio, folder, new_pipelines(options.beam, options.workers, default=1))
    for output in options.output:
        write_predictions(output, predictions, bundle.genres)
    if folder:
        storage.remove(folder)
    else:
        print("\n\n".join(show(prediction) for prediction in predictions))
    rejected = [prediction for prediction in predictions if prediction.status == "rejected"]
    for prediction in rejected:
        print(f"cannot use {prediction.path}: {prediction.reason} ({prediction.error})", file=sys.stderr)
    return 1 if rejected else 0


def demo(options: Options) -> int:
    """The whole chain on a corpus that is synthesised here."""
    from pipelines.common.beam.runners import new_pipelines
    from spectroshard.demo import NOTE, demo

    report = demo(Path(options.folder), new_pipelines([]), lambda line: print(f"\n{line}", flush=True))
    print(f"\n{NOTE}\nreport: {report}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spectroshard",
        description="Songs to spectrogram TFRecords, sharded by song, and a genre model trained on them.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for run, arguments in _commands().items():
        about = str(run.__doc__)
        note = " After --, any option of Apache Beam." if run in (build, audit, predict, evaluate, crossval) else ""
        command = commands.add_parser(run.__name__, help=about, description=about + note)
        command.set_defaults(run=run)
        command.add_argument("-v", "--verbose", action="store_true", help="say more, and show where errors rose")
        for name, metavar, about, how in arguments:
            command.add_argument(name, help=about, **({"metavar": metavar} | how if metavar else how))
    return parser


def _commands() -> dict[Callable[[Options], int], list[Argument]]:
    """The table of subcommands and their arguments."""
    config: Argument = ("config", "CONFIG", "a YAML configuration", {})
    dataset: Argument = ("--dataset", "D", "a dataset that build made", {"required": True})
    bundle: Argument = ("bundle", "BUNDLE", "a bundle that train made", {})
    settings: Argument = ("--set", "KEY=VALUE", "set a key of CONFIG", {"action": "append", "default": []})
    tempo: Argument = ("--tempo", "", "play the test songs slower and faster too", {"action": "store_true"})
    return {
        demo: [("folder", "DIR", "a new folder (default: demo)", {"nargs": "?", "default": "demo"})],
        build: [
            config,
            ("--input", "URL", "the corpus, in place of corpus.input", {}),
            ("--output", "D", "the dataset's folder", {"required": True}),
            ("--previous", "D", "the dataset of an earlier build, whose folds stay as they are", {}),
            _workers("its cores"),
            settings,
        ],
        inspect: [
            ("dataset", "DATASET", "a dataset that build made", {}),
            ("song", "SONG", "a song's id, or its end", {"nargs": "?"}),
            ("--output", "PNG", "the song's picture (default: song.png)", {"default": "song.png"}),
        ],
        audit: [
            (
                "split",
                "SPLIT",
                "a dataset, split folders or a folder of them, split lists, or a manifest",
                {"nargs": "+"},
            ),
            ("--audio", "FOLDER", "where the files of lists or of a manifest lie", {"default": ""}),
            ("--artists", "INDEX", "lines of 'file ::: artist ::: title', as Sturm's of GTZAN", {"default": ""}),
            ("--output", "DIR", "the report's folder (default: audit)", {"default": "audit"}),
            _workers("its cores"),
        ],
        train: [config, dataset, ("--output", "BUNDLE", "the bundle's folder", {"required": True}), settings],
        evaluate: [bundle, dataset, tempo],
        crossval: [
            config,
            dataset,
            ("--output", "DIR", "the rounds' folder (default: crossval)", {"default": "crossval"}),
            ("--leak-gap", "", "score other seconds of the trained songs too", {"action": "store_true"}),
            tempo,
            settings,
        ],
        predict: [
            bundle,
            ("audio", "AUDIO", "audio files, folders, globs, or a manifest of path and year", {"nargs": "+"}),
            (
                "--output",
                "P",
                "a .csv, .json, .parquet or .html file; may be given again",
                {"action": "append", "default": []},
            ),
            _workers("1"),
        ],
    }


def _workers(default: str) -> Argument:
    return "--workers", "N", f"how many songs this machine works on at once (default: {default})", {"type": int}


def _in_a_line(error: Exception) -> str:
    if isinstance(error, SpectroshardError):
        return str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return f"{type(error).__name__}: {' '.join(str(error).split())} (-v shows where)"


def _before_beam(arguments: Sequence[str]) -> Sequence[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _config(url: str, overrides: Sequence[str]) -> "Config":
    from model.config import Config
    from pipelines.config import load

    return load(url, overrides, Config)


if __name__ == "__main__":
    sys.exit(main())
