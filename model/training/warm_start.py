"""A warm start: a training that begins with another bundle's weights, and says whose songs those have seen."""

from typing import Any

from model.inference.bundle import Bundle
from model.inference.trained_songs import TrainedSongs
from model.networks import assembly, registry
from model.training.run import Run
from pipelines.common import storage


def mismatch(run: Run, start: Bundle) -> str:
    """Why a training cannot begin with a bundle's weights, in words; empty where it can."""
    pairs = {
        "network": (start.training.network, run.training.network),
        "features": (start.training.branch_features, run.training.branch_features),
        "genres": (start.genres, run.dataset.genres),
    }
    return "; ".join(f"its {name} are others" for name, (theirs, ours) in pairs.items() if theirs != ours)


def begin_with(trainable: Any, start: Bundle) -> None:
    """Gives the branches that are to be trained the weights of a bundle's.

    Parameters
    ----------
    trainable : keras.Model
        Of `model.networks.registry.build`.
    start : Bundle
        Of the same network, features and genres.
    """
    flexible = registry.for_any_length(trainable)
    # The bundle's model holds its branches as one layer, in the form that `with_embedding` gives them.
    assembly.with_embedding(flexible).set_weights(start.network().get_layer(trainable.name).get_weights())
    trainable.set_weights(flexible.get_weights())


def copy_trained(start: Bundle, output: str) -> tuple[TrainedSongs, ...]:
    """Copies the files of what a bundle was trained on into the folder of one that goes on from it."""
    for file in start.trained:
        file.read(start.url)
        storage.write_bytes(storage.join(output, file.name), storage.read_bytes(storage.join(start.url, file.name)))
    return start.trained
