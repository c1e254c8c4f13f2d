"""What audio a dataset is made of: a section of the configuration."""

from typing import Self

import pydantic
from pydantic import Field

from pipelines.common.section import Section


class AudioConfig(Section):
    """How a file is decoded: mono at `sample_rate_hz`, from its beginning for at most `max_duration_s`.

    Attributes
    ----------
    sample_rate_hz : int
        The rate that every song is resampled to.
    min_duration_s : float
        The least duration that is used: a shorter file is rejected.
    max_duration_s : float
        The greatest duration that is used: what lies beyond is not read.
    """

    sample_rate_hz: int = Field(default=22_050, ge=1_000, le=96_000)
    min_duration_s: float = Field(default=1.0, gt=0)
    max_duration_s: float = Field(default=600.0, gt=0)

    @pydantic.model_validator(mode="after")
    def _some_duration_is_allowed(self) -> Self:
        if self.min_duration_s > self.max_duration_s:
            raise ValueError(
                f"min_duration_s is {self.min_duration_s:g}, expected at most max_duration_s, {self.max_duration_s:g}"
            )
        return self
