"""The base of every part of the configuration."""

import hashlib
import json

import pydantic


class Section(pydantic.BaseModel):
    """A part of the configuration: frozen; unknown keys, NaN and infinity are refused."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def digest(value: object) -> str:
    """SHA-256, in hexadecimal, of a value's canonical JSON.

    >>> digest({"count": 5, "seed": 0}) == digest({"seed": 0, "count": 5})
    True
    >>> digest([])[:12]
    '4f53cda18c2b'
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
