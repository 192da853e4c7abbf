"""The use cases of the rosters room: what is due, what was written, what would be.

Knows when rosters are computed again and what is remembered of them; refuses to know how they travel. It is
not safe for two threads at once: its one component asks one question after the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from apostille.rosters.rules import Items, Member, Steps, difference, digest, marks, project, steps
from apostille.vocabulary import Address, Reason, Refusal


class Tree(Protocol):
    """The tree of units and posts."""

    def revision(self) -> int:
        """A number that is another one after every change."""

    def members(self) -> Iterable[Member]:
        """Everybody who stands in the tree, suspended and expired ones too."""

    def units(self) -> Mapping[str, str]:
        """The name of each unit by its path."""


class Applied(Protocol):
    """What was written to the server last, by owner."""

    def digests(self) -> Mapping[Address, str]:
        """The digest of every roster that was written."""

    def marks(self, owners: Collection[Address]) -> Mapping[Address, bytes]:
        """The canonical forms of those rosters among `owners` that were written."""

    def record(self, written: Mapping[Address, bytes | None]) -> None:
        """Remember canonical forms with their digests; None forgets the owner. All or nothing."""


@dataclass(frozen=True, slots=True)
class Roster:
    """A roster to be written, complete."""

    owner: Address
    items: Items


@dataclass(frozen=True, slots=True)
class Result:
    """What became of rosters that were sent."""

    written: tuple[Address, ...] = ()
    absent: tuple[Address, ...] = ()
    failed: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """A roster that would be written now."""

    owner: Address
    steps: Steps


class Rosters:
    """Whom each official sees, and how far the server is behind."""

    def __init__(self, tree: Tree, applied: Applied) -> None:
        self._tree = tree
        self._applied = applied
        self._revision: int | None = None
        self._rosters: dict[Address, Items] = {}
        self._due: dict[Address, None] = {}
        self._later: dict[Address, None] = {}

    def recheck(self) -> None:
        """Compare everything again: the connection is new, and nobody knows what the old one lost."""
        self._revision = None

    def stale(self) -> bool:
        """Whether the tree has changed since rosters were last computed."""
        return self._tree.revision() != self._revision

    def due(self, unfilled: Collection[Address] = (), retry: int = 0) -> tuple[Roster, ...]:
        """The rosters to be written now, in this order.

        Args:
            unfilled: accounts that the server says were never filled, whatever was remembered.
            retry: how many of the absent and failed ones to try once more; they take turns.
        """
        if self.stale():
            self._compute()
        again = [owner for owner in unfilled if owner in self._rosters]
        self._applied.record(dict.fromkeys(again))
        for owner in (*again, *islice(tuple(self._later), retry)):
            self._later.pop(owner, None)
            self._due[owner] = None
        return tuple(Roster(owner, self._rosters.get(owner, ())) for owner in self._due)

    def written(self, result: Result) -> None:
        """Remember what became of rosters that were due."""
        known = self._rosters
        self._applied.record({owner: marks(known[owner]) if owner in known else None for owner in result.written})
        for owner in (*result.written, *result.absent, *result.failed):
            self._due.pop(owner, None)
        self._later.update(dict.fromkeys((*result.absent, *result.failed)))

    def show(self, address: Address) -> Items:
        """The roster of one official, as computed.

        Raises:
            Refusal: nobody of that address stands in the tree.
        """
        rosters = self._project()
        if address not in rosters:
            raise Refusal(Reason.UNKNOWN, f"{address} is not in the directory.")
        return rosters[address]

    def plan(self) -> tuple[Planned, ...]:
        """What would be written now, against what was written last; nothing is written."""
        forms = {owner: marks(items) for owner, items in self._project().items()}
        owners = difference(self._applied.digests(), {owner: digest(form) for owner, form in forms.items()})
        before = self._applied.marks(owners)
        return tuple(Planned(owner, steps(before.get(owner, b""), forms.get(owner, b""))) for owner in owners)

    def _project(self) -> dict[Address, Items]:
        return project(self._tree.members(), self._tree.units())

    def _compute(self) -> None:
        revision = self._tree.revision()  # read first: a change in between is then seen by the next question
        self._rosters = self._project()
        wanted = {owner: digest(marks(items)) for owner, items in self._rosters.items()}
        self._due = dict.fromkeys(difference(self._applied.digests(), wanted))
        self._later = {}
        self._revision = revision
