"""Stores that fail at times: what is tried again, and how an error that stays is told."""

import errno
import functools
import logging
import os
import re
import time
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from pipelines.common.storage.faults import is_of_the_path

P = ParamSpec("P")
R = TypeVar("R")

PAUSES_S = (0.5, 1.0, 2.0, 4.0)
"""How long to wait after each attempt but the last."""

_STORE = re.compile(r"(?:.*::)?(?!file:|local:)([\w+.-]+)://.*", re.DOTALL)
_REPEATED_BY_ITS_LIBRARY = ("gs", "gcs")
"""gcsfs repeats each request for half a minute; one more attempt is enough then."""

_PASSING_STATUS = (408, 409, 425, 429, 500, 502, 503, 504)
_PASSING_CODES = ("BadDigest", "IncompleteBody", "SlowDown", "InternalError", "ServiceUnavailable")
_PASSING_KINDS = {
    "ChecksumError",
    "ClientConnectionError",
    "ClientPayloadError",
    "ConnectionError",
    "HTTPClientError",
    "IncompleteRead",
    "ProtocolError",
    "ResponseParserError",
    "SSHException",
    "TransportError",
}
"""Errors of aiohttp, botocore, gcsfs, google-auth and paramiko, by name: none need be installed."""

_CREDENTIAL_CODES = ("ExpiredToken", "InvalidAccessKeyId", "RequestTimeTooSkewed", "SignatureDoesNotMatch")
_OF_THE_REQUEST = (
    *(errno.EINVAL, errno.EPERM, errno.EACCES, errno.EEXIST, errno.ENOTEMPTY, errno.ENOSYS, errno.ENOTSUP),
    *(errno.EMSGSIZE, errno.EROFS, errno.ENOSPC, errno.EDQUOT),
)
_ERRNO: dict[type[OSError], int] = {
    FileNotFoundError: errno.ENOENT,
    PermissionError: errno.EACCES,
    FileExistsError: errno.EEXIST,
    IsADirectoryError: errno.EISDIR,
    NotADirectoryError: errno.ENOTDIR,
}


class StoreError(OSError):
    """A store failed at every attempt, or does not know who asks; its `filename` is the URL."""


def retried(function: Callable[Concatenate[str, P], R]) -> Callable[Concatenate[str, P], R]:
    """Makes a function of a URL try five times, with growing pauses, where a store may well answer the next time.

    The function must be one that can be repeated. What is on this machine's disks is tried once.

    Raises
    ------
    StoreError
        The store failed at every attempt.
    OSError
        Nothing is there, or the request is wrong; the error names the URL.
    """

    @functools.wraps(function)
    def attempt(url: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
        attempts = 1
        while True:
            try:
                return function(url, *args, **kwargs)
            except Exception as error:
                store = _STORE.fullmatch(url)
                if store is None:
                    raise
                pauses = PAUSES_S[:1] if store[1] in _REPEATED_BY_ITS_LIBRARY else PAUSES_S
                if attempts > len(pauses) or not is_passing(error):
                    if (told := _told(error, url, attempts)) is error:
                        raise
                    raise told from error
                logging.getLogger(__name__).info("%s: %s; trying again", url, _words(error))
            time.sleep(pauses[attempts - 1])
            attempts += 1

    return attempt


def is_passing(error: BaseException) -> bool:
    """Whether an error tells of a store that may well answer the next time.

    Examples
    --------
    >>> is_passing(TimeoutError()), is_passing(OSError(errno.EBUSY, "Please reduce your request rate."))
    (True, True)
    >>> is_passing(FileNotFoundError("bucket/a")), is_passing(PermissionError("Access Denied")), is_passing(KeyError())
    (False, False, False)
    """
    if isinstance(error, StoreError):
        return False
    is_known = isinstance(error, TimeoutError | ConnectionError) or _code(error) in _PASSING_CODES
    if is_known or not _PASSING_KINDS.isdisjoint(kind.__name__ for kind in type(error).__mro__):
        return True
    if isinstance(error, OSError) and is_of_the_path(error):
        return False
    if status := _status(error) or _status(error.__cause__):
        return status in _PASSING_STATUS
    # gcsfs gives a refusal neither a number nor a class of its own.
    is_refused = isinstance(error, OSError) and (error.errno in _OF_THE_REQUEST or str(error).startswith("Forbidden"))
    return isinstance(error, OSError) and not is_refused


def _status(error: BaseException | None) -> int | None:
    """The HTTP status that a library's error carries, each in a place of its own."""
    response = getattr(error, "response", None)
    found = [getattr(error, "status", None), getattr(error, "code", None), getattr(response, "status_code", None)]
    if isinstance(response, dict):
        found.append(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    return next((int(str(each)) for each in found if str(each).isdecimal()), None)


def _code(error: BaseException) -> str:
    """The word by which S3 names an error."""
    response: Any = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _told(error: Exception, url: str, attempts: int) -> Exception:
    """An error as its reader needs it: of the system's kind, with the URL."""
    if is_passing(error):
        number = getattr(error, "errno", None)
        told = f"{_words(error)}; after {attempts} attempts; try again later"
        return StoreError(number if isinstance(number, int) else errno.EIO, told, url)
    if _code(error) in _CREDENTIAL_CODES or type(error).__name__.endswith("CredentialsError"):
        return StoreError(errno.EACCES, _words(error), url)
    if not isinstance(error, OSError) or error.filename is not None:
        return error
    number = error.errno or next((code for kind, code in _ERRNO.items() if isinstance(error, kind)), errno.EIO)
    return OSError(number, os.strerror(number) if number == errno.ENOENT else _words(error), url)


def _words(error: Exception) -> str:
    words = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return words.strip(", \n") or type(error).__name__
