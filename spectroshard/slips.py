"""Slips of the command line that argparse would answer in terms of its own: what was probably meant."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence

_NUMBER = re.compile(r"-\d")


def find_slip(
    arguments: Sequence[str], options: Mapping[str, bool], most: int | None, configs: Collection[str], on_beam: bool
) -> str | None:
    """What is wrong with a command's arguments: an option that it does not have, or a word too many.

    Parameters
    ----------
    arguments : sequence of str
        What was typed after the command, without the options of Beam.
    options : mapping of bool
        The command's options, and whether a value follows each.
    most : int or None
        How many words it takes besides; None where any number.
    configs : collection of str
        The names of packaged configurations.
    on_beam : bool
        Whether it takes options of Beam after `--`.

    Returns
    -------
    str or None
        None where argparse may go on.

    Examples
    --------
    >>> options = {"--output": True, "--config": True}
    >>> find_slip(["d", "--ouput", "b"], options, 1, ["gtzan"], False)
    'unrecognized arguments: --ouput (did you mean --output?)'
    >>> find_slip(["music", "d"], options, 1, ["gtzan"], True)
    'unrecognized arguments: d (did you mean --output d?)'
    >>> find_slip(["music", "gtzan", "--output=d"], options, 1, ["gtzan"], True)
    'unrecognized arguments: gtzan (did you mean --config gtzan?)'
    >>> find_slip(["music", "--out", "d"], options, 1, ["gtzan"], True) is None
    True
    """
    words: list[str] = []
    given: set[str] = set()
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-") or argument == "-" or _NUMBER.match(argument):
            words.append(argument)
            continue
        name, equals, _ = argument.partition("=")
        found = name if name in options else next((known for known in options if known.startswith(name)), "")
        if not found or (found != name and not name.startswith("--")):
            return f"unrecognized arguments: {name}{_of_option(name, options, on_beam)}"
        given.add(found)
        if options[found] and not equals:
            next(rest, "")
    if most is None or len(words) <= most:
        return None
    extra = words[most]
    missing = [option for option in ("--config", "--output") if options.get(option) and option not in given]
    is_config = extra in configs or extra.endswith((".yaml", ".yml"))
    hint = next((option for option in missing if (option == "--config") == is_config), "")
    return f"unrecognized arguments: {extra}" + (f" (did you mean {hint} {extra}?)" if hint else "")


def _of_option(name: str, options: Mapping[str, bool], on_beam: bool) -> str:
    if on_beam and "_" in name:
        return " (Apache Beam's options go after --)"
    begun = [option for option in options if option.startswith(f"-{name}")]  # -o
    if close := begun or difflib.get_close_matches(name, options, 1):
        return f" (did you mean {close[0]}?)"
    return " (Apache Beam's options go after --)" if on_beam else ""
