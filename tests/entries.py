"""Entries about devices, and the devices that they make: for tests of the register's rules."""

from __future__ import annotations

from apostille.devices.rules import LEGACY, Device, Event, State, take
from apostille.record import DeviceDecided, DeviceRecord, DevicesChanged

ANNA = "anna@gov.example"
K1, K2 = "05" + "a1" * 32, "05" + "b2" * 32
AT = 1_795_000_000_000


def changed(
    *numbers: int, action: str = "publish", subject: str = "list", identity: str = "", namespace: str = LEGACY, at: int = AT, by: str = "5f"
) -> DevicesChanged:
    return DevicesChanged(at, ANNA, by, "local", action, namespace, subject, numbers, identity, "devices")


def bundle(number: int, identity: str, by: str = "5f", at: int = AT) -> DevicesChanged:
    return changed(number, subject="bundle", identity=identity, by=by, at=at)


def said(
    number: int, decision: str, identity: str = "", *, namespace: str = LEGACY, means: str = "registrar", name: str = ""
) -> DeviceDecided:
    return DeviceDecided(AT, ANNA, namespace, number, decision, means, "olga", identity, "", name)


def after(*entries: DeviceRecord, devices: tuple[Device, ...] = (), first: int = 0) -> tuple[dict[int, Device], list[Event]]:
    """The devices by number once these entries are taken in one by one, and what happened."""
    found = {one.id: one for one in devices}
    happened = []
    for place, entry in enumerate(entries, first):
        taken = take(found.values(), ANNA, [(place, entry)])
        found |= {one.id: one for one in taken.changed}
        found = {id_: one for id_, one in found.items() if id_ not in taken.forgotten}
        happened += [one.event for one in taken.happened]
    return {id_.number: one for id_, one in found.items()}, happened


def states(*entries: DeviceRecord) -> dict[int, State]:
    return {number: device.state for number, device in after(*entries)[0].items()}
