"""Doubles of the ports of the register of devices: a register in memory, and a ledger that finds what is about devices."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from apostille.devices.rules import LEGACY, Device, Id, State, Taken
from apostille.devices.service import Devices, Terms
from apostille.record import DeviceDecided, DeviceRecord, DevicesChanged
from apostille.vocabulary import Fault
from doubles_gate import Clock, MemoryLedger
from messages import ANNA, BORIS

GATE = "gate.gov.example"
CONTACT = "security@gov.example"


class MemoryDevices:
    """The port `Register` in memory. Set `away`, and it does not answer until it is unset; `asked` counts look-ups."""

    def __init__(self) -> None:
        self._devices: dict[tuple[str, Id], Device] = {}
        self._notices: dict[int, tuple[str, str]] = {}
        self._said = 0
        self._revision = 0
        self._written: dict[str, int] = {}
        self._followed = 0
        self.away = False
        self.asked = 0

    def _answer(self) -> None:
        if self.away:
            raise Fault("devices: the database does not answer as it should: away")

    def revision(self) -> int:
        self._answer()
        return self._revision

    def changed(self, since: int) -> list[str]:
        self._answer()
        return [account for account, revision in self._written.items() if revision > since]

    def devices(self, account: str | None = None) -> list[Device]:
        self._answer()
        self.asked += 1
        return [one for _, one in sorted(self._devices.items()) if account in (None, one.account)]

    def take(self, account: str, step: Callable[[Sequence[Device]], Taken], tell: Callable[[Taken], Sequence[tuple[str, str]]]) -> Taken:
        taken = step(self.devices(account))
        for to, text in tell(taken):
            self._said += 1
            self._notices[self._said] = to, text
        for id_ in taken.forgotten:
            del self._devices[account, id_]
        self._devices |= {(account, one.id): one for one in taken.changed}
        self._revision += bool(taken.changed or taken.forgotten)
        if taken.changed:
            self._written[account] = self._revision
        return taken

    def use(self, used: Mapping[tuple[str, Id], int]) -> None:
        self._answer()
        for key, at in used.items():
            if key in self._devices and self._devices[key].last_used < at:
                self._devices[key] = replace(self._devices[key], last_used=at)

    def notices(self, most: int) -> list[tuple[int, str, str]]:
        self._answer()
        return [(number, *notice) for number, notice in sorted(self._notices.items())][:most]

    def said(self, numbers: Collection[int]) -> None:
        self._answer()
        for number in numbers:
            self._notices.pop(number, None)

    def followed(self) -> int:
        self._answer()
        return self._followed

    def follow(self, at: int) -> None:
        self._answer()
        self._followed = at


class DevicesLedger(MemoryLedger):
    """The ledger as the register of devices sees it."""

    def about_devices(self, since: int) -> Iterator[tuple[int, DeviceRecord]]:
        for place, record in enumerate(self.records, self.first):
            if isinstance(record, DevicesChanged | DeviceDecided) and record.at >= since:
                yield place, record


class Bench:
    """A register with its doubles, and what the gate would do with it."""

    def __init__(self, **terms: object) -> None:
        self.register, self.ledger, self.clock = MemoryDevices(), DevicesLedger(first=100), Clock()
        self.ticks = 0.0
        told = {"first": False, "contact": CONTACT, "desk": GATE, **terms}
        self.terms = Terms("gov.example", **told)  # type: ignore[arg-type]
        self.devices = self.beside()

    def beside(self, **more: int) -> Devices:
        """Another process on the same register and ledger."""
        return Devices(self.register, self.ledger, self.terms, self.clock, lambda: self.ticks, lambda jid: jid != BORIS, **more)

    def changed(self, *numbers: int, owner: str = ANNA, action: str = "publish", identity: str = "", by: str = "5f") -> DevicesChanged:
        subject = "bundle" if identity else "list"
        return DevicesChanged(self.clock.now, owner, by, "local", action, LEGACY, subject, numbers, identity, "devices")

    def gate(self, *changes: DevicesChanged, taken: bool = True) -> list[DeviceRecord]:
        """Changes that the gate lets through; without `taken` it dies in between."""
        entries: list[DeviceRecord] = [*changes, *self.devices.decisions(changes)]
        first = self.ledger.keep([(one, b"") for one in entries])
        if taken:
            self.devices.take(list(enumerate(entries, first)))
        return entries

    def told(self) -> list[tuple[str, str]]:
        """Whom something was said to, and its first words; said now."""
        notices = self.devices.notices()
        self.devices.said([number for number, _, _ in notices])
        return [(to, text[:14]) for _, to, text in notices]

    def states(self, account: str = ANNA) -> dict[int, State]:
        return {one.id.number: one.state for one in self.devices.listed(account)}

    def decided(self) -> list[tuple[int, str, str]]:
        return [(one.device, one.decision, one.means) for one in self.ledger.records if isinstance(one, DeviceDecided)]
