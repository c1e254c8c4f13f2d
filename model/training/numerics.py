"""In which precision a network is trained, and whether XLA compiles it: by the accelerators that this machine has."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import keras

_HAS_BFLOAT16 = (8, 0)  # Ampere. Source: https://docs.nvidia.com/cuda/cuda-c-programming-guide, compute capabilities


@dataclass(frozen=True)
class Numerics:
    """How a network is trained.

    Attributes
    ----------
    policy : str
        Keras's dtype policy. Weights are float32 in both that are chosen.
    jit_compile : bool
        Whether XLA compiles the training step, which on a CPU makes it many times slower.
    """

    policy: str = "float32"
    jit_compile: bool = False

    @classmethod
    def of_gpus(cls, capabilities: Sequence[tuple[int, int]]) -> "Numerics":
        """What suits GPUs of these compute capabilities; none is a CPU.

        Half precision is bfloat16, whose range is that of float32: float16 would need its loss scaled.

        >>> Numerics.of_gpus([]), Numerics.of_gpus([(8, 6)]).policy, Numerics.of_gpus([(8, 6), (7, 5)]).policy
        (Numerics(policy='float32', jit_compile=False), 'mixed_bfloat16', 'float32')
        """
        if not capabilities:
            return cls()
        return cls("mixed_bfloat16" if min(capabilities) >= _HAS_BFLOAT16 else "float32", jit_compile=True)

    @classmethod
    def of_this_machine(cls) -> "Numerics":
        """What suits this machine."""
        import tensorflow as tf

        details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
        return cls.of_gpus([tuple(each.get("compute_capability", (0, 0))) for each in details])

    @contextlib.contextmanager
    def building(self) -> Iterator[None]:
        """Builds the block's networks with the policy."""
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.policy)
        try:
            yield
        finally:
            keras.config.set_dtype_policy(before)
