"""Whom an official sees: the tree of units and posts as one roster for everyone.

Knows the rules of nearness and of size; refuses to know where members come from and how a roster reaches a
client. Pure.

An official sees the own unit, and the heads of every unit above it; and since seeing is mutual, a head sees
everybody below. Left alone that grows without end: the head of a government of 25,000 would hold 25,000 contacts,
clients freeze from about 1,000, and each `both` costs a presence stanza per login. So two limits hold.
`MOST_BOTH`: no roster has more contacts that exchange presence; pairs are granted from the most senior pair
downwards until either side is full, so `both` stays mutual. `MOST`: what was not granted follows, by rank, as a
name without presence, up to this many contacts; the rest is left to the directory's search. With `MOST_NAME` a
full roster takes about 250 KB in the widest script and 100 KB in Latin, which fits into one stanza of 256 KiB.
"""

from __future__ import annotations

import enum
import hashlib
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from heapq import merge
from itertools import takewhile

from apostille.vocabulary import Address

MOST_BOTH = 300
MOST = 400
MOST_HEADS = 3
"""A unit where everybody has one rank has that many heads, not all of them."""
MOST_NAME = 80
"""Characters of a shown name and of a group."""
GROUP_LEVELS = 3
MARK = 16
"""Bytes of an item's mark: half says which contact, half says how it is shown."""

_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")  # no XML, or nothing to look at


class Subscription(enum.Enum):
    """How a managed contact is subscribed (RFC 6121 section 2.1.2.5)."""

    BOTH = "both"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Member:
    """An official as the tree of units knows one.

    Attributes:
        unit: path of the unit, its names joined by `/`, outermost first.
        rank: seniority of the post; the lower the number, the more senior.
        listed: whether others may see this one and be seen; suspended and expired officials are not listed.
    """

    address: Address
    name: str
    unit: str
    post: str
    rank: int
    listed: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """One contact as it stands in a roster; `mark` says all of it in `MARK` bytes."""

    address: Address
    name: str
    subscription: Subscription
    groups: tuple[str, ...]
    mark: bytes


Items = tuple[Item, ...]


def above(unit: str) -> Iterator[str]:
    """The units above `unit`, nearest first."""
    while "/" in unit:
        unit = unit.rpartition("/")[0]
        yield unit


def shown(text: str) -> str:
    """`text` on one line, fit for XML, and no longer than `MOST_NAME` characters."""
    flat = " ".join(_UNFIT.sub(" ", text).split())
    return flat if len(flat) <= MOST_NAME else flat[: MOST_NAME - 1].rstrip() + "…"


def group(unit: str, units: Mapping[str, str]) -> str:
    """The name of `unit` that reads well flat (no client shows a tree): its last levels, outermost first."""
    path = [unit, *above(unit)][:GROUP_LEVELS][::-1]
    return shown(" :: ".join(units.get(step) or step.rpartition("/")[2] for step in path))


class _Tree:
    """The listed members by seniority, and who is near whom; they are called by their place in that order."""

    def __init__(self, members: Iterable[Member]) -> None:
        listed = (member for member in members if member.listed)
        self.members = sorted(listed, key=lambda member: (member.rank, member.name, member.address))
        self.units: dict[str, list[int]] = defaultdict(list)
        for place, member in enumerate(self.members):
            self.units[member.unit].append(place)
        self.heads = {unit: self._heads(places) for unit, places in self.units.items()}
        self.base = {unit: self._base(unit) for unit in self.units}
        self.below: dict[str, list[int]] = defaultdict(list)
        for unit, places in self.units.items():
            for upper in above(unit):
                if upper in self.units:
                    self.below[upper] += places
        for places in self.below.values():
            places.sort()

    def _heads(self, places: list[int]) -> list[int]:
        rank = self.members[places[0]].rank
        return [place for place in places[:MOST_HEADS] if self.members[place].rank == rank]

    def _base(self, unit: str) -> list[int]:
        superiors = (place for upper in above(unit) for place in self.heads.get(upper, ()))
        return sorted([*self.units[unit], *superiors])

    def followers(self, place: int) -> list[int]:
        unit = self.members[place].unit
        return self.below.get(unit, []) if place in self.heads[unit] else []

    def near(self, place: int, after: int = -1) -> Iterator[int]:
        """Who is near `place`, by seniority, from the first below `after`; the relation is symmetric."""
        parts = (self.base[self.members[place].unit], self.followers(place))
        rest = (part[bisect_right(part, after) :] for part in parts if part)
        return (other for other in merge(*rest) if other != place)

    def degree(self, place: int) -> int:
        return len(self.base[self.members[place].unit]) - 1 + len(self.followers(place))

    def limited(self) -> tuple[dict[int, set[int]], dict[int, set[int]]]:
        """Who is granted to those near too many, and who is refused to those near few. Pairs are granted by seniority."""
        full = sorted(place for place in range(len(self.members)) if self.degree(place) > MOST_BOTH)
        granted: dict[int, set[int]] = {place: set() for place in full}
        # Only pairs that touch a full one are in question: whoever has few near ones cannot reach the limit.
        few: dict[int, list[int]] = defaultdict(list)
        for b in full:
            for a in takewhile(b.__gt__, self.near(b)):
                if a not in granted:
                    few[a].append(b)
        for a in sorted([*full, *few]):
            for b in few[a] if a in few else self.near(a, after=a):
                if a in granted and len(granted[a]) == MOST_BOTH:
                    break
                if len(granted.get(b, ())) < MOST_BOTH:
                    for one, other in ((a, b), (b, a)):
                        if one in granted:
                            granted[one].add(other)
        refused: dict[int, set[int]] = defaultdict(set)
        for a in full:
            for b in self.near(a):
                if b not in granted and b not in granted[a]:
                    refused[b].add(a)
        return granted, refused


def project(members: Iterable[Member], units: Mapping[str, str]) -> dict[Address, Items]:
    """The roster of every member; whoever is not listed has an empty one and stands in nobody's.

    Args:
        members: everybody, each address once.
        units: the name of each unit by its path; one without a name is called by the last step of its path.

    Returns:
        Each roster with `both` and `none` mixed, by seniority. Items are shared between rosters.
    """
    everyone = list(members)
    tree = _Tree(everyone)
    granted, refused = tree.limited()
    groups = {unit: group(unit, units) for unit in tree.units}
    pairs = [_items(member, groups[member.unit]) for member in tree.members]
    both, none = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    rosters: dict[Address, Items] = {member.address: () for member in everyone}
    for unit, places in tree.units.items():
        base = tree.base[unit]
        shared: dict[frozenset[int], Items] = {}  # most of a unit see the same, but for themselves
        for place in places:
            others = frozenset(refused.get(place, ()))
            if place in granted:
                items = _granted(tree.near(place), granted[place], both, none)
            elif tree.followers(place):
                items = tuple(none[other] if other in others else both[other] for other in tree.near(place))
            else:
                if others not in shared:
                    shared[others] = tuple(none[other] if other in others else both[other] for other in base)
                at = bisect_left(base, place)
                items = shared[others][:at] + shared[others][at + 1 :]
            rosters[tree.members[place].address] = items
    return rosters


def _granted(near: Iterator[int], granted: set[int], both: list[Item], none: list[Item]) -> Items:
    wanted, room = len(granted), MOST - len(granted)
    items: list[Item] = []
    for place in near:
        if place in granted:
            wanted -= 1
            items.append(both[place])
        elif room:
            room -= 1
            items.append(none[place])
        elif not wanted:
            break
    return tuple(items)


@lru_cache(maxsize=65536)  # most members are the same at the next revision
def _items(member: Member, unit: str) -> tuple[Item, Item]:
    """How `member` of the unit shown as `unit` stands in others' rosters: with presence, and without."""
    who = str(member.address)
    name = shown(f"{member.name}, {member.post}" if member.post else member.name)

    def item(kind: Subscription) -> Item:
        mark = _half(who) + _half(f"{who}\0{name}\0{kind.value}\0{unit}")
        return Item(member.address, name, kind, (unit,), mark)

    return item(Subscription.BOTH), item(Subscription.NONE)


def _half(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[: MARK // 2]


def marks(items: Items) -> bytes:
    """The canonical form of a roster: its items' marks in their own order, so that seniority alone changes nothing."""
    return b"".join(sorted([item.mark for item in items]))


def digest(canonical: bytes) -> str:
    """The digest of a canonical form."""
    return hashlib.sha256(canonical).hexdigest()


@dataclass(frozen=True, slots=True)
class Steps:
    """How far one roster is from another, in items."""

    added: int
    changed: int
    removed: int


def steps(old: bytes, new: bytes) -> Steps:
    """What leads from one canonical form to another."""
    before, after = _split(old), _split(new)
    stay = before.keys() & after.keys()
    changed = sum(before[who] != after[who] for who in stay)
    return Steps(len(after) - len(stay), changed, len(before) - len(stay))


def _split(canonical: bytes) -> dict[bytes, bytes]:
    each = (canonical[at : at + MARK] for at in range(0, len(canonical), MARK))
    return {mark[: MARK // 2]: mark[MARK // 2 :] for mark in each}


def difference(applied: Mapping[Address, str], wanted: Mapping[Address, str]) -> tuple[Address, ...]:
    """Whose rosters must be written: first those that differ from what was written, then those never written.

    A live change so never waits behind a first fill. Owners that are wanted no more stand among the first, to be
    emptied.
    """
    stale = sorted(owner for owner, was in applied.items() if wanted.get(owner) != was)
    return (*stale, *sorted(wanted.keys() - applied.keys()))
