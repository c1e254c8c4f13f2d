"""What is installed, and what Beam stages to workers: this project's packages, whole, and nothing else."""

import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import PurePosixPath

import pytest
from apache_beam.runners.portability.stager import Stager

import spectroshard
from spectroshard.shadows import ROOT

PACKAGES = {"configs", "model", "pipelines", "spectroshard"}
SUFFIXES = {".cron", ".html", ".json", ".py", ".service", ".timer", ".typed", ".yaml"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A copy of the project, tests included, for a build leaves its own files where it works."""
    folder = tmp_path_factory.mktemp("project") / "project"
    parts = ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", *sorted(PACKAGES), "tests/spectroshard")
    for part in parts:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, folder / part)
    shutil.copy(ROOT / "tests/test_rooms.py", folder / "tests")  # setuptools packs such files by itself
    return folder


@pytest.fixture(scope="module")
def expected():
    """Every file of the packages that belongs into what is installed."""
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.suffix in SUFFIXES)
    return {path.relative_to(ROOT).as_posix() for path in files}


def test_beam_stages_exactly_the_packages(sources, expected, tmp_path):
    staged = Stager._build_setup_package(str(sources / "setup.py"), str(tmp_path))
    with tarfile.open(staged) as archive:
        names = [PurePosixPath(*PurePosixPath(member.name).parts[1:]) for member in archive if member.isfile()]
    assert {str(name) for name in names if name.parts[0] in PACKAGES} == expected
    others = {name.parts[0] for name in names} - PACKAGES
    assert others <= {
        *("MANIFEST.in", "PKG-INFO", "README.md", "pyproject.toml", "setup.cfg", "setup.py", "spectroshard.egg-info")
    }


def test_a_wheel_has_all_that_its_user_needs(sources, expected, tmp_path):
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(tmp_path / "site"), str(sources)], check=True, capture_output=True)
    installed = tmp_path / "site"
    found = {p.relative_to(installed).as_posix() for name in PACKAGES for p in (installed / name).rglob("*")}
    assert {name for name in found if PurePosixPath(name).suffix in SUFFIXES} == expected
    (tmp_path / "elsewhere").mkdir()
    script = (
        f"import sys; sys.path.insert(0, {str(installed)!r}); import spectroshard;"
        "from spectroshard.configuration import load_config, packaged; load_config('gtzan');"
        "print(spectroshard.__file__, spectroshard.__version__, *packaged())"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], cwd=tmp_path / "elsewhere", capture_output=True, text=True, check=True
    )
    where, version, *configs = done.stdout.split()
    assert where == str(installed / "spectroshard" / "__init__.py") and version == spectroshard.__version__
    assert configs == [path.stem for path in sorted((ROOT / "configs").glob("*.yaml"))]


def test_the_version_is_said_in_one_place(monkeypatch):
    import importlib.metadata

    def not_installed(name):
        raise importlib.metadata.PackageNotFoundError(name)

    said = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert spectroshard.__version__ == said
    monkeypatch.setattr(importlib.metadata, "version", not_installed)
    assert spectroshard.__version__ == said
    others = [path for path in ROOT.glob("*.py") if said in path.read_text()]
    assert not others
