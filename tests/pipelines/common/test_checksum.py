import hashlib
import uuid

import pytest

from pipelines.common import checksum, storage

CONTENT = bytes(range(256)) * 5_000


@pytest.mark.parametrize("content", [b"", CONTENT])
def test_it_is_that_of_the_bytes_wherever_they_are(content, tmp_path):
    for url in (str(tmp_path / "a.tfrecord"), f"memory://{uuid.uuid4().hex}/a.tfrecord"):
        storage.write_bytes(url, content)
        assert checksum.sha256(url) == hashlib.sha256(content).hexdigest()


def test_a_file_that_is_not_there_has_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        checksum.sha256(str(tmp_path / "none"))
