"""The base of every part of the configuration."""

import hashlib
import json
from typing import get_args

import pydantic
from pydantic.fields import FieldInfo


class Section(pydantic.BaseModel):
    """A part of the configuration: frozen; unknown keys, NaN and infinity are refused."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def section_of(field: FieldInfo) -> type[pydantic.BaseModel] | None:
    """The section that a field of a section holds, if it holds one.

    >>> class Stft(Section):
    ...     n_fft: int = 2048
    >>> class Features(Section):
    ...     stft: Stft | None = None
    >>> section_of(Features.model_fields["stft"]) is Stft, section_of(Stft.model_fields["n_fft"])
    (True, None)
    """
    choices = (field.annotation, *get_args(field.annotation))
    return next((c for c in choices if isinstance(c, type) and issubclass(c, pydantic.BaseModel)), None)


def digest(value: object) -> str:
    """SHA-256, in hexadecimal, of a value's canonical JSON.

    >>> digest({"count": 5, "seed": 0}) == digest({"seed": 0, "count": 5})
    True
    >>> digest([])[:12]
    '4f53cda18c2b'
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
