"""Which devices may be trusted, as it is asked for every message: remembered, and never for long.

Knows when an answer is too old; refuses to know what makes a device trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from apostille.devices.rules import DAY, Device, Id, trusted

POLL = 0.2
"""Seconds for which a remembered answer may be older than the register."""
_NONE: frozenset[int] = frozenset()


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
    """The register's answers for the accounts of one domain, as far as they were asked for. One thread at a time may ask."""

    def __init__(self, register: Known, domain: str, ticks: Callable[[], float], remembered: int) -> None:
        self._register = register
        self._ticks = ticks
        self._remembered = remembered
        self._suffix = f"@{domain}"
        self._memory: dict[str, Mapping[str, frozenset[int]]] = {}
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
        found = self._memory.get(jid)
        return self._look_up(jid, namespace) if found is None else found.get(namespace, _NONE)

    def _look(self) -> None:
        now, revision = self._ticks(), self._register.revision()
        if revision != self._revision:
            for account in self._register.changed(self._revision) if self._memory else ():
                self._memory.pop(account, None)
            self._revision = revision
        self._polled = now

    def _look_up(self, jid: str, namespace: str) -> frozenset[int] | None:
        if not self.keeps(jid):
            return None
        memory = self._memory
        if len(memory) >= self._remembered:
            memory.clear()
        memory[jid] = found = trusted(self._register.devices(jid))
        return found.get(namespace, _NONE)

    def keeps(self, account: str) -> bool:
        """Whether the register is kept for this account."""
        return account.endswith(self._suffix) and len(account) > len(self._suffix)

    def used(self, jid: str, namespace: str, number: int, at: int) -> None:
        """A message came from a device (its bare JID, by its own word). Kept to the day, with the next `write_uses`."""
        day = at // DAY
        key = (jid, namespace, number)
        if self._used.get(key) == day:
            return
        if number in (self.approved(jid, namespace) or ()):
            if len(self._used) >= self._remembered:
                self._used.clear()
            self._used[key] = day
            self._unwritten[jid, Id(namespace, number)] = day * DAY

    def write_uses(self) -> None:
        """Keep what `used` has gathered."""
        if self._unwritten:
            gathered, self._unwritten = self._unwritten, {}
            self._register.use(gathered)

    def look_again(self) -> None:
        """Something changed: the next answer looks for it."""
        self._polled = float("-inf")
