"""Builds as Dataflow would get them, without a network: `make test-dataflow`, in an environment without TensorFlow."""

import importlib.metadata
import importlib.util
import json
import runpy
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import EmbeddedPythonEnvironment

from pipelines.build import begin
from pipelines.build.build import add_graph
from pipelines.dataset import versions
from spectroshard import cli, runners
from tests.pipelines.conftest import config_of, published

REPOSITORY = Path(__file__).parents[3]
CLOUD = REPOSITORY / "configs/dataflow"
MIN_RAM = "beam:resources:min_ram_bytes:v1"
OWN = {"project": "project-1", "region": "europe-west1", "temp_location": "gs://bucket/temp"}
ON_ONE_WORKER = {
    "Gather readings",
    "Find copies/Lay out fingerprints",
    "Find copies/Merge pairs",
    "Plan",
    "Publish",
}


def dry_run(run, *more):
    """A build's graph as Dataflow is sent it, by the options of the packaged runner file."""
    flags = [*runners.beam_flags("dataflow"), *(f"--{name}={value}" for name, value in OWN.items()), *more]
    pipeline = beam.Pipeline(options=PipelineOptions([*flags, "--dry_run=true", "--no_auth", "--job_name=x"]))
    add_graph(pipeline, run)
    return pipeline.run().job.proto_pipeline


@pytest.fixture
def run(songs_folder, tmp_path):
    return begin.begin(config_of(songs_folder), str(tmp_path / "dataset"), None, False)


def steps_by_environment(proto):
    """For each environment, the steps that run functions in it."""
    found = {}
    for each in proto.components.transforms.values():
        if each.environment_id and each.spec.urn.startswith("beam:transform:pardo"):
            found.setdefault(each.environment_id, set()).add(each.unique_name)
    return found


def test_the_graph_has_one_size_whatever_the_corpus(tmp_path):
    def size(files):
        rows = [f"{n:08d}.wav,{'blues' if n % 2 else 'jazz'}" for n in range(files)]
        (tmp_path / "m.csv").write_text("\n".join(["path,genre", *rows]))
        proto = dry_run(begin.begin(config_of(tmp_path / "m.csv"), str(tmp_path / f"{files:08d}"), None, False))
        return len(proto.components.transforms), len(proto.SerializeToString())

    small, large = size(10), size(100_000)
    assert small[0] == large[0]
    assert abs(small[1] - large[1]) < 200  # names of runs and bytes of memory
    assert large[1] < 1_000_000  # Dataflow refuses 20 MB


def test_steps_on_one_worker_ask_for_its_memory_and_no_others(run):
    proto = dry_run(run)
    hints = {name: dict(each.resource_hints) for name, each in proto.components.environments.items()}
    asking = [steps for name, steps in steps_by_environment(proto).items() if MIN_RAM in hints[name]]
    assert set().union(*asking) == ON_ONE_WORKER
    assert {hint[MIN_RAM] for hint in hints.values() if hint} == {b"4294967296"}


def test_its_proto_run_here_builds_the_same_bytes(run, built, tmp_path):
    proto = dry_run(run)
    for name in proto.components.environments:
        hints = proto.components.environments[name].resource_hints
        here = EmbeddedPythonEnvironment.default().to_runner_api(None)
        here.resource_hints.update(hints)
        proto.components.environments[name].CopyFrom(here)
    FnApiRunner().run_via_runner_api(proto, PipelineOptions()).wait_until_finish()
    assert versions.newest(run.request.output).digest == built.dataset.digest
    assert published(tmp_path / "dataset") == published(built.dataset.url)


def test_workers_need_no_tensorflow():
    needed = importlib.metadata.requires("spectroshard")
    assert all("extra ==" in line for line in needed if "tensorflow" in line.lower())
    assert importlib.util.find_spec("tensorflow") is None  # so what this file does needs none


def test_the_worker_image_and_the_template_fit_the_project():
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    subprocess.run([Path(sys.executable).with_name("hadolint"), REPOSITORY / "Dockerfile"], check=True)
    beam_pin = next(line for line in (REPOSITORY / "constraints.txt").read_text().split() if "apache-beam" in line)
    assert f"BEAM_VERSION={beam_pin.partition('==')[2]}" in dockerfile
    assert "libsndfile1" in dockerfile and "--constraint constraints.txt" in dockerfile and "\nUSER 10001" in dockerfile
    named = {each["name"] for each in json.loads((CLOUD / "metadata.json").read_text())["parameters"]}
    assert named == {"music", "output", "config"}


def test_the_launcher_of_the_template_begins_a_build_and_goes(monkeypatch):
    given = []
    monkeypatch.setattr(cli, "main", lambda arguments: given.append(arguments) or 0)
    monkeypatch.setattr(
        sys, "argv", ["launch.py", "--music=gs://b/songs", "--output=gs://b/d", "--runner=DataflowRunner"]
    )
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(CLOUD / "launch.py"), run_name="__main__")
    assert ended.value.code == 0
    assert given == [["build", "gs://b/songs", "--output", "gs://b/d", "--detach", "--", "--runner=DataflowRunner"]]
