"""What may be asked of the directory: imports, look-ups, and for every message the seat of an address.

Knows in which order things happen and when an answer may be remembered; refuses to know SQL, XMPP and clocks.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

from apostille.directory.officials import Reader
from apostille.directory.plan import Change, Changed, Plan, plan
from apostille.directory.rules import Flaw, Flawed, Government, Official, Unit, shown, standing_on
from apostille.directory.units import Structure, read_structure
from apostille.vocabulary import Address, Reason, Refusal, Seat, Standing

POLL = 0.2
"""Seconds for which a remembered standing may be older than the directory."""


class Register(Protocol):
    """Keeps the government, and counts its revisions."""

    def revision(self) -> int:
        """The number of the last change, 0 before the first; cheap."""
        ...

    def government(self) -> tuple[int, Government]:
        """Everything, as it stands at one revision."""
        ...

    def official(self, address: Address) -> Official | None:
        """One entry, or None."""
        ...

    def line(self, post: str) -> tuple[str, ...]:
        """Paths of the units that a post belongs to: its own first, then the ones above; empty if there is no such post."""
        ...

    def apply(self, changes: Sequence[Change], revision: int) -> int:
        """Makes the changes in one transaction and returns the new revision.

        Raises:
            Refusal: the directory is no longer at `revision` (CONFLICT); nothing was changed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """A file to import: how flaws call it, and its bytes."""

    name: str
    content: bytes


class Directory:
    """The directory of one served domain."""

    def __init__(
        self, register: Register, domain: str, address: Callable[[str], Address], *, remembered: int = 100_000
    ) -> None:
        self._register = register
        self._address = address
        self._remembered = (
            remembered  # at once, listed or not: a stranger may write from any number of addresses
        )
        self._domain = address(domain).domain
        self._memory: tuple[int, dict[str, Seat]] | None = None
        self._day = date.min
        self._polled = 0.0

    def read(
        self, units: Source | None = None, officials: Source | None = None, *, prune: bool = False
    ) -> Plan:
        """What importing these files together would change; changes nothing.

        A file that is not given leaves its part of the directory alone, whatever `prune` says.

        Raises:
            Flawed: the files have flaws; all are named.
        """
        revision, current = self._register.government()
        flaws: list[Flaw] = []
        wanted = current
        posts: set[str] | None = set(current.posts)
        if units is not None:
            structure = _structure(units, {} if prune else current.units)
            flaws += structure.flaws
            wanted = replace(Government.of(structure.units, structure.posts), officials=current.officials)
            posts = (
                {*structure.declared_posts, *(() if prune else current.posts)} if structure.legible else None
            )
        if officials is not None:
            table = Reader(self._domain, self._address, posts).read(officials.content, officials.name)
            flaws += table.flaws
            wanted = replace(wanted, officials=Government.of(officials=table.officials).officials)
        elif prune and units is not None and posts is not None:
            flaws += _unseated(current, posts, units.name)
            wanted = replace(wanted, officials=_seated_or_none(current, posts))
        if flaws:
            raise Flawed(flaws)
        return replace(plan(current, wanted, prune=prune), revision=revision)

    def apply(self, plan: Plan) -> int:
        """Makes the changes of a plan in one transaction and returns the directory's revision.

        Raises:
            Refusal: the directory has changed since the plan was made (CONFLICT); nothing was changed.
        """
        if plan.empty:
            return self._register.revision()
        revision = self._register.apply(plan.changes, plan.revision)
        self.refresh()
        return revision

    def suspend(self, address: Address) -> Official:
        """Stops vouching for the official, at once, until `reinstate`; no import lifts that.

        Raises:
            Refusal: the directory has no such official (UNKNOWN).
        """
        return self._amend(address, lambda official: replace(official, held=True))

    def reinstate(self, address: Address) -> Official:
        """Lifts a suspension, whether by hand or from a file; dates still count.

        Raises:
            Refusal: the directory has no such official (UNKNOWN).
        """
        return self._amend(
            address, lambda official: replace(official, held=False, standing=Standing.VERIFIED)
        )

    def _amend(self, address: Address, amend: Callable[[Official], Official], attempts: int = 5) -> Official:
        revision = self._register.revision()
        official = self._register.official(address)
        if official is None:
            raise Refusal(Reason.UNKNOWN, f"{address} is not in the directory")
        amended = amend(official)
        if amended == official:
            return official
        try:
            self._register.apply([Changed(official, amended)], revision)
        except Refusal as refusal:
            if refusal.reason is Reason.CONFLICT and attempts > 1:  # somebody else was faster: look again
                return self._amend(address, amend, attempts - 1)
            raise
        self.refresh()
        return amended

    def seat(self, jid: str, day: date, now: float | None = None) -> Seat:
        """What the directory says of a prepared bare JID on this day.

        Answers are remembered. With `now` (a monotonic clock's seconds) the answer is never older than
        `POLL`; without it, it is as old as the last `refresh`.
        """
        memory = self._memory
        if memory is None or (now is not None and not 0 <= now - self._polled < POLL):
            memory = self._follow(now)
        if day != self._day:
            memory, self._day = (memory[0], {}), day
            self._memory = memory
        seats = memory[1]
        found = seats.get(jid)
        if found is None:
            official = self._look_up(jid)
            line = self._register.line(official.post) if official else ()
            if len(seats) >= self._remembered:
                seats.clear()
            found = seats[jid] = Seat(standing_on(official, day), official.post if official else "", line)
        return found

    def refresh(self) -> int:
        """Asks for the revision now, forgets what is older, and returns it."""
        return self._follow(None)[0]

    def _follow(self, now: float | None) -> tuple[int, dict[str, Seat]]:
        revision = self._register.revision()
        memory = self._memory
        if memory is None or memory[0] != revision:
            # a new dictionary, not a cleared one: a look-up that began earlier writes into the old one
            memory = self._memory = (revision, {})
        if now is not None:
            self._polled = now
        return memory

    def _look_up(self, jid: str) -> Official | None:
        local, _, domain = jid.rpartition("@")
        return self._register.official(Address(domain, local)) if domain == self._domain and local else None

    def revision(self) -> int:
        """The number of the last change, 0 before the first."""
        return self._register.revision()

    def government(self) -> tuple[int, Government]:
        """Everything the directory holds, with its revision."""
        return self._register.government()

    def official(self, address: Address) -> Official | None:
        """One official, or None."""
        return self._register.official(address)

    def officials(self, unit: str | None = None) -> list[Official]:
        """The officials of a unit and of all under it, or all: by unit, then rank, order and name.

        Raises:
            Refusal: there is no such unit (UNKNOWN).
        """
        government = self._register.government()[1]
        if unit is not None and unit not in government.units:
            raise Refusal(Reason.UNKNOWN, f"{shown(unit)} is no unit of the directory")
        return government.seated(unit)

    def units(self) -> list[tuple[int, Unit]]:
        """Every unit under the one above it, with its depth."""
        return list(self._register.government()[1].tree())


def _structure(source: Source, remaining: Mapping[str, Unit]) -> Structure:
    try:
        document = tomllib.loads(source.content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        row = source.content.count(b"\n", 0, error.start) + 1
        flaw = Flaw(f"{source.name}, line {row}", "is not UTF-8; save the file as UTF-8")
        return Structure(flaws=[flaw], legible=False)
    except (ValueError, RecursionError) as error:
        return Structure(flaws=[Flaw(source.name, f"is no TOML: {error}")], legible=False)
    return read_structure(document, source.name, remaining)


def _unseated(current: Government, posts: set[str], file: str) -> Iterator[Flaw]:
    """Verified officials whose posts a pruning import of units alone would remove."""
    for official in current.seated():
        if official.post not in posts and official.standing is Standing.VERIFIED:
            mend = "keep the post, or import the table of officials together with the units"
            yield Flaw(
                file,
                f"{official.address} holds the post {shown(official.post)}, which would be removed; {mend}",
            )


def _seated_or_none(current: Government, posts: set[str]) -> dict[Address, Official]:
    officials = current.officials.values()
    return {one.address: one if one.post in posts else replace(one, post="") for one in officials}
