"""Messages of decoders, archives and the system, made the same on each run and each machine."""

import re
from collections.abc import Iterable

_ADDRESS = re.compile(r" ?@ 0x[0-9a-f]+|\b(?:at )?0x[0-9a-f]{9,}\b", re.IGNORECASE)
_PROCESS = re.compile(r"\b(?:pid|process|thread)[ :=]+\d+\b", re.IGNORECASE)
_TEMPORARY = re.compile(r"(?:/[^\s/'\":]+)*/tmp[a-z0-9_]{8}(?:[./][^\s'\":]*)?")
# Lines by which ffmpeg's output side, or ffmpeg as a whole, says that it gives up, and not why.
_SAYS_NOTHING = re.compile(
    r"^\[(?:af|aost|out)#|Error opening (?:input|output)|Error parsing options|Failed to set value|To ignore this"
    r"|Conversion failed|Terminating thread|Task finished with error|Error submitting packet|Decode error rate"
    r"|Nothing was written|Last message repeated"
)


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


def cause(log: str) -> str:
    """The last line of ffmpeg's that says what is wrong; empty where none does.

    Threads of its own open the file and decode it, and which writes first is chance: the decoder's is taken.

    >>> cause("moov atom not found\\nError opening input files: Invalid data found when processing input")
    'moov atom not found'
    """
    lines = [line for line in log.splitlines() if line.strip()]
    meaningful = [line for line in lines if not _SAYS_NOTHING.search(line)]
    of_decoder = [line for line in meaningful if not line.startswith("[in#")]
    gave_up = [line for line in lines if line.startswith("Error opening input")]
    return next(reversed(of_decoder or meaningful or gave_up), "")
