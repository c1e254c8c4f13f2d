import io
import re
import sys
import threading
import time

import pytest

from pipelines.common.output import progress
from pipelines.common.output.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Count:
    """Says one more each time it is asked, and when it was asked for the n-th time."""

    def __init__(self, first, asked):
        self.value, self.asked, self.event = first, asked, threading.Event()

    def __call__(self):
        self.value += 1
        self.asked -= 1
        if not self.asked:
            self.event.set()
        return self.value


@pytest.fixture
def stderr(monkeypatch):
    """Puts a stream in the place of standard error, to which is written at once."""

    def replace(stream):
        monkeypatch.setattr(progress, "_TERMINAL_EVERY_S", 0.01)
        monkeypatch.setattr(progress, "_LOG_EVERY_S", 0.01)
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return replace


def test_a_log_has_a_line_now_and_then_and_one_at_the_end(stderr):
    stream = stderr(io.StringIO())
    count = Count(0, 4)
    with Progress("Read files", 1_000, count):
        assert count.event.wait(10)
    lines = stream.getvalue().splitlines()
    assert "\r" not in stream.getvalue()
    assert re.fullmatch(r"Read files: 2 of 1000 in 00:00, +[\d.]+ file/s, \d\d:\d\d left", lines[0])
    assert lines[-1] == "Read files: 1000 of 1000 in 00:00"


def test_a_terminal_has_one_bar_with_rate_and_time_left(stderr):
    stream = stderr(Terminal())
    count = Count(0, 4)
    with Progress("Read files", 1_000, count):
        assert count.event.wait(10)
    text = stream.getvalue()
    assert text.count("\n") == 1 and text.endswith("\n")
    shown = text.split("\r")
    assert re.search(r"Read files: +0%.*\| 2/1000 \[00:00<\d\d:\d\d, +[\d.]+ file/s\]", "".join(shown))
    assert "1000/1000" in shown[-1]


def test_the_rate_is_of_this_run_alone(stderr):
    stream = stderr(Terminal())
    with Progress("Read files", 1_000, lambda: 999):
        time.sleep(0.05)
    assert float(re.search(r"([\d.]+) file/s", stream.getvalue().split("\r")[-1])[1]) < 500


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_work_that_fails_is_not_said_to_be_done(stderr, kind):
    stream = stderr(kind())
    with pytest.raises(RuntimeError), Progress("Read files", 1_000, lambda: 3):
        raise RuntimeError
    assert "1000/1000" not in stream.getvalue() and "1000 of 1000" not in stream.getvalue()
