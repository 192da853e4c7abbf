"""The register's use cases: hear of changes, decide, say which devices may read, tell people.

Knows in which order ledger, register and messages follow one another; refuses to know SQL, XMPP and clocks. The ledger is the truth: each
change and each decision is an entry first, and the register takes entries in. A crash between the two is repaired by taking them in
again (`catch_up`), which changes nothing that is there already.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from apostille.devices.memory import Known, Memory
from apostille.devices.rules import (
    DAY,
    FOUND,
    LEGACY,
    MINUTE,
    MODERN,
    MOST,
    Device,
    Id,
    State,
    Taken,
    by_policy,
    decided,
    objection,
    stale,
    take,
)
from apostille.devices.words import label as as_label
from apostille.devices.words import told
from apostille.record import DeviceDecided, DeviceRecord, DevicesChanged, Record
from apostille.vocabulary import Announced, Reason, Refusal

MARGIN = 60 * MINUTE
"""How far before what was surely taken in entries are taken in again."""
_MOST_TOLD = 30
"""Messages about one account in an hour; more would be a way to bury one among many."""


class Register(Known, Protocol):
    """Keeps devices, and messages that are still to be said."""

    def take(self, account: str, step: Callable[[Sequence[Device]], Taken], tell: Callable[[Taken], Sequence[tuple[str, str]]]) -> Taken:
        """Change an account's devices and keep what is to be said, at once and with nobody between; `tell` gives (recipient, text)."""
        ...

    def notices(self, most: int) -> Sequence[tuple[int, str, str]]:
        """The oldest messages that are still to be said: (number, recipient, text)."""
        ...

    def said(self, numbers: Collection[int]) -> None:
        """Forget messages that were said."""
        ...

    def followed(self) -> int:
        """Up to when (Unix milliseconds) all entries are surely taken in; 0 at first."""
        ...

    def follow(self, at: int) -> None:
        """Remember up to when they are."""
        ...


class Ledger(Protocol):
    """Keeps entries, and finds those about devices."""

    def keep(self, records: Sequence[tuple[Record, bytes]]) -> int:
        """Keep entries (with no salt), durably; the place of the first is returned."""
        ...

    def about_devices(self, since: int) -> Iterable[tuple[int, DeviceRecord]]:
        """All entries about devices since a time (Unix milliseconds), with their places."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say: the served domain, the policy for first devices, times in ms, whom to tell, whom to write commands to."""

    domain: str
    first: bool = True
    enrolment: int = 0
    stale: int = 90 * DAY
    contact: str = ""
    desk: str = ""


class Devices:
    """The register of devices of one served domain."""

    def __init__(
        self,
        register: Register,
        ledger: Ledger,
        terms: Terms,
        clock: Callable[[], int],
        ticks: Callable[[], float],
        official: Callable[[str], bool] = lambda _: True,
        *,
        remembered: int = 100_000,
    ) -> None:
        """`clock` gives Unix milliseconds, `ticks` a monotonic clock's seconds; the contact hears only about an `official`'s devices."""
        self._remembered = remembered
        self._register = register
        self._ledger = ledger
        self._terms = terms
        self._clock = clock
        self._official = official
        self._memory = Memory(register, terms.domain, ticks)
        self._met: dict[str, Announced] = {}
        self._told: dict[str, list[int]] = {}
        self._failures = self._mended = 0

    # ---- what the gate asks ------------------------------------------------------------------------------------------------

    def approved(self, jid: str, namespace: str) -> frozenset[int] | None:
        """The devices of a prepared bare JID that may be trusted in this OMEMO version; None: the register is not kept for it.

        Never older than `memory.POLL`.
        """
        return self._memory.approved(jid, namespace)

    def used(self, jid: str, namespace: str, number: int, at: int) -> None:
        """A message came from a device of a bare JID, by its own word. Kept to the day, with the next `write_uses`."""
        self._memory.used(jid, namespace, number, at)

    def write_uses(self) -> None:
        """Keep what `used` has gathered."""
        self._memory.write_uses()

    def decisions(self, changes: Sequence[DevicesChanged]) -> list[DeviceDecided]:
        """What follows from changes by policy, to be kept in the ledger right behind them.

        Raises:
            Fault: the register does not answer; then nothing of it may be kept.
        """
        if self._failures != self._mended:
            self.catch_up()
        if not self._terms.first:
            return []
        found = []
        for account, some in _by_account(changes):
            if self._memory.keeps(account):
                found += by_policy(self._register.devices(account), some, self._terms.enrolment)
        return found

    def met(self, jid: str, announced: Announced) -> bool:
        """An account announces devices; those that it never heard a list of (they are older than it) are kept and taken in.

        True if there were any.

        Raises:
            Fault: ledger or register do not answer.
        """
        if self._met.get(jid) == announced or not self._memory.keeps(jid):
            return False
        known = self._memory.known(jid)
        full = len(known) >= MOST
        found = [
            DevicesChanged(self._clock(), jid, "", "local", FOUND, namespace, "list", numbers)
            for namespace, listed in ((LEGACY, announced.legacy), (MODERN, announced.modern))
            if (numbers := tuple(number for number in (listed or ()) if not known.get(Id(namespace, number), full))[:MOST])
        ]
        if found:
            entries: list[DeviceRecord] = [*found, *self.decisions(found)]
            first = self._ledger.keep([(entry, b"") for entry in entries])
            self.take(list(enumerate(entries, first)))
        if len(self._met) >= self._remembered:
            self._met.clear()
        self._met[jid] = announced
        return bool(found)

    def take(self, entries: Sequence[tuple[int, DeviceRecord]]) -> None:
        """Take in entries that the ledger has kept, each with its place, and keep what people have to be told.

        Raises:
            Fault: the register does not answer; it catches up before it takes in anything else.
        """
        accounts = sorted({entry.owner for _, entry in entries})
        try:
            for account in filter(self._memory.keeps, accounts):
                self._take(account, [one for one in entries if one[1].owner == account])
        except Exception:
            self._failures += 1
            raise
        self._memory.look_again()

    def _take(self, account: str, entries: Sequence[tuple[int, DeviceRecord]]) -> None:
        if take(self._register.devices(account), account, entries) != Taken():  # asked first, as it is cheaper than to have the door alone
            self._register.take(account, lambda devices: take(devices, account, entries), lambda taken: self._tell(account, taken))

    def _tell(self, account: str, taken: Taken) -> list[tuple[str, str]]:
        own, theirs = told(taken.happened, self._terms.desk)
        if not own:
            return []
        now = self._clock()
        lately = [at for at in self._told.pop(account, ()) if now - at < 60 * MINUTE]
        if len(lately) > _MOST_TOLD:
            self._told[account] = lately
            return []
        if len(self._told) >= self._remembered:
            self._told.clear()
        self._told[account] = [*lately, now]
        if len(lately) == _MOST_TOLD:
            own = theirs = ["There are more changes than can be told; the list of devices has them all."]
        notices = [(account, "\n".join(own))]
        if self._terms.contact and self._terms.contact != account and self._official(account):
            notices.append((self._terms.contact, "\n".join([f"Devices of {account}:", *theirs])))
        return notices

    def catch_up(self) -> None:
        """Take in what the ledger has and the register may have missed, for whatever reason."""
        began, failures = self._clock(), self._failures
        missed = sorted(self._ledger.about_devices(self._register.followed() - MARGIN), key=lambda one: one[1].owner)
        for _, entries in groupby(missed, key=lambda one: one[1].owner):
            self.take(list(entries))
        self._register.follow(began)
        self._mended = failures

    # ---- what people are told ----------------------------------------------------------------------------------------------

    def notices(self) -> Sequence[tuple[int, str, str]]:
        """Messages that are to be said: (number, bare JID, text)."""
        return self._register.notices(100)

    def said(self, numbers: Collection[int]) -> None:
        """They were."""
        self._register.said(numbers)

    # ---- what people decide ------------------------------------------------------------------------------------------------

    def listed(self, account: str | None = None) -> Sequence[Device]:
        """The devices of an account, or all."""
        return self._register.devices(account)

    def approve(self, account: str, number: int, by: str, label: str = "") -> list[Device]:
        """A registrar approves a device, in every OMEMO version in which it is known.

        Raises:
            Refusal: it is not known (UNKNOWN), or approved already (CONFLICT).
        """
        mine = self._known(account, number)
        waiting = [one for one in mine if one.state is not State.APPROVED]
        if not waiting and not label:
            raise Refusal(Reason.CONFLICT, f"device {number} of {account} is approved already")
        return self._decide(waiting or mine, State.APPROVED, means="registrar", by=by, label=label)

    def revoke(self, account: str, number: int, by: str) -> list[Device]:
        """A registrar revokes a device, in every OMEMO version in which it is known.

        Raises:
            Refusal: it is not known (UNKNOWN), or revoked already (CONFLICT).
        """
        return self._decide(self._revocable(account, number), State.REVOKED, means="registrar", by=by)

    def approve_from(self, account: str, number: int, session: str) -> list[Device]:
        """A session of the account (its mark) approves another device of it.

        Raises:
            Refusal: it may not (FORBIDDEN); the text says why.
        """
        devices = self._register.devices(account)
        if no := objection(devices, number, session):
            raise Refusal(Reason.FORBIDDEN, no)
        waiting = [one for one in devices if one.id.number == number and one.state is not State.APPROVED]
        return self._decide(waiting, State.APPROVED, means="session", by=account, session=session)

    def revoke_from(self, account: str, number: int, session: str) -> list[Device]:
        """A session of the account revokes a device of it; any may, since that opens nothing.

        Raises:
            Refusal: it is not known (UNKNOWN), or revoked already (CONFLICT).
        """
        return self._decide(self._revocable(account, number), State.REVOKED, means="session", by=account, session=session)

    def stale(self) -> list[Device]:
        """Approved devices that nothing was heard of for as long as the settings say."""
        return stale(self._register.devices(), self._clock(), self._terms.stale)

    def retire_stale(self, by: str) -> list[Device]:
        """Retire them: none may read until it is approved again."""
        return [one for device in self.stale() for one in self._decide([device], State.RETIRED, means="registrar", by=by)]

    def _known(self, account: str, number: int) -> list[Device]:
        mine = [one for one in self._register.devices(account) if one.id.number == number]
        if not mine:
            raise Refusal(Reason.UNKNOWN, f"{account} has no device {number}")
        return mine

    def _revocable(self, account: str, number: int) -> list[Device]:
        mine = [one for one in self._known(account, number) if one.state is not State.REVOKED]
        if not mine:
            raise Refusal(Reason.CONFLICT, f"device {number} of {account} is revoked already")
        return mine

    def _decide(self, devices: Sequence[Device], state: State, *, means: str, by: str, session: str = "", label: str = "") -> list[Device]:
        now, named = self._clock(), as_label(label)
        entries = [decided(one, state, now, means=means, by=by, session=session, label=named) for one in devices]
        account, numbers = devices[0].account, {one.id for one in devices}
        first = self._ledger.keep([(entry, b"") for entry in entries])  # decided from here on; what follows is taken in again if it fails
        self.take(list(enumerate(entries, first)) if means == "registrar" else self._lately(account))
        return [one for one in self._register.devices(account) if one.id in numbers]

    def _lately(self, account: str) -> list[tuple[int, DeviceRecord]]:
        """An account's last entries: a revocation among them may be kept and not taken in yet, and a session must not overtake it."""
        try:
            return [one for one in self._ledger.about_devices(self._register.followed() - MARGIN) if one[1].owner == account]
        except Exception:
            self._failures += 1
            raise


def _by_account(changes: Iterable[DevicesChanged]) -> list[tuple[str, list[DevicesChanged]]]:
    found: dict[str, list[DevicesChanged]] = {}
    for change in changes:
        found.setdefault(change.owner, []).append(change)
    return list(found.items())
