"""A network that all workers of a process share."""

import threading
from collections.abc import Mapping
from typing import Any

from apache_beam.utils.shared import Shared
from numpy.typing import NDArray

from model.inference.bundle import Bundle


class SharedNetwork:
    """A network for several threads, which it serves one at a time, as it uses all cores itself.

    Beam's `RunInference` loads a model once a process too, and decides by itself what a batch is; here files are
    flushed as they are done, so that a job that was killed goes on at its file. docs/speed.md compares the two.
    """

    def __init__(self, bundle: Bundle):
        self._network = bundle.network()
        self._lock = threading.Lock()

    def predict_on_batch(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """As Keras's."""
        with self._lock:
            outputs: NDArray[Any] = self._network.predict_on_batch(inputs)
            return outputs


def acquire(shared: Shared, bundle: Bundle) -> SharedNetwork:
    """A bundle's network, which is loaded by the first of a process's workers that asks."""
    network: SharedNetwork = shared.acquire(lambda: SharedNetwork(bundle), bundle.digest)
    return network
