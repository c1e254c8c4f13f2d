"""YAML in which no key is given twice: of two, the reader would silently take the last."""

from collections.abc import Hashable
from typing import Any

import yaml


def load(content: bytes | str) -> Any:
    """What a YAML document holds.

    Raises
    ------
    yaml.YAMLError
        It is no YAML, or a mapping has a key twice.

    Examples
    --------
    >>> load("folds: {count: 5}")
    {'folds': {'count': 5}}
    >>> load("seed: 1\\nseed: 2")
    Traceback (most recent call last):
    yaml.constructor.ConstructorError: key 'seed' is given twice; keep one
      in "<unicode string>", line 2, column 1:
        seed: 2
        ^
    """
    return yaml.load(content, _Loader)


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    fault = f"key {key.value!r} is given twice; keep one"
                    raise yaml.constructor.ConstructorError(None, None, fault, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)
