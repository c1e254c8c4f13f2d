"""Plots of features, as PNG."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_INCHES_WIDE, _INCHES_A_FEATURE = 10.0, 2.0
_LEVELS, _SHADES = 32, 8  # of level and of saturation: together a PNG's 256 colours


def draw_features(features: Mapping[str, NDArray[np.float32]], frame_rate_hz: Mapping[str, float], title: str) -> bytes:
    """A recording's features, one above the other on a common time axis.

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
    """Draws one feature on a matplotlib axis, beginning at a given time."""
    frames, bins = values.shape
    if bins == 1:
        axis.plot(begin_s + np.arange(frames) / frame_rate_hz, values[:, 0], linewidth=0.8)
    else:
        extent = (begin_s, begin_s + frames / frame_rate_hz, 0, bins)
        axis.imshow(values.T, origin="lower", aspect="auto", cmap="magma", extent=extent)


def bare(values: NDArray[np.float32], emphasis: NDArray[np.float32] | None = None) -> bytes:
    """An excerpt of a feature without axes, as a small PNG, for a page that draws its own.

    Parameters
    ----------
    values : array, shape (frames, bins)
        From 0 (dark) to 1 (bright); low bins are at the bottom.
    emphasis : array, shape (frames, bins)
        From 0 (grey) to 1 (in colour). Default: 1.
    """
    from PIL import Image

    level = np.rint(np.clip(values, 0, 1) * (_LEVELS - 1)).astype(np.uint8)
    emphases = (
        np.full_like(level, _SHADES - 1) if emphasis is None else np.rint(np.clip(emphasis, 0, 1) * (_SHADES - 1))
    )
    image = Image.fromarray((emphases * _LEVELS + level).astype(np.uint8).T[::-1])
    image.putpalette(_palette().tobytes())
    sink = io.BytesIO()
    image.save(sink, "png", optimize=True)
    return sink.getvalue()


def _palette() -> NDArray[np.uint8]:
    """The colours by emphasis and level, shape (256, 3)."""
    from matplotlib import colormaps

    level = np.linspace(0, 1, _LEVELS)
    grey = np.repeat(0.08 + 0.37 * level[:, None], 3, axis=1)
    colour = colormaps["magma"](0.2 + 0.8 * level)[:, :3]  # not from black: silence may be emphasised too
    share = np.linspace(0, 1, _SHADES)[:, None, None]
    mixed: NDArray[np.float64] = 255 * (grey * (1 - share) + colour * share)
    return np.rint(mixed).astype(np.uint8).reshape(-1, 3)


def png(figure: Any) -> bytes:
    """A matplotlib figure as a PNG picture."""
    sink = io.BytesIO()
    # Without the version of matplotlib in it, equal pictures are equal bytes.
    figure.savefig(sink, format="png", dpi=80, metadata={"Software": None})
    return sink.getvalue()
