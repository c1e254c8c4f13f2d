"""A command and a webhook that are told of a promotion, an alarm or a failure: each within a time, in five attempts."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar
from urllib.parse import urlsplit

from model.config import Telling, TellingEvent
from model.retraining.outcome import RunOutcome
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.redaction import redacted
from pipelines.common.storage.retries import PAUSES_S

T = TypeVar("T")
_LINE_BYTES = 2_000


class NotToldError(SpectroshardError):
    """An attempt to tell failed."""


def happened(outcome: RunOutcome) -> list[TellingEvent]:
    """What a run has to tell of.

    >>> happened(RunOutcome(what="refused", message="it leaks", registry="songs", dataset="songs"))
    ['failed']
    """
    found: dict[TellingEvent, bool] = {
        "promoted": outcome.what == "promoted",
        "alarm": bool(outcome.alarms),
        "failed": outcome.exit_code != 0,
    }
    return [event for event, is_so in found.items() if is_so]


def message(outcome: RunOutcome, events: Sequence[TellingEvent]) -> bytes:
    """What the command reads and the webhook gets: JSON of `text`, `events` and `outcome`."""
    words = f"{outcome.what}: {outcome.message}"
    text = "\n".join([f"spectroshard retrain {outcome.registry}: {words}", *(f"alarm: {a}" for a in outcome.alarms)])
    told = {"text": text, "events": list(events), "outcome": outcome.model_dump(mode="json")}
    return redacted(json.dumps(told)).encode()


def check(telling: Telling, environment: Mapping[str, str] = os.environ) -> str:
    """The webhook's URL; empty where there is none.

    Raises
    ------
    UsageError
        There is no such command, or the environment has no URL as that variable. The message does not show it.
    """
    if telling.command and not shutil.which(telling.command[0]):
        raise UsageError(f"telling.command: there is no command {telling.command[0]} that could be run")
    name = telling.webhook_env
    if not name:
        return ""
    url = environment.get(name, "")
    if not url:
        raise UsageError(f"telling.webhook_env: the environment has no variable {name}, expected the webhook's URL")
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or not url.isprintable() or " " in url:
        raise UsageError(f"telling.webhook_env: what the environment has as {name} is no URL of http or https")
    return url


def tell(telling: Telling, url: str, outcome: RunOutcome) -> None:
    """Tells the command and the webhook, if the configuration has them, of what happened, if they are to know it.

    Raises
    ------
    SpectroshardError
        One of them could not be told; the other one was, if it could be.
    """
    events: list[TellingEvent] = [event for event in happened(outcome) if event in telling.events]
    if not events:
        return
    content = message(outcome, events)
    ways: list[Callable[[], None]] = []
    if telling.command:
        ways.append(lambda: run(telling.command, content, telling.timeout_s))
    if url:
        ways.append(lambda: _within(telling.timeout_s, lambda: post(url, telling.webhook_env, content)))
    faults = [fault for way in ways if (fault := _fault_of(way))]
    if faults:
        raise SpectroshardError(f"{', '.join(events)}: {'; '.join(faults)}")


def _fault_of(way: Callable[[], None]) -> str:
    """Why nobody could be told, after five attempts; empty where it was told."""
    fault = ""
    for pause_s in (*PAUSES_S, None):
        try:
            way()
            return ""
        except NotToldError as error:
            fault = str(error)
        if pause_s is not None:
            time.sleep(pause_s)
    return f"{fault}; after {len(PAUSES_S) + 1} attempts"


def run(command: Sequence[str], content: bytes, timeout_s: float) -> None:
    """Runs a command with something on its standard input, and ends it where it takes too long.

    Raises
    ------
    NotToldError
        It is not there, took too long, or its exit code is not 0.
    """
    name = command[0]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:  # files: a pipe can be left unread
        given.write(content)
        given.seek(0)
        try:
            process = subprocess.Popen(command, stdin=given, stdout=subprocess.DEVNULL, stderr=errors, process_group=0)
        except OSError as error:
            raise NotToldError(f"{name}: {error.strerror}") from error
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise NotToldError(f"{name} took longer than {timeout_s:g} s") from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code:
            raise NotToldError(f"{name} ended with exit code {code}{_last_line(errors)}")


def _last_line(errors: Any) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - _LINE_BYTES))
    lines = [line.strip() for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    return f" ({redacted(lines[-1])})" if lines else ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, as what follows it is a GET without the content."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def post(url: str, name: str, content: bytes) -> None:
    """Posts JSON to a webhook, of which errors only tell the name of the variable that holds it.

    Raises
    ------
    NotToldError
        It cannot be reached, or its answer is not one of success.
    """
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
    fault = ""
    try:
        with urllib.request.build_opener(_NoRedirect).open(request):
            pass
    except urllib.error.HTTPError as error:
        fault = f"answered {error.code}"
        error.close()
    except urllib.error.URLError as error:
        fault = f"cannot be reached ({_kind(error.reason)})"
    except (OSError, http.client.HTTPException, ValueError) as error:
        fault = f"cannot be reached ({_kind(error)})"
    if fault:
        raise NotToldError(f"the webhook of {name} {fault}")


def _kind(error: object) -> str:
    """What an error says that cannot hold the URL."""
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def _within(timeout_s: float, call: Callable[[], T]) -> T:
    """Calls something, and waits no longer for it: a timeout of a socket counts each packet anew."""
    done: Future[T] = Future()

    def work() -> None:
        try:
            done.set_result(call())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        return done.result(timeout_s)
    except TimeoutError as error:
        if done.done():
            raise
        raise NotToldError(f"the webhook took longer than {timeout_s:g} s") from error
