"""A user's own `model.py`, `pipelines` or `configs` in the working folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spectroshard.shadows import ROOT
from tests.audio_files import write_songs

LIBRARY = "import spectroshard, pipelines.common.errors, model; print(spectroshard.load.__name__)"
COMMAND = "import sys; from spectroshard.cli import main; sys.exit(main())"


@pytest.fixture
def project(tmp_path):
    """Somebody's project, beside whose script nothing of ours lies."""
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def python(folder: Path, *arguments, **environment):
    """Runs Python in a folder, with this project's packages on the path behind what the folder holds."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_library_works_beside_a_project_that_has_no_such_names(project):
    (project / "main.py").write_text(LIBRARY)
    done = python(project, "main.py")
    assert (done.returncode, done.stdout) == (0, "load\n"), done.stderr


@pytest.mark.parametrize("name", ["model.py", "model/__init__.py", "pipelines.py", "pipelines/__init__.py"])
def test_the_import_names_what_stands_in_the_way(project, name):
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).touch()
    (project / "main.py").write_text(LIBRARY)
    done = python(project, "main.py")
    package = Path(name).parts[0]
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: {project / package} stands in the way of the package `{Path(package).stem}`")
    assert "rename it, or run from another folder" in last


def test_it_is_named_where_it_was_imported_before(project):
    (project / "model.py").touch()
    (project / "main.py").write_text(f"import model\n{LIBRARY}")
    assert f"ImportError: {project / 'model.py'} stands in the way" in python(project, "main.py").stderr


def test_the_command_says_so_in_a_line(project):
    (project / "model.py").touch()
    done = python(project, "-m", "spectroshard", "configs")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"spectroshard: {project / 'model.py'} stands in the way")
    assert len(done.stderr.splitlines()) == 1


def test_a_users_configs_stand_in_nobodys_way(project):
    (project / "configs").mkdir()
    (project / "configs" / "__init__.py").touch()
    done = python(project, "-m", "spectroshard", "configs")
    assert done.returncode == 0 and "gtzan" in done.stdout


@pytest.mark.slow
def test_the_installed_command_and_its_worker_processes_do_not_look_into_the_working_folder(project, tmp_path):
    for name in ("model.py", "pipelines.py"):
        (project / name).write_text("raise SystemExit('not ours')")
    command = tmp_path / "bin" / "spectroshard"  # as pip makes it: Python looks into its folder, not the working one
    command.parent.mkdir()
    command.write_text(COMMAND)
    songs = write_songs(tmp_path / "songs")
    built = python(
        project,
        *(command, "build", songs, "--output", "d", "--set", "folds.count=2", "--set", "folds.validation=[]"),
        *("--", "--direct_running_mode=multi_processing", "--direct_num_workers=2"),
    )
    assert built.returncode == 0, built.stderr
    assert (project / "d" / "dataset.json").exists()
