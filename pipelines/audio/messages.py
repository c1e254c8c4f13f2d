"""Messages of decoders, archives and the system, made the same on each run and each machine."""

import re
from collections.abc import Iterable

_ADDRESS = re.compile(r" ?@ 0x[0-9a-f]+|\b(?:at )?0x[0-9a-f]{9,}\b", re.IGNORECASE)
_PROCESS = re.compile(r"\b(?:pid|process|thread)[ :=]+\d+\b", re.IGNORECASE)
_TEMPORARY = re.compile(r"(?:/[^\s/'\":]+)*/tmp[a-z0-9_]{8}(?:[./][^\s'\":]*)?")


def steady(message: str, paths: Iterable[str] = ()) -> str:
    """A message in one line, without what differs between runs: addresses, process ids, and where the file lies.

    Parameters
    ----------
    message : str
    paths : iterable of str
        What the file is called in it. Temporary files are known without.

    Examples
    --------
    >>> steady("[mp3 @ 0x55d0c0] file:/music/a.mp3: Invalid data\\n", ["/music/a.mp3"])
    '[mp3] the file: Invalid data'
    >>> steady("Error opening '/tmp/tmpab12cd34.wav': bad object at 0x7f31d0a0b2c0")
    "Error opening 'the file': bad object"
    """
    for path in sorted(filter(None, paths), key=len, reverse=True):
        message = message.replace(f"file:{path}", "the file").replace(path, "the file")
    for pattern, instead in ((_TEMPORARY, "the file"), (_ADDRESS, ""), (_PROCESS, "")):
        message = pattern.sub(instead, message)
    return " ".join(message.split())
