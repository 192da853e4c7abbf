"""Doubles of the gate's ports: a ledger that can fail in both ways, a policy that says what it was told to, a clock that stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from apostille.record import DeviceDecided, DeviceRecord, DevicesChanged, Record
from apostille.vocabulary import Announced, Change, Fault, Free, Message, OutageClass, Seat, Standing, Terms, Verdict

NOW = 1_795_000_000_000
TERMS = Terms((Free("urn:xmpp:hints", "store", 0, 0, 0),), ("gov.example", "rooms.gov.example"), 256, 1024, 4)


class MemoryLedger:
    """The port `Ledger` in memory. Set `fault` to `kept` or `lost`, and the next `keep` fails that way."""

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self.steps: list[list[tuple[Record, bytes]]] = []
        self.fault = ""

    @property
    def kept(self) -> list[tuple[Record, bytes]]:
        return [one for step in self.steps for one in step]

    @property
    def records(self) -> list[Record]:
        return [record for record, _ in self.kept]

    def keep(self, records: Sequence[tuple[Record, bytes]]) -> int:
        fault, self.fault = self.fault, ""
        if fault == "lost":
            raise Fault("the disk went away before the commit")
        place = self.first + len(self.kept)
        self.steps.append(list(records))
        if fault == "kept":
            raise Fault("the disk went away after the commit")
        return place


class ToldPolicy:
    """The port `Policy`: the verdict for a message is the one named by its id, for a change by its action; others pass and are kept.

    Give `outages` and set `newer`, and the next `refresh` finds another policy.
    """

    def __init__(self, verdicts: Mapping[str, Verdict] | None = None) -> None:
        self.verdicts = dict(verdicts or {})
        self.asked: list[str] = []
        self.outages: tuple[OutageClass, ...] = ()
        self.newer = False

    def judge(self, message: Message) -> Verdict:
        self.asked.append(message.id)
        return self.verdicts.get(message.id, Verdict(True, rule="told"))

    def judge_change(self, change: Change) -> Verdict:
        self.asked.append(change.action)
        return self.verdicts.get(change.action, Verdict(True, rule="told"))

    def unreadable(self, lang: str) -> Verdict:
        return Verdict(False, "unreadable-facts", "Not delivered: not read.", lang=lang or "en")

    def terms(self) -> Terms:
        return replace(TERMS, outages=self.outages)

    def refresh(self, *, asked: bool = False) -> bool:  # noqa: ARG002
        newer, self.newer = self.newer, False
        return newer


class FallenPolicy(ToldPolicy):
    """A policy whose directory is away."""

    def judge(self, message: Message) -> Verdict:  # noqa: ARG002
        raise Fault("directory: the database does not answer")

    def judge_change(self, change: Change) -> Verdict:  # noqa: ARG002
        raise Fault("directory: the database does not answer")


class Clock:
    """Stands still until it is moved; milliseconds."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def salts() -> Callable[[], bytes]:
    """Salts that tell which one was drawn: 1, 2, 3, ..."""
    drawn = iter(range(1, 256))
    return lambda: bytes([next(drawn)]) * 32


class MemoryDirectory:
    """The port `Directory` of the policy room: who is what, and what was asked."""

    def __init__(self, standings: Mapping[str, Standing], seats: Mapping[str, Seat] | None = None) -> None:
        self._seats = {jid: Seat(standing) for jid, standing in standings.items()} | dict(seats or {})
        self.asked: list[tuple[str, date]] = []

    def seat(self, jid: str, day: date) -> Seat:
        self.asked.append((jid, day))
        return self._seats.get(jid, Seat(Standing.UNLISTED))


class ToldRegister:
    """The port `Register` of the gate: decides what it was told to about each change, and remembers what it heard, in order."""

    def __init__(self, *decisions: DeviceDecided) -> None:
        self.decided = list(decisions)
        self.heard: list[tuple[object, ...]] = []
        self.fault = ""
        self.finds = False

    def met(self, jid: str, announced: Announced) -> bool:
        self.heard.append(("met", jid, announced.legacy))
        return self.finds

    def decisions(self, changes: Sequence[DevicesChanged]) -> Sequence[DeviceDecided]:
        self.heard.append(("asked", *(one.devices for one in changes)))
        if self.fault == "asked":
            raise Fault("devices: the database does not answer")
        return self.decided

    def take(self, entries: Sequence[tuple[int, DeviceRecord]]) -> None:
        self.heard.append(("took", *((place, one.kind) for place, one in entries)))
        if self.fault == "took":
            raise Fault("devices: the database does not answer")

    def used(self, jid: str, namespace: str, number: int, at: int) -> None:
        self.heard.append(("used", jid, namespace, number, at))
