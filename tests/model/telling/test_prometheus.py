import re

import pytest

from model.config import Config, Telling
from model.telling import prometheus
from model.telling.observers import observers
from pipelines.common import storage
from pipelines.common.errors import UsageError
from tests.model.telling import made

LABELS = r'\{\w+="(?:[^"\\\n]|\\[\\"n])*"(?:,\w+="(?:[^"\\\n]|\\[\\"n])*")*\}'


def parsed(text):
    """What the text says by series; each family's comments come once, before its series, which come together."""
    assert text.endswith("\n")
    families, series, current = set(), {}, ""
    for line in text.splitlines():
        if help_line := re.fullmatch(r"# HELP (\w+) \S.*", line):
            current = help_line[1]
            assert current not in families
            families.add(current)
        elif line.startswith("# TYPE"):
            assert line == f"# TYPE {current} gauge"
        else:
            sample = re.fullmatch(rf"{current}({LABELS}) (\S+)", line)
            assert sample, line
            assert current + sample[1] not in series
            series[current + sample[1]] = float(sample[2])
    return series


def test_all_of_a_run_is_told():
    series = parsed(prometheus.text(made.promoted()))
    registry = 'registry="s3://music/registry"'
    for name, value in {
        f'retraining_outcome{{{registry},what="promoted"}}': 1,
        f'retraining_outcome{{{registry},what="failed"}}': 0,
        f"retraining_ended_timestamp_seconds{{{registry}}}": made.AT_S,
        f"retraining_succeeded_timestamp_seconds{{{registry}}}": made.AT_S,
        f"retraining_alarms{{{registry}}}": 1,
        f'retraining_step_seconds{{{registry},step="train"}}': 60,
        f'dataset_files{{{registry},kind="rejected"}}': 2,
        f'champion{{{registry},bundle="000002-bbbbbbbbbbbb"}}': 1,
        f'song_accuracy{{{registry},of="champion"}}': 0.5,
        f'song_accuracy_low{{{registry},of="challenger"}}': 0.65,
        f'song_accuracy_high{{{registry},of="challenger"}}': 0.85,
        f'genre_accuracy{{{registry},of="challenger",genre="drum & bass"}}': 0.75,
        f'tempo_accuracy{{{registry},of="challenger",tempo="0.8"}}': 0.7,
        f"gain{{{registry}}}": 0.25,
        f'drift_effect_size{{{registry},feature="log_mel level"}}': 1.5,
        f'drift_rejects{{{registry},reason="silent"}}': 0.5,
    }.items():
        assert series[f"spectroshard_{name}"] == pytest.approx(value), name


def test_labels_are_escaped():
    text = prometheus.text(made.failed(registry='a "b" \\ c\nd'))
    assert len(parsed(text)) == 7
    assert r'registry="a \"b\" \\ c\nd"' in text


def test_a_failed_run_keeps_when_one_last_succeeded(tmp_path):
    url = str(tmp_path / "metrics" / "songs.prom")
    prometheus.write(url, made.failed())
    assert "succeeded" not in (tmp_path / "metrics" / "songs.prom").read_text()
    prometheus.write(url, made.promoted())
    for _ in range(2):
        prometheus.write(url, made.failed(ended="2026-12-04T12:00:00+00:00"))
    series = parsed((tmp_path / "metrics" / "songs.prom").read_text())
    labels = '{registry="s3://music/registry"}'
    assert series[f"spectroshard_retraining_succeeded_timestamp_seconds{labels}"] == made.AT_S
    assert series[f"spectroshard_retraining_ended_timestamp_seconds{labels}"] == made.AT_S + 7 * 24 * 3600
    assert storage.names(str(tmp_path / "metrics")) == ["songs.prom"]


def test_a_name_that_no_collector_reads_is_refused():
    config = Config(telling=Telling(metrics="songs.txt"))
    with pytest.raises(UsageError, match=r"telling\.metrics: songs\.txt: expected a file that ends in \.prom"):
        observers(config)
