"""Every feature against librosa's own function, called as a user would call it, on real audio."""

import itertools
import subprocess
import sys

import librosa
import numpy as np
import pytest

from pipelines.common.errors import UsageError
from pipelines.config import BuildConfig, check
from pipelines.features import blockwise, librosa_backend
from pipelines.features.compute import compute
from pipelines.features.fft import FrameSpectra
from pipelines.features.schema import Features, LogMel, StftDb
from tests.pipelines.features.cases import CASES, SAMPLE_RATE_HZ

PARAMETERS = {
    "defaults": {name: {} for name in CASES},
    "others": {name: case.parameters for name, case in CASES.items()},
}


@pytest.fixture(scope="module", params=["fast", "librosa"])
def backend(request):
    return request.param


@pytest.fixture(scope="module", params=PARAMETERS)
def parameters(request):
    return PARAMETERS[request.param]


@pytest.fixture(scope="module")
def computed(backend, parameters, music):
    return compute(music, SAMPLE_RATE_HZ, Features.model_validate({**parameters, "backend": backend}))


@pytest.mark.parametrize("name", CASES)
def test_equals_librosa(name, computed, parameters, music):
    reference = CASES[name].reference(music, **parameters[name])
    CASES[name].alike(computed[name].T, reference, "single", name)


@pytest.mark.parametrize("name", CASES)
def test_each_parameter_is_compared_with_librosa_at_another_value_than_its_default(name):
    defaults = Features.class_of(name)().model_dump()
    assert [key for key in defaults if CASES[name].parameters.get(key, defaults[key]) == defaults[key]] == []


def test_every_feature_is_tested():
    assert list(CASES) == Features.names()


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, case in CASES.items() for key in case.parameters])
def test_each_parameter_changes_the_result(name, key, music):
    case = CASES[name]
    without = {k: value for k, value in case.parameters.items() if k != key}
    found, other = (
        compute(music, SAMPLE_RATE_HZ, Features.model_validate({name: parameters}))[name]
        for parameters in (case.parameters, without)
    )
    if found.shape == other.shape:
        with pytest.raises(AssertionError):
            case.alike(found, other, "single", name)


@pytest.mark.parametrize("name", CASES)
def test_shape_is_what_the_feature_announces(name, computed, parameters, music):
    feature = Features.model_validate({name: parameters[name]}).chosen[name]
    assert computed[name].shape == (feature.frames(len(music)), feature.bins)
    assert computed[name].dtype == np.float32


@pytest.mark.parametrize(
    ("backend", "of", "function", "samples_at"),
    [("librosa", librosa, "stft", 0), ("fast", FrameSpectra, "write", 1)],
    ids=["librosa", "fast"],
)
def test_one_stft_serves_all(backend, of, function, samples_at, music, monkeypatch):
    lengths = []
    transform = getattr(of, function)

    def counted(*args, **options):
        lengths.append(args[samples_at].size)
        return transform(*args, **options)

    monkeypatch.setattr(of, function, counted)
    every = Features.model_validate({name: {} for name in Features.names()}).chosen
    stft = (every["log_mel"].n_fft, every["log_mel"].hop_length)
    # A tempogram transforms onsets too.
    chosen = {name: {} for name, f in every.items() if (f.n_fft, f.hop_length) == stft and name != "tempogram"}
    compute(music, SAMPLE_RATE_HZ, Features.model_validate({**chosen, "backend": backend}))
    once = list(lengths)
    lengths.clear()
    compute(music, SAMPLE_RATE_HZ, Features.model_validate({"log_mel": {}, "backend": backend}))
    assert once == lengths != []


@pytest.mark.parametrize("parameters", [PARAMETERS["defaults"]], ids=["defaults"], scope="module")
def test_harmonic_and_percussive_part_are_of_the_magnitudes_not_of_resynthesised_audio(computed, music):
    resynthesised = librosa.feature.melspectrogram(y=librosa.effects.hpss(music)[1], sr=SAMPLE_RATE_HZ)
    assert np.abs(computed["percussive_mel"].T - librosa.power_to_db(resynthesised)).max() > 1


def test_double_precision_is_nearer_to_librosa(music):
    def error(**options):
        wanted, found = (
            compute(music, SAMPLE_RATE_HZ, Features.model_validate({"log_mel": {}, **options, "backend": backend}))
            for backend in ("librosa", "fast")
        )
        return np.abs(wanted["log_mel"] - found["log_mel"]).max()

    assert error(precision="double") <= 5e-5 < error(precision="single") <= 1e-3


@pytest.mark.parametrize(
    ("key", "allowed"), [("backend", "'fast' or 'librosa'"), ("precision", "'single' or 'double'")]
)
def test_unknown_backend_or_precision_names_the_known_ones(key, allowed):
    with pytest.raises(UsageError, match=rf"features\.{key}: input should be {allowed}, found 'x'"):
        check({"features": {"log_mel": {}, key: "x"}}, BuildConfig, "c.yaml")


def test_backend_and_precision_decide_a_datasets_bytes():
    configs = [{}, {"backend": "librosa"}, {"precision": "double"}]
    values = [BuildConfig.model_validate({"features": {"log_mel": {}, **c}}).record_values() for c in configs]
    assert all(first != second for first, second in itertools.combinations(values, 2))


def test_those_that_are_named_keep_backend_and_precision():
    features = Features.model_validate({"log_mel": {}, "chroma": {}, "backend": "librosa", "precision": "double"})
    assert features.only(["chroma"]).model_dump(exclude_none=True) == {
        "chroma": features.chroma.model_dump(),
        "backend": "librosa",
        "precision": "double",
    }


class Contrast(LogMel):
    """A feature that no backend has a recipe for, of a class that each has one for."""


@pytest.mark.parametrize("backend", [blockwise, librosa_backend])
@pytest.mark.parametrize("feature", [Contrast(), LogMel().bands], ids=["subclass", "parent"])
def test_a_feature_without_a_recipe_of_its_own_is_refused(backend, feature, music):
    with pytest.raises(NotImplementedError, match=f"has no recipe for {type(feature).__name__}"):
        backend.compute(music, SAMPLE_RATE_HZ, {"contrast": feature}, np.dtype(np.float32))


@pytest.mark.filterwarnings("ignore:n_fft=:UserWarning")
@pytest.mark.parametrize("n_fft", [16, 17, 2048])
@pytest.mark.parametrize("samples", [1, 511, 512, 513, 20_000])
def test_frames_are_as_many_as_librosas(n_fft, samples):
    stft = librosa.stft(np.zeros(samples, np.float32), n_fft=n_fft, hop_length=512)
    assert StftDb(n_fft=n_fft).frames(samples) == stft.shape[1]


def test_to_import_the_features_imports_neither_librosa_nor_numba():
    code = "import sys, pipelines.features.schema; print({'librosa', 'numba', 'scipy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_unknown_feature_names_the_known_ones():
    with pytest.raises(UsageError, match=r"unknown key features\.log_male; allowed: stft_db, log_mel"):
        check({"features": {"log_male": {}}}, BuildConfig, "c.yaml")


def test_no_feature_at_all_is_refused():
    with pytest.raises(UsageError, match=rf"no feature is named; choose among stft_db, .*, {Features.names()[-1]}$"):
        check({"features": {"backend": "librosa"}}, BuildConfig, "c.yaml")


def test_what_was_chosen_survives_json():
    features = Features.model_validate({"log_mel": {"top_db": None}})
    assert Features.model_validate_json(features.model_dump_json()) == features
