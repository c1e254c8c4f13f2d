"""Lies of a store: what one may answer that is broken, or right only in the end."""

import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

from tests.stores.proxy import Answer, Ask, Asked, Lie, error

_LISTED = re.compile(rb"<Contents>.*?<Key>(.*?)</Key>.*?</Contents>", re.DOTALL)
_END = b"</ListBucketResult>"


def cut(part: str) -> Lie:
    """Half of the content is given as if it were all, of objects whose names have a part."""

    def lie(asked: Asked, ask: Ask) -> Answer | None:
        if asked.kind != "GET" or part not in asked.key:
            return None
        answer = ask(asked.path)
        kept = {name: value for name, value in answer.headers.items() if "checksum" not in name}
        return replace(answer, headers=kept, content=answer.content[: len(answer.content) // 2])

    return lie


def swapped(part: str) -> Lie:
    """Another object of the same kind is given: the first that was written or asked for, or else the second."""
    seen: dict[str, list[str]] = {}

    def lie(asked: Asked, ask: Ask) -> Answer | None:
        if part not in asked.key or asked.kind not in ("GET", "PUT"):
            return None
        alike = seen.setdefault(asked.key.rpartition(".")[2], [])
        alike.append(asked.key)
        other = next((key for key in alike if key != asked.key), None)
        if asked.kind == "PUT" or other is None:
            return None
        return ask(f"/{quote(other)}{asked.query and f'?{asked.query}'}")

    return lie


def headed(part: str, bytes_more: int = 0, etag: str = "") -> Lie:
    """HEAD tells another size or another ETag."""

    def lie(asked: Asked, ask: Ask) -> Answer | None:
        answer = ask(asked.path) if asked.kind == "HEAD" and part in asked.key else None
        if answer is None or answer.status != 200:
            return answer
        size = str(int(answer.headers["content-length"]) + bytes_more)
        return replace(answer, headers={**answer.headers, "content-length": size} | ({"etag": etag} if etag else {}))

    return lie


def unlisted(part: str) -> Lie:
    """What was written is missing from every list."""
    return _listing(lambda listed: {key: told for key, told in listed.items() if part not in key})


def still_listed(part: str) -> Lie:
    """What was ever listed is so for ever."""
    known: dict[str, bytes] = {}

    def changed(listed: dict[str, bytes]) -> dict[str, bytes]:
        known.update({key: told for key, told in listed.items() if part in key})
        return known | listed

    return _listing(changed)


def _listing(change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Lie:
    """Lists of all below a prefix are what is made of them: of what is told of each object by its key."""

    def lie(asked: Asked, ask: Ask) -> Answer | None:
        if asked.kind != "LIST":
            return None
        answer, prefix = ask(asked.path), asked.key.partition("/")[2]
        # No key of the tests has a character that is written otherwise.
        found = {each[1].decode(): each[0] for each in _LISTED.finditer(answer.content)}
        is_flat = b"<Delimiter>/" not in answer.content
        told = [
            text
            for key, text in sorted(change(found).items())
            if key in found or (key.startswith(prefix) and (is_flat or "/" not in key.removeprefix(prefix)))
        ]
        return replace(answer, content=_LISTED.sub(b"", answer.content).replace(_END, b"".join(told) + _END))

    return lie


def paged(order: int = 1) -> Lie:
    """Lists come in pages of two, each with what the one before had too; backwards where the order is -1."""
    before: dict[str, list[bytes]] = {}  # of each list: several may be asked for at once

    def lie(asked: Asked, ask: Ask) -> Answer | None:
        if asked.kind != "LIST":
            return None
        answer = ask(f"{asked.path}&max-keys=2")
        own = [each[0] for each in _LISTED.finditer(answer.content)]
        told = [*before.get(asked.key, ()), *own] if "continuation-token" in asked.query else own
        before[asked.key] = own
        content = _LISTED.sub(b"", answer.content).replace(_END, b"".join(told[::order]) + _END)
        return replace(answer, content=content)

    return lie


def failed(part: str) -> Lie:
    """What is written is said to have failed, the first time."""
    told = set()

    def lie(asked: Asked, ask: Ask) -> Answer | None:
        if asked.kind != "PUT" or part not in asked.key or asked.key in told:
            return None
        told.add(asked.key)
        ask(asked.path)
        return error(500, "InternalError")

    return lie


def contradicted(part: str) -> Lie:
    """Objects are there where they are to be made, and not where they are asked for."""

    def lie(asked: Asked, ask: Ask) -> Answer | None:
        if part not in asked.key or asked.kind == "LIST":
            return None
        return error(412, "PreconditionFailed") if asked.kind == "PUT" else error(404, "NoSuchKey")

    return lie


def made_again(asked: Asked, ask: Ask) -> Answer | None:
    """Creates an object whether or not there is one."""
    answer = ask(asked.path) if asked.kind == "PUT" else None
    return replace(answer, status=200, content=b"") if answer and answer.status == 412 else answer


def not_completed(asked: Asked, ask: Ask) -> Answer | None:
    """An upload in parts is said to be complete, with an error in what is said, and is not."""
    if asked.kind != "POST" or "uploadId=" not in asked.query:
        return None
    return replace(error(200, "InternalError"), headers={"content-type": "application/xml"})
