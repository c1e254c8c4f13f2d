"""Records in a `tf.data` graph: parsing them, restoring their features, and labels. The keys are those of `records`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipelines.config import StorageType
from pipelines.dataset.quantisation import is_scaled
from pipelines.dataset.records import DATA, SCALE, SHAPE, TEXT_KEYS, feature_key


def parse(serialized: Any, names: Sequence[str], dtype: StorageType) -> dict[str, Any]:
    """Parses an Example; its features stay as they are stored.

    Parameters
    ----------
    serialized : tf.Tensor, string, shape ()
    names : sequence of str
        The features to read.
    dtype : 'float16' or 'uint8'
        As the dataset says.

    Returns
    -------
    dict
        `id` and `genre`, string, shape (); each feature, of `dtype`, shape (frames, bins), and of uint8
        its `NAME/scale`, shape (2,).
    """
    import tensorflow as tf

    data, shapes, scales = ([feature_key(name, part) for name in names] for part in (DATA, SHAPE, SCALE))
    spec = {key: tf.io.FixedLenFeature([], tf.string) for key in (*TEXT_KEYS, *data)}
    spec |= {key: tf.io.FixedLenFeature([2], tf.int64) for key in shapes}
    if is_scaled(dtype):
        spec |= {key: tf.io.FixedLenFeature([2], tf.float32) for key in scales}
    parsed = tf.io.parse_single_example(serialized, spec)
    for name, values, shape in zip(names, data, shapes, strict=True):
        parsed[name] = tf.reshape(tf.io.decode_raw(parsed.pop(values), dtype), parsed.pop(shape))
    return dict(parsed)


def features_of(
    record: Mapping[str, Any], names: Sequence[str], rows: Callable[[str, Any], tuple[Any, Any]] | None = None
) -> dict[str, Any]:
    """A parsed record's features as float32, shape (frames, bins) each.

    Parameters
    ----------
    record : dict
        Of `parse`.
    names : sequence of str
    rows : callable
        Given a feature's name and its frames, the first frame to restore and how many. Default: all.
    """
    import tensorflow as tf

    restored = {}
    for name in names:
        frames = tf.shape(record[name])[0]
        first, count = (0, frames) if rows is None else rows(name, frames)
        values = tf.cast(record[name][first : first + count], tf.float32)
        scale = record.get(feature_key(name, SCALE))
        restored[name] = values if scale is None else values * scale[0] + scale[1]
    return restored


def one_hot(genre: Any, genres: Sequence[str]) -> Any:
    """A genre's label, float32, shape (genres,), in the order of `Dataset.genres`."""
    import tensorflow as tf

    return tf.cast(tf.equal(tf.constant(genres), genre), tf.float32)
