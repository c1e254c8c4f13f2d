"""The names of splits."""

import re

SPLIT_ALIASES = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
"""What people call the splits, and what they are called here."""


def splits_in(name: str) -> set[str]:
    """The splits that the words of a name are.

    >>> splits_in("train_filtered"), splits_in("training"), splits_in("songs")
    ({'train'}, {'train'}, set())
    """
    return {SPLIT_ALIASES[word] for word in re.split(r"[\W_]+", name.lower()) if word in SPLIT_ALIASES}
