"""The headers of MPEG audio's frames, found by compiled loops."""

from typing import Any

import numpy as np

from pipelines.common.arrays.jit import compiled

REACHED, LOST, CUT = 0, 1, 2
"""Why `walk` stopped: it came to the end, found no frame, or found one that goes beyond the data."""

XING, VBRI = 1, 2
"""The marks of a frame that holds no audio but an encoder's header: Xing or Info, or Fraunhofer's VBRI."""

_XING_OFFSETS = (13, 15, 21, 23, 36, 38)  # behind the side information, without and with a checksum before it
_VBRI_OFFSET = 36
_FRAMES_THAT_AGREE = 3  # to be believed where no frame was before: two more follow, of the same kind

# By MPEG 1 or 2, layer (I first), and the header's four bits.
_KBITS_PER_S = np.array([
    [
        [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448, 0],
        [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 0],
        [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0],
    ],
    [
        [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256, 0],
        [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0],
        [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0],
    ],
])  # fmt: skip
# By the header's two bits: MPEG 2.5, none, MPEG 2, MPEG 1.
_RATES_HZ = np.array(
    [[11_025, 12_000, 8_000, 0], [0, 0, 0, 0], [22_050, 24_000, 16_000, 0], [44_100, 48_000, 32_000, 0]]
)


def kind(number: int) -> tuple[int, int, int]:
    """The layer, sample rate and channels of a kind of frame, which `walk` gives as a number.

    >>> kind(0b11_01_00_0), kind(0b10_10_01_1)
    ((3, 44100, 2), (2, 24000, 1))
    """
    return 4 - (number >> 3 & 3), int(_RATES_HZ[number >> 5, number >> 1 & 3]), 1 if number & 1 else 2


@compiled
def walk(data: Any, at: int, until: int, last_kind: int, lengths: Any, kinds: Any, marks: Any) -> tuple[int, int, int]:
    """Goes from frame to frame.

    Parameters
    ----------
    data : array of uint8
    at, until : int
        Where it begins, and where no further frame is begun: at least four bytes before the end of the data.
    last_kind : int
        Of the frame before, -1 if there was none. A frame of another kind must be followed by more of its own.
    lengths, kinds, marks : array of int, shape (frames,)
        Are filled; long enough for any data.

    Returns
    -------
    count, at, why : int
        How many frames there were, where it stopped, and why.
    """
    count = 0
    while at < until:
        length = _frame_bytes(data, at)
        if length == 0:
            return count, at, LOST
        number = _kind(data, at)
        if number != last_kind and not _begins_frames(data, at):
            return count, at, LOST
        if at + length > len(data):
            return count, at, CUT
        lengths[count], kinds[count], marks[count] = length, number, _mark(data, at, length)
        last_kind = number
        count += 1
        at += length
    return count, at, REACHED


@compiled
def search(data: Any, at: int, until: int) -> int:
    """Where the next frames begin, from `at` on; `until` if nowhere before it."""
    while at < until and not _begins_frames(data, at):
        at += 1
    return at


@compiled
def _begins_frames(data: Any, at: int) -> bool:
    """Whether there are frames of one kind, as many as are believed or up to the data's end."""
    first = at
    for _ in range(_FRAMES_THAT_AGREE):
        if at + 4 > len(data):
            return at == len(data)
        length = _frame_bytes(data, at)
        if length == 0 or _kind(data, at) != _kind(data, first):
            return False
        at += length
    return True


@compiled
def _frame_bytes(data: Any, at: int) -> Any:
    """The length of the frame that begins there; 0 if none does, or one of free format."""
    if data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return 0
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    rate_hz = _RATES_HZ[version, data[at + 2] >> 2 & 3]
    if layer == 4 or rate_hz == 0:
        return 0
    kbits_per_s = _KBITS_PER_S[0 if version == 3 else 1, layer - 1, data[at + 2] >> 4]
    padding = data[at + 2] >> 1 & 1
    if kbits_per_s == 0:
        return 0
    if layer == 1:
        return (12_000 * kbits_per_s // rate_hz + padding) * 4
    return (72_000 if layer == 3 and version != 3 else 144_000) * kbits_per_s // rate_hz + padding


@compiled
def _kind(data: Any, at: int) -> Any:
    version_and_layer = data[at + 1] >> 1 & 15
    return version_and_layer << 3 | (data[at + 2] >> 2 & 3) << 1 | (1 if data[at + 3] >> 6 == 3 else 0)


@compiled
def _mark(data: Any, at: int, length: int) -> int:
    """Whether the frame is an encoder's header."""
    for offset in _XING_OFFSETS:
        if offset + 8 <= length:
            a, b, c, d = data[at + offset], data[at + offset + 1], data[at + offset + 2], data[at + offset + 3]
            if (a, b, c, d) == (88, 105, 110, 103) or (a, b, c, d) == (73, 110, 102, 111):
                return XING
            if offset == _VBRI_OFFSET and (a, b, c, d) == (86, 66, 82, 73):
                return VBRI
    return 0
