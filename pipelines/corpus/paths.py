"""What the path of a file tells: whether it is audio, and whether it leads out of its folder."""

import posixpath

from pipelines.audio import decode


def is_audio(path: str, *, is_folder: bool = False) -> bool:
    """Whether a path below the root names an audio file, by its suffix, or a folder, of which no part is hidden.

    >>> is_audio("blues/a.MP3"), is_audio("blues/._a.mp3"), is_audio("blues/cover.jpg")
    (True, False, False)
    """
    parts = path.split("/")  # a PurePath of each of a million files would take a while
    hidden = any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in parts)
    return not hidden and (is_folder or posixpath.splitext(path.rstrip("/"))[1].lower() in decode.SUFFIXES)


def without_suffix(path: str) -> str:
    """A path without its suffix of audio, if it has one.

    >>> without_suffix("blues/blues.00000.wav"), without_suffix("blues/blues.00000")
    ('blues/blues.00000', 'blues/blues.00000')
    """
    stem, suffix = posixpath.splitext(path)
    return stem if suffix.lower() in decode.SUFFIXES else path


def leads_out(path: str) -> bool:
    """Whether a path that should be relative to a folder leads out of it.

    >>> leads_out("blues/a.wav"), leads_out("/blues/a.wav"), leads_out("blues/../../a.wav")
    (False, True, True)
    """
    return path.startswith("/") or ".." in path.split("/")
