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


@pytest.mark.parametrize("parts", [[], [b""], [CONTENT], [b"a", memoryview(CONTENT)[1:], CONTENT]])
def test_that_of_a_file_is_known_when_it_is_written(parts, tmp_path):
    path = tmp_path / "a.tfrecord"
    with checksum.HashedFile(path) as file:
        assert [file.write(part) for part in parts] == [len(part) for part in parts]
    assert path.read_bytes() == b"".join(parts)
    assert file.sha256 == checksum.sha256(str(path))


def test_a_file_that_is_not_there_has_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        checksum.sha256(str(tmp_path / "none"))
