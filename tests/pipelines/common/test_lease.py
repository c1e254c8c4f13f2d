import dataclasses
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

import pytest

from pipelines.common import lease, storage
from pipelines.common.errors import BusyError
from pipelines.common.lease import Lease, held

NOON = datetime(2026, 11, 27, 12, 3, tzinfo=UTC)
LATER = NOON + timedelta(seconds=61)


@pytest.fixture(params=["local", "memory"])
def url(request, tmp_path):
    folder = str(tmp_path / "D") if request.param == "local" else f"memory://{uuid.uuid4().hex}"
    return storage.join(folder, "runs/lease.json")


def leave(url, **values):
    """A lease that its holder did not release."""
    left = dataclasses.replace(Lease.new("build", NOON), **values)
    assert storage.create(url, left.to_json())
    return left


def take(url, now=NOON):
    with held(url, "build", lambda: now) as mine:
        return mine


def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_lease_is_there_while_it_is_held(url):
    with held(url, "build", lambda: NOON) as mine:
        assert lease.read(url) == lease.holder(url, lambda: NOON) == mine
        assert lease.holder(url, lambda: LATER) is None
        assert (mine.process, mine.what, mine.started, mine.renewed) == (os.getpid(), "build", NOON, NOON)
    assert lease.read(url) is None
    with pytest.raises(RuntimeError), held(url, "build"):
        raise RuntimeError
    assert storage.names(url.rpartition("/")[0]) == []


def test_who_comes_second_is_told_who_is_at_work(url):
    with held(url, "build", lambda: NOON) as mine:
        with pytest.raises(BusyError) as caught:
            take(url, NOON + timedelta(seconds=59))
        folder, _, told = str(caught.value).partition(": a ")
        assert folder == url.removesuffix("/runs/lease.json")
        assert told == (
            f"build by {mine.host} (process {os.getpid()}) has been at work here since 12:03 UTC; "
            "wait for it, or give another --output"
        )
        assert caught.value.exit_code == 3
        assert mine.since(NOON + timedelta(days=1)) == "2026-11-27 12:03 UTC"
        assert lease.read(url) == mine


def test_a_dead_process_holds_nothing(url):
    leave(url, process=dead_process())
    assert take(url).process == os.getpid()


@pytest.mark.parametrize("elsewhere", [{"host": "elsewhere"}, {"machine": "started another time"}])
def test_a_process_elsewhere_is_waited_for(url, elsewhere):
    left = leave(url, process=dead_process(), **elsewhere)
    with pytest.raises(BusyError):
        take(url, NOON + timedelta(seconds=60))
    assert lease.read(url) == left
    take(url, LATER)
    assert storage.names(url.rpartition("/")[0]) == []


JOB = "Flink job 1f at http://10.0.0.7:8081"


def test_a_job_holds_what_was_handed_over_to_it(url):
    with held(url, "build", lambda: NOON) as mine:
        lease.hand_over(url, mine.token, JOB)
    left = lease.read(url)
    assert left == dataclasses.replace(mine, job=JOB)
    with pytest.raises(BusyError) as caught:
        take(url, NOON + timedelta(seconds=120))
    told = str(caught.value)
    assert f"a build by {mine.host} ({JOB}) has been at work here since 12:03 UTC" in told
    last = "or give another --output, or cancel it there; where it is not known any more, try again in 120 s"
    assert told.endswith(last)
    lease.end(url, "another's")
    assert lease.read(url) == left
    take(url, NOON + timedelta(seconds=121))


def test_a_job_outlives_the_process_that_submitted_it(url):
    assert leave(url, process=dead_process(), job=JOB).is_live(NOON)


def test_what_a_job_gives_back_is_free(url):
    with held(url, "build") as mine:
        lease.hand_over(url, mine.token, JOB)
        lease.hand_over(url, mine.token, "")
    assert lease.read(url) is None
    left = leave(url, job=JOB)
    lease.end(url, left.token)
    assert lease.read(url) is None


def test_workers_renew_the_lease_of_their_job_and_no_other(url, monkeypatch):
    monkeypatch.setattr(lease, "RENEWED_EVERY_S", 0.01)
    left = leave(url, job=JOB)
    with lease.renewed(url, "another's", lambda: LATER):
        time.sleep(0.1)
    assert lease.read(url) == left
    with lease.renewed(url, left.token, lambda: LATER):
        while lease.read(url) == left:
            pass
    assert lease.read(url) == dataclasses.replace(left, renewed=LATER)


def test_many_workers_ask_no_more_than_one(url, monkeypatch):
    left, looked = leave(url, job=JOB), []
    monkeypatch.setattr(lease, "read", lambda url: looked.append(url) or left)
    for _ in range(20):
        with lease.renewed(url, left.token, lambda: LATER):
            pass
    assert len(looked) == 1


def test_a_damaged_lease_is_none(url):
    for content in (b"", b"{", b"[]", b'{"host": 1, "started": "2026", "renewed": "2026"}'):
        storage.write_bytes(url, content)
        take(url)


def test_of_many_who_find_an_expired_lease_one_takes_it(url):
    for turn in range(5):
        expired = storage.join(url, str(turn))
        leave(expired, host="elsewhere")
        everybody = threading.Barrier(16)

        def attempt(_, expired=expired, everybody=everybody):
            everybody.wait()
            try:
                with held(expired, "build", lambda: LATER) as mine:
                    everybody.wait()
                    return mine
            except BusyError:
                everybody.wait()
                return None

        with ThreadPoolExecutor(16) as pool:
            won = list(pool.map(attempt, range(16)))
        assert len(won) - won.count(None) == 1
        assert storage.names(url) == []


def _attempt(url, number):
    try:
        with held(url, "build", lambda: LATER):
            until = time.monotonic() + 60
            while len(storage.names(f"{url}.lost")) < 7 and time.monotonic() < until:
                time.sleep(0.01)
            return True
    except BusyError:
        storage.write_bytes(f"{url}.lost/{number}", b"")
        return False


def test_of_many_processes_one_takes_it(tmp_path):
    url = str(tmp_path / "lease.json")
    leave(url, process=dead_process())
    with ProcessPoolExecutor(8, get_context("fork")) as pool:
        assert sum(pool.map(_attempt, [url] * 8, range(8))) == 1


def test_who_was_to_remove_an_expired_lease_and_died_is_no_hindrance(url):
    left = leave(url, process=dead_process())
    leave(f"{url}.{left.token}", process=dead_process())
    take(url)
    assert storage.names(url.rpartition("/")[0]) == []


def test_a_lease_is_renewed(url, monkeypatch):
    monkeypatch.setattr(lease, "RENEWED_EVERY_S", 0.01)
    times = iter([NOON, *(NOON + timedelta(seconds=number) for number in range(10_000))])
    with held(url, "build", lambda: next(times)) as mine:
        while lease.read(url).renewed < NOON + timedelta(seconds=3):
            pass
        assert dataclasses.replace(lease.read(url), renewed=NOON) == mine
    assert lease.read(url) is None


def test_who_lost_a_lease_goes_on_and_leaves_the_other_s_alone(url, monkeypatch):
    monkeypatch.setattr(lease, "RENEWED_EVERY_S", 0.5)
    with held(url, "build"):
        storage.remove(url)
        others = leave(url, host="elsewhere")
        for thread in threading.enumerate():
            if "_renew" in thread.name:
                thread.join()
        assert lease.read(url) == others
    assert lease.read(url) == others


def test_a_store_that_fails_does_not_end_the_work(monkeypatch, tmp_path):
    url = str(tmp_path / "lease.json")
    monkeypatch.setattr(lease, "RENEWED_EVERY_S", 0.01)
    failed = threading.Event()

    def fail(_):
        failed.set()
        raise OSError("away")

    with held(url, "build"):
        monkeypatch.setattr(storage, "read_bytes", fail)
        assert failed.wait(10)
    monkeypatch.undo()
    assert re.search(rf'"process": {os.getpid()}', storage.read_bytes(url).decode())
