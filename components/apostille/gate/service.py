"""Judging a batch: policy, then ledger, then the answer; in that order, always.

Declares the three ports that it needs of other rooms; refuses to know how any works. Nothing is answered before what must
be kept is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from apostille.gate.rules import Outcome, changed, judged, notice_due
from apostille.record import DeviceDecided, DeviceRecord, DevicesChanged, FiledId, Record, filings
from apostille.vocabulary import Announced, Change, Member, Message, Terms, Verdict, bare

_NOTICES_REMEMBERED = 10_000
_ROOMS_REMEMBERED = 10_000
_MOST_FOUND = 50  # accounts with unheard-of devices that one message brings into the register


class Policy(Protocol):
    """Says what is to be done with a message."""

    def judge(self, message: Message) -> Verdict:
        """The verdict for one message."""
        ...

    def judge_change(self, change: Change) -> Verdict:
        """The verdict for one change to somebody's OMEMO devices."""
        ...

    def unreadable(self, lang: str) -> Verdict:
        """The verdict for a message whose facts cannot be read, but for its language."""
        ...

    def terms(self) -> Terms:
        """What a server may know beforehand."""
        ...

    def refresh(self, *, asked: bool = False) -> bool:
        """Look whether there is a newer policy; True if it is in force now, and the terms may have changed.

        `asked`: somebody wants to hear of it, whether or not it is newer.
        """
        ...


class Ledger(Protocol):
    """Keeps records, durably and in order."""

    def keep(self, records: Sequence[tuple[Record, bytes]]) -> int:
        """Keep records, each with its salt (b"" for none), in one durable step; the place of the first is returned."""
        ...


class Register(Protocol):
    """Follows what accounts do with their OMEMO devices."""

    def met(self, jid: str, announced: Announced) -> bool:
        """An account announces these devices; True if some were unheard of, which costs a look at the database and more."""
        ...

    def decisions(self, changes: Sequence[DevicesChanged]) -> Sequence[DeviceDecided]:
        """What follows from changes, to be kept right behind them."""
        ...

    def take(self, entries: Sequence[tuple[int, DeviceRecord]]) -> None:
        """Take in what was kept, each with its place."""
        ...

    def used(self, jid: str, namespace: str, number: int, at: int) -> None:
        """A message came from this device of the account, by its own word."""
        ...


class _NoRegister:
    def met(self, jid: str, announced: Announced) -> bool:  # noqa: ARG002
        return False

    def decisions(self, changes: Sequence[DevicesChanged]) -> Sequence[DeviceDecided]:  # noqa: ARG002
        return ()

    def take(self, entries: Sequence[tuple[int, DeviceRecord]]) -> None:
        pass

    def used(self, jid: str, namespace: str, number: int, at: int) -> None:
        pass


class Gate:
    """The use cases of the gate."""

    def __init__(
        self,
        policy: Policy,
        ledger: Ledger,
        clock: Callable[[], int],
        salt: Callable[[], bytes],
        register: Register | None = None,
    ) -> None:
        """`clock` gives Unix milliseconds, `salt` fresh random bytes; without `register` nobody follows devices."""
        self._policy = policy
        self._ledger = ledger
        self._clock = clock
        self._salt = salt
        self._register: Register = register or _NoRegister()
        self._met: dict[str, Sequence[Member]] = {}  # by room
        self._noticed: dict[tuple[str, str], int] = {}

    def judge(
        self, messages: Sequence[Message], filed: Sequence[FiledId] = (), changes: Sequence[Change] = ()
    ) -> list[Outcome]:
        """One outcome per message and then per change, in order, after all that passes and must be kept is in the ledger.

        `filed` are archive ids of earlier messages: (place of the record, archive's bare JID, id).

        Raises:
            whatever the ledger raises when it cannot keep the batch: then nothing of it may be delivered.
        """
        now = self._clock()
        for message in messages:
            self._meet(message)
        verdicts = [self._policy.judge(message) for message in messages]
        kept: list[tuple[Record, bytes]] = [(record, b"") for record in filings(now, filed)]
        places: list[int | None] = []
        for message, verdict in zip(messages, verdicts, strict=True):
            if verdict.passes and verdict.recorded:
                places.append(len(kept))
                salt = self._salt() if any(child.sha256 and child.text for child in message.children) else b""
                kept.append((judged(message, verdict, now, salt), salt))
                self._note_use(message, now)
            else:
                places.append(None)
        about: list[DeviceRecord] = []
        for change in changes:
            verdict = self._policy.judge_change(change)
            verdicts.append(verdict)
            places.append(len(kept) + len(about) if verdict.passes else None)
            if verdict.passes:
                about.append(changed(change, verdict, now))
        if about:
            about += self._register.decisions([one for one in about if isinstance(one, DevicesChanged)])
        kept_about = len(kept)
        kept += [(record, b"") for record in about]
        first = self._ledger.keep(kept) if kept else 0  # durable from here on
        if about:
            self._register.take(list(enumerate(about, first + kept_about)))
        return [
            Outcome(verdict, None if place is None else first + place) for verdict, place in zip(verdicts, places, strict=True)
        ]

    def unreadable(self, lang: str) -> Verdict:
        """The verdict for a message whose facts cannot be read, but for its language; nothing is kept of it."""
        return self._policy.unreadable(lang)

    def _meet(self, message: Message) -> None:
        for jid, announced in ((message.sender, message.sender_devices), (message.recipient, message.recipient_devices)):
            if announced is not None:
                self._register.met(bare(jid), announced)
        if message.members is not None and self._met.get(message.room) is not message.members:
            self._meet_room(message.room, message.members)

    def _meet_room(self, room: str, members: Sequence[Member]) -> None:
        found = 0
        for member in members:
            if member.devices is not None:
                found += self._register.met(member.jid, member.devices)
                if found >= _MOST_FOUND:
                    return  # the next message into the room goes on: nobody else is served meanwhile
        if len(self._met) >= _ROOMS_REMEMBERED:
            self._met.clear()
        self._met[room] = members

    def _note_use(self, message: Message, now: int) -> None:
        for child in message.children:
            if child.envelope is not None:
                self._register.used(bare(message.sender), child.namespace, child.envelope.sid, now)

    def terms(self) -> Terms:
        """What a server may know beforehand."""
        return self._policy.terms()

    def refresh(self, *, asked: bool = False) -> bool:
        """Look whether there is a newer policy, or read it in any case if `asked`; True if it is in force now."""
        return self._policy.refresh(asked=asked)

    def notices(self, messages: Sequence[Message], outcomes: Sequence[Outcome]) -> list[tuple[str, Verdict]]:
        """Whom to tell what under the stage "warn": (bare JID, verdict); each person hears each kind once an hour."""
        now = self._clock()
        due = []
        for message, outcome in zip(messages, outcomes, strict=True):
            key = (bare(message.sender), outcome.verdict.code)
            if outcome.verdict.notice and notice_due(self._noticed.get(key), now):
                if len(self._noticed) >= _NOTICES_REMEMBERED:
                    self._noticed.clear()
                self._noticed[key] = now
                due.append((key[0], outcome.verdict))
        return due
