"""Out-of-distribution rejection: a layer that tells which windows are unlike those of the train songs."""

from collections.abc import Iterable
from typing import Any

from model.networks.blocks import Batch

_LEAST_DEVIATION = 1e-3


_FAMILIAR_SHARE, _BELIEF_IN_THE_STRANGE = 0.99, 0.001


def verdict_of(finder: Any, familiar: Iterable[Batch], strange: Iterable[Batch]) -> Any:
    """The model of the same layers whose output is the mean of a finder's opinions, shape (genres,).

    A window that is rather like what is strange is hardly believed: its genres are all alike, but for a thousandth of
    the difference. One more layer tells it, of what the towers found: a logistic regression, with a limit that one in
    a hundred of the familiar windows reaches. The network itself learns nothing of what is strange: where it did, by
    windows of noise among those of songs, it was less often right about songs, and no more in doubt about noise.
    Source of the idea: K. Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and
    Adversarial Attacks", NeurIPS 2018, https://arxiv.org/abs/1807.03888.

    Parameters
    ----------
    finder : keras.Model
        As `finding` makes it.
    familiar, strange : iterable of dict
        Batches of windows: of songs that it learned from, and of what is no song.
    """
    from keras import Model, layers, ops

    found = finder.output["found"]
    weights, limit = _discriminant(Model(finder.input, found), familiar, strange)
    strangeness = layers.Dense(1, use_bias=False, name="strangeness")
    belief = ops.where(strangeness(found) > limit, _BELIEF_IN_THE_STRANGE, 1.0)
    strangeness.set_weights([weights])
    strangeness.trainable = False
    verdict = layers.GlobalAveragePooling1D()(finder.output["opinions"])
    return Model(finder.input, belief * verdict + (1 - belief) / verdict.shape[1], name=finder.name)


def _discriminant(front: Any, familiar: Iterable[Batch], strange: Iterable[Batch]) -> tuple[Any, float]:
    """Weights, shape (units, 1), of the sum that is higher the stranger a window is; the limit of the familiar."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    known, other = (np.concatenate([front.predict_on_batch(batch) for batch in each]) for each in (familiar, strange))
    deviation = known.std(axis=0) + _LEAST_DEVIATION
    regression = LogisticRegression(class_weight="balanced", max_iter=1000)
    regression.fit(np.concatenate([known, other]) / deviation, np.repeat([0, 1], [len(known), len(other)]))
    weights = (regression.coef_[0] / deviation).astype(np.float32)
    return weights[:, None], float(np.quantile(known @ weights, _FAMILIAR_SHARE))
