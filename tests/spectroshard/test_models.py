"""`retrain`, `models` and `registry:` where something is wrong: one line, exit code 2, and nothing done."""

import pytest

from spectroshard import cli
from tests.audio_files import tone, write

WRONG = {
    ("models", "list", "R"): "R: no registry there (no journal/); spectroshard retrain makes one",
    ("models", "show", "R"): "R: no registry there",
    ("models", "rollback", "R", "--reason", "x"): "R: no registry there",
    ("models", "rollback", "R"): "models rollback: needs --reason",
    ("models", "promote", "R"): "models promote: needs a BUNDLE",
    ("models", "promote", "R", "B", "--force"): "--force: give a --reason too",
    ("models", "prune", "R"): "models prune: needs --keep",
    ("models", "prune", "R", "--keep", "0"): "--keep 0: expected at least 1",
    ("models", "prune", "R", "--keep", "1"): "R: no registry there",
    ("models", "list", "R", "--force"): "models list: takes no --force",
    ("models", "list", "R", "B"): "models list: takes no B",
    ("predict", "registry:R", "a.wav"): "R: no registry there",
    ("retrain", "demo"): "the configuration has no section retraining and promotion",
}


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_what_is_wrong_is_told_in_a_line(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.wav", tone(1.0))
    assert cli.main(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith(f"spectroshard {arguments[0]}: {WRONG[arguments]}")
    assert captured.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_an_action_that_there_is_not(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["models", "destroy", "R"])
    assert stopped.value.code == 2 and "choose from" in capsys.readouterr().err
