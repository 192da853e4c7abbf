"""Who somebody is to the policy, and the words for it in a rule.

Knows what `verified`, `unit:PATH/**`, `post:ID` and `room:JID` mean; refuses to know who is what: that is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from apostille.vocabulary import Party


class Side(NamedTuple):
    """One side of a message.

    Attributes:
        party: what the address is.
        address: prepared bare JID.
        post: id of the post that a verified official holds.
        units: paths of the units that the post belongs to: its own first, then the one above, up to the top.
    """

    party: Party
    address: str = ""
    post: str = ""
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InUnit:
    """The verified officials of a unit; with `below`, of all units under it, too."""

    path: str
    below: bool = False

    @property
    def value(self) -> str:
        """The word in a rule."""
        return f"unit:{self.path}/**" if self.below else f"unit:{self.path}"

    def holds(self, side: Side) -> bool:
        """Whether the side is one of them."""
        return side.party is Party.VERIFIED and self.path in (side.units if self.below else side.units[:1])


@dataclass(frozen=True, slots=True)
class OnPost:
    """Whoever verified holds a post."""

    id: str

    @property
    def value(self) -> str:
        """The word in a rule."""
        return f"post:{self.id}"

    def holds(self, side: Side) -> bool:
        """Whether the side does."""
        return side.party is Party.VERIFIED and side.post == self.id


@dataclass(frozen=True, slots=True)
class TheRoom:
    """One room of this server."""

    address: str

    @property
    def value(self) -> str:
        """The word in a rule."""
        return f"room:{self.address}"

    def holds(self, side: Side) -> bool:
        """Whether the side is that room."""
        return side.party is Party.ROOM and side.address == self.address


Class = Party | InUnit | OnPost | TheRoom
"""A word in `from` or `to`; a party stands for all of its kind."""

FORMS = (*(party.value for party in Party), "unit:PATH", "unit:PATH/**", "post:ID", "room:JID")
"""How the words may look."""


def holds(one: Class, side: Side) -> bool:
    """Whether a side belongs to a class."""
    return one is side.party if isinstance(one, Party) else one.holds(side)


def party_of(one: Class) -> Party:
    """The party that all who belong to a class are."""
    if isinstance(one, Party):
        return one
    return Party.ROOM if isinstance(one, TheRoom) else Party.VERIFIED


def read_class(word: str) -> Class | None:
    """The class that a word in a rule names; None if it names none."""
    kind, colon, name = word.partition(":")
    if not colon:
        return next((party for party in Party if party.value == word), None)
    path, below = (name[:-3], True) if name.endswith("/**") else (name, False)
    if not path or "*" in path or path != path.strip():
        return None
    match kind:
        case "unit":
            return InUnit(path, below)
        case "post" if not below:
            return OnPost(name)
        case "room" if not below and "@" in name and "/" not in name and name == name.lower():  # as a prepared JID is (RFC 7622)
            return TheRoom(name)
    return None
