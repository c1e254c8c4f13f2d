"""Work as orders and receipts: small files, so that work that was interrupted goes on where it was.

An order is a JSON file, named by its number and a digest of what it says. Doing it leaves a receipt beside it. Only
names of orders travel through Beam; an order that has a receipt is not done again, in whichever run it was done.
"""

import ctypes
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, TypeVar

import apache_beam as beam
import threadpoolctl
from apache_beam.pvalue import PCollection

from pipelines.common import storage
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.output.progress import Progress
from pipelines.common.section import digest

Json = dict[str, Any]
Item = TypeVar("Item")

_LEAST_ITEMS, _MOST_PARTS = 16, 1000
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGE_BYTES = 1 << 22  # more than an array of a short song has, to map which anew would take time


def parts(items: Sequence[Item]) -> list[Sequence[Item]]:
    """Items in parts of some each: many enough to share out, few enough to list."""
    size = max(_LEAST_ITEMS, math.ceil(len(items) / _MOST_PARTS))
    return [items[start : start + size] for start in range(0, len(items), size)]


def place(folder: str, kind: str, orders: Sequence[Json]) -> list[str]:
    """Writes the orders of a kind, and returns their names.

    What is there of them already stays. Other orders of the kind are removed with their receipts: what they tell of
    may be overwritten now.
    """
    order_of = {f"{kind}-{number:05d}-{digest(order)[:24]}": order for number, order in enumerate(orders)}
    present = [name for name in storage.names(folder) if name.startswith(f"{kind}-")]
    for name in present:
        if name.partition(".")[0] not in order_of:
            storage.remove(storage.join(folder, name))
    for name, order in order_of.items():
        if _order(name) not in present:
            storage.write_bytes(storage.join(folder, _order(name)), json.dumps(order).encode())
    return list(order_of)


def receipts(folder: str, names: Sequence[str]) -> list[Json]:
    """The receipts of done orders, in the order of the names."""
    return [json.loads(storage.read_bytes(storage.join(folder, _receipt(name)))) for name in names]


def done(folder: str, names: Sequence[str]) -> list[str]:
    """Which of the orders have a receipt."""
    present = set(storage.names(folder))
    return [name for name in names if _receipt(name) in present]


def forget(folder: str, kind: str) -> None:
    """Removes the receipts of all orders of a kind, so that a further run does them again."""
    for name in storage.names(folder):
        if name.startswith(f"{kind}-") and name.endswith(_receipt("")):
            storage.remove(storage.join(folder, name))


class Fulfil(beam.DoFn):
    """Does an order and leaves its receipt.

    Parameters
    ----------
    folder : str
        Where orders and receipts are.
    """

    kind: ClassVar[str]
    """What its orders are called."""
    verb: ClassVar[str]
    """What the work is, as in 'Read songs'."""

    def __init__(self, folder: str):
        self.folder = folder

    def setup(self) -> None:
        import scipy.linalg  # noqa: F401 - only libraries that are loaded can be limited

        # The runner shares out the cores: threads of BLAS's own would fight for them, and round by their number.
        threadpoolctl.threadpool_limits(1, "blas")
        # Large arrays go back to the system when they are freed, whatever lies behind them.
        _glibc("mallopt", _MMAP_THRESHOLD, _LARGE_BYTES)
        _glibc("mallopt", _TRIM_THRESHOLD, 2 * _LARGE_BYTES)

    def fulfil(self, order: Json) -> Json:
        """Does what an order says, and returns what its receipt shall say; `rejected` is part of it."""
        raise NotImplementedError

    def process(self, element: str) -> Iterator[str]:
        order = json.loads(storage.read_bytes(storage.join(self.folder, _order(element))))
        # A runner takes many threads in turn, and what one has freed is kept for it alone.
        _glibc("malloc_trim", 0)
        receipt = self.fulfil(order)
        storage.write_bytes(storage.join(self.folder, _receipt(element)), json.dumps(receipt).encode())
        yield element


def _glibc(name: str, *arguments: int) -> None:
    """Calls a function of the C library, if it has it: others keep less memory to themselves."""
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)


def fulfil(pipeline: beam.Pipeline, names: Sequence[str], worker: Fulfil) -> PCollection[str]:
    """Spreads orders over workers, which do them."""
    done: PCollection[str] = (
        pipeline
        | "List orders" >> beam.Create(names, reshuffle=False)
        | "Spread orders" >> beam.Reshuffle()
        | worker.verb >> beam.ParDo(worker)
    )
    return done


def run(new_pipeline: NewPipeline, worker: Fulfil, orders: Sequence[Json]) -> list[Json]:
    """Does all orders that are not done, in a pipeline of their own, and returns the receipts of all.

    A receipt of an earlier run that tells of rejected songs does not count: whatever was wrong may have been mended.

    Parameters
    ----------
    new_pipeline : callable
        Gives an empty pipeline.
    worker : Fulfil
    orders : sequence of dict
        Each with its `songs`.
    """
    folder = worker.folder
    names = place(folder, worker.kind, orders)
    sizes = {name: len(order["songs"]) for name, order in zip(names, orders, strict=True)}
    earlier = done(folder, names)
    for name, receipt in zip(earlier, receipts(folder, earlier), strict=True):
        if receipt["rejected"]:
            storage.remove(storage.join(folder, _receipt(name)))
    ready = set(done(folder, names))
    missing = [name for name in names if name not in ready]
    with Progress(worker.verb, sum(sizes.values()), lambda: sum(sizes[name] for name in done(folder, names))):
        if missing:
            with new_pipeline(sum(sizes[name] for name in missing)) as pipeline:
                fulfil(pipeline, missing, worker)
    return receipts(folder, names)


def _order(name: str) -> str:
    return f"{name}.order.json"


def _receipt(name: str) -> str:
    return f"{name}.receipt.json"
