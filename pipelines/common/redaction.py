"""Secrets in URLs: they are refused where they would be stored, and never shown."""

import re

from pipelines.common.errors import UsageError

HIDDEN = "***"
_PASSWORD = re.compile(r"""(?<=://)[^/\s:@"']*:[^/\s"']*(?=@)|(?<=http://|ttps://)[^/\s@"']+(?=@)""")
_NAMED = r"[\w.-]*(?:access[-_]?key(?:[-_]?id)?|api[-_]?key|credential|password|secret|signature|token)|key|sig"
_PARAMETER = re.compile(rf"""([?&](?:{_NAMED})=)[^&#\s"']+""", re.IGNORECASE)


def redacted(text: str) -> str:
    """A text in which the secrets of URLs are hidden: passwords, and signatures, tokens and keys in what is asked.

    Examples
    --------
    >>> redacted("ftp://ann:hunter2@host/songs, https://host/a.zip?X-Amz-Signature=5f0c&part=1")
    'ftp://***@host/songs, https://host/a.zip?X-Amz-Signature=***&part=1'
    >>> redacted("abfs://container@account.dfs.core.windows.net/songs")
    'abfs://container@account.dfs.core.windows.net/songs'
    """
    return _PARAMETER.sub(rf"\1{HIDDEN}", _PASSWORD.sub(HIDDEN, text))


def refuse_secrets(url: str) -> None:
    """Refuses a URL that holds a secret, which datasets, bundles and reports would tell.

    Raises
    ------
    UsageError
        Its message does not show the secret.
    """
    if (shown := redacted(url)) != url:
        protocol = url.partition("://")[0].rpartition(":")[2].upper()
        raise UsageError(
            f"{shown}: holds a secret, which whoever reads the dataset or a report would see; give it by the"
            f" environment, as its library or fsspec reads it from there (FSSPEC_{protocol}_PASSWORD)"
        )
