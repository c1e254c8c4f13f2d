"""What a benchmark is made of: contests held in turn, rows that say what they showed, and the processes they run in.

Imports nothing that starts threads, so that a process can be confined to some cores before it loads anything else.
"""

import dataclasses
import json
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.tables import table

TURNS = 5
"""How often each side of a contest is measured, beside a first turn that does not count."""

_LIBRARIES = (
    "apache-beam", "keras", "librosa", "numba", "numpy", "scipy", "soundfile", "soxr", "tensorflow",
)  # fmt: skip
_HEADER = ("measured", "against", "reference", "ours", "figure", "required", "met", "note")


@dataclass(frozen=True)
class Difference:
    """How far what two sides gave lies apart, and how far it may."""

    found: float
    allowed: float


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes
    ----------
    measured, against : str
        What of ours, and what it is compared with.
    ours, reference : float
        What each took or gave, in `unit`; no reference where the figure is ours alone.
    figure : float
        What is judged: a ratio (`figure_unit` 'x'), or an amount.
    at_least, at_most : float
        What is required of the figure, if anything is.
    differences : dict
        Of what both sides gave, by name; they are required too.
    note : str
    """

    measured: str
    against: str
    ours: float
    reference: float | None
    unit: str
    figure: float
    figure_unit: str = "x"
    at_least: float | None = None
    at_most: float | None = None
    differences: Mapping[str, Difference] = field(default_factory=dict)
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether what is required is so; None where nothing is."""
        if self.at_least is self.at_most is None and not self.differences:
            return None
        return (
            all(difference.found <= difference.allowed for difference in self.differences.values())
            and (self.at_least is None or self.figure >= self.at_least)
            and (self.at_most is None or self.figure <= self.at_most)
        )

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return dataclasses.asdict(self) | {"is_met": self.is_met}

    def cells(self) -> list[str]:
        """As a line of the table; of the differences it shows the one that comes nearest to what is allowed."""
        amounts = ["" if value is None else f"{_short(value)} {self.unit}" for value in (self.reference, self.ours)]
        bounds = [("at least", self.at_least), ("at most", self.at_most)]
        required = [f"{word} {_with_unit(bound, self.figure_unit)}" for word, bound in bounds if bound is not None]
        notes = [self.note] if self.note else []
        if self.differences:
            by_share = {n: (d.found / d.allowed if d.allowed else d.found) for n, d in self.differences.items()}
            name = max(by_share, key=lambda name: by_share[name])
            nearest = self.differences[name]
            notes.append(f"{name} differs by {nearest.found:.1e}, allowed {nearest.allowed:g}")
        met = {True: "yes", False: "**no**", None: ""}[self.is_met]
        figure = _with_unit(self.figure, self.figure_unit)
        return [self.measured, self.against, *amounts, figure, "; ".join(required), met, "; ".join(notes)]


def faster(measured: str, against: str, seconds: Mapping[str, float], **required: Any) -> Row:
    """A row that says how many times faster `ours` is than `reference`, of seconds by these names."""
    ours, reference = 1000 * seconds["ours"], 1000 * seconds["reference"]
    return Row(measured, against, ours, reference, "ms", reference / ours, **required)


def longer(measured: str, against: str, seconds: Mapping[str, float], **required: Any) -> Row:
    """A row that says how many times as long `ours` takes as `reference`, of seconds by these names."""
    ours, reference = 1000 * seconds["ours"], 1000 * seconds["reference"]
    return Row(measured, against, ours, reference, "ms", ours / reference, **required)


def timed(do: Callable[[], object], count: int = 1) -> Callable[[], float]:
    """A side of a contest: seconds that something takes, for each of so many things that it does."""

    def measure() -> float:
        begin_s = time.perf_counter()
        do()
        return (time.perf_counter() - begin_s) / count

    return measure


def in_turn(sides: Mapping[str, Callable[[], float]], turns: int = TURNS) -> dict[str, float]:
    """The median of what each side measures of itself; the sides take turns, and their first does not count."""
    measured: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(1 + turns):
        for name, side in sides.items():
            measured[name].append(side())
    return {name: median(values[1:]) for name, values in measured.items()}


def apart(do: Callable[..., Any], *given: Any, cores: int = 1) -> Any:
    """What a function of a module gives in a fresh process that has so many cores.

    With one core, whatever threads libraries start share it.
    """
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, initializer=_confine, initargs=(cores,)) as pool:
        return pool.submit(do, *given).result()


def _confine(cores: int) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def machine() -> dict[str, str]:
    """What it was measured on, and with."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": next(iter(models), platform.processor()),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
    }


def write(rows: Sequence[Row], clips: str, folder: Path, name: str) -> str:
    """Writes rows as `name.md` and `name.json`, and returns the table."""
    facts = machine()
    on = f"{facts['processor']}, {facts['cores']} cores, {facts['memory']}, {facts['system']}, Python {facts['python']}"
    libraries = ", ".join(f"{library} {facts[library]}" for library in _LIBRARIES)
    text = f"{table(_HEADER, [row.cells() for row in rows])}\n\n{clips}; {on}; {libraries}.\n"
    folder.mkdir(parents=True, exist_ok=True)
    values = {"machine": facts, "clips": clips, "rows": [row.to_json() for row in rows]}
    (folder / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n")
    (folder / f"{name}.md").write_text(text)
    return text


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _with_unit(value: float, unit: str) -> str:
    return f"{value:.3g}x" if unit == "x" else f"{_short(value)} {unit}"
