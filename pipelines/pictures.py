"""Pictures of features, as PNG."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_INCHES_WIDE, _INCHES_A_FEATURE = 10.0, 2.0


def draw_features(features: Mapping[str, NDArray[np.float32]], frame_rate_hz: Mapping[str, float], title: str) -> bytes:
    """A song's features, one above the other over the same time.

    Parameters
    ----------
    features : dict
        Each by name, shape (frames, bins); one bin is drawn as a line, more as an image, low bins at the bottom.
    frame_rate_hz : dict
    title : str

    Returns
    -------
    bytes
        A PNG picture.
    """
    from matplotlib.figure import Figure

    figure = Figure((_INCHES_WIDE, 0.6 + _INCHES_A_FEATURE * len(features)), layout="constrained")
    axes = figure.subplots(len(features), sharex=True, squeeze=False)[:, 0]
    for axis, (name, values) in zip(axes, features.items(), strict=True):
        draw_feature(axis, values, frame_rate_hz[name])
        axis.set_ylabel(name)
    axes[-1].set_xlabel("seconds")
    figure.suptitle(title, parse_math=False)  # a song's name may hold a $
    return png(figure)


def draw_feature(axis: Any, values: NDArray[np.float32], frame_rate_hz: float, begin_s: float = 0.0) -> None:
    """Draws one feature on a matplotlib axis, from a given time on."""
    frames, bins = values.shape
    if bins == 1:
        axis.plot(begin_s + np.arange(frames) / frame_rate_hz, values[:, 0], linewidth=0.8)
    else:
        extent = (begin_s, begin_s + frames / frame_rate_hz, 0, bins)
        axis.imshow(values.T, origin="lower", aspect="auto", cmap="magma", extent=extent)


def png(figure: Any) -> bytes:
    """A matplotlib figure as a PNG picture."""
    sink = io.BytesIO()
    # Without the version of matplotlib in it, equal pictures are equal bytes.
    figure.savefig(sink, format="png", dpi=80, metadata={"Software": None})
    return sink.getvalue()
