"""Commands that make datasets and look at them."""

import shlex
from typing import TYPE_CHECKING

from pipelines.common.errors import SpectroshardError, UsageError
from spectroshard.commands.shared import Options, build_config_of, joined, print_written

if TYPE_CHECKING:
    from model.config import Config
    from pipelines.common.beam.runners import NewPipeline


def build(options: Options) -> int:
    """A folder, list or archive of songs to a dataset."""
    config = build_config_of(options)
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


def audit(options: Options) -> int:
    """Whether splits leak: of a dataset, or of anyone's folders, lists or manifest."""
    from spectroshard import api

    how = {name: getattr(options, name) for name in ("audio", "artists", "pattern", "workers", "beam")}
    found = api.audit(options.split, options.output, **how)
    print(found.summary(), end="\n\n")
    print_written(options.output, "audit.json")
    print(f"report: {joined(options.output, 'audit.html')}")
    return int(found.fails)


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
