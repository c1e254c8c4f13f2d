"""What of a file's packets cannot be decoded: how long it would play, and whether it is that the file is cut."""

from dataclasses import dataclass
from typing import Any

_LARGEST_TIMES = 2  # a packet that is longer than any before by more than this is no piece of one
_LEAST_GAP_S = 0.001


@dataclass
class Losses:
    """Counts what is lost.

    Attributes
    ----------
    has_times : bool
        Whether frames have numbers of their own, so that what is missing between two of them is known. Otherwise what
        is lost is what the packets say that could not be decoded.
    has_equal_packets : bool
        Whether all packets but a cut one have one size, give or take some bytes.
    has_any_packets : bool
        Whether packets are of any size, as those of samples that are not encoded.
    is_lost : bool
        Whether something could not be decoded, and nothing could since.
    """

    has_times: bool
    has_equal_packets: bool
    has_any_packets: bool
    is_lost: bool = False
    _between_s: float = 0.0
    _gap_s: float = 0.0
    _since_s: float = 0.0
    _end_s: float | None = None
    _smallest: int = 1 << 62
    _largest: int = 0
    _last: Any = None

    def count(self, packet: Any, frames: list[Any] | None) -> None:
        """Takes note of a packet and of its frames: None where it cannot be decoded."""
        if packet.size:  # the last has no bytes, and asks the decoder for what it still has
            self._count_packet(packet, frames is not None)
        for frame in frames or ():
            due_s = self._end_s if self._end_s is not None else frame.time or 0.0
            begin_s = frame.time if self.has_times and frame.time is not None else due_s
            self._count_gap(begin_s - due_s)
            self._end_s = begin_s + frame.samples / frame.sample_rate

    def _count_gap(self, gap_s: float) -> None:
        """Counts a gap, but for what the next frame takes back of it, as where FFmpeg guesses the times of Vorbis."""
        left_s = self._gap_s + min(gap_s, 0.0)
        self._between_s += left_s if left_s > _LEAST_GAP_S else 0.0
        self._gap_s = max(gap_s, 0.0)

    def _count_packet(self, packet: Any, is_good: bool) -> None:
        self.is_lost = not is_good
        if not is_good:
            self._since_s += 0.0 if self.has_times else float((packet.duration or 0) * packet.time_base)
        else:
            self._between_s, self._since_s = self._between_s + self._since_s, 0.0
            if self._last is not None:
                self._smallest = min(self._smallest, self._last.size)
            self._largest = max(self._largest, packet.size)
        self._last = packet

    @property
    def end_is_cut(self) -> bool:
        """Whether the last packet is a piece of one."""
        if self._last is None or self.has_any_packets:
            return False
        if self._last.is_corrupt:
            return True
        if self.is_lost:
            return bool(self._last.size <= _LARGEST_TIMES * self._largest)
        return self.has_equal_packets and bool(self._last.size < self._smallest)

    def seconds(self, promised_s: float | None) -> float:
        """How long all that would play that is lost.

        Parameters
        ----------
        promised_s : float or None
            How long the whole file plays, by its header; None where the file is cut, and so holds less.
        """
        between_s = self._between_s + (self._gap_s if self._gap_s > _LEAST_GAP_S else 0.0)
        if promised_s is None or not self.is_lost:
            return between_s
        return between_s + (max(promised_s - (self._end_s or 0.0), 0.0) if self.has_times else self._since_s)
