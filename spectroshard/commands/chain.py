"""Commands that run several others, and what comes with the program."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.common.errors import UsageError
from spectroshard.commands.datasets import audit, build
from spectroshard.commands.models import evaluate, train
from spectroshard.commands.shared import Options, build_config_of


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
    config = build_config_of(Options(**shared))  # so that a slip in it is reported before anything is done
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
