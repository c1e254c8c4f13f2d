from pathlib import Path

import numpy as np
import pytest

from model.data import batches
from model.networks import assembly, registry
from model.training import warm_start
from model.training.run import Run
from model.training.train import compiled, train
from pipelines.common.errors import UsageError


@pytest.fixture(scope="module")
def run(bundle, dataset):
    return Run(bundle.training, dataset, bundle.splits, bundle)


def test_a_warm_start_begins_with_the_weights_of_the_bundle(run, bundle, dataset):
    trainable = compiled(run)
    before = [weights.copy() for weights in trainable.get_weights()]
    warm_start.begin_with(trainable, bundle)
    windows = next(iter(batches.middle_windows(dataset, bundle.splits["test"], run.windows)))
    own = assembly.with_embedding(registry.for_any_length(trainable)).predict_on_batch(windows)
    theirs = bundle.network().get_layer(bundle.training.network).predict_on_batch(windows)
    np.testing.assert_allclose(own[assembly.BRANCH_OUTPUTS], theirs[assembly.BRANCH_OUTPUTS], atol=1e-6)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(before, trainable.get_weights(), strict=True))


def test_a_bundle_that_went_on_from_another_knows_the_other_s_songs(config, dataset, bundle, tmp_path):
    short = config.model_copy(update={"training": config.training.model_copy(update={"epochs": 1})})
    # By other folds: what the first was trained on is among the second's test songs.
    splits = {"train": ("fold-00", "fold-01"), "validation": ("fold-02",), "test": ("fold-03",)}
    second = train(short, dataset, str(tmp_path / "b"), splits, bundle)
    of_test = {row.content_hash for row in dataset.ledger() if row.fold == "fold-03"}
    assert of_test <= bundle.trained_contents() <= second.trained_contents()
    assert {Path(file.name).name for file in bundle.trained} < {file.name for file in second.trained}


def test_other_genres_or_another_network_are_refused(config, dataset, bundle, run, tmp_path):
    other = bundle.model_copy(update={"genres": ("jazz", "polka")})
    assert warm_start.mismatch(run, bundle) == ""
    with pytest.raises(UsageError, match="a training cannot begin with its weights: its genres are others"):
        train(config, dataset, str(tmp_path / "b"), start=other)
    assert not (tmp_path / "b").exists()


def test_with_another_start_it_is_another_training(run, bundle):
    assert len({run.digest, Run(run.training, run.dataset, run.splits).digest}) == 2
