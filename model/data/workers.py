"""The workers of a training on several machines: which one this process is, and what of the work is its own."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.common.errors import UsageError
from pipelines.dataset.dataset import Shard

VARIABLE = "TF_CONFIG"
"""The environment variable that names the workers. Source: https://www.tensorflow.org/guide/distributed_training."""

_CHIEF, _WORKER = "chief", "worker"


@dataclass(frozen=True)
class Workers:
    """All workers, of which this process is one.

    Attributes
    ----------
    addresses : tuple of str
        Of all workers, the chief's first; empty where this process trains alone.
    index : int
        Which of them this one is.
    """

    addresses: tuple[str, ...] = ()
    index: int = 0

    @classmethod
    def of_environment(cls) -> "Workers":
        """The workers that `TF_CONFIG` names.

        Raises
        ------
        UsageError
            `TF_CONFIG` is not as TensorFlow has it, or names tasks that are neither chief nor worker.
        """
        text = os.environ.get(VARIABLE, "")
        return cls.parse(text) if text.strip() else cls()

    @classmethod
    def parse(cls, text: str) -> "Workers":
        """The workers that a value of `TF_CONFIG` names.

        >>> text = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}'
        >>> Workers.parse(text)
        Workers(addresses=('a:1', 'b:1'), index=1)
        """
        try:
            found = json.loads(text)
            cluster = {kind: tuple(map(str, found["cluster"][kind])) for kind in found["cluster"]}
            kind, index = str(found["task"]["type"]), int(found["task"]["index"])
            tasks = [(each, number) for each in (_CHIEF, _WORKER) for number in range(len(cluster.get(each, ())))]
            place = tasks.index((kind, index))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _not_understood(text) from error
        if others := cluster.keys() - {_CHIEF, _WORKER}:
            raise UsageError(f"{VARIABLE}: names tasks of the kind {min(others)!r}; expected chief and worker alone")
        return cls((*cluster.get(_CHIEF, ()), *cluster.get(_WORKER, ())), place) if len(tasks) > 1 else cls()

    @property
    def count(self) -> int:
        """How many there are."""
        return max(1, len(self.addresses))

    @property
    def is_chief(self) -> bool:
        """Whether this one writes checkpoints and bundle."""
        return self.index == 0

    def own_shards(self, shards: Sequence[Shard]) -> list[Shard]:
        """This worker's shards: each shard is of one worker, and all have about as many songs.

        Raises
        ------
        UsageError
            There are fewer shards than workers.
        """
        if len(shards) < self.count:
            raise UsageError(
                f"{VARIABLE}: names {self.count} workers, but train has {len(shards)} shards, and each worker needs"
                " one; name fewer, or build with a smaller shards.size_mb"
            )
        songs, own = [0] * self.count, set[str]()
        for shard in sorted(shards, key=lambda shard: (-shard.songs, shard.name)):
            fewest = songs.index(min(songs))
            songs[fewest] += shard.songs
            own |= {shard.name} if fewest == self.index else set()
        return [shard for shard in shards if shard.name in own]

    def own_batch_size(self, batch_size: int) -> int:
        """How many windows of a batch are this worker's.

        Raises
        ------
        UsageError
            A batch cannot be divided evenly.
        """
        if batch_size % self.count:
            raise UsageError(
                f"training.batch_size {batch_size}: cannot be divided among {self.count} workers; set a multiple of it"
            )
        return batch_size // self.count

    def own_place(self, place: int) -> int:
        """A number of this worker alone for a place in its stream, so that no two draw the same windows."""
        return place * self.count + self.index

    def __str__(self) -> str:
        return f"worker {self.index + 1} of {self.count}"


ALONE = Workers()
"""The one worker of a training in this process alone."""


def _not_understood(text: str) -> UsageError:
    return UsageError(
        f'{VARIABLE}: found {text!r}; expected {{"cluster": {{"worker": ["host:port", ...]}},'
        ' "task": {"type": "worker", "index": 0}}'
    )
