"""What a government is made of, and what the directory says of one official on one day.

Knows units, posts, officials, the tree they form and when an official is verified; refuses to know where
they are kept, how a file spells them, and what day it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from apostille.vocabulary import Address, Reason, Refusal, Standing

SEPARATOR = " :: "
"""Stands between the names of units where a tree is written flat; so no name may contain `::` (XEP-0083)."""

LONGEST = 255
"""Characters in the longest text of a directory entry."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A part of the government: a ministry, a department, a section.

    Attributes:
        path: what the unit is called by software, like `mof/tax/audit`; never changes its meaning.
        name: what people call it, short, because it is read as one of several: `Finance :: Tax :: Audit`.
        parent: path of the unit above, empty for an organisation; usually what the path says, not always.
        names: the name in other languages, by language tag.
    """

    path: str
    name: str
    parent: str = ""
    names: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> str:
        """What tells this unit from all others."""
        return self.path


@dataclass(frozen=True, slots=True)
class Post:
    """A chair in a unit, whoever sits on it.

    Attributes:
        id: what the post is called by software, like `tax.audit.head`.
        unit: path of the unit.
        title: what people call it.
        rank: the lower, the more senior; the lowest of a unit is its head.
        order: place among posts of the same rank.
    """

    id: str
    unit: str
    title: str
    rank: int
    order: int = 0

    @property
    def key(self) -> str:
        """What tells this post from all others."""
        return self.id


@dataclass(frozen=True, slots=True)
class Official:
    """A person of whom the directory vouches.

    Attributes:
        address: the prepared bare JID.
        name: the name in Latin letters.
        post: id of the post; empty only for one who was pruned together with the post.
        names: the name in other scripts, by language tag.
        mail: where else to write to, may be empty.
        phone: where else to call, may be empty.
        standing: what the files say: verified or suspended.
        valid_from: the first day on which the directory vouches; None for no such day.
        valid_until: the last day on which it does; None for no such day.
        held: suspended by hand; no import lifts that.
    """

    address: Address
    name: str
    post: str
    names: Mapping[str, str] = field(default_factory=dict, hash=False)
    mail: str = ""
    phone: str = ""
    standing: Standing = Standing.VERIFIED
    valid_from: date | None = None
    valid_until: date | None = None
    held: bool = False

    @property
    def key(self) -> Address:
        """What tells this official from all others."""
        return self.address


Entry = Unit | Post | Official


@dataclass(frozen=True, slots=True)
class Government:
    """Everything the directory holds at one revision: units by path, posts by id, officials by address."""

    units: Mapping[str, Unit] = field(default_factory=dict, hash=False)
    posts: Mapping[str, Post] = field(default_factory=dict, hash=False)
    officials: Mapping[Address, Official] = field(default_factory=dict, hash=False)

    @classmethod
    def of(
        cls, units: Iterable[Unit] = (), posts: Iterable[Post] = (), officials: Iterable[Official] = ()
    ) -> Government:
        """The government of these entries; of two with one key the last counts."""
        return cls(
            {unit.path: unit for unit in units},
            {post.id: post for post in posts},
            {official.address: official for official in officials},
        )

    def above(self, path: str) -> list[Unit]:
        """The unit and those above it, the organisation first; empty for a path that is no unit's."""
        line: list[Unit] = []
        while (unit := self.units.get(path)) is not None and unit not in line:
            line.insert(0, unit)
            path = unit.parent
        return line

    def flat(self, path: str) -> str:
        """The unit's place in one line: `Finance :: Tax :: Audit`."""
        return SEPARATOR.join(unit.name for unit in self.above(path))

    def tree(self) -> Iterator[tuple[int, Unit]]:
        """Every unit under the one above it, with its depth; siblings by path."""
        children: dict[str, list[Unit]] = {}
        for unit in sorted(self.units.values(), key=lambda unit: unit.path, reverse=True):
            children.setdefault(unit.parent, []).append(unit)
        pending = [(0, unit) for unit in children.get("", [])]
        while pending:
            depth, unit = pending.pop()
            yield depth, unit
            pending.extend((depth + 1, child) for child in children.get(unit.path, []))

    def below(self, path: str) -> list[Unit]:
        """The unit and every unit under it, in the order of the tree; empty for a path that is no unit's."""
        found: list[Unit] = []
        top = -1
        for depth, unit in self.tree():
            if unit.path == path:
                top = depth
            elif top >= 0 and depth <= top:
                break
            if top >= 0:
                found.append(unit)
        return found

    def seated(self, unit: str | None = None) -> list[Official]:
        """The officials of the unit and of all under it, or all: by unit, then rank, order and name."""
        units = [one for _, one in self.tree()] if unit is None else self.below(unit)
        place = {one.path: position for position, one in enumerate(units)}
        seats: list[tuple[tuple[int, int, int, str, Address], Official]] = []
        for official in self.officials.values():
            post = self.posts.get(official.post)
            position = place.get(post.unit) if post else None
            if post and position is not None:
                seats.append(((position, post.rank, post.order, official.name, official.address), official))
            elif unit is None:
                seats.append(((len(place), 0, 0, official.name, official.address), official))
        return [official for _, official in sorted(seats, key=lambda seat: seat[0])]


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a file, and the mend.

    Attributes:
        where: file, row or entry, column or key.
        text: a sentence that says what is wrong and what would be right.
    """

    where: str
    text: str

    def __str__(self) -> str:
        """The line that a person reads."""
        return f"{self.where}: {self.text}"


class Flawed(Refusal):
    """The files have flaws, all of which are named; nothing of them was imported."""

    def __init__(self, flaws: Iterable[Flaw]) -> None:
        self.flaws = tuple(flaws)
        count = "1 flaw" if len(self.flaws) == 1 else f"{len(self.flaws)} flaws"
        lines = "".join(f"\n  {flaw}" for flaw in self.flaws)
        super().__init__(Reason.MALFORMED, f"{count}, nothing was imported:{lines}")


def standing_on(official: Official | None, day: date) -> Standing:
    """What the directory says of this official on this day; a suspension outweighs every date."""
    if official is None:
        return Standing.UNLISTED
    if official.held or official.standing is not Standing.VERIFIED:
        return Standing.SUSPENDED
    if official.valid_until is not None and day > official.valid_until:
        return Standing.EXPIRED
    if official.valid_from is not None and day < official.valid_from:
        return Standing.UNLISTED
    return Standing.VERIFIED


def wrong_with(text: str) -> str:
    """Why people must not be shown this text as somebody's name, or nothing."""
    if len(text) > LONGEST:
        return f"is longer than {LONGEST} characters; shorten it"
    if text.isprintable():  # no control, format, private, unassigned or surrogate character, in any script
        return ""
    previous = ""
    for letter in text:
        category = unicodedata.category(letter)
        shown = f"U+{ord(letter):04X}"
        if letter == "\0":
            return "contains a NUL byte; the file is damaged or is no text, export it again as CSV UTF-8"
        if category == "Cs":
            return "contains bytes that are not UTF-8; save the file as CSV UTF-8"
        if category in {"Cc", "Zl", "Zp"}:
            return f"contains the control character {shown}; remove it (a name stands on one line)"
        if category == "Cf" and not _joins(letter, previous):
            kind = "turns the direction of writing" if _turns(letter) else "cannot be seen"
            return f"contains {shown}, which {kind} and can make one name look like another; remove it"
        if category in {"Co", "Cn"}:
            return f"contains {shown}, which is no character of any script; remove it"
        previous = letter
    return ""


def shown(text: object) -> str:
    """The text as a flaw quotes it: what cannot be seen is spelled out."""
    return f"`{text}`" if isinstance(text, str) and text.isprintable() else f"`{text!r}`"


def _joins(letter: str, previous: str) -> bool:
    """RFC 5892 appendix A.1, A.2: a (non-)joiner means something after a virama or an Arabic letter only."""
    virama = previous != "" and unicodedata.combining(previous) == 9
    return letter in "\u200c\u200d" and (
        virama or (previous != "" and unicodedata.bidirectional(previous) == "AL")
    )


def _turns(letter: str) -> bool:
    return unicodedata.bidirectional(letter) in {
        "LRE",
        "RLE",
        "LRO",
        "RLO",
        "PDF",
        "LRI",
        "RLI",
        "FSI",
        "PDI",
    } or (letter in "\u200e\u200f\u061c")
