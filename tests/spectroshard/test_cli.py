"""The command line as a user meets it: what it prints, its errors in one line, its exit codes."""

import csv
import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import spectroshard
from model.config import Config
from model.inference.bundle import Bundle
from pipelines.audio import quality
from pipelines.common.errors import FileError
from pipelines.config import load
from spectroshard import cli
from tests.audio_files import BAD
from tests.spectroshard.conftest import CONFIG

REPOSITORY = Path(__file__).parents[2]
CONFIGS = list((REPOSITORY / "configs").glob("*.yaml"))


def run(capsys, *arguments):
    """Runs the command; gives its exit code, output and errors."""
    code = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="session")
def chain(music, tmp_path_factory):
    """A corpus, and the configuration that the dataset and the bundle of these tests were made with."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "corpus").symlink_to(music)
    (folder / "c.yaml").write_text(yaml.safe_dump(CONFIG))
    return folder


@pytest.fixture
def built(ds):
    return Path(ds.url)


@pytest.fixture
def trained(model):
    return Path(model.url)


def test_build_shows_a_table_and_a_rate(chain, capsys, tmp_path):
    arguments = ["build", chain / "corpus", "--config", chain / "c.yaml", "--output", tmp_path / "d", "--workers", 1]
    code, out, err = run(capsys, *arguments)
    assert code == 0
    assert "low" in out and "fold-03" in out and "16 files found: 16 written, 0 duplicates, 0 rejected" in out
    assert "times real time" in out
    assert "Read songs: 16 of 16" in err and "Write songs: 16 of 16" in err


def test_build_again_says_that_nothing_is_to_do(chain, built, music, capsys):
    code, out, _ = run(capsys, "build", music, "--config", chain / "c.yaml", "--output", built)
    assert code == 0 and "up to date" in out


def test_beam_options_go_behind_two_dashes(chain, built, capsys, tmp_path):
    arguments = ["build", chain / "corpus", "--config", chain / "c.yaml", "--output", tmp_path / "d"]
    code, _, _ = run(capsys, *arguments, "--", "--runner=FnApiRunner", "--direct_running_mode=in_memory")
    assert code == 0
    assert (tmp_path / "d" / "dataset.json").exists()
    shards = sorted(path.name for path in built.glob("*.tfrecord"))
    assert all((tmp_path / "d" / name).read_bytes() == (built / name).read_bytes() for name in shards)


def test_inspect(built, capsys, tmp_path):
    code, out, _ = run(capsys, "inspect", built)
    assert code == 0 and "train deviation" in out and "4 shards" in out
    code, out, _ = run(capsys, "inspect", built, "low/3.wav", "--output", tmp_path / "p.png")
    assert code == 0 and "content_hash" in out
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_evaluate_and_predict(trained, built, chain, capsys, tmp_path):
    code, out, _ = run(capsys, "evaluate", trained, built)
    assert code == 0 and "song accuracy" in out and "95 % interval" in out
    assert "accuracy was measured on only 4 test songs; crossval gives a better figure" in out
    report = Path(out.splitlines()[-1].removeprefix("report: "))
    assert report.read_text().startswith("<!doctype html>")
    code, out, _ = run(capsys, "predict", trained, chain / "corpus" / "low" / "1.wav")
    assert code == 0 and "█" in out
    code, _, _ = run(capsys, "predict", trained, chain / "corpus", "--output", tmp_path / "p.json")
    assert code == 0 and len(json.loads((tmp_path / "p.json").read_text())) == 16
    assert [path.name for path in tmp_path.iterdir()] == ["p.json"]


def test_predict_writes_every_output(trained, chain, capsys, tmp_path):
    (tmp_path / "m.csv").write_text(f"path,year\n{chain}/corpus/low/1.wav,1971\n{chain}/corpus/high/1.wav,2004\n")
    outputs = ["--output", tmp_path / "p.csv", "--output", tmp_path / "p.html"]
    code, out, _ = run(capsys, "predict", trained, tmp_path / "m.csv", *outputs)
    assert code == 0 and out.splitlines()[-1] == f"wrote {tmp_path}/p.csv, {tmp_path}/p.html"
    assert [row["year"] for row in csv.DictReader((tmp_path / "p.csv").open())] == ["2004", "1971"]
    assert "The mixture of genres by year" in (tmp_path / "p.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.csv", "p.csv", "p.html"]


@pytest.mark.slow
def test_evaluate_at_other_tempi(trained, built, capsys):
    code, out, err = run(capsys, "evaluate", trained, built, "--tempo")
    rows = [line.split() for line in out.splitlines()]
    assert code == 0 and "Predict: 20 of 20" in err
    assert [row[0] for row in rows if len(row) == 3 and row[1].endswith("%")] == ["0.8", "0.9", "1", "1.1", "1.25"]
    assert 'id="tempo"' in (trained / "report.html").read_text()


def test_a_training_that_is_done_says_what_was_kept(trained, chain, built, capsys):
    arguments = ["train", built, "--config", chain / "c.yaml", "--output", trained]
    code, out, _ = run(capsys, *arguments)
    assert code == 0 and f"{trained}: cnn, 2 genres; weights of the last epoch (3), validation loss " in out
    assert "probabilities were calibrated on only 4 validation songs; crossval gives a better figure" in out
    assert out.splitlines()[-1] == f"{trained}: up to date, nothing to do"
    code, out, err = run(capsys, *arguments, "--set", "training.epochs=9", "--set", "training.seed=1")
    assert (code, out) == (2, "")
    assert "(training.epochs was 3, is 9, training.seed was 0, is 1); it stays" in err


def test_a_damaged_bundle_is_told_of_in_a_line(trained, chain, capsys, tmp_path):
    shutil.copytree(trained, tmp_path / "b")
    (tmp_path / "b" / "model.keras").write_bytes(b"PK")
    code, out, err = run(capsys, "predict", tmp_path / "b", chain / "corpus" / "low" / "1.wav")
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1 and f"{tmp_path}/b/model.keras: is damaged, or another's: its SHA-256" in err


def test_predict_tells_of_what_it_cannot_read_and_goes_on(trained, chain, capsys, tmp_path):
    shutil.copy(chain / "corpus" / "low" / "1.wav", tmp_path / "good.wav")
    BAD["not_audio"](tmp_path / "bad.wav")
    code, out, err = run(capsys, "predict", trained, tmp_path)
    assert code == 1
    assert "good.wav" in out and "█" in out
    assert f"cannot use {tmp_path}/bad.wav: not_audio" in err and "bad.wav" not in out


def test_predict_into_a_folder_brings_it_up_to_date(trained, chain, capsys, tmp_path):
    shutil.copy(chain / "corpus" / "low" / "1.wav", tmp_path / "good.wav")
    arguments = ["predict", trained, tmp_path / "good.wav", "--output", tmp_path / "p", "--output", tmp_path / "p.html"]
    code, out, err = run(capsys, *arguments)
    assert code == 0 and out.splitlines() == [
        "1 song predicted, 0 rejected",
        f"wrote predictions.json, songs/, failures/ in {tmp_path}/p",
        f"wrote {tmp_path}/p.html",
    ]
    assert "good.wav" in (tmp_path / "p.html").read_text()
    code, out, err = run(capsys, *arguments)
    assert code == 0 and f"{tmp_path}/p: up to date, nothing to do" in out
    code, out, err = run(capsys, *arguments, "--output", tmp_path / "p.csv")
    assert code == 2 and "beside a folder, only pages (.html) are written" in err


@pytest.fixture
def interruptible():
    """Lets SIGINT interrupt, as at a terminal; a shell starts what runs in the background deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_prediction_that_is_interrupted_says_so_in_a_line(trained, chain, capsys, monkeypatch, tmp_path):
    def interrupted(*_):
        signal.raise_signal(signal.SIGINT)
        time.sleep(1)  # for the main thread to be told
        raise FileError(quality.SILENT, "interrupted")

    monkeypatch.setattr(quality, "check", interrupted)
    song = chain / "corpus" / "low" / "1.wav"
    code, out, err = run(capsys, "predict", trained, song, "--output", tmp_path / "p.json")
    assert (code, out) == (130, "")
    assert err.splitlines() == ["Stopped. Run the same command again to continue."]


@pytest.mark.slow
def test_crossval(chain, built, capsys, tmp_path):
    arguments = [
        "crossval",
        built,
        "--config",
        chain / "c.yaml",
        "--output",
        tmp_path / "cv",
        "--set",
        "training.epochs=1",
    ]
    code, out, _ = run(capsys, *arguments)
    assert code == 0 and out.count("fold-") == 4 and "of 16 unseen songs" in out
    assert (tmp_path / "cv" / "report.html").exists() and (tmp_path / "cv" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["build", "{t}/nothing", "--config", "{c}", "--output", "{t}/x"], 2, "{t}/nothing: no such file or folder"),
        (["build", "--config", "{c}", "--output", "{t}/x"], 2, "no music given"),
        (["build", "--config", "{t}/gone.yaml", "--output", "{t}/x"], 2, "gone.yaml: no such file"),
        (["build", "--config", "{t}", "--output", "{t}/x"], 2, "{t}: is a folder, expected a configuration"),
        (
            ["build", "--config", "{c}", "--output", "{t}/x", "--set", "folds.cuont=3"],
            2,
            "unknown key folds.cuont; allowed: count, ",
        ),
        (
            ["build", "--config", "{c}", "--output", "{t}/x", "--set", "shards.dtype=int4"],
            2,
            "'float16' or 'uint8', found 'int4'",
        ),
        (["build", "--config", "{c}", "--output", "{t}/x", "--set", "folds"], 2, "expected KEY=VALUE"),
        (["build", "--config", "{c}", "--output", "{t}/x", "--workers", "0"], 2, "--workers 0: expected at least 1"),
        (
            ["build", "{t}", "--config", "{c}", "--output", "{t}/x", "--workers", "2", "--", "--runner=FlinkRunner"],
            2,
            "leave out one",
        ),
        (["audit", "{t}/a.csv", "--output", "{t}/x", "--workers", "-1"], 2, "--workers -1: expected at least 1"),
        (["train", "{t}/gone", "--config", "{c}", "--output", "{t}/x"], 2, "no dataset there"),
        (
            ["train", "{d}", "--config", "{c}", "--output", "{t}/x", "--set", "training.network=vgg"],
            2,
            "allowed: cnn,",
        ),
        (["train", "{d}", "--config", "{c}", "--output", "{c}/x"], 2, "{c}/x: not a directory ({c} is a file)"),
        (["crossval", "{d}", "--config", "{c}", "--output", "{d}"], 2, "no crossval wrote"),
        (["evaluate", "{t}/gone", "{d}"], 2, "no bundle there"),
        (["inspect", "{d}", "no such song"], 2, "no song ends in 'no such song'; its table songs lists all"),
        (["inspect", "{d}", "low/33.wav"], 2, "did you mean low/3.wav?"),
        (["inspect", "{d}", "low/3.wav", "--output", "x.jpg"], 2, "--output x.jpg: expected a file that ends in .png"),
        (["inspect", "{r}"], 2, "no dataset there (no dataset.json); did you mean {r}/dataset?"),
        (["predict", "{r}", "{c}"], 2, "did you mean {r}/bundle?"),
        (["predict", "{c}", "{b}"], 2, "the bundle comes first: spectroshard predict {b} {c}"),
        (["evaluate", "{d}", "{b}"], 2, "the bundle comes first: spectroshard evaluate {b} {d}"),
        (["predict", "{b}", "{t}/gone.mp3"], 2, "{t}/gone.mp3: no such file"),
        (["predict", "{t}/gone", "a.wav"], 2, "no bundle there"),
        (["predict", "{t}/gone", "a.wav", "--output", "p.txt"], 2, "--output p.txt"),
        (["predict", "{t}/gone", "a.wav", "--output", "p.csv", "--output", "p.txt"], 2, "--output p.txt"),
    ],
)
def test_errors_are_one_line_that_says_what_to_do(arguments, code, message, chain, built, trained, capsys, tmp_path):
    for name, folder in (("dataset", built), ("bundle", trained)):
        (tmp_path / "r").mkdir(exist_ok=True)
        (tmp_path / "r" / name).symlink_to(folder)
    names = {"c": chain / "c.yaml", "d": built, "b": trained, "r": tmp_path / "r", "t": tmp_path}
    found, out, err = run(capsys, *(argument.format(**names) for argument in arguments))
    assert found == code
    assert len(err.strip().splitlines()) == 1 and err.startswith(f"spectroshard {arguments[0]}: ")
    assert message.format(**names) in err
    assert out == "" and not (tmp_path / "x").exists()


def test_verbose_shows_where(chain, capsys, tmp_path):
    _, _, err = run(capsys, "inspect", tmp_path, "-v")
    assert "Traceback" in err and "no dataset there" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bild"], "invalid choice: 'bild' (did you mean build?)"),
        (["frobnicate"], "invalid choice: 'frobnicate' (choose from run, build, train, "),
        (["train"], "the following arguments are required: DATASET, --output"),
        (["predict", "b"], "the following arguments are required: AUDIO"),
        (["completion", "cmd"], "invalid choice: 'cmd'"),
        (
            ["build", "x", "--output", "d", "--frob"],
            "unrecognized arguments: --frob (Apache Beam's options go after --",
        ),
        (["train", "d", "--ouput", "b"], "unrecognized arguments: --ouput (did you mean --output?)"),
        (["train", "d", "b"], "unrecognized arguments: b (did you mean --output b?)"),
        (["build", "x", "gtzan", "--output", "d"], "unrecognized arguments: gtzan (did you mean --config gtzan?)"),
        (["build", "x", "--flink_master=h:1", "--output", "d"], "Apache Beam's options go after --"),
    ],
)
def test_wrong_arguments_exit_with_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("former", "today"),
    [
        ("build c.yaml --input a/b --output d", "build a/b --config c.yaml --output d"),
        ("build c.yaml --output d --set folds.count=3", "build MUSIC --config c.yaml --output d --set folds.count=3"),
        ("build --input=a --output=d c.yaml", "build a --config c.yaml --output=d"),
        ("train c.yaml --dataset d --output b", "train d --config c.yaml --output b"),
        (
            "train --set training.epochs=3 c.yml --output b",
            "train DATASET --config c.yml --set training.epochs=3 --output b",
        ),
        ("crossval c.yaml --dataset 'my d' --leak-gap", "crossval 'my d' --config c.yaml --leak-gap"),
        ("evaluate b --dataset d --tempo", "evaluate b d --tempo"),
        ("evaluate --dataset d b -- --runner=FlinkRunner", "evaluate b d"),
    ],
)
def test_the_former_order_of_arguments_is_told_todays_line(former, today, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(shlex.split(former))
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 and err.endswith(f": spectroshard {today}\n")


def test_what_goes_wrong_is_told_as_json_where_that_is_asked_for(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SPECTROSHARD_LOG", "json")
    code, out, err = run(capsys, "versions", tmp_path)
    told = json.loads(err)
    assert (told["command"], told["level"], told["exit_code"]) == ("versions", "error", code) and out == ""
    with pytest.raises(SystemExit):
        cli.main(["trian"])
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert "did you mean train?" in told[-1]["message"]
    monkeypatch.setenv("SPECTROSHARD_LOG", "xml")
    code, _, err = run(capsys, "versions", tmp_path)
    assert (code, err) == (2, "spectroshard: SPECTROSHARD_LOG=xml: expected json, text or nothing\n")


def test_secrets_in_urls_are_refused_and_not_shown(capsys):
    for arguments in (["versions", "ftp://ann:hunter2@host/d"], ["build", "ftp://ann:hunter2@host/m", "--output", "d"]):
        code, out, err = run(capsys, *arguments)
        assert code == 2 and "hunter2" not in out + err and "FSSPEC_FTP_PASSWORD" in err


def test_alone_it_helps(capsys):
    code, out, _ = run(capsys)
    assert code == 0 and out.startswith("usage: spectroshard")
    assert all(f"    {verb} " in out for verb in ("build", "train", "evaluate", "crossval", "predict", "audit", "run"))


@pytest.mark.parametrize(("arguments", "begin"), [(["help"], "[-h]"), (["help", "train"], "train [-h]")])
def test_help_is_a_command_too(arguments, begin, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 0 and capsys.readouterr().out.startswith(f"usage: spectroshard {begin}")


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"spectroshard {spectroshard.__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion(shell, capsys, tmp_path):
    code, out, _ = run(capsys, "completion", shell)
    assert code == 0 and "crossval" in out and "--leak-gap" in out
    if shell == "bash":
        (tmp_path / "complete").write_text(out)
        script = "source complete; COMP_WORDS=(spectroshard cro); COMP_CWORD=1; _shtab_spectroshard; echo $COMPREPLY"
        command = ["bash", "-c", script]
        assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout == "crossval\n"


def test_configs_are_listed_and_printed(capsys):
    code, out, _ = run(capsys, "configs")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [path.stem for path in sorted(CONFIGS)]
    code, out, _ = run(capsys, "configs", "demo")
    assert code == 0 and out == (REPOSITORY / "configs" / "demo.yaml").read_text()
    code, _, err = run(capsys, "configs", "dmeo")
    assert code == 2 and "no configuration 'dmeo'; did you mean demo?" in err


@pytest.mark.slow
def test_run_does_all_of_it_and_goes_on_where_it_was(music, capsys, tmp_path):
    arguments = ["run", music, "--output", tmp_path / "r", "--set", "folds.count=4", "--workers", 1]
    quick = ["--set", "training.epochs=1", "--set", "training.window_s=1", "--set", "training.windows_per_epoch=16"]
    code, out, _ = run(capsys, *arguments, *quick)
    assert code == 0
    assert [line for line in out.splitlines() if " of 4: " in line] == [
        *("1 of 4: build", "2 of 4: audit", "3 of 4: train", "4 of 4: evaluate")
    ]
    assert out.splitlines()[-1] == f"report: {tmp_path}/r/bundle/report.html"
    assert (tmp_path / "r" / "audit" / "audit.html").exists()
    made = (tmp_path / "r" / "bundle" / "model.keras").stat().st_mtime_ns
    code, out, _ = run(capsys, *arguments, *quick)
    assert code == 0 and "up to date, nothing to do" in out
    assert (tmp_path / "r" / "bundle" / "model.keras").stat().st_mtime_ns == made


def test_run_stops_where_a_step_fails(chain, capsys, tmp_path):
    code, out, err = run(capsys, "run", tmp_path / "nothing", "--output", tmp_path / "r")
    assert code == 2 and f"{tmp_path}/nothing" in err and "2 of 4" not in out


def test_run_writes_to_a_folder_of_its_own(music, capsys, tmp_path):
    code, out, err = run(capsys, "run", music, "--output", music)
    assert (code, out) == (2, "") and "is in the music's own folder" in err
    (tmp_path / "taxes.txt").write_text("mine")
    code, out, err = run(capsys, "run", music, "--output", tmp_path)
    assert (code, out) == (2, "") and "holds files that no run wrote (taxes.txt, ...)" in err
    assert [path.name for path in tmp_path.iterdir()] == ["taxes.txt"]


def test_inspect_shows_what_a_build_that_failed_rejected(capsys, tmp_path):
    (tmp_path / "songs").mkdir()
    shutil.copy(REPOSITORY / "tests" / "data" / "xeon6.ogg", tmp_path / "songs")
    code, _, err = run(capsys, "build", tmp_path / "songs", "--output", tmp_path / "d")
    assert code == 1 and "give the folder that holds the genre folders" in err
    code, out, _ = run(capsys, "inspect", tmp_path / "d")
    assert code == 1 and out.startswith("xeon6.ogg: no_genre (")


@pytest.mark.slow
def test_training_needs_no_configuration(built, capsys, tmp_path):
    quick = ["--set", "training.epochs=1", "--set", "training.windows_per_epoch=16"]
    code, out, _ = run(capsys, "train", built, "--output", tmp_path / "b", *quick)
    assert code == 0 and "2 genres; weights of the last epoch (1)" in out
    assert Bundle.load(str(tmp_path / "b")).splits["test"] == ("fold-00",)


@pytest.mark.slow
def test_a_build_tells_how_to_train_where_its_configuration_says_so(chain, built, capsys, tmp_path):
    code, out, _ = run(capsys, "build", chain / "corpus", "--config", chain / "c.yaml", "--output", tmp_path / "d")
    line = f"spectroshard train {tmp_path}/d --output BUNDLE --config {chain}/c.yaml"
    assert code == 0 and line in out.splitlines()[-1]


@pytest.mark.parametrize("path", sorted(CONFIGS), ids=lambda path: path.stem)
def test_every_configuration_that_ships_loads(path):
    config = load(str(path), [], Config)
    assert set(config.training.input_features) <= set(config.features.chosen)
    assert set(yaml.safe_load(path.read_text())) <= set(Config.model_fields)


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["bild"], ["train"], ["train", "c.yaml", "--dataset", "d", "--output", "b"]]
)
def test_what_argparse_refuses_or_tells_imports_nothing_heavy(arguments):
    script = f"""
import contextlib, sys
from spectroshard import cli
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
    cli.main({arguments})
print([m for m in ("numpy", "pydantic", "fsspec", "tensorflow", "apache_beam", "librosa") if m in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.slow
def test_a_build_needs_no_tensorflow(chain, tmp_path):
    script = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
from spectroshard import cli
sys.exit(cli.main(sys.argv[1:]))
"""
    arguments = ["build", f"{chain}/corpus", "--config", f"{chain}/c.yaml", "--output", f"{tmp_path}/d"]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
