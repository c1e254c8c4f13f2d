"""The rooms: which may import which, as the line "May use: ..." at the top of each room says.

A room is a folder of `pipelines` or `model`, or their `config.py`, or the package `spectroshard`. A line names rooms of
the same package, or other packages as a whole.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipelines", "model", "spectroshard")
PATHS = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}


def room_of(module: str) -> str:
    package, _, rest = module.partition(".")
    return package if package == "spectroshard" or not rest else f"{package}.{rest.split('.')[0]}"


def imports(module: str) -> Iterator[str]:
    """Which of our modules a module imports, at its top or within a function."""
    for node in ast.walk(ast.parse(PATHS[module].read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            found = name if name in PATHS else name.rpartition(".")[0]
            if found in PATHS and found != module:
                yield found


USES = {module: sorted(set(imports(module))) for module in PATHS}
ROOMS = sorted({room_of(module) for module in PATHS} - {"pipelines", "model"})


def allowed(room: str) -> set[str]:
    """The rooms that a room's own line names."""
    text = ast.get_docstring(ast.parse(PATHS[room].read_text())) or ""
    said = re.search(r"^May use: (.+)\.$", text, re.MULTILINE)
    assert said, f"{room}: expected a line 'May use: ...' in its docstring"
    names = [] if said[1] == "nothing" else said[1].split(", ")
    rooms: set[str] = set()
    for name in names:
        package = room.split(".")[0]
        found = [r for r in ROOMS if r == f"{package}.{name}" or (name in PACKAGES and r.split(".")[0] == name)]
        assert found, f"{room} may use {name}, which is no room"
        rooms.update(found)
    return rooms


def assert_no_circle(graph: Mapping[str, Iterable[str]]) -> None:
    try:
        TopologicalSorter({name: set(others) for name, others in graph.items()}).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_is_for_and_uses_only_what_it_says(room):
    permitted = allowed(room)
    for module, used in USES.items():
        if room_of(module) == room:
            forbidden = [other for other in used if room_of(other) not in {room, *permitted}]
            assert not forbidden, f"{module} imports {forbidden[0]}, and {room} says nothing of {room_of(forbidden[0])}"


def test_rooms_lie_one_above_the_other():
    assert_no_circle({room: allowed(room) for room in ROOMS})


@pytest.mark.parametrize("room", ROOMS)
def test_no_circle_within_a_room(room):
    assert_no_circle(
        {module: [u for u in used if room_of(u) == room] for module, used in USES.items() if room_of(module) == room}
    )
