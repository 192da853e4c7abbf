"""Which devices may be trusted, as it is asked for every message: remembered, and never for long.

Knows when an answer is too old; refuses to know what makes a device trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Protocol

from apostille.devices.rules import DAY, Device, Id, trusted

POLL = 0.2
"""Seconds for which a remembered answer may be older than the register."""
_MANY = 50
"""Accounts that changed at once, above which everything is read anew."""
_NONE: frozenset[int] = frozenset()
_NOTHING: Mapping[Id, bool] = {}


class Known(Protocol):
    """What the register knows of devices."""

    def revision(self) -> int:
        """The number of the last change, 0 before the first; cheap."""
        ...

    def changed(self, since: int) -> Sequence[str]:
        """The accounts with a device that changed after a revision."""
        ...

    def devices(self, account: str | None = None) -> Sequence[Device]:
        """The devices of an account, or all: by account, version and number."""
        ...

    def use(self, used: Mapping[tuple[str, Id], int]) -> None:
        """Keep when devices were used last; those that are not there are left out."""
        ...


class Memory:
    """The register's answers for the accounts of one domain. One thread at a time may ask.

    All of it is read at first: a message into a large room asks for thousands of accounts at once. Then only what changes.
    """

    def __init__(self, register: Known, domain: str, ticks: Callable[[], float]) -> None:
        self._register = register
        self._ticks = ticks
        self._suffix = f"@{domain}"
        self._trusted: dict[str, Mapping[str, frozenset[int]]] = {}
        self._known: dict[str, Mapping[Id, bool]] = {}
        self._revision = -1
        self._polled = float("-inf")
        self._used: dict[tuple[str, str, int], int] = {}
        self._unwritten: dict[tuple[str, Id], int] = {}

    def approved(self, jid: str, namespace: str) -> frozenset[int] | None:
        """The devices of a prepared bare JID that may be trusted in this OMEMO version; None: the register is not kept for it.

        Never older than `POLL`.
        """
        if not 0 <= self._ticks() - self._polled < POLL:
            self._look()
        found = self._trusted.get(jid)
        if found is None:
            return _NONE if self.keeps(jid) else None
        return found.get(namespace, _NONE)

    def known(self, jid: str) -> Mapping[Id, bool]:
        """The devices that the register has of an account, whatever their state; True: it has heard of a list that had them."""
        if not 0 <= self._ticks() - self._polled < POLL:
            self._look()
        return self._known.get(jid, _NOTHING)

    def _look(self) -> None:
        now, revision = self._ticks(), self._register.revision()
        if revision != self._revision:
            accounts = self._register.changed(self._revision) if self._revision >= 0 else ()
            if self._revision < 0 or len(accounts) > _MANY:
                every = self._register.devices()
                accounts, self._trusted, self._known = (), {}, {}
                for account, devices in groupby(every, key=lambda device: device.account):
                    self._keep(account, list(devices))
            for account in accounts:
                self._keep(account, self._register.devices(account))
            self._revision = revision
        self._polled = now

    def _keep(self, account: str, devices: Sequence[Device]) -> None:
        self._trusted[account] = trusted(devices)
        self._known[account] = {one.id: one.listed_at >= 0 for one in devices}

    def look_again(self) -> None:
        """Something changed: the next answer looks for it."""
        self._polled = float("-inf")

    def keeps(self, account: str) -> bool:
        """Whether the register is kept for this account."""
        return account.endswith(self._suffix) and len(account) > len(self._suffix)

    def used(self, jid: str, namespace: str, number: int, at: int) -> None:
        """A message came from a device of a bare JID, by its own word. Kept to the day, with the next `write_uses`."""
        day = at // DAY
        key = (jid, namespace, number)
        if self._used.get(key) != day and number in (self.approved(jid, namespace) or ()):  # so there are no more than the register has
            self._used[key] = day
            self._unwritten[jid, Id(namespace, number)] = day * DAY

    def write_uses(self) -> None:
        """Keep what `used` has gathered."""
        if self._unwritten:
            gathered, self._unwritten = self._unwritten, {}
            self._register.use(gathered)
