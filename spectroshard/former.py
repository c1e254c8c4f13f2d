"""The command line's former order of arguments, and the line that says the same in today's."""

import shlex
from collections.abc import Collection, Sequence

_FORMER = {"build": "--input", "train": "--dataset", "evaluate": "--dataset", "crossval": "--dataset"}
"""Of each verb the option that said what it acts on; a configuration, or of `evaluate` the bundle, stood first."""

_MISSING = {"build": "MUSIC", "train": "DATASET", "crossval": "DATASET"}


def todays_line(arguments: Sequence[str], valued: Collection[str]) -> str | None:
    """A command line in today's order, where it was typed in the former one.

    Parameters
    ----------
    arguments : sequence of str
        What was typed after `spectroshard`, without the options of Beam.
    valued : collection of str
        The verb's options that a value follows.

    Returns
    -------
    str or None
        None where the order is today's.

    Examples
    --------
    >>> todays_line(["train", "c.yaml", "--dataset", "d", "--output", "b"], ["--output", "--set"])
    'spectroshard train d --config c.yaml --output b'
    >>> todays_line(["evaluate", "b", "--dataset", "d"], [])
    'spectroshard evaluate b d'
    >>> todays_line(["train", "d", "--output", "b"], ["--output"]) is None
    True
    """
    verb = arguments[0] if arguments else ""
    if verb not in _FORMER:
        return None
    positionals: list[str] = []
    options: list[str] = []
    subject = ""
    rest = iter(arguments[1:])
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name == _FORMER[verb]:
            subject = value if equals else next(rest, "")
        elif not argument.startswith("-"):
            positionals.append(argument)
        else:
            options += [argument, *([next(rest, "")] if name in valued and not equals else [])]
    has_config = verb != "evaluate" and bool(positionals) and positionals[0].endswith((".yaml", ".yml"))
    if not subject and not has_config:
        return None
    if verb == "evaluate":
        return shlex.join(["spectroshard", verb, *positionals, subject, *options])
    config = [part for each in positionals for part in ("--config", each)]
    return shlex.join(["spectroshard", verb, subject or _MISSING[verb], *config, *options])
