"""What the tests of faults share with those of builds: a corpus of 18 songs, and its dataset, built undisturbed."""

from tests.pipelines.conftest import built, in_this_process, songs_folder

__all__ = ["built", "in_this_process", "songs_folder"]
