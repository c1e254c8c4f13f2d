"""The command line: a table of commands and their arguments, importing nothing heavy until one is chosen."""

import argparse
import atexit
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import shtab

import spectroshard
from pipelines.common.beam.failures import deaths, root_cause
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.output import log
from pipelines.common.output.library_warnings import suppressed
from pipelines.common.suggestion import suggestion
from spectroshard import former, runners, slips
from spectroshard.commands import chain, datasets, models, registry
from spectroshard.commands.shared import Options
from spectroshard.packaged import yaml_files

Command = Callable[[Options], int]
Argument = tuple[str, str, str, dict[str, Any]]
"""A command's argument: its name, metavar (none for a switch) and help, and what else argparse is to know."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns
    -------
    int
        The exit code: 0 where it is done, 1 where the work failed, 2 where the command line was wrong, 3 where
        another build or training is at work on the folder, 130 where it was interrupted, 143 where SIGTERM ended it.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    form = os.environ.get(log.VARIABLE, "")
    try:
        with log.of_command(next(iter(arguments), ""), form):
            return _run(arguments)
    except UsageError as error:  # there is no such form
        log.event(f"spectroshard: {error}")
        return error.exit_code


def _run(arguments: Sequence[str]) -> int:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if own[:1] == ["help"]:
        own = [*own[1:2], "--help"]
    parser = _parser()
    if not own:
        parser.print_help()
        return 0
    _refuse_slips(parser, own)
    options = parser.parse_args(own)
    options.beam = arguments[len(own) + 1 :]
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        logging.basicConfig(level=logging.INFO if options.verbose else logging.ERROR)
        _refuse_no_workers(options)
        if getattr(options, "runner", ""):
            options.beam = [*runners.beam_flags(options.runner), *options.beam]
        with suppressed():
            code: int = options.run(options)
        return code
    except KeyboardInterrupt as stop:
        atexit.register(_close_stderr)
        code = 128 + (signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT)
        log.event("Stopped. Run the same command again to continue.", "error", exit_code=code)
        return code
    except Exception as error:
        if options.verbose:
            traceback.print_exc()
        code = error.exit_code if isinstance(error, SpectroshardError) else 1
        log.event(f"spectroshard {options.command}: {_in_a_line(error)}", "error", exit_code=code)
        return code
    finally:
        signal.signal(signal.SIGTERM, before)


class _Terminated(KeyboardInterrupt):
    """What SIGTERM raises, so that workers are ended and unfinished files removed as after an interrupt."""


def _terminate(*_: object) -> NoReturn:
    raise _Terminated


def _close_stderr() -> None:
    """Keeps from the terminal what native libraries report of objects that an interrupt left behind."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _refuse_no_workers(options: Options) -> None:
    """Refuses what `new_pipelines` would, before Beam is loaded."""
    workers = getattr(options, "workers", None)
    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers}: expected at least 1")


def completion(options: Options) -> int:
    """A script that completes this command in a shell."""
    print(shtab.complete(_parser(), options.shell))
    return 0


def _commands() -> dict[Command, list[Argument]]:
    """The table of commands and their arguments."""
    dataset: Argument = ("dataset", "DATASET", "a dataset that build made; D@7 is its version 7", {})
    bundle: Argument = ("bundle", "BUNDLE", "a bundle that train made", {})
    champion = "a bundle that train made, or registry:REGISTRY for a registry's champion"
    config: Argument = ("--config", "CONFIG", "a YAML file, or the name of one of `spectroshard configs`", {})
    keys: Argument = ("--set", "KEY=VALUE", "set a key of the configuration", {"action": "append", "default": []})
    tempo: Argument = ("--tempo", "", "play the test songs slower and faster too", {"action": "store_true"})
    music = "a folder of genre folders, a glob, a manifest or an archive (default: the configuration's corpus.input)"
    demo_folder = "a new folder, or that of a demo that was stopped, which resumes"
    build_options = [config, keys, *_where("its cores")]
    return {
        chain.run: [
            ("music", "MUSIC", music, {"nargs": "?", "default": ""}),
            _output("DIR", "the folder of dataset, audit and bundle"),
            *build_options,
        ],
        datasets.build: [
            ("music", "MUSIC", music, {"nargs": "?", "default": ""}),
            _output("D", "the dataset's folder"),
            ("--previous", "D", "a dataset elsewhere that a new one goes on from", {"default": ""}),
            ("--verify-content", "", "read files that seem unchanged too", {"action": "store_true"}),
            ("--detach", "", "leave the build to a cluster, and do not wait for its end", {"action": "store_true"}),
            *build_options,
        ],
        models.train: [dataset, _output("BUNDLE", "the bundle's folder"), config, keys],
        models.evaluate: [bundle, dataset, tempo],
        models.crossval: [
            dataset,
            _output("DIR", "the rounds' folder", "crossval"),
            ("--leak-gap", "", "score other seconds of the trained songs too", {"action": "store_true"}),
            tempo,
            config,
            keys,
        ],
        models.predict: [
            ("bundle", "BUNDLE", champion, {}),
            ("audio", "AUDIO", "audio files, folders, globs, or a manifest of path and year", {"nargs": "+"}),
            (
                "--output",
                "P",
                "a folder, of partitioned Parquet, or a .csv, .json, .parquet or .html file; may be given again"
                " (default: bar charts on the terminal)",
                {"action": "append", "default": []},
            ),
            *_where("1"),
        ],
        datasets.audit: [
            (
                "split",
                "SPLIT",
                "a dataset, split folders or a folder of them, split lists, or a manifest",
                {"nargs": "+"},
            ),
            ("--audio", "FOLDER", "where the files of lists or of a manifest lie", {"default": ""}),
            ("--artists", "INDEX", "lines of 'file ::: artist ::: title', as Sturm's of GTZAN", {"default": ""}),
            ("--pattern", "PATTERN", "what the files' paths tell, as '{artist}/{album}/{title}'", {"default": ""}),
            _output("DIR", "the report's folder", "audit"),
            *_where("its cores"),
        ],
        datasets.verify: [dataset],
        datasets.inspect: [
            dataset,
            ("song", "SONG", "a song's path in the dataset, the end of it, or the file's name", {"nargs": "?"}),
            _output("PNG", "the song's picture", "song.png"),
        ],
        datasets.versions: [dataset],
        datasets.status: [("dataset", "D", "the folder of a dataset, or of a build that has not finished", {})],
        datasets.prune: [
            dataset,
            ("--keep", "N", "how many versions stay, the newest", {"type": int, "required": True}),
            ("--dry-run", "", "only say what would be removed", {"action": "store_true"}),
        ],
        registry.retrain: [
            ("config", "CONFIG", "a YAML file, or the name of one of `spectroshard configs`", {}),
            keys,
            *_where("its cores"),
        ],
        registry.models: [
            ("action", "ACTION", "list, show, promote, rollback or prune", {"choices": list(registry.MODELS_OPTIONS)}),
            ("registry", "REGISTRY", "the registry's folder", {}),
            (
                "bundle",
                "BUNDLE",
                "which bundle to show (default: the champion) or to promote",
                {"nargs": "?", "default": ""},
            ),
            ("--force", "", "promote against the verdict", {"action": "store_true"}),
            ("--reason", "WHY", "why, which the journal keeps", {"default": ""}),
            ("--keep", "N", "how many bundles stay, the newest, beside the champion and the one before", {"type": int}),
            ("--dry-run", "", "only say what would be removed", {"action": "store_true"}),
        ],
        chain.demo: [
            ("folder", "DIR", f"{demo_folder} (default: demo)", {"nargs": "?", "default": "demo"}),
        ],
        chain.configs: [("name", "NAME", "print this one (default: list them)", {"nargs": "?"})],
        completion: [("shell", "SHELL", ", ".join(shtab.SUPPORTED_SHELLS), {"choices": shtab.SUPPORTED_SHELLS})],
    }


def _output(metavar: str, about: str, default: str = "") -> Argument:
    if default:
        return "--output", metavar, f"{about} (default: {default})", {"default": default}
    return "--output", metavar, about, {"required": True}


def _where(workers: str) -> list[Argument]:
    """Where a pipeline runs: `workers` says how many there are by default on this machine."""
    named = f"{', '.join(runners.packaged())}, or a YAML file of Beam's options (default: this machine)"
    return [
        ("--workers", "N", f"how many songs this machine works on at once (default: {workers})", {"type": int}),
        ("--runner", "NAME", named, {"default": ""}),
    ]


_ON_BEAM = (
    datasets.build,
    chain.run,
    datasets.audit,
    models.predict,
    models.evaluate,
    models.crossval,
    registry.retrain,
)
_NOT_PATHS = ("ACTION", "WHY", "KEY=VALUE", "N", "PATTERN", "SONG", "NAME", "SHELL", "")


class _Version(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"spectroshard {spectroshard.__version__}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spectroshard",
        description="Songs to spectrogram TFRecords, sharded by song, and a genre model trained on them.",
        epilog="spectroshard COMMAND --help says more of each.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for run, arguments in _commands().items():
        about = str(run.__doc__)
        note = " After --, any option of Apache Beam." if run in _ON_BEAM else ""
        command = subparsers.add_parser(run.__name__, help=about, description=about + note)
        command.set_defaults(run=run)
        command.add_argument("-v", "--verbose", action="store_true", help="say more, and show where errors arose")
        for name, metavar, about, how in arguments:
            named: dict[str, Any] = {"metavar": metavar} if metavar else {}
            action = command.add_argument(name, help=about, **named, **how)
            if metavar not in _NOT_PATHS:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return parser


def _refuse_slips(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Ends the program where a command or an option is misspelt, or the arguments come in their former order."""
    table = {run.__name__: (run, own) for run, own in _commands().items()}
    command = arguments[0]
    if command.startswith("-"):
        return
    if command not in table:
        parser.error(f"invalid choice: {command!r} ({suggestion(command, table)})")
    run, own = table[command]
    options = {name: bool(metavar) for name, metavar, _, _ in own if name.startswith("-")}
    if line := former.todays_line(arguments, [name for name, has_value in options.items() if has_value]):
        print(f"spectroshard {command}: the order of arguments has changed. Type: {line}", file=sys.stderr)
        sys.exit(UsageError.exit_code)
    words = [how for name, _, _, how in own if not name.startswith("-")]
    most = None if any(how.get("nargs") == "+" for how in words) else len(words)
    options |= dict.fromkeys(("-v", "--verbose", "-h", "--help"), False)
    configs = list(yaml_files("configs"))
    if slip := slips.find_slip(arguments[1:], options, most, configs, run in _ON_BEAM):
        parser.error(slip)


def _in_a_line(error: Exception) -> str:
    cause = root_cause(error)
    is_of_file = isinstance(error, OSError) and error.filename
    is_told = isinstance(error, SpectroshardError) or is_of_file or cause in deaths
    return cause if is_told else f"{cause} (-v shows where)"


if __name__ == "__main__":
    sys.exit(main())
