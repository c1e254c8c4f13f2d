"""What went wrong in a pipeline, in a line: Beam wraps a worker's error, or gives its whole traceback as text."""

import re

from pipelines.common.errors import SpectroshardError

deaths: list[str] = []
"""What is to be said of worker processes of this machine that have died."""

_LOST = "Channel closed prematurely"  # what Beam says of one
_OF_JOB = re.compile(r"^Pipeline \S+ failed in state \w+: ")
_JAVA_FRAMES, _JAVA_CAUSE = "\n\tat ", "\nCaused by: "
# What Flink and Beam's Java side say of a worker process, or of the TaskManager that it belonged to.
_LOST_ON_CLUSTER = re.compile(
    r"client cancelled|already cancelled|Process died|TaskManager .* (?:lost|no longer reachable)|Heartbeat of Task"
)
_FULL_ON_CLUSTER = "No space left on device"  # Java names no file
_STEP = re.compile(
    r" \[while running '[^']*'\]|\s*\[\[\{\{node .*", re.DOTALL
)  # what Beam adds, and what TensorFlow does
# The last line of a traceback: where the error was raised, its class may have a module in front of it.
_RAISED = re.compile(r"^(?:\w+\.)*(\w+): (.*)", re.MULTILINE | re.DOTALL)
_NO_MEMORY = re.compile(r"(?:\w+\.)*(?:_Array)?MemoryError(?::\s*)?(.*)", re.DOTALL)
_OF_SYSTEM = re.compile(r"\[Errno \d+\] (.+): '(.+)'", re.DOTALL)
_TRACEBACK = "Traceback (most recent call last):\n"


def root_cause(error: BaseException) -> str:
    """The error that ended a pipeline, or any other, in one line without the machinery around it.

    Parameters
    ----------
    error : Exception
        As it reaches the process that runs the pipeline.

    Returns
    -------
    str
        The message alone of an error that is meant for the user, or of the system's about a file, which comes first
        then; of any other its class too.

    Examples
    --------
    >>> root_cause(OSError(28, "No space left on device", "/data/a.tfrecord"))
    '/data/a.tfrecord: no space left on device'
    >>> root_cause(RuntimeError("OSError: [Errno 28] No space left on device: '/data/a' [while running 'Read files']"))
    '/data/a: no space left on device'
    >>> root_cause(RuntimeError("OSError: a.tfrecord: is damaged\\n\\t [[{{node PyFunc}}]] [Op:IteratorGetNext]"))
    'OSError: a.tfrecord: is damaged'
    >>> root_cause(KeyError("hop"))
    "KeyError: 'hop'"
    """
    cause = deaths[-1] if deaths and _LOST in str(error) else _cause(error)
    return " ".join(cause.split())


def _cause(error: BaseException) -> str:
    text = _STEP.sub("", str(error))
    if isinstance(error, SpectroshardError):
        return text
    if isinstance(error, OSError) and error.filename and error.strerror:
        return _of_file(error.strerror, str(error.filename))
    return _of_text(text if isinstance(error, RuntimeError) else f"{type(error).__name__}: {text}")


def _of_text(text: str) -> str:
    """The cause of a traceback, or of an error's class and message."""
    text = _OF_JOB.sub("", text)
    if _JAVA_FRAMES in text:
        return _of_java(text)
    frames = text.rpartition(_TRACEBACK)[2].splitlines(keepends=True)
    # In a traceback, what begins at the margin is the error itself.
    raised = "".join(frames[next((i for i, line in enumerate(frames) if not line[:1].isspace()), 0) :])
    if short := _NO_MEMORY.fullmatch(raised.strip()):
        return f"memory ran out{short[1] and f' ({short[1]})'}; run the same command again, best with fewer --workers"
    found = _RAISED.match(raised)
    if found is None:
        return f"RuntimeError: {raised}"
    kind, message = found.groups()
    if kind == RuntimeError.__name__ and (inner := _RAISED.match(message)) and inner[1].endswith("Error"):
        return _of_text(message)  # what Beam wrapped
    if system := _OF_SYSTEM.match(message):
        return _of_file(*system.groups())
    is_ours = kind in {SpectroshardError.__name__, *(own.__name__ for own in SpectroshardError.__subclasses__())}
    return message if is_ours else f"{kind}: {message}"


def _of_java(text: str) -> str:
    """The cause of what a Java process tells, which may hold the traceback of a worker."""
    if _TRACEBACK in text:
        return _of_text(_TRACEBACK + text.rpartition(_TRACEBACK)[2].partition(_JAVA_FRAMES)[0])
    cause = text.rpartition(_JAVA_CAUSE)[2].partition(_JAVA_FRAMES)[0]
    if _LOST_ON_CLUSTER.search(cause):
        return f"workers were lost, as happens when memory runs out; the TaskManagers' logs say more ({cause})"
    if _FULL_ON_CLUSTER in cause:
        where = "where its io.tmp.dirs are (by default /tmp); the exceptions on Flink's page of the job name its host"
        return f"no space left on a TaskManager's disk, {where}"
    return cause.rpartition(".")[2] if ": " not in cause else _of_text(cause)


def _of_file(fault: str, path: str) -> str:
    return f"{path}: {fault[0].lower()}{fault[1:]}"
