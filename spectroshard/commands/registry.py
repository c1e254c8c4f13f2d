"""Commands of a registry: a retraining, and what is done by hand."""

from pipelines.common.errors import UsageError
from spectroshard.commands.shared import Options, config_of


def retrain(options: Options) -> int:
    """What is new in a corpus to a challenger, which is promoted if it is better; told in a line, then in JSON."""
    config = config_of(options)
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
