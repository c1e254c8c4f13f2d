"""A retraining from the command line, of which everybody is told, and no secret by anybody."""

import json
from pathlib import Path

import pytest
import yaml

from spectroshard import cli
from tests.model.retraining.made import POLICY
from tests.model.telling.webhook import SECRET, Webhook

LAX = {"least_songs": 1, "least_accuracy": 0.0, "least_genre_accuracy": 0.0, "largest_calibration_error": 1.0}


@pytest.mark.slow
def test_everybody_is_told_and_no_secret_is(config, tmp_path, monkeypatch, capfd):
    for name in ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "FSSPEC_FTP_PASSWORD"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("SPECTROSHARD_LOG", "json")
    values = config.model_dump(mode="json", include={"corpus", "features", "folds", "training"}, exclude_unset=True)
    values |= {
        "retraining": {"dataset": str(tmp_path / "dataset"), "registry": str(tmp_path / "registry")},
        "promotion": POLICY | LAX,
        "telling": {
            "metrics": str(tmp_path / "songs.prom"),
            "command": ["sh", "-c", f"cat > {tmp_path}/told"],
            "webhook_env": "HOOK",
        },
    }
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values))
    with Webhook() as webhook:
        monkeypatch.setenv("HOOK", webhook.url)
        assert cli.main(["retrain", str(tmp_path / "c.yaml"), "--workers", "1"]) == 0
        webhook.answers = [404]
        gone = ["--set", f"corpus.input={tmp_path}/gone", "--set", "telling.timeout_s=0.5"]
        assert cli.main(["retrain", str(tmp_path / "c.yaml"), *gone]) == 2
    out, err = capfd.readouterr()
    assert json.loads(out)["what"] == "promoted"
    events = [json.loads(line) for line in err.splitlines()]
    assert [event["step"] for event in events if "step" in event][:5] == [
        "build",
        "audit",
        "train",
        "compare",
        "report",
    ]
    assert "the webhook of HOOK answered 404; after 5 attempts" in events[-2]["message"]
    assert events[-1]["exit_code"] == 2 and "no such file or folder" in events[-1]["message"]
    assert [told["events"] for _, _, told in webhook.got] == [["promoted"]] + 5 * [["failed"]]
    assert json.loads((tmp_path / "told").read_text())["outcome"]["what"] == "failed"
    assert 'what="failed"} 1.0' in (tmp_path / "songs.prom").read_text()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]
    assert SECRET not in out + err
    assert Path(json.loads(out)["report"]).exists()
