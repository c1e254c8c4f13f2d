"""Everything shown is in the ledger: no form that a corpus may come in, and no oddity of it, loses a file silently."""

import contextlib
import tempfile
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipelines.corpus import listing
from pipelines.split.folds import LONE_GENRE
from tests.audio_files import tone, write
from tests.pipelines.conftest import config_of, in_process
from tests.pipelines.corpus.odd_corpora import FORMS, GENRES, LATER, SONGS, Song, lay


@contextlib.contextmanager
def laid(songs, write_song=lambda path, song: path.write_bytes(song.path.encode())):
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder), lay(Path(folder), songs, write_song)


FIXED = [Song(f"{genre}/{name}.wav") for genre in GENRES for name in ("one", "two")]
"""Two songs a genre, so that each genre can be split, and that the genre is what folders of an archive differ in."""


def check_listings(songs):
    songs = [*FIXED, *songs]
    with laid(songs) as (folder, root):
        for form, write_form in FORMS.items():
            config, expected = write_form(folder, root, songs)
            files = [entry.file for entry in listing.list_files(config)]
            seen = Counter((file.path, file.reason) for file in files)
            assert seen == Counter({(path, reason.replace(LATER, "")): n for (path, reason), n in expected.items()}), (
                form
            )
            genres = {file.path: file.genre for file in files if not file.reason}
            for song in songs:
                folder_of_it = PurePosixPath(song.path).parent.name  # which a glob goes by
                assert genres[song.path] == (folder_of_it if form == "glob" else song.genre), form


@given(SONGS)
@settings(max_examples=4, deadline=None)
def test_every_form_lists_the_same_songs_and_tells_of_the_rest(songs):
    check_listings(songs)


@pytest.mark.slow
@given(SONGS)
@settings(max_examples=300, deadline=None)
def test_every_form_lists_the_same_songs_and_tells_of_the_rest_often(songs):
    check_listings(songs)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@given(st.data())
@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.generate],  # to make a failure smaller would take a hundred builds
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_everything_shown_is_in_the_ledger(form, data):
    from pipelines.build import summary
    from pipelines.build.build import build

    songs = [*FIXED, *data.draw(SONGS)]
    pitch = {song.path: 100 + 7 * number for number, song in enumerate(songs)}

    def write_song(path, song):
        write(path, tone(1.2, 8_000, frequency_hz=pitch[song.path]), 8_000)

    with laid(songs, write_song) as (folder, root):
        corpus, expected = FORMS[form](folder, root, songs)
        sections = {"build": {"max_reject_share": 0.9}, "folds": {"lone_genres": "drop"}}
        config = config_of(root, corpus=corpus.model_dump(), **sections)
        dataset = build(config, str(folder / "dataset"), in_process()).dataset
        files = dataset.ledger()
        genres = {song.path: PurePosixPath(song.path).parent.name if form == "glob" else song.genre for song in songs}
        # A glob takes an album's folder for a genre, of which there may be one song.
        seen = Counter((file.path, "" if file.reason == LONE_GENRE.name else file.reason) for file in files)
        assert seen == Counter({(path, reason.partition(",")[0]): n for (path, reason), n in expected.items()})
        is_told = "outside the corpus: " in summary.findings(dataset)
        assert is_told == ("outside_root" in dataset.rejected)
        assert dataset.shown == len(files) == dataset.songs + dataset.duplicates + sum(dataset.rejected.values())
        usable = [file for file in files if file.status == "written" or file.reason == LONE_GENRE.name]
        assert {file.path: file.genre for file in usable} == genres
