import json
import subprocess
import sys
import threading

import pytest

from pipelines.common.errors import UsageError
from pipelines.common.output import log

PROGRAM = """
import os, sys
from pipelines.common.output import log
from pipelines.common.output.library_warnings import suppressed
with log.of_command("retrain", os.environ.get("FORM", "")), suppressed():
    os.write(2, b"native\\n")
    print("two", file=sys.stderr)
    print("lines\\n\\nin one", file=sys.stderr)
    log.event("failed at ftp://ann:hunter2@host/", "error", exit_code=1)
    print("no end", end="", file=sys.stderr)
print("after", file=sys.stderr)
"""


def lines(form):
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, env={"FORM": form})
    return done.stderr.decode().splitlines()


def test_each_line_is_an_event():
    *events, last = lines("json")
    found = [json.loads(line) for line in events]
    told = [(each["message"], each["level"]) for each in found]
    failed = ("failed at ftp://***@host/", "error")
    assert told == [("two", "info"), ("lines", "info"), ("in one", "info"), failed, ("no end", "info")]
    assert found[3]["exit_code"] == 1
    assert all(each["command"] == "retrain" and each["time"].endswith("+00:00") for each in found)
    assert last == "after"


def test_for_people_it_is_the_message_alone():
    assert lines("text") == ["two", "lines", "", "in one", "failed at ftp://***@host/", "no endafter"]


def test_threads_do_not_write_into_each_others_lines(capsys):
    def write(name):
        for number in range(200):
            print(f"{name} {number}", file=sys.stderr)

    with log.of_command("build", "json"):
        threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    told = [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]
    assert sorted(told) == sorted(f"{name} {number}" for name in "ab" for number in range(200))


def test_another_form_is_refused():
    with pytest.raises(UsageError, match="SPECTROSHARD_LOG=yaml: expected json"), log.of_command("build", "yaml"):
        pass
