"""The base of every part of the configuration."""

import hashlib
import json

import pydantic


class Section(pydantic.BaseModel):
    """A part of the configuration: frozen, and closed to keys that it does not know and to numbers that are none."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def digest(value: object) -> str:
    """SHA-256, in hexadecimal, of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
