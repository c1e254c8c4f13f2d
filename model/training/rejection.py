"""Out-of-distribution rejection: a layer that recognises windows unlike those of the training songs."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.inference.prediction import REJECTED_WEIGHT
from model.networks.assembly import BRANCH_OUTPUTS, EMBEDDING, REJECTION

_LEAST_DEVIATION = 1e-3
_ACCEPTED_SHARE = 0.99


def with_rejection(
    model: Any,
    in_distribution: Iterable[Mapping[str, NDArray[np.float32]]],
    out_of_distribution: Iterable[Mapping[str, NDArray[np.float32]]],
) -> Any:
    """Averages a model's branches, and makes the output nearly uniform for windows that are out of distribution.

    Such windows are recognised by a linear layer on the embedding, fitted here by logistic regression, whose threshold
    accepts 99 % of the in-distribution windows. The output of a rejected window is the uniform distribution, plus a
    thousandth of the model's difference from it. The network itself is never trained on out-of-distribution windows:
    where it was, with noise among its training windows, it was less accurate on songs and no less sure about noise.
    Source of the idea: K. Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and
    Adversarial Attacks", NeurIPS 2018, https://arxiv.org/abs/1807.03888.

    Parameters
    ----------
    model : keras.Model
        Of `model.networks.assembly.with_embedding`, trained.
    in_distribution, out_of_distribution : iterable of dict
        Batches of normalised windows by feature, shape (windows, frames, bins): of training songs, and of sounds
        that are no music.

    Returns
    -------
    keras.Model
        Probabilities, shape (genres,).
    """
    from keras import Model, layers, ops

    embedding = model.output[EMBEDDING]
    weights, threshold = _discriminant(Model(model.input, embedding), in_distribution, out_of_distribution)
    score = layers.Dense(1, use_bias=False, name=REJECTION)
    weight = ops.where(score(embedding) > threshold, REJECTED_WEIGHT, 1.0)
    score.set_weights([weights])
    score.trainable = False
    mean = layers.GlobalAveragePooling1D()(model.output[BRANCH_OUTPUTS])
    return Model(model.input, weight * mean + (1 - weight) / mean.shape[1], name=model.name)


def _discriminant(
    embedding_model: Any,
    in_distribution: Iterable[Mapping[str, NDArray[np.float32]]],
    out_of_distribution: Iterable[Mapping[str, NDArray[np.float32]]],
) -> tuple[NDArray[np.float32], float]:
    """Weights, shape (units, 1), of a score that is high out of distribution, and the threshold to reject above."""
    from sklearn.linear_model import LogisticRegression

    inside, outside = (
        np.concatenate([embedding_model.predict_on_batch(batch) for batch in batches])
        for batches in (in_distribution, out_of_distribution)
    )
    deviation = inside.std(axis=0) + _LEAST_DEVIATION
    regression = LogisticRegression(class_weight="balanced", max_iter=1000)
    regression.fit(np.concatenate([inside, outside]) / deviation, np.repeat([0, 1], [len(inside), len(outside)]))
    weights = (regression.coef_[0] / deviation).astype(np.float32)
    return weights[:, None], float(np.quantile(inside @ weights, _ACCEPTED_SHARE))
