from collections import Counter

from tests.reasons import declared_reasons


def test_each_reason_is_one_constant_of_its_own_name():
    reasons = declared_reasons()
    assert {"silent", "not_audio", "no_genre", "lone_genre", "changed"} <= {reason.name for _, reason in reasons}
    assert [constant for constant, reason in reasons if constant != reason.name.upper()] == []
    assert [name for name, count in Counter(reason.name for _, reason in reasons).items() if count > 1] == []


def test_each_reason_says_what_it_means():
    assert all(reason.meaning for _, reason in declared_reasons())
