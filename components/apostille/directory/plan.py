"""What an import would change, before it changes anything.

Knows how two governments differ, what becomes of entries that the files no longer name, and how to say it to
a person; refuses to know how changes are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import TypeVar

from apostille.directory.rules import Entry, Government, Official, Post, Unit, shown
from apostille.vocabulary import Address, Standing

_Key = TypeVar("_Key", str, Address)
_KINDS = ("unit", "post", "official")


@dataclass(frozen=True, slots=True)
class Added:
    """An entry that the directory did not have."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Changed:
    """An entry that says something else than before."""

    before: Entry
    entry: Entry

    @property
    def fields(self) -> dict[str, tuple[object, object]]:
        """What differs: name of the field, what it said, what it says."""
        pairs = (
            (one.name, getattr(self.before, one.name), getattr(self.entry, one.name))
            for one in fields(self.entry)
        )
        return {name: (old, new) for name, old, new in pairs if old != new}


@dataclass(frozen=True, slots=True)
class Removed:
    """A unit or a post that is no more; officials are never removed, only suspended."""

    entry: Unit | Post


Change = Added | Changed | Removed


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes of one import, in the order units, posts, officials.

    Attributes:
        changes: what will be done.
        left: what stands in the directory, is not in the files and stays as it is.
        held: officials whom the files call verified and who stay suspended, as somebody decided by hand.
        revision: the revision of the directory that the plan starts from.
    """

    changes: tuple[Change, ...] = ()
    left: tuple[Entry, ...] = ()
    held: tuple[Official, ...] = ()
    revision: int = 0

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes

    def counts(self) -> dict[str, dict[str, int]]:
        """How many units, posts and officials are added, changed, removed."""
        counts = {kind: {"added": 0, "changed": 0, "removed": 0} for kind in _KINDS}
        for change in self.changes:
            counts[kind_of(change.entry)][_verb(change)] += 1
        return counts

    def summary(self) -> str:
        """The plan in one sentence."""
        parts: list[str] = []
        for kind, verbs in self.counts().items():
            numbers = [f"{number} {verb}" for verb, number in verbs.items() if number]
            if numbers:
                parts.append(f"{kind}s: {', '.join(numbers)}")
        return "; ".join(parts) if parts else "nothing to change"

    def lines(self, limit: int | None = None) -> list[str]:
        """The plan for a person, the summary last.

        Args:
            limit: how many lines each kind of entry may take; None for all.
        """
        lines: list[str] = []
        for kind in _KINDS:
            lines += _shortened([_line(one) for one in self.changes if kind_of(one.entry) == kind], limit)
        lines += _shortened(
            [f"  {_label(one)} is not in the files and stays as it is" for one in self.left], limit
        )
        lift = "apostille officials reinstate"
        lines += _shortened(
            [f"  {_label(one)} stays suspended by hand ({lift} lifts that)" for one in self.held], limit
        )
        return [*lines, self.summary()]

    def as_dict(self) -> dict[str, object]:
        """The plan for software, ready for JSON."""
        return {
            "revision": self.revision,
            "empty": self.empty,
            "summary": self.summary(),
            "counts": self.counts(),
            "changes": [_change_as_dict(change) for change in self.changes],
            "left": [{"kind": kind_of(one), "key": str(one.key)} for one in self.left],
            "held": [str(one.address) for one in self.held],
        }


def plan(current: Government, wanted: Government, *, prune: bool = False) -> Plan:
    """What turns `current` into `wanted`.

    What `wanted` does not name is left as it is; with `prune`, such units and posts are removed and such
    officials suspended (nobody is forgotten: an old message may still have to be traced). A suspension by
    hand outlives both.
    """
    held = {address: official.held for address, official in current.officials.items()}
    officials = {
        address: replace(official, held=True) if held.get(address) else official
        for address, official in wanted.officials.items()
    }
    gone = [one for address, one in sorted(current.officials.items()) if address not in officials]
    changes = [*_differences(current.units, wanted.units), *_differences(current.posts, wanted.posts)]
    changes += _differences(current.officials, officials)
    left: list[Entry] = []
    if prune:
        changes += _removals(current.units, wanted.units)
        changes += _removals(current.posts, wanted.posts)
        for official in gone:
            post = official.post if official.post in wanted.posts else ""
            suspended = replace(official, standing=Standing.SUSPENDED, post=post)
            if suspended != official:
                changes.append(Changed(official, suspended))
    else:
        left += [current.units[path] for path in sorted(current.units) if path not in wanted.units]
        left += [current.posts[post] for post in sorted(current.posts) if post not in wanted.posts]
        left += gone
    still = [one for _, one in sorted(officials.items()) if one.held and one.standing is Standing.VERIFIED]
    changes.sort(key=lambda change: _KINDS.index(kind_of(change.entry)))
    return Plan(tuple(changes), tuple(left), tuple(still))


def kind_of(entry: Entry) -> str:
    """What people call such an entry: unit, post or official."""
    return "unit" if isinstance(entry, Unit) else "post" if isinstance(entry, Post) else "official"


def plain(value: object) -> object:
    """A field of an entry as JSON has it."""
    if isinstance(value, Standing):
        return value.value
    if isinstance(value, (date, Address)):
        return str(value)
    return dict(value) if isinstance(value, Mapping) else value


def _differences(current: Mapping[_Key, Entry], wanted: Mapping[_Key, Entry]) -> Iterator[Change]:
    for key in sorted(wanted):
        before = current.get(key)
        if before is None:
            yield Added(wanted[key])
        elif before != wanted[key]:
            yield Changed(before, wanted[key])


def _removals(current: Mapping[str, Unit | Post], wanted: Iterable[str]) -> Iterator[Removed]:
    staying = set(wanted)
    return (Removed(current[key]) for key in sorted(current) if key not in staying)


def _verb(change: Change) -> str:
    return type(change).__name__.lower()


def _label(entry: Entry) -> str:
    name = entry.title if isinstance(entry, Post) else entry.name
    return f"{kind_of(entry)} {entry.key} ({name})"


def _line(change: Change) -> str:
    if isinstance(change, Changed):
        told = (f"{name} {_value(old)} -> {_value(new)}" for name, (old, new) in change.fields.items())
        return f"~ {_label(change.before)}: {', '.join(told)}"
    return f"{'+' if isinstance(change, Added) else '-'} {_label(change.entry)}"


def _value(value: object) -> str:
    if value in (None, "", {}):
        return "nothing"
    simple = plain(value)
    if isinstance(simple, dict):
        return ", ".join(f"{language} {shown(name)}" for language, name in sorted(simple.items()))
    return str(simple)


def _change_as_dict(change: Change) -> dict[str, object]:
    told: dict[str, object] = {
        "change": _verb(change),
        "kind": kind_of(change.entry),
        "key": str(change.entry.key),
    }
    if isinstance(change, Changed):
        told["fields"] = {name: [plain(old), plain(new)] for name, (old, new) in change.fields.items()}
    return told


def _shortened(lines: list[str], limit: int | None) -> list[str]:
    if limit is None or len(lines) <= limit:
        return lines
    return [*lines[:limit], f"  … and {len(lines) - limit} more"]
