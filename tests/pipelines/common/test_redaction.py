import json

import pytest

from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.common.redaction import redacted

SECRET = "hunter2"
WITH_SECRET = [
    f"ftp://ann:{SECRET}@host/songs",
    f"ftp://:{SECRET}@host/songs",
    f"ftp://ann:{SECRET}@{SECRET}@host/songs",
    f"zip://a.wav::ftp://ann:{SECRET}@host/a.zip",
    f"https://{SECRET}@host/a.zip",
    f"http://{SECRET}@host/a.zip",
    f"https://host/a.zip?part=1&X-Amz-Signature={SECRET}&part=2",
    f"https://host/a.zip?AWSAccessKeyId={SECRET}",
    f"https://account.blob.core.windows.net/a.zip?sp=r&sig={SECRET}",
    f"https://host/a.zip?access_token={SECRET}",
    f"https://host/a.zip?key={SECRET}",
]
WITHOUT = [
    "s3://bucket/a@b:c.wav",
    "abfs://container@account.dfs.core.windows.net/songs",
    "https://host:8080/songs/who@where.mp3",
    "https://host/a.mp3?keyword=jazz&monkey=1&signed=no",
    "ssh://git@host/songs",
    "/music/a://b.wav",
]


@pytest.mark.parametrize("url", WITH_SECRET)
def test_secrets_are_hidden_and_refused(url):
    assert SECRET not in redacted(f"{url}: no such file")
    assert "host" in redacted(url) or "windows" in redacted(url)
    with pytest.raises(UsageError, match="holds a secret") as refused:
        storage.filesystem(url)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("url", WITHOUT)
def test_what_is_no_secret_stays(url):
    assert redacted(url) == url


@pytest.mark.parametrize("url", WITH_SECRET)
def test_json_stays_json(url):
    found = json.loads(redacted(json.dumps({"url": url, "text": 'said "a@b"'})))
    assert found["text"] == 'said "a@b"'


def test_the_way_out_is_told():
    with pytest.raises(UsageError, match="FSSPEC_FTP_PASSWORD"):
        storage.filesystem(f"zip://a.wav::ftp://ann:{SECRET}@host/a.zip")
