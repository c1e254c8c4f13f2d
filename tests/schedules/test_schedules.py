"""The example of a retraining, and what the schedules say."""

import re

import pytest
import yaml

from model.config import Alarms, Config
from pipelines.config import load
from tests.schedules.files import FOLDER, HOME

FILES = ("spectroshard-retrain.cron", "spectroshard-retrain.service", "cronjob.yaml", "airflow_dag.py")


@pytest.mark.parametrize("name", FILES)
def test_each_runs_the_command_and_says_what_its_exit_codes_mean(name):
    text = (FOLDER / name).read_text()
    assert re.search(r"spectroshard,? retrain,? (/[a-z/]+/retraining\.yaml|\{CONFIG\})", text)
    for code in "123":
        assert re.search(rf"\b{code}(:|,| \(| [a-z])", text), f"{name} does not say what {code} means"


def test_every_file_is_one_of_these():
    assert {path.name for path in FOLDER.iterdir()} == {*FILES, "spectroshard-retrain.timer"}


def test_all_run_at_the_same_time():
    cron = next(
        line
        for line in (FOLDER / "spectroshard-retrain.cron").read_text().splitlines()
        if "spectroshard retrain" in line
    )
    assert cron.split()[:5] == ["17", "3", "*", "*", "1"]
    assert next(yaml.safe_load_all((FOLDER / "cronjob.yaml").read_text()))["spec"]["schedule"] == "17 3 * * 1"
    assert '"17 3 * * 1"' in (FOLDER / "airflow_dag.py").read_text()
    assert "OnCalendar=Mon 03:17" in (FOLDER / "spectroshard-retrain.timer").read_text()


def test_the_example_lacks_nothing_that_a_retraining_needs():
    example = FOLDER.parent / "retraining.yaml"
    config = load(str(example), [], Config)
    assert config.promotion
    assert {name for name, key in Alarms.model_fields.items() if key.default is None} <= config.alarms.model_fields_set
    assert config.retraining.registry.startswith(HOME) and config.retraining.dataset.startswith(HOME)
