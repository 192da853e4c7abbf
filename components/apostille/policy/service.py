"""Judging a message: who the two parties are, and what the policy says of them.

Knows the served hosts and asks the directory; refuses to know how either is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import product
from typing import Protocol

from apostille.policy import texts
from apostille.policy.announcements import Announcements, Register, readers
from apostille.policy.classes import Side
from apostille.policy.recipients import Part
from apostille.policy.rules import PEOPLE, Policy
from apostille.policy.stanzas import free_terms
from apostille.vocabulary import Change, Message, Outage, OutageClass, Party, Seat, Standing, Terms, Verdict, bare


class Directory(Protocol):
    """Who is a verified official on a day, and where; `jid` is a prepared bare JID."""

    def seat(self, jid: str, day: date) -> Seat:
        """What the directory says of an address."""
        ...


_PARTIES = {
    Standing.VERIFIED: Party.VERIFIED,
    Standing.SUSPENDED: Party.SUSPENDED,
    Standing.EXPIRED: Party.EXPIRED,
    Standing.UNLISTED: Party.PUBLIC,
}


@dataclass(frozen=True, slots=True)
class Hosts:
    """Which domains are whose: the officials' own, the rooms', and the components' (gate, rosters, ...)."""

    officials: str
    rooms: frozenset[str]
    services: frozenset[str]


_REMEMBERED = 50_000  # JIDs
_LONGEST_REMEMBERED = 256  # characters of one; whoever has more is looked at anew


class _Known:
    """A JID that was seen before; `side` goes with `seat`, where the directory gave one."""

    __slots__ = ("address", "seat", "side")

    def __init__(self, address: str) -> None:
        self.address = address
        self.seat: Seat | None = None
        self.side: Side | None = None


class Judge:
    """Says what is to be done with a message. Cheap: called for every message of a server."""

    def __init__(
        self, policy: Policy, directory: Directory, hosts: Hosts, clock: Callable[[], datetime], register: Register | None = None
    ) -> None:
        """`clock` gives the time, aware, in the zone of the machine: its date is the day by which the directory judges."""
        self._register = register
        self._announcements = Announcements()
        self._sides: dict[str, _Known] = {}
        self._policy = policy
        self._directory = directory
        self._hosts = hosts
        self._clock = clock

    def side(self, jid: str, day: date) -> Side:
        """What a prepared JID is to the policy on a day."""
        known = self._sides.get(jid)
        if known is None:
            known = _Known(bare(jid))
            if len(jid) <= _LONGEST_REMEMBERED:
                if len(self._sides) >= _REMEMBERED:
                    self._sides.clear()
                self._sides[jid] = known
            known.side = self._elsewhere(known.address)
        if known.side is None or known.seat is not None:
            seat = self._directory.seat(known.address, day)
            if seat is not known.seat:
                known.seat, known.side = seat, Side(_PARTIES[seat.standing], known.address, seat.post, seat.units)
        assert known.side is not None  # noqa: S101 - made above, if it was not there
        return known.side

    def _elsewhere(self, address: str) -> Side | None:
        """What an address is that is no account of the officials' own domain; None: it is one, and the directory knows."""
        host = address.rpartition("@")[2]
        if host in self._hosts.rooms:
            return Side(Party.ROOM, address)
        if host == self._hosts.officials:
            return Side(Party.SERVICE, address) if address == host else None
        return Side(Party.SERVICE if host in self._hosts.services else Party.REMOTE, address)

    def judge(self, message: Message) -> Verdict:
        """The verdict for one message."""
        policy, now = self._policy, self._clock()
        day = now.date()
        recipient = self.side(message.recipient, day)
        if message.room and recipient.address == message.room:
            recipient = Side(Party.ROOM, message.room)  # the server says so, whatever the settings say of its host
        return policy.judge(message, self.side(message.sender, day), recipient, now, self._parts)

    def _parts(self, message: Message) -> list[Part]:
        now = self._clock().timestamp()
        return [
            Part(child.namespace, child.envelope, readers(message, child.namespace, self._announcements, now, self._register))
            for child in message.children
            if child.envelope is not None
        ]

    def judge_change(self, change: Change) -> Verdict:
        """The verdict for one change to somebody's OMEMO devices."""
        now = self._clock()
        verdict = self._policy.judge_change(change, self.side(change.sender, now.date()).party)
        if verdict.passes:
            self._announcements.changed(change, now.timestamp())
        return verdict

    def unreadable(self, lang: str) -> Verdict:
        """The verdict for a message whose facts cannot be read, but for its language."""
        return Verdict(False, "unreadable-facts", texts.refused("unreadable-facts", "", lang), lang=texts.spoken(lang))

    def adopt(self, policy: Policy) -> None:
        """Judge by another policy from now on; a message that is being judged keeps the one it began with."""
        self._policy = policy

    def terms(self) -> Terms:
        """What the server may know beforehand: what it need not ask about, and what an outage means for whom."""
        own = (self._hosts.officials, *sorted(self._hosts.rooms))
        parties: dict[str, frozenset[Party]] = {self._hosts.officials: PEOPLE | {Party.SERVICE}}
        # Behind a room's address may be the room, or anybody who is in it.
        parties |= {room: PEOPLE | {Party.ROOM, Party.REMOTE} for room in sorted(self._hosts.rooms)}
        parties |= {service: frozenset((Party.SERVICE,)) for service in sorted(self._hosts.services)}
        parties["*"] = frozenset((Party.REMOTE,))
        outages = tuple(
            OutageClass(sender, recipient, *self._policy.in_outage(senders, recipients))
            for (sender, senders), (recipient, recipients) in product(parties.items(), repeat=2)
        )
        if all(one.outage is Outage.BOUNCE for one in outages):
            outages = ()  # as without a word; but where one is named all are, or a "*" would speak for hosts that have a name
        return replace(free_terms(own), outages=outages, texts=texts.outages())
