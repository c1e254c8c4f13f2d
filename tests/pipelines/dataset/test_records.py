import io

import numpy as np
import pytest
import tensorflow as tf

from pipelines.common.errors import SpectroshardError
from pipelines.dataset import quantisation, records, tensors, tfrecord
from pipelines.dataset.ledger import record_id
from pipelines.dataset.records import Record

RNG = np.random.default_rng(0)
RECORD = Record(
    "5f0cé",
    "blues",
    {
        "log_mel": RNG.uniform(-80, 40, (50, 8)).astype(np.float32),
        "spectral_centroid": RNG.uniform(0, 11025, (50, 1)).astype(np.float32),
    },
)


def encoded(record, dtype):
    return b"".join(records.serialise(record, dtype)[1])


def tensorflow_example(dtype):
    def of_bytes(value):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    feature = {
        "id": of_bytes("5f0cé".encode()),
        "genre": of_bytes(b"blues"),
    }
    for name, values in RECORD.features.items():
        scale = quantisation.scale_of(values, dtype)
        stored = quantisation.quantise(values, dtype, scale)
        feature[f"{name}/data"] = of_bytes(stored.tobytes())
        feature[f"{name}/dtype"] = of_bytes(dtype.encode())
        feature[f"{name}/shape"] = tf.train.Feature(int64_list=tf.train.Int64List(value=stored.shape))
        if dtype == "uint8":
            feature[f"{name}/scale"] = tf.train.Feature(float_list=tf.train.FloatList(value=scale))
    return tf.train.Example(features=tf.train.Features(feature=feature))


@pytest.mark.parametrize("dtype", ["float16", "uint8"])
def test_bytes_are_those_of_tensorflow(dtype):
    assert encoded(RECORD, dtype) == tensorflow_example(dtype).SerializeToString(deterministic=True)


@pytest.mark.parametrize("dtype", ["float16", "uint8"])
def test_what_is_written_is_read(dtype):
    decoded = records.decode(encoded(RECORD, dtype))
    assert (decoded.id, decoded.genre) == (RECORD.id, RECORD.genre)
    parsed = tensors.parse(encoded(RECORD, dtype), list(RECORD.features), dtype)
    assert parsed["genre"].numpy() == b"blues"
    restored = tensors.features_of(parsed, list(RECORD.features))
    for name, values in RECORD.features.items():
        tolerance = np.ptp(values) / 500 if dtype == "uint8" else np.abs(values).max() / 2000
        np.testing.assert_allclose(decoded.features[name], values, atol=tolerance)
        assert parsed[name].dtype == dtype
        np.testing.assert_array_equal(restored[name].numpy(), decoded.features[name])


@pytest.mark.parametrize("dtype", ["float16", "uint8"])
def test_only_the_rows_asked_for_are_restored(dtype):
    serialized = encoded(RECORD, dtype)
    parsed = tensors.parse(serialized, ["log_mel"], dtype)
    restored = tensors.features_of(parsed, ["log_mel"], rows=lambda name, frames: (frames - 12, 7))
    np.testing.assert_array_equal(restored["log_mel"], records.decode(serialized).features["log_mel"][38:45])


def test_a_constant_feature_survives_uint8():
    constant = Record("a", "b", {"chroma": np.full((3, 2), 0.5, np.float32)})
    np.testing.assert_array_equal(records.decode(encoded(constant, "uint8")).features["chroma"], 0.5)


def test_framing_is_tfrecord(tmp_path):
    contents = [b"", b"one", bytes(range(256)) * 100]
    with (tmp_path / "ours").open("wb") as file:
        for content in contents:
            tfrecord.write_record(file, len(content), [content[:5], content[5:]])
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for content in contents:
            writer.write(content)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    assert list(tfrecord.read_records(io.BytesIO((tmp_path / "ours").read_bytes()))) == contents


@pytest.mark.parametrize("position", [3, 20, -2])
def test_damage_is_noticed(position):
    file = io.BytesIO()
    tfrecord.write_record(file, 12, [b"some ", b"content"])
    damaged = bytearray(file.getvalue())
    damaged[position] ^= 1
    with pytest.raises(SpectroshardError, match="damaged"):
        list(tfrecord.read_records(io.BytesIO(bytes(damaged))))


def test_a_file_that_ends_within_a_record_is_noticed():
    file = io.BytesIO()
    tfrecord.write_record(file, 12, [b"some ", b"content"])
    with pytest.raises(SpectroshardError, match="damaged"):
        list(tfrecord.read_records(io.BytesIO(file.getvalue()[:-1])))


@pytest.mark.parametrize("length", [13, 2**40, 2**62])
def test_a_length_that_the_file_has_no_room_for_is_refused_before_it_is_read(length):
    file = io.BytesIO()
    tfrecord.write_record(file, length, [b"some content"])
    with pytest.raises(SpectroshardError, match=f"byte 0 is damaged: it says that it has {length} bytes"):
        list(tfrecord.read_records(io.BytesIO(file.getvalue())))


@pytest.mark.parametrize("dtype", ["float16", "uint8"])
def test_a_relabelled_record_is_as_if_it_had_been_written_so(dtype):
    blues, jazz = (Record(record_id("5f0c", genre), genre, RECORD.features) for genre in ("blues", "jazz"))
    stored = records.StoredRecord(encoded(blues, dtype))
    assert b"".join(stored.with_genre("5f0c", "jazz")) == encoded(jazz, dtype)
    assert b"".join(stored.with_genre("5f0c", "blues")) == encoded(blues, dtype)
    stored.require_recording("5f0c")
    with pytest.raises(SpectroshardError, match="is not one of recording beef"):
        stored.require_recording("beef")
