"""A process of one's own: what its work may do to it, and that it is gone when it should be."""

import ctypes
import gc
import os
import signal
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from pipelines.common.child import UNLIMITED, Child, ChildCrashed, ChildKilled, Limits
from pipelines.common.errors import FileError, SpectroshardError
from tests.pipelines.common.poison import (
    allocate,
    allocate_in_a_small_machine,
    apply,
    die_of,
    double,
    loop,
    process_id,
    raise_unpicklable,
    refuse,
    say_and_abort,
    start_another,
)

LIMITS = Limits(timeout_s=60)


def is_gone(process, within_s=10.0):
    """Whether a process ends in time; a zombie, which only waits to be asked, has."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def child():
    with Child(apply) as child:
        yield child


def test_one_process_answers_many_calls():
    with Child(process_id) as child:
        (process,) = {child.call(None, LIMITS) for _ in range(20)}
    assert process != os.getpid() and is_gone(process)


def test_what_is_printed_is_no_answer():
    with Child(apply) as child:
        assert child.call((print, "x" * 100_000), LIMITS) is None
        assert child.call((os.write, 1, b"y" * 100_000), LIMITS) == 100_000
        assert child.call((double, "z"), LIMITS) == "zz"


@pytest.mark.parametrize(
    ("poison", "why"),
    [
        ((ctypes.string_at, 0), "was ended by SIGSEGV"),
        ((os.abort,), "was ended by SIGABRT"),
        ((say_and_abort, "double free"), r"was ended by SIGABRT \(double free\)"),
        ((sys.exit, 3), "ended with exit code 3"),
        ((sys.exit, "no more"), r"ended with exit code 1 \(no more\)"),
        ((os._exit, 0), "ended with exit code 0"),
    ],
)
def test_what_ends_the_process_is_told_and_the_next_call_has_another(child, poison, why):
    before = child.call((os.getpid,), LIMITS)
    with pytest.raises(ChildCrashed, match=f"^{why}$"):
        child.call(poison, LIMITS)
    assert child.call((os.getpid,), LIMITS) != before


@pytest.mark.parametrize("poison", [(loop,), (time.sleep, 100)])
def test_what_never_ends_is_ended(child, poison):
    before = child.call((os.getpid,), LIMITS)
    with pytest.raises(ChildCrashed, match=r"^took longer than 0.3 s$"):
        child.call(poison, Limits(timeout_s=0.3))
    assert is_gone(before)
    assert child.call((double, 2), LIMITS) == 4


def test_memory_beyond_the_limit_is_the_works_fault(child):
    limits = Limits(timeout_s=60, memory_bytes=1 << 26)
    assert child.call((allocate, 1 << 24), limits) == 1 << 24
    with pytest.raises(ChildCrashed, match=r"^needs more than 67 MB of memory$"):
        child.call((allocate, 1 << 27), limits)
    assert child.call((allocate, 1 << 27), LIMITS) == 1 << 27  # limits are those of a call


@pytest.mark.parametrize("memory_bytes", [1 << 30, UNLIMITED])
def test_memory_that_the_machine_does_not_have_is_the_machines_fault(memory_bytes):
    with Child(apply) as child, pytest.raises(MemoryError):
        child.call((allocate_in_a_small_machine, 1 << 28), Limits(60, memory_bytes))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_kill_from_outside_is_no_fault_of_the_work(child, number):
    with pytest.raises(ChildKilled, match=f"was ended by {number.name}") as killed:
        child.call((die_of, number), LIMITS)
    assert isinstance(killed.value, SpectroshardError)


def test_a_process_that_dies_between_calls_is_replaced(child):
    before = child.call((os.getpid,), LIMITS)
    os.kill(before, signal.SIGKILL)
    assert is_gone(before)
    assert child.call((double, 4), LIMITS) == 8


def test_exceptions_come_back_as_themselves(child):
    with pytest.raises(FileError) as refused:
        child.call((refuse, "peak 0"), LIMITS)
    assert (refused.value.reason.name, refused.value.detail) == ("silent", "peak 0")
    assert "in refuse\n" in refused.value.__notes__[0]
    with pytest.raises(OSError, match="No such file") as missing:
        child.call((os.stat, "/nowhere"), LIMITS)
    assert missing.value.filename == "/nowhere"
    assert "No such file" in traceback.format_exception_only(missing.value)[-1]  # all that Beam tells of it
    with pytest.raises(RuntimeError, match=r"^UnpicklableError: not yet"):
        child.call((raise_unpicklable,), LIMITS)
    with pytest.raises((AttributeError, TypeError), match="pickle"):
        child.call((compile, "lambda: 0", "", "eval"), LIMITS)  # a result that cannot be pickled
    assert child.call((double, 5), LIMITS) == 10


def test_a_child_that_cannot_start_is_no_crash_of_its_work(monkeypatch):
    monkeypatch.setattr("pipelines.common.child._START", "import no_such_module")
    with pytest.raises(RuntimeError, match=r"could not start: it ended with exit code 1 \(ModuleNotFoundError: .*\)"):
        Child(double).call(1, LIMITS)


def test_a_child_that_does_not_start_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr("pipelines.common.child._START", "import time; time.sleep(60)")
    monkeypatch.setattr("pipelines.common.child._STARTED_WITHIN_S", 0.2)
    with Child(double) as child, pytest.raises(RuntimeError, match=r"could not start: it took longer than 0\.2 s"):
        child.call(1, LIMITS)


def test_it_imports_only_what_its_function_needs():
    with Child(apply) as child:
        loaded = child.call((partial(eval, "{*__import__('sys').modules}"),), LIMITS)
    assert not loaded & {"numpy", "apache_beam", "pydantic", "tensorflow"}


def test_many_at_once():
    def work(number):
        with Child(apply) as child:
            for value in range(20):
                assert child.call((double, (number, value)), LIMITS) == (number, value) * 2
            with pytest.raises(ChildCrashed, match="SIGABRT"):
                child.call((os.abort,), LIMITS)
            return child.call((os.getpid,), LIMITS)

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(work, range(8)))) == 8


def test_it_outlives_the_thread_that_started_it():
    with Child(process_id) as child:
        with ThreadPoolExecutor(1) as pool:
            process = pool.submit(child.call, None, LIMITS).result()
        time.sleep(0.2)
        assert child.call(None, LIMITS) == process


def test_what_it_started_ends_with_it(child):
    other = child.call((start_another,), LIMITS)
    with pytest.raises(ChildCrashed):
        child.call((time.sleep, 60), Limits(timeout_s=0.1))
    assert is_gone(other)


def test_it_ends_with_its_object():
    child = Child(process_id)
    process = child.call(None, LIMITS)
    del child
    gc.collect()
    assert is_gone(process)


PARENT = """
import os, sys, threading, time
from pipelines.common.child import Child, Limits
from tests.pipelines.common.poison import apply, loop
child = Child(apply)
print(child.call((os.getpid,), Limits(60)), flush=True)
if sys.argv[1] == "busy":
    child.call((loop,), Limits(60))
time.sleep(60)
"""


@pytest.mark.parametrize("state", ["busy", "idle"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_parent(state, number):
    command = [sys.executable, "-c", PARENT, state]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        process = int(parent.stdout.readline())
        time.sleep(0.1)
        parent.send_signal(number)
        parent.wait(timeout=20)
        assert is_gone(process)
