"""What people do with a registry: look at it, promote a bundle, go back to the champion before, prune."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model.retraining import journal, pages, registry
from model.retraining.journal import Entry
from model.retraining.registry import BUNDLES, LEASE_NAME
from pipelines.common import lease, storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.output.text_table import table
from pipelines.common.output.words import counted


def summarise(url: str) -> str:
    """The bundles of a registry, a line each, the newest last; then what is wrong with one, a line each."""
    known = registry.open_registry(url)
    verdict_of = {entry.bundle: entry for entry in known if entry.verdict}
    rows, faults = [], []
    for held in registry.bundles(url):
        if held.fault:
            faults.append(held.fault)
        rows.append([held.version, *_columns(verdict_of.get(held.version)), _marks(held.version, known, held.fault)])
    gone = [name for name in journal.champions(known)[-1:] if name not in {str(row[0]) for row in rows}]
    faults += [f"{registry.bundle_url(url, name)}: is missing, and is the champion; roll back" for name in gone]
    head = ["bundle", "songs", "accuracy", "interval", "champion then", "verdict", ""]
    return "\n".join([table(head, rows), *faults])


def _columns(entry: Entry | None) -> list[str]:
    if entry is None or entry.verdict is None:
        return ["", "", "", "", "none yet"]
    of = entry.verdict.comparison
    own = [f"{of.challenger.song_accuracy:.1%}", _interval(of.challenger.interval)] if of.challenger else ["", ""]
    other = f"{of.champion.song_accuracy:.1%}" if of.champion else ""
    return [str(of.songs), *own, other, "promoted" if entry.verdict.promote else "kept"]


def _interval(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}"


def _marks(version: str, known: Sequence[Entry], fault: str) -> str:
    champions = journal.champions(known)
    if version in champions[-1:]:
        return "champion" + (", damaged" if fault else "")
    return "damaged" if fault else "former champion" if version in champions else ""


def describe(url: str, version: str = "") -> str:
    """All that the journal says of a bundle, a line each; without one, of the champion."""
    known = registry.open_registry(url)
    chosen = version or known[-1].champion
    if not chosen:
        raise UsageError(f"{url}: has no champion yet; spectroshard models list {url} names all bundles")
    bundle = registry.load(url, chosen)
    lines = [
        f"{chosen}: {bundle.training.network}, {len(bundle.genres)} genres, in {bundle.url}",
        *(line for entry in known if chosen in (entry.bundle, entry.champion) for line in _lines(entry)),
    ]
    return "\n".join(lines)


def _lines(entry: Entry) -> Iterator[str]:
    what = f"{'forced ' if entry.forced else ''}{entry.kind} on {entry.bundle}"
    yield f"{entry.number}: {what} by {entry.by}, {entry.at}; champion {entry.champion or 'none'}: {entry.reason}"
    if entry.verdict:
        yield from (
            f"   {'holds' if rule.holds else 'FAILS'}  {rule.name}: {rule.says}" for rule in entry.verdict.rules
        )
        yield from (f"   note   {note}" for note in entry.verdict.notes)


def promote(url: str, version: str, *, force: bool = False, reason: str = "") -> Entry:
    """Makes a bundle the champion; a retraining that is at work compares with the new one then.

    Parameters
    ----------
    url : str
        The registry.
    version : str
        The bundle's.
    force : bool
        Whether this is done against its verdict, or without one.
    reason : str
        Why: recorded, and required where it is forced.

    Raises
    ------
    UsageError
        There is no such bundle, it is the champion already, or its last verdict is against it and it is not forced.
    SpectroshardError
        It is damaged, or something else was decided at the same moment.
    """
    if force and not reason.strip():
        raise UsageError("--force: give a --reason too, which is recorded in the journal")
    known = registry.open_registry(url)
    registry.load(url, version)  # it is whole
    if known[-1].champion == version:
        raise UsageError(f"{url}: {version} is the champion already")
    verdict = next((entry.verdict for entry in reversed(known) if entry.verdict and entry.bundle == version), None)
    if not force and (verdict is None or not verdict.promote):
        why = "; ".join(verdict.reasons) if verdict else "it has no verdict"
        raise UsageError(f"{url}: {version} is not to be promoted: {why}. All the same: --force --reason WHY")
    return _decide(url, "promotion", version, reason or "its verdict is for it", known, forced=force)


def roll_back(url: str, reason: str) -> Entry:
    """Makes the champion before this one the champion again.

    Raises
    ------
    UsageError
        There is no champion before this one, or no reason is given.
    SpectroshardError
        No champion before this one is there any more, and whole; or something else was decided at the same moment.
    """
    if not reason.strip():
        raise UsageError("give a --reason, which is recorded in the journal")
    known = registry.open_registry(url)
    former = journal.champions(known)[-2::-1]
    if not former:
        raise UsageError(f"{url}: there is no champion before {known[-1].champion or 'the first'} to go back to")
    target = next((version for version in former if _is_whole(url, version)), None)
    if target is None:
        raise SpectroshardError(f"{url}: of {', '.join(former)} none is whole; spectroshard models list tells more")
    return _decide(url, "rollback", target, reason, known)


def _is_whole(url: str, version: str) -> bool:
    try:
        registry.load(url, version)
    except SpectroshardError:
        return False
    return True


def _decide(url: str, kind: str, version: str, reason: str, known: Sequence[Entry], *, forced: bool = False) -> Entry:
    entry = Entry.model_validate(
        {
            "number": 0,
            "kind": kind,
            "bundle": version,
            "champion": version,
            "reason": reason,
            "forced": forced,
            "at": journal.now(),
            "by": journal.who(),
        }
    )

    def unless_overtaken(entries: Sequence[Entry]) -> Entry:
        if len(entries) != len(known):
            raise SpectroshardError(f"{url}: something else was decided meanwhile; look at it, and try again")
        return entry

    decided = journal.append(url, unless_overtaken)
    assert decided is not None
    registry.mend(url)
    pages.write_history(url)
    return decided


@dataclass(frozen=True)
class Pruned:
    """What a pruning removes: versions, or what is left of them, and their bytes."""

    bundles: dict[str, int]

    def __str__(self) -> str:
        return f"{counted(len(self.bundles), 'bundle')}, {sum(self.bundles.values()) / 1e6:.1f} MB"


def prune(url: str, keep: int, *, dry_run: bool = False) -> Pruned:
    """Removes all but the newest bundles, and what is half-written. The journal stays whole.

    The champion stays, and the newest whole one before it, which a rollback goes back to.

    Parameters
    ----------
    url : str
        The registry.
    keep : int
        How many bundles stay, the newest.
    dry_run : bool
        Whether it is only told.

    Raises
    ------
    UsageError
        There is no registry, or nothing would be kept.
    BusyError
        A retraining is at work.
    """
    if keep < 1:
        raise UsageError(f"--keep {keep}: expected at least 1")
    registry.open_registry(url)
    with lease.held(storage.join(url, LEASE_NAME), "prune", instead="wait for it"):
        champions = journal.champions(registry.open_registry(url))
        held = list(registry.bundles(url))
        whole = [each.version for each in held if not each.fault]
        former = next((version for version in champions[-2::-1] if version in whole), None)
        stays = {*champions[-1:], former, *whole[-keep:]}
        going = [each.version for each in held if each.version not in stays]
        pruned = Pruned({name: sum(storage.sizes(registry.bundle_url(url, name)).values()) for name in going})
        for name in () if dry_run else going:
            # From here on it is half-written, and so no bundle.
            storage.remove(storage.join(url, f"{BUNDLES}/{name}/bundle.json"))
            storage.remove(registry.bundle_url(url, name))
    return pruned
