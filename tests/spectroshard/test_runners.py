import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.common.errors import UsageError
from spectroshard import runners
from spectroshard.cli import main


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(
        "runner: FlinkRunner\nparallelism: 4\nstreaming: false\nsave_main_session: true\nproject:\n"
        "experiments: [one, two]\nenvironment_config: {command: boot}\n"
    )
    assert runners.beam_flags(str(path)) == [
        "--runner=FlinkRunner",
        "--parallelism=4",
        "--save_main_session",
        "--experiments=one",
        "--experiments=two",
        '--environment_config={"command": "boot"}',
    ]


FLINKS_OWN = {"execution_mode_for_batch"}
"""Options that Beam's Java side knows: they are passed on."""


@pytest.mark.parametrize("name", runners.packaged())
def test_beam_knows_every_option_that_comes_with_the_program(name):
    flags = runners.beam_flags(name)
    options = PipelineOptions(flags).get_all_options(drop_default=True, retain_unknown_options=False)
    assert {flag.removeprefix("--").partition("=")[0] for flag in flags} - FLINKS_OWN == options.keys()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("parallelism: 2", "names no runner; expected options of Beam"),
        ("- runner", "holds list, expected a mapping"),
    ],
)
def test_what_is_no_runner_file(tmp_path, content, message):
    (tmp_path / "own.yaml").write_text(content)
    with pytest.raises(UsageError, match=message):
        runners.beam_flags(str(tmp_path / "own.yaml"))


def test_a_name_that_is_misspelt():
    with pytest.raises(UsageError, match="did you mean flink"):
        runners.beam_flags("flnk")


def test_a_runner_and_a_number_of_workers_are_too_much(music, tmp_path, capsys):
    line = ["build", str(music), "--output", str(tmp_path / "out"), "--runner", "local", "--workers", "2"]
    assert main(line) == 2
    assert "--runner=FnApiRunner says it too; leave out one of the two" in capsys.readouterr().err
