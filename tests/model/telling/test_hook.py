import json
import re
import sys
import time
from pathlib import Path
from unittest import mock

import pytest

from model.config import Telling
from model.telling import hook
from pipelines.common.errors import SpectroshardError, UsageError
from tests.model.telling import made
from tests.model.telling.webhook import SECRET, Webhook


@pytest.fixture(autouse=True)
def pauses():
    """Attempts follow at once; gives how long each would have waited."""
    with mock.patch("model.telling.hook.time.sleep") as sleep:
        yield sleep


@pytest.fixture
def server():
    with Webhook() as server:
        yield server


def tell(outcome, url="", **values):
    hook.tell(Telling(webhook_env="HOOK" if url else "", **values), url, outcome)


def python(code, *arguments):
    return (sys.executable, "-c", code, *map(str, arguments))


KEEP = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')"


def test_what_happened():
    assert hook.happened(made.promoted()) == ["promoted", "alarm"]
    assert hook.happened(made.promoted(drift=None)) == ["promoted"]
    assert hook.happened(made.promoted(what="kept", drift=None)) == []
    assert hook.happened(made.failed()) == hook.happened(made.failed(what="refused")) == ["failed"]
    assert hook.happened(made.failed(what="nothing_new")) == []


def test_command_and_webhook_get_the_same_json(server, tmp_path):
    tell(made.promoted(), server.url, command=python(KEEP, tmp_path / "got"))
    told = json.loads((tmp_path / "got").read_text())
    assert server.got == [(f"/{SECRET}", "application/json", told)]
    assert told["events"] == ["promoted", "alarm"]
    assert told["outcome"] == made.promoted().model_dump(mode="json")
    assert told["text"].splitlines() == [
        f"spectroshard retrain s3://music/registry: promoted: {made.promoted().message}",
        "alarm: log_mel level: effect size 1.5, at most 0.8 is allowed",
    ]


def test_nobody_is_told_of_what_was_not_asked_for(server, tmp_path):
    command = python(KEEP, tmp_path / "got")
    tell(made.promoted(what="kept", drift=None), server.url, command=command)
    tell(made.promoted(), server.url, command=command, events=["failed"])
    assert server.got == [] and not (tmp_path / "got").exists()
    tell(made.promoted(), command=command, events=["alarm", "failed"])
    assert json.loads((tmp_path / "got").read_text())["events"] == ["alarm"]


def test_a_webhook_is_tried_again(server, pauses):
    server.answers = [503, 429, 200]
    tell(made.failed(), server.url)
    assert len(server.got) == 3
    assert [call.args[0] for call in pauses.call_args_list] == [0.5, 1.0]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_refuses_is_told_of_without_its_url(server, status):
    server.answers = [status]
    with pytest.raises(SpectroshardError) as refused:
        tell(made.failed(), server.url)
    assert str(refused.value) == f"failed: the webhook of HOOK answered {status}; after 5 attempts"
    assert len(server.got) == 5
    assert refused.value.__cause__ is None and refused.value.__context__ is None


def test_a_webhook_that_is_not_there(server):
    server.__exit__()
    with pytest.raises(
        SpectroshardError, match=r"^failed: the webhook of HOOK cannot be reached .*refused.*5 attempts"
    ):
        tell(made.failed(), server.url)


def test_a_webhook_that_answers_for_ever_is_not_waited_for(server):
    server.drips = True
    with pytest.raises(SpectroshardError, match=r"the webhook took longer than 0.1 s; after 5 attempts"):
        tell(made.failed(), server.url, timeout_s=0.1)


def test_a_command_that_fails_is_tried_again(tmp_path):
    code = KEEP + "; done = len(open(sys.argv[1]).readlines()) > 2; done or sys.exit('no mail server')"
    tell(made.failed(), command=python(code, tmp_path / "got"))
    assert len((tmp_path / "got").read_text().splitlines()) == 3


def test_a_command_that_fails_for_ever_is_told_of(server):
    code = "import sys; sys.stderr.write('one\\nno mail server at https://ann:hunter2@host/\\n'); sys.exit(7)"
    with pytest.raises(SpectroshardError) as failed:
        tell(made.failed(), server.url, command=python(code))
    last = r"ended with exit code 7 (no mail server at https://***@host/); after 5 attempts"
    assert str(failed.value) == f"failed: {sys.executable} {last}"
    assert len(server.got) == 1  # the other one is told all the same


def test_a_command_that_reads_nothing_and_hangs_is_ended_with_what_it_started(tmp_path):
    command = ("sh", "-c", f"sleep 600 & echo $! >> {tmp_path}/pids; wait")
    for timeout_s in (0.2, 2, 20):  # it may take a while to start
        fault = f"sh took longer than {timeout_s:g} s"
        with mock.patch.object(hook, "PAUSES_S", ()), pytest.raises(SpectroshardError, match=re.escape(fault)):
            tell(made.failed(), command=command, timeout_s=timeout_s)
        if (tmp_path / "pids").exists():
            break
    pids = (tmp_path / "pids").read_text().split()
    deadline = time.monotonic() + 10
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "value", ["", "hunter2", "file:///hunter2", "http://", "http://h:hunter2/", "http://h/a hunter2"]
)
def test_a_webhook_that_is_none_is_refused_before_any_work(value):
    with pytest.raises(UsageError, match=r"^telling\.webhook_env: .* HOOK") as refused:
        hook.check(Telling(webhook_env="HOOK"), {"HOOK": value})
    assert SECRET not in str(refused.value)


def test_a_command_that_is_none_is_refused_before_any_work():
    with pytest.raises(UsageError, match=r"telling\.command: there is no command no-such-mail"):
        hook.check(Telling(command=("no-such-mail",)), {})
