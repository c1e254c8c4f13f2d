"""The page of an audit: one HTML file with its pictures in it, the two spectrograms of a leak one above the other."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.audio import decode
from pipelines.audit.external_splits import READ_WITH
from pipelines.audit.overlaps import Overlap, SplitFile, describe_pair, most_telling
from pipelines.audit.result import AuditResult
from pipelines.common import storage
from pipelines.common.errors import FileError
from pipelines.common.output import html
from pipelines.common.output.plots import draw_feature, png
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import REJECTED, File
from pipelines.dataset.reading import read_record
from pipelines.features.compute import compute
from pipelines.features.schema import Features, LogMel
from pipelines.split.evidence import BY_NAME, EVIDENCE

PAGE_NAME = "audit.html"

MOST_DRAWN = 20
_DRAWN_S, _BEFORE_S = 60.0, 5.0
_LOG_MEL = Features(log_mel=LogMel(n_mels=64))

Spectrogram = tuple[NDArray[np.float32], float]
"""An array of shape (frames, bins), and its frames a second."""


def write_page(url: str, audit: AuditResult, spectrogram: Callable[[File], Spectrogram | None]) -> str:
    """Writes `audit.html` into a folder.

    Parameters
    ----------
    url : str
        The folder.
    audit : AuditResult
    spectrogram : callable
        Gives a file's spectrogram, or None where it has none.

    Returns
    -------
    str
        The page's URL.
    """
    drawn = most_telling(audit.leaks, MOST_DRAWN)
    rest = [overlap for overlap in audit.overlaps.listed if overlap not in drawn]
    return html.write_page(
        storage.join(url, PAGE_NAME),
        Path(__file__).with_name("page.html"),
        audit=audit,
        kinds=[kind for kind in EVIDENCE if kind.name in audit.overlaps.counts],
        labels={name: kind.label for name, kind in BY_NAME.items()},
        drawn=[(overlap, _picture(overlap, spectrogram)) for overlap in drawn],
        rest=rest,
        describe_pair=describe_pair,
    )


def record_spectrograms(dataset: Dataset) -> Callable[[File], Spectrogram | None]:
    """Gives the spectrograms of a dataset's files: of its features the one with most bins."""
    name, info = max(dataset.features.items(), key=lambda item: item[1].bins)

    def spectrogram(file: File) -> Spectrogram | None:
        record = read_record(dataset, file)
        return (record.features[name], info.frame_rate_hz) if record else None

    return spectrogram


def audio_spectrogram(file: File) -> Spectrogram | None:
    """The log-mel spectrogram of a file of audio."""
    if file.status == REJECTED or not file.content_hash:
        return None
    try:
        recording = decode.load(file.uri, READ_WITH.audio)
    except FileError:  # it was there when the audit read it
        return None
    rate_hz = READ_WITH.audio.sample_rate_hz
    mel = compute(recording.samples, rate_hz, _LOG_MEL)["log_mel"]
    return mel, LogMel().frame_rate_hz(rate_hz)


@dataclass(frozen=True)
class _Drawn:
    """A file's spectrogram, shape (frames, bins), and where it lies in the time of the first file of its pair."""

    file: SplitFile
    values: NDArray[np.float32]
    frame_rate_hz: float
    begin_s: float

    @property
    def end_s(self) -> float:
        return self.begin_s + len(self.values) / self.frame_rate_hz


def draw_pair(overlap: Overlap, first: Spectrogram, second: Spectrogram) -> bytes:
    """Two spectrograms, one above the other over the time of the first.

    Where fingerprints agree, the second lies where it agrees, stretched by its tempo, and what they share is marked;
    otherwise both lie from their beginning. Of long songs, a minute is drawn.
    """
    from matplotlib.figure import Figure

    copy = overlap.copy
    tempo, offset_s = (copy.tempo, copy.offset_s) if copy else (1.0, 0.0)
    drawn = [
        _Drawn(overlap.first, first[0], first[1], 0.0),
        _Drawn(overlap.second, second[0], second[1] / tempo, offset_s),
    ]
    figure = Figure((10.0, 4.0), layout="constrained")
    axes = figure.subplots(2, sharex=True)
    for axis, one in zip(axes, drawn, strict=True):
        draw_feature(axis, one.values, one.frame_rate_hz, one.begin_s)
        axis.set_facecolor("0.9")
        axis.set_yticks([])
        axis.set_ylabel(one.file.split, parse_math=False)
        axis.set_title(one.file.path, loc="left", fontsize=9, parse_math=False)  # a name may hold a $
        for edge_s in (copy.first_s, copy.first_s + tempo * copy.duration_s) if copy else ():
            axis.axvline(edge_s, color="cyan", linewidth=2)
    begin_s, end_s = min(one.begin_s for one in drawn), max(one.end_s for one in drawn)
    if end_s - begin_s > _DRAWN_S and copy:
        begin_s = max(begin_s, copy.first_s - _BEFORE_S)
    axes[-1].set_xlim(begin_s, min(end_s, begin_s + _DRAWN_S))
    axes[-1].set_xlabel("seconds of the first" if copy else "seconds")
    return png(figure)


def _picture(overlap: Overlap, spectrogram: Callable[[File], Spectrogram | None]) -> str:
    first, second = spectrogram(overlap.first), spectrogram(overlap.second)
    if first is None or second is None:
        return ""
    return html.embedded(draw_pair(overlap, first, second))
