"""What a device is to the register, and what an entry of the ledger makes of it.

Knows states, events and who may approve what; refuses to know where entries are kept and who is told. The register is what the
entries about devices say, taken in by their places: an entry taken twice, or late, changes nothing that a later one has said.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from apostille.record import DeviceDecided, DeviceRecord, DevicesChanged

LEGACY = "eu.siacs.conversations.axolotl"
MODERN = "urn:xmpp:omemo:2"
MINUTE = 60_000
DAY = 86_400_000
MOST = 300
"""Devices that the register keeps of one account: three full lists (XEP-0384 lists of more than 100 are refused)."""
FOUND = "found"
"""The action of an entry about devices that were announced before the register heard of any list: it adds, and takes none away."""
_NAMING = ("publish", FOUND)
_EMPTYING = ("retract", "delete", "purge")


class State(enum.Enum):
    """What the register says of a device."""

    SEEN = "seen"  # announced, and nobody has decided, or not about the key that it has now
    APPROVED = "approved"
    REVOKED = "revoked"
    RETIRED = "retired"


class Event(enum.Enum):
    """What happened to a device."""

    ANNOUNCED = "announced"
    KEYED = "keyed"
    KEY_CHANGED = "key-changed"
    APPROVED = "approved"
    REVOKED = "revoked"
    RETIRED = "retired"
    WITHDRAWN = "withdrawn"


class Id(NamedTuple):
    """Which device of an account: the same number in two OMEMO versions is two entries of the register."""

    namespace: str
    number: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The last word about a device: which, when, by whom and how, about which key (hex; empty: none was known), at which place.

    `SEEN` is an approval that another key has ended.
    """

    state: State
    at: int
    by: str
    means: str
    identity: str
    place: int


@dataclass(frozen=True, slots=True)
class Device:
    """One device of one account, as the entries up to now say.

    Attributes:
        account: bare JID.
        id: OMEMO version and number.
        identity: public identity key as published last, hex; empty: none was published yet.
        label: what people call it.
        first_seen, last_used: Unix milliseconds; use is known to the day, and of approved devices only (0: never).
        session: marks of the session that brought it and, with a space between, of the one that brought its present key, if it is another.
        listed: whether the account's device list names it.
        listed_at, keyed_at: places of the entries that say so, -1 for none.
        decision: what was decided, if anything.
    """

    account: str
    id: Id
    identity: str = ""
    label: str = ""
    first_seen: int = 0
    last_used: int = 0
    session: str = ""
    listed: bool = False
    listed_at: int = -1
    keyed_at: int = -1
    decision: Decision | None = None

    @property
    def state(self) -> State:
        """An approval is about one key: with another one the device waits again, and a change of the key ends it for good."""
        decision = self.decision
        if decision is None or (decision.state is State.APPROVED and decision.identity != self.identity):
            return State.SEEN
        return decision.state

    @property
    def trusted(self) -> bool:
        """Whether messages may be encrypted for it and come from it."""
        return self.listed and self.state is State.APPROVED


class Happening(NamedTuple):
    """What an entry made of a device."""

    event: Event
    device: Device


@dataclass(frozen=True, slots=True)
class Taken:
    """What entries made of an account's devices: those to write, those to forget, and what happened, in order."""

    changed: tuple[Device, ...] = ()
    forgotten: tuple[Id, ...] = ()
    happened: tuple[Happening, ...] = ()


def take(devices: Iterable[Device], account: str, entries: Sequence[tuple[int, DeviceRecord]]) -> Taken:
    """What entries about one account, each with its place, make of its devices."""
    before = {device.id: device for device in devices}
    after, happened = dict(before), list[Happening]()
    for place, entry in sorted(entries, key=lambda one: one[0]):
        if isinstance(entry, DeviceDecided):
            found = _decided(after, account, entry, place)
        elif entry.subject == "list":
            found = _listed(after, account, entry, place)
        else:
            found = _keyed(after, account, entry, place)
        happened += found
    changed = tuple(device for id_, device in after.items() if before.get(id_) != device)
    return Taken(changed, tuple(id_ for id_ in before if id_ not in after), tuple(happened))


def _listed(devices: dict[Id, Device], account: str, entry: DevicesChanged, place: int) -> list[Happening]:
    if entry.action not in (*_NAMING, *_EMPTYING):
        return []  # configured: the list is what it was
    happened = []
    named = {Id(entry.namespace, number) for number in entry.devices if entry.action in _NAMING}
    for id_, device in list(devices.items()) if entry.action != FOUND else ():
        if id_.namespace == entry.namespace and device.listed_at < place and (device.listed or id_ in named):
            devices[id_] = now = replace(device, listed=id_ in named, listed_at=place)
            if device.trusted and not now.listed:
                happened.append(Happening(Event.WITHDRAWN, now))
    for id_ in named & devices.keys() if entry.action == FOUND else ():
        if devices[id_].listed_at < 0:  # only its bundle was heard of; what a list has said of it counts more
            devices[id_] = replace(devices[id_], listed=True, listed_at=place)
    if fresh := sorted(named - devices.keys()):
        idle = _idle(devices)
        for id_ in fresh:
            new = Device(account, id_, first_seen=entry.at, session=entry.resource, listed=True, listed_at=place)
            happened += _added(devices, new, idle)
    return happened


def _keyed(devices: dict[Id, Device], account: str, entry: DevicesChanged, place: int) -> list[Happening]:
    if entry.action != "publish" or not entry.identity or len(entry.devices) != 1 or not entry.devices[0]:
        return []  # a bundle taken away takes no key back: what comes next is compared with it
    id_ = Id(entry.namespace, entry.devices[0])
    device = devices.get(id_)
    if device is None:
        new = Device(account, id_, entry.identity, first_seen=entry.at, session=entry.resource, keyed_at=place)
        return _added(devices, new, _idle(devices))
    if place <= device.keyed_at or device.identity == entry.identity:
        return []
    decision, brought = device.decision, device.session.partition(" ")[0]
    session = brought if entry.resource == brought else f"{brought} {entry.resource}".strip()
    if device.identity:
        if decision is not None and decision.state is State.APPROVED:
            decision = replace(decision, state=State.SEEN)  # its place stays: the approval, taken again, is no new one
        devices[id_] = now = replace(device, identity=entry.identity, keyed_at=place, session=session, decision=decision)
        return [Happening(Event.KEY_CHANGED, now)]
    if decision is not None and not decision.identity:
        decision = replace(decision, identity=entry.identity)  # decided before a key was there: the first one is meant
    devices[id_] = now = replace(device, identity=entry.identity, keyed_at=place, session=session, decision=decision)
    return [Happening(Event.KEYED, now)] if device.state is State.APPROVED else []


def _decided(devices: dict[Id, Device], account: str, entry: DeviceDecided, place: int) -> list[Happening]:
    id_ = Id(entry.namespace, entry.device)
    device = devices.get(id_) or Device(account, id_, first_seen=entry.at)
    if device.decision is not None and place <= device.decision.place:
        return []
    if device.state is State.REVOKED and entry.means != "registrar":
        return []  # decided by somebody who had not heard of the revocation
    decision = Decision(State(entry.decision), entry.at, entry.by, entry.means, entry.identity, place)
    if decision.state is State.APPROVED and place < device.keyed_at:
        decision = replace(decision, state=State.SEEN)  # come late: it knew nothing of the key that came after it
        devices[id_] = replace(device, decision=decision)
        return []
    devices[id_] = now = replace(device, label=entry.label or device.label, decision=decision)
    return [Happening(Event(entry.decision), now)]


def _idle(devices: Mapping[Id, Device]) -> list[Device]:
    """The devices that may be forgotten: off the list, and never decided about; the oldest last."""
    idle = [one for one in devices.values() if not one.listed and one.decision is None]
    return sorted(idle, key=lambda one: (one.first_seen, one.id), reverse=True)


def _added(devices: dict[Id, Device], new: Device, idle: list[Device]) -> list[Happening]:
    """Take a device in; where there are too many, the oldest of those that may be forgotten has to go."""
    if len(devices) >= MOST:
        if not idle:
            return []
        del devices[idle.pop().id]
    devices[new.id] = new
    return [Happening(Event.ANNOUNCED, new)]


# ---- who may decide ------------------------------------------------------------------------------------------------------


def by_policy(devices: Iterable[Device], changes: Sequence[DevicesChanged], window: int) -> list[DeviceDecided]:
    """The approvals that follow from an account's changes by policy: of what is new within `window` ms after its first device.

    What comes within a minute belongs to the first device in any case: a client announces itself in both versions one after
    the other. `devices` are those before the changes.
    """
    known = list(devices)
    if not changes or any(one.state is State.REVOKED for one in known):
        return []  # where something was revoked, a person looks
    # Places do not matter here: the changes are the newest, in this order.
    start = 1 + max((max(one.listed_at, one.keyed_at) for one in known), default=-1)
    taken = take(known, changes[0].owner, list(enumerate(changes, start)))
    after = {one.id: one for one in (*known, *taken.changed)}
    began = min((one.first_seen for one in after.values()), default=0)
    # One that was pushed out again at once is nowhere by now.
    new = [after[one.device.id] for one in taken.happened if one.event is Event.ANNOUNCED and one.device.id in after]
    return [decided(one, State.APPROVED, one.first_seen, means="policy") for one in new if one.first_seen - began <= max(window, MINUTE)]


def decided(device: Device, state: State, at: int, *, means: str, by: str = "", session: str = "", label: str = "") -> DeviceDecided:
    """The entry that says what was decided about a device as it is known now."""
    return DeviceDecided(
        at=at,
        owner=device.account,
        namespace=device.id.namespace,
        device=device.id.number,
        decision=state.value,
        means=means,
        by=by,
        identity=device.identity,
        resource=session,
        label=label,
    )


def objection(devices: Sequence[Device], number: int, session: str) -> str:
    """Why a session of the account may not approve a device of it, as a sentence; empty if it may.

    `session` is the mark of the session that asks. A server cannot see which device a session has, so it is asked for less: that
    there is another device that may be trusted, and that the session is not the one that brought the new device.
    """
    mine = [one for one in devices if one.id.number == number]
    if not mine:
        return f"There is no device {number}. Write devices to see yours."
    if any(one.state is State.REVOKED for one in mine):
        return f"Device {number} was revoked; only a registrar can approve it again."
    if all(one.state is State.APPROVED for one in mine):
        return f"Device {number} is approved already."
    if not any(one.trusted and one.id.number != number for one in devices):
        return f"You have no other approved device that could vouch for device {number}; ask a registrar."
    if not session or any(session in one.session.split() for one in mine):
        return f"Device {number} was announced from this very session; approve it from your other device, or ask a registrar."
    return ""


def stale(devices: Iterable[Device], now: int, idle: int) -> list[Device]:
    """Approved devices that nothing was heard of for `idle` milliseconds."""
    return [one for one in devices if one.state is State.APPROVED and now - heard(one) >= idle]


def heard(device: Device) -> int:
    """When something was heard of a device last: that it came, was decided about, or was used."""
    return max(device.first_seen, device.last_used, device.decision.at if device.decision else 0)


def trusted(devices: Iterable[Device]) -> Mapping[str, frozenset[int]]:
    """The numbers of the devices that may be trusted, by OMEMO version."""
    found: dict[str, set[int]] = {}
    for device in devices:
        if device.trusted:
            found.setdefault(device.id.namespace, set()).add(device.id.number)
    return {namespace: frozenset(numbers) for namespace, numbers in found.items()}
