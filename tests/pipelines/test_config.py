import json

import pytest

from pipelines import config
from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.config import BuildConfig


def load(tmp_path, text, *overrides):
    (tmp_path / "c.yaml").write_text(text)
    return config.load(str(tmp_path / "c.yaml"), overrides, BuildConfig)


def test_an_empty_file_is_the_default(tmp_path):
    assert load(tmp_path, "") == BuildConfig()


def test_artists_stay_together_unless_told_otherwise(tmp_path):
    assert load(tmp_path, "").folds.group_by == "artist"
    assert load(tmp_path, "folds: {group_by: song}").folds.group_by == "song"


def test_any_file_system():
    storage.write_bytes("memory://configs/c.yaml", b"folds: {count: 3}")
    assert config.load("memory://configs/c.yaml", [], BuildConfig).folds.count == 3


def test_a_feature_needs_its_name_alone(tmp_path):
    loaded = load(tmp_path, "features:\n  chroma:\n  mfcc: {n_mfcc: 13}\n")
    assert {name: feature.bins for name, feature in loaded.features.chosen.items()} == {"mfcc": 13, "chroma": 12}


def test_overrides_are_yaml_and_win(tmp_path):
    loaded = load(
        tmp_path, "folds: {count: 3}", "folds.count=5", "folds.test=[2, 3]", "corpus.splits.test=a.txt", "folds.seed=7"
    )
    assert (loaded.folds.count, loaded.folds.test, loaded.folds.seed) == (5, (2, 3), 7)
    assert loaded.corpus.splits == {"test": "a.txt"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("folds: {cuont: 3}", r"c\.yaml: unknown key folds\.cuont; allowed: count, seed, group_by, .*validation"),
        ("fold: {}", r"unknown key fold; sections: corpus, audio, features, folds, shards, build"),
        ("features: {log_mel: {mels: 3}}", r"unknown key features\.log_mel\.mels; allowed: .*n_mels"),
        ("folds: {cuont: 3}", r"; did you mean folds\.count\?$"),
        ("fold: {seed: 1, count: 3}", r"unknown key fold; .*; did you mean folds\?$"),
        ("folds: {nothing_like_it: 3}", r"validation$"),
        ("features: {log_mel: {mels: 3}}", r"; did you mean features\.log_mel\.n_mels\?$"),
        ("folds: {count: 1}", r"folds\.count: .*greater than or equal to 2, found 1"),
        ("folds: {group_by: label}", r"folds\.group_by: .*'song'.* 'artist'.*, found 'label'"),
        ("folds: {copies: all}", r"folds\.copies: .*'keep' or 'drop', found 'all'"),
        ("folds: {unbalanced: ok}", r"folds\.unbalanced: .*'warn' or 'fail', found 'ok'"),
        ("corpus: {artist_tags: 3}", r"corpus\.artist_tags: .*valid boolean.*found 3"),
        ("build: {previous: [a]}", r"build\.previous: .*valid string"),
        ("shards: {dtype: float64}", r"shards\.dtype: .*'float16' or 'uint8', found 'float64'"),
        ("folds: {test: [1]}", r"folds: fold 1 is in both test and validation"),
        ("audio: {sample_rate_hz: fast}", r"audio\.sample_rate_hz: .*valid integer.*found 'fast'"),
        ("corpus: {splits: {dev: a.txt}}", r"corpus\.splits\.dev.*'train', 'validation' or 'test'"),
        ("audio: {min_duration_s: 9, max_duration_s: 3}", r"audio: min_duration_s is 9, expected at most max_dur"),
        (
            "features: {log_mel: {fmin: 300, fmax: 300}}",
            r"features\.log_mel: fmin is 300 Hz, expected less than fmax, 300",
        ),
        (
            "{audio: {sample_rate_hz: 8000}, features: {chroma: {}, mfcc: {fmax: 5000}}}",
            r"c\.yaml: features\.mfcc: fmax is 5000 Hz, expected at most 4000 Hz, half of audio\.sample_rate_hz$",
        ),
        (
            "{audio: {sample_rate_hz: 8000}, features: {musicnn_mel: {fmin: 4000}}}",
            r"features\.musicnn_mel: fmin is 4000 Hz, expected less than 4000 Hz, half of audio\.sample_rate_hz$",
        ),
        ("[1, 2]", r"c\.yaml: holds list, expected a mapping"),
        ("a: b: c", r"c\.yaml: is not YAML"),
        ("folds: {count: 3}\nfolds: {seed: 1}", r"c\.yaml: is not YAML \(key 'folds' is given twice; keep one"),
    ],
)
def test_faults_name_the_key_and_what_is_allowed(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("folds.count", "expected KEY=VALUE"),
        ("folds..count=3", "expected KEY=VALUE"),
        ("folds.count.x=3", "count holds a value"),
        ("folds.count=[", "the value is not YAML"),
    ],
)
def test_wrong_overrides_are_named(tmp_path, override, message):
    with pytest.raises(UsageError, match=message) as refused:
        load(tmp_path, "folds: {count: 3}", override)
    assert override in str(refused.value)


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("fold.count=5", r"unknown key fold\.count; sections: corpus, .*; did you mean folds\.count\?$"),
        ("folds.cuont=5", r"did you mean folds\.count\?$"),
        ("group_by=song", r"did you mean folds\.group_by\?$"),
        ("xyz=5", r"unknown key xyz; sections: corpus, audio, features, folds, shards, build$"),
    ],
)
def test_a_slip_in_a_key_is_answered_by_the_likeliest_one(tmp_path, override, hint):
    with pytest.raises(UsageError, match=hint):
        load(tmp_path, "folds: {count: 3}", override)


def test_a_features_own_default_is_allowed_at_any_rate(tmp_path):
    loaded = load(tmp_path, "{audio: {sample_rate_hz: 8000}, features: {musicnn_mel: {}, log_mel: {fmax: 4000}}}")
    assert type(loaded).model_validate(loaded.model_dump()) == loaded


def test_every_fault_is_told_at_once(tmp_path):
    with pytest.raises(UsageError, match=r"folds\.count.*; shards\.size_mb"):
        load(tmp_path, "folds: {count: 0}\nshards: {size_mb: 0}")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"none\.yaml: no such file"):
        config.load(str(tmp_path / "none.yaml"), [], BuildConfig)


def test_a_configuration_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        BuildConfig().folds.count = 3


def config_of(**sections):
    return BuildConfig.model_validate(sections)


@pytest.mark.parametrize(
    ("sections", "is_same"),
    [
        ({"corpus": {"input": "a", "root": "b", "splits": {"test": "t"}, "artists": "c"}}, True),
        ({"build": {"max_reject_share": 1, "previous": "old"}}, True),
        ({"corpus": {"artist_tags": False}}, False),
        ({"folds": {"test": [3], "validation": [4]}}, False),
        ({"folds": {"seed": 1}}, False),
        ({"folds": {"copies": "drop"}}, False),
        ({"folds": {"group_by": "song"}}, False),
        ({"features": {"mfcc": {}}}, False),
        ({"audio": {"max_duration_s": 9}}, False),
        ({"shards": {"size_mb": 1}}, False),
    ],
)
def test_what_decides_whether_a_version_would_be_the_same(sections, is_same):
    assert config_of(**sections).makes_the_same_as(config_of()) is is_same


def test_records_depend_on_audio_features_and_their_type_alone():
    values = config_of().record_values()
    for sections in ({"folds": {"count": 3}}, {"corpus": {"input": "a"}}, {"shards": {"size_mb": 1}}):
        assert config_of(**sections).record_values() == values
    for sections in ({"audio": {"max_duration_s": 9}}, {"features": {"mfcc": {}}}, {"shards": {"dtype": "uint8"}}):
        assert config_of(**sections).record_values() != values


def test_a_configuration_survives_json():
    given = BuildConfig.model_validate(
        {"features": {"mfcc": {}, "chroma": {"n_chroma": 24}}, "folds": {"test": [1, 2], "validation": []}}
    )
    assert BuildConfig.model_validate(json.loads(given.model_dump_json())) == given
