from collections import Counter
from pathlib import Path

from docs.reasons import declared_reasons
from tests.audio_files import write_bad_corpus


def test_each_reason_is_one_constant_of_its_own_name():
    reasons = declared_reasons()
    assert {"silent", "not_audio", "no_genre", "lone_genre", "crashed"} <= {reason.name for _, reason in reasons}
    assert [constant for constant, reason in reasons if constant != reason.name.upper()] == []
    assert [name for name, count in Counter(reason.name for _, reason in reasons).items() if count > 1] == []


def test_each_reason_says_what_it_means():
    assert all(reason.meaning for _, reason in declared_reasons())


# Those that no single build of bad files can show, and the tests that do.
SHOWN_ELSEWHERE = {
    "crashed": "build/test_make_record",
    "failed": "audio/test_decode",
    "odd_genre": "corpus/test_listing",
    "withdrawn": "split/test_history",
}


def test_each_reason_is_shown_by_a_bad_file_or_by_a_test_of_its_own(tmp_path):
    _, bad_files = write_bad_corpus(tmp_path)
    shown = {reason for _, reason in bad_files if reason}
    assert {reason.name for _, reason in declared_reasons()} == shown | SHOWN_ELSEWHERE.keys()
    for name, module in SHOWN_ELSEWHERE.items():
        text = (Path(__file__).parents[1] / f"{module}.py").read_text()
        assert f'"{name}"' in text or f"reason={name.upper()}.name" in text
