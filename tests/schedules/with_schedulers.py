"""Each schedule before its real scheduler; `make test-schedules` runs this, as root if cron is to be seen to fire."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.schedules.files import FOLDER, filled_in, stub

BIN = Path(sys.executable).parent

IN_ITS_OWN_FOLDERS = """
set -e
for folder in /etc/cron.d /var/spool/cron/crontabs /run; do mount -t tmpfs none $folder; done
cp "$1" /etc/cron.d/spectroshard
exec cron -f
"""


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("cron"), reason="needs root and Debian's cron")
def test_cron_fires(tmp_path):
    called = stub(tmp_path / "venv" / "bin")
    (tmp_path / "environment").write_text("SPECTROSHARD_WEBHOOK='a secret'\n")
    table = tmp_path / "table"
    table.write_text(
        filled_in("spectroshard-retrain.cron", tmp_path, {"17 3 * * 1 ": "* * * * * ", "  spectroshard ": " root "})
    )
    cron = subprocess.Popen(["unshare", "--mount", "sh", "-c", IN_ITS_OWN_FOLDERS, "cron", str(table)])
    try:
        deadline = time.monotonic() + 130
        while not called.exists():
            assert cron.poll() is None and time.monotonic() < deadline
            time.sleep(1)
    finally:
        cron.terminate()
        cron.wait()
    assert called.read_text() == f":a secret:retrain {tmp_path}/retraining.yaml\n"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
def test_systemd_finds_no_fault(tmp_path):
    stub(tmp_path / "venv" / "bin")
    units = ["spectroshard-retrain.service", "spectroshard-retrain.timer"]
    for name in units:
        (tmp_path / name).write_text(filled_in(name, tmp_path))
    done = subprocess.run(["systemd-analyze", "verify", *units], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = subprocess.run(["systemd-analyze", "calendar", "Mon 03:17"], capture_output=True, text=True, check=True)
    assert "Normalized form: Mon *-*-* 03:17:00" in done.stdout


@pytest.mark.parametrize("version", ["1.31", "1.34", "1.37"])
def test_the_cron_job_is_one_of_kubernetes(version, tmp_path):
    def validate(path):
        command = [BIN / "kubernetes-validate", "--strict", "-k", version, path]
        return subprocess.run(command, capture_output=True, text=True)

    found = validate(FOLDER / "cronjob.yaml")
    assert found.returncode == 0, found.stdout + found.stderr
    slip = tmp_path / "slip.yaml"
    slip.write_text((FOLDER / "cronjob.yaml").read_text().replace("backoffLimit", "backOffLimit"))
    found = validate(slip)
    assert found.returncode == 1 and "'backOffLimit' was unexpected" in found.stdout + found.stderr


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    """Runs Airflow, with a database and a folder of DAGs of its own; gives what it prints."""
    home = tmp_path_factory.mktemp("airflow")
    own = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "PATH": f"{home / 'bin'}:{BIN}:{os.environ['PATH']}",
    }

    def run(*arguments):
        command = [BIN / "airflow", *arguments]
        done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True)
        return done.stdout + done.stderr

    assert "Database migration done!" in run("db", "migrate")
    run.home = home
    return run


@pytest.mark.parametrize(("code", "state"), [(0, "success"), (3, "skipped"), (1, "failed"), (2, "failed")])
def test_airflow_runs_it_and_knows_its_exit_codes(airflow, code, state):
    called = stub(airflow.home / "bin", code)
    called.unlink(missing_ok=True)
    dag = airflow.home / "dags" / "airflow_dag.py"
    dag.parent.mkdir(exist_ok=True)
    dag.write_text(filled_in("airflow_dag.py", airflow.home, {"retries=3": "retries=0"}))
    said = airflow("dags", "test", "spectroshard_retrain", "2026-11-23")
    assert f"new_state={state}" in said
    assert called.read_text() == f"json::retrain {airflow.home}/retraining.yaml\n"
