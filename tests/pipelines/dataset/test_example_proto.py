import contextlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.common.errors import SpectroshardError
from pipelines.dataset import example_proto

few = settings(max_examples=30)

INT64S = st.integers(-(1 << 63), (1 << 63) - 1)
FLOATS = st.floats(width=32)
FEATURES = st.one_of(
    st.lists(st.binary(max_size=200), max_size=3).map(lambda values: {"bytes_list": tf.train.BytesList(value=values)}),
    st.lists(FLOATS, max_size=40).map(lambda values: {"float_list": tf.train.FloatList(value=values)}),
    st.lists(INT64S, max_size=40).map(lambda values: {"int64_list": tf.train.Int64List(value=values)}),
)
EXAMPLES = st.dictionaries(st.text(max_size=20), FEATURES, max_size=6).map(
    lambda features: tf.train.Example(
        features=tf.train.Features(feature={key: tf.train.Feature(**feature) for key, feature in features.items()})
    )
)


def values_of(parsed):
    return {
        key: ([bytes(text) for text in feature.texts], np.float32(feature.floats).tobytes(), list(feature.ints))
        for key, feature in parsed.items()
    }


def of_protobuf(serialized):
    """The same of Google's protobuf."""
    features = tf.train.Example.FromString(serialized).features.feature
    return {
        key: (list(f.bytes_list.value), np.float32(f.float_list.value).tobytes(), list(f.int64_list.value))
        for key, f in features.items()
    }


def field(number, wire, content):
    """A field as protobuf writes it; of wire type 2 its length comes first."""
    length = example_proto._varint(len(content)) if wire == 2 else b""
    return example_proto._varint(number << 3 | wire) + length + content


def example(*values):
    """An Example whose key `x` has these bytes for its Feature."""
    entry = field(1, 2, b"x") + b"".join(field(2, 2, value) for value in values)
    return field(1, 2, field(1, 2, entry))


UNKNOWN = st.one_of(
    st.builds(field, st.integers(4, (1 << 29) - 1), st.just(0), INT64S.map(lambda n: example_proto._varint(abs(n)))),
    st.builds(field, st.integers(4, (1 << 29) - 1), st.just(1), st.binary(min_size=8, max_size=8)),
    st.builds(field, st.integers(4, (1 << 29) - 1), st.just(2), st.binary(max_size=200)),
    st.builds(field, st.integers(4, (1 << 29) - 1), st.just(5), st.binary(min_size=4, max_size=4)),
)


@few
@given(EXAMPLES)
def test_what_tensorflow_writes_is_read(written):
    serialized = written.SerializeToString()
    parsed = example_proto.parse(serialized)
    assert values_of(parsed) == of_protobuf(serialized)
    entries = {key: feature.entry for key, feature in parsed.items()}
    assert not entries or example_proto.head(entries) + b"".join(entries.values()) == serialized


@few
@given(EXAMPLES, UNKNOWN, UNKNOWN, st.lists(FLOATS, max_size=9), st.lists(INT64S, max_size=9))
def test_unknown_fields_and_numbers_that_are_not_packed_are_read(written, first, second, floats, ints):
    unpacked = {
        3: first + b"".join(field(1, 0, example_proto._varint(value % (1 << 64))) + second for value in ints),
        2: b"".join(second + field(1, 5, np.float32(value).tobytes()) for value in floats),
    }
    for kind, content in unpacked.items():
        forged = first + written.SerializeToString() + second + example(second + field(kind, 2, content) + first)
        assert values_of(example_proto.parse(forged)) == of_protobuf(forged)


@few
@given(EXAMPLES, st.data())
def test_whatever_is_read_of_forged_bytes_protobuf_reads_too(written, data):
    forged = bytearray(written.SerializeToString() or b"\0")
    for _ in range(data.draw(st.integers(1, 3))):
        forged[data.draw(st.integers(0, len(forged) - 1))] = data.draw(st.integers(0, 255))
    forged = bytes(forged[: data.draw(st.integers(0, len(forged)))])
    with contextlib.suppress(SpectroshardError):
        assert values_of(example_proto.parse(forged)) == of_protobuf(forged)


@few
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(serialized):
    with contextlib.suppress(SpectroshardError):
        assert values_of(example_proto.parse(serialized)) == of_protobuf(serialized)


LONG = bytes(range(256))
TEXT, FLOAT, INT = (field(kind, 2, content) for kind, content in enumerate((b"\n\1a", b"\n\4abcd", b"\n\1\7"), 1))

MALFORMED = {
    "a length beyond the end": (example(TEXT)[:-1], "a field has 12 bytes of 11 that are left"),
    "a key beyond the end": (
        field(1, 2, field(1, 2, b"\n\x7f" + bytes(70))),
        "a field has 127 bytes of 70 that are left",
    ),
    "a huge length": (b"\n" + b"\xff" * 9 + b"\1", "a field has 18446744073709551615 bytes of 0"),
    "a varint of more than ten bytes": (b"\x08" + b"\x80" * 10 + b"\1", "a number does not end"),
    "a varint that does not end": (example(field(3, 2, field(1, 2, b"\x80"))), "a number does not end"),
    "a tag that does not end": (b"\xff", "a number does not end"),
    "four bytes that are three": (example(field(2, 2, b"\x0dabc")), "a field has 4 bytes of 3"),
    "floats that are cut": (example(field(2, 2, field(1, 2, b"abcde"))), "multiple of 4"),
    "a group": (b"\x0b\x0c", "a field is of wire type 3"),
    "a wire type that is none": (b"\x0f", "a field is of wire type 7"),
    "no number": (b"\0\0", "a field has the number 0"),
    "a key that is no text": (field(1, 2, field(1, 2, field(1, 2, b"\xff") + field(2, 2, TEXT))), "can't decode"),
    "very many numbers": (example(field(3, 2, field(1, 2, bytes(70_000)))), "'x' has 70004 bytes of numbers"),
    "no kind": (example(b""), "'x' is not of one kind"),
    "no value": (example(), "'x' is not of one kind"),
    "two kinds": (example(TEXT + INT), "'x' is not of one kind"),
    "two kinds in two values": (example(FLOAT, INT), "'x' is not of one kind"),
}


@pytest.mark.parametrize("forgery", MALFORMED)
def test_what_is_malformed_is_refused(forgery):
    serialized, why = MALFORMED[forgery]
    with pytest.raises(SpectroshardError, match=f"^is no tf.train.Example: .*{why}"):
        example_proto.parse(serialized)


def test_a_key_that_is_there_twice_has_its_last_value():
    forged = example(TEXT) + example(INT)
    assert values_of(example_proto.parse(forged)) == of_protobuf(forged) == {"x": ([], b"", [7])}


def test_the_bytes_of_long_texts_stay_where_they_are():
    entry = example_proto.bytes_entry("x", LONG)
    serialized = example_proto.head({"x": entry}) + entry.begin
    (text,) = example_proto.parse(serialized)["x"].texts
    assert text.obj is serialized and text == LONG


@pytest.mark.parametrize("key", [b"", field(1, 2, b""), field(1, 2, b"x"), field(1, 2, b"x") * 2])
@pytest.mark.parametrize("more", [b"", TEXT, field(9, 2, LONG)])
@pytest.mark.parametrize("place", range(2))
def test_long_texts_are_read_whatever_is_beside_them(key, more, place):
    text = field(1, 2, LONG) + more * (place == 0)
    texts = field(1, 2, text) + more * (place == 1)
    forged = field(1, 2, field(1, 2, key + field(2, 2, texts)))
    assert values_of(example_proto.parse(forged)) == of_protobuf(forged)


def test_an_entry_is_where_it_was_found_also_where_an_equal_one_is_known():
    for serialized in (example(TEXT), bytes(bytearray(example(TEXT)))):
        feature = example_proto.parse(serialized)["x"]
        assert feature.entry.obj is serialized and feature.texts == (b"a",)
