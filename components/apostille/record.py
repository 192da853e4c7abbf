"""What one entry of the ledger says, and how it is written down.

Knows the entry's form, so that the gate, the ledger and the tracing room speak of the same bytes; refuses to know where
entries are kept. An entry is one JSON object (RFC 8259), UTF-8, keys sorted, no white space: readable by a court without
this program, and the same bytes for the same facts.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from json.encoder import encode_basestring as _written  # the same C function that json.dumps uses without ensure_ascii

VERSION = 1
SALT_BYTES = 32
MOST_BYTES = 65_535
"""Bytes of the longest entry (C2SP tlog-tiles)."""
NEIGHBOURS = 64
"""Archive ids are found by the place of their message, to this many places."""

FiledId = tuple[int, str, str]
"""One archive id: (place of the judged record, bare JID of the archive, id)."""


class Unreadable(ValueError):
    """Bytes that are not an entry of this ledger."""


@dataclass(frozen=True, slots=True)
class Body:
    """A plaintext `<body/>`, kept as a commitment: HMAC-SHA-256(salt, SHA-256(body)), hex; the salt lies outside the tree."""

    commitment: str
    length: int


@dataclass(frozen=True, slots=True)
class Encrypted:
    """An OMEMO element as far as a server sees it: digest over its decoded fields, sending device, bytes of payload, devices."""

    namespace: str
    digest: str
    sid: int
    payload: int
    devices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A message that the gate let through.

    Attributes:
        at: Unix time in milliseconds at which the gate judged it.
        sender, recipient: bare JIDs; the recipient is the room's for groupchat.
        resource: first 16 hex digits of SHA-256 of the sender's resource (client names tell on people).
        type: message type (RFC 6121 section 5.2.2).
        flow: how it reached the server: `local`, `remote`, `component`.
        id, origin_id: the sender's own ids (XEP-0359); anybody can choose them.
        room: bare JID of the room, empty outside rooms.
        policy: name of the rule that let it through; `code` says what it would have been refused for, under observe or warn.
    """

    at: int
    sender: str
    recipient: str
    resource: str
    type: str
    flow: str
    id: str = ""
    origin_id: str = ""
    room: str = ""
    policy: str = ""
    code: str = ""
    bodies: tuple[Body, ...] = ()
    encrypted: tuple[Encrypted, ...] = ()
    kind: str = field(default="judged", init=False)


@dataclass(frozen=True, slots=True)
class Filed:
    """Archives' own ids for messages judged before: archive X gave the message of record N the id I, for each (N, X, I)."""

    at: int
    ids: tuple[FiledId, ...]
    kind: str = field(default="filed", init=False)


@dataclass(frozen=True, slots=True)
class DevicesChanged:
    """A change to the OMEMO devices of an account that the gate let through.

    Attributes:
        at: Unix time in milliseconds at which the gate judged it.
        owner: bare JID of the account.
        resource: as in `Judged`, of the session that changed it.
        flow: as in `Judged`.
        action: publish, retract, delete, purge, configure (XEP-0060).
        namespace: of the OMEMO version.
        subject: `list` (of devices) or `bundle` (the keys of one).
        devices: ids in the list as published, or the id of the bundle's device.
        identity: public identity key of a published bundle, hex; empty elsewhere.
        policy: name of the rule that let it through.
    """

    at: int
    owner: str
    resource: str
    flow: str
    action: str
    namespace: str
    subject: str
    devices: tuple[int, ...]
    identity: str = ""
    policy: str = ""
    kind: str = field(default="devices", init=False)


@dataclass(frozen=True, slots=True)
class DeviceDecided:
    """What was decided about one OMEMO device of an account.

    Attributes:
        at: Unix time in milliseconds of the decision.
        owner: bare JID of the account.
        namespace: of the OMEMO version.
        device: its id.
        decision: `approved`, `revoked`, `retired`.
        means: how it came about: `session` (the account's own), `registrar` (the command line), `policy` (the settings).
        by: who: bare JID, the name of the machine's user, empty for a policy.
        identity: the device's public identity key as the register knew it, hex; the decision is about this key. Empty: not known yet.
        resource: as in `Judged`, of the session that decided; empty elsewhere.
        label: what people call the device; empty: as before.
    """

    at: int
    owner: str
    namespace: str
    device: int
    decision: str
    means: str
    by: str = ""
    identity: str = ""
    resource: str = ""
    label: str = ""
    kind: str = field(default="device-decided", init=False)


DeviceRecord = DevicesChanged | DeviceDecided
Record = Judged | Filed | DevicesChanged | DeviceDecided
ABOUT_DEVICES = ("about", "devices")
"""The lookup under which all entries about devices are found."""


def commitment(salt: bytes, body_sha256: str) -> str:
    """The commitment to a body, hex. Without the salt it cannot be searched for likely texts."""
    return hmac.new(salt, bytes.fromhex(body_sha256), hashlib.sha256).hexdigest()


def resource_mark(jid: str) -> str:
    """What is kept of a resource: 16 hex digits of its SHA-256, empty for a bare JID."""
    resource = jid.partition("/")[2]
    return hashlib.sha256(resource.encode()).hexdigest()[:16] if resource else ""


def filings(at: int, ids: Sequence[FiledId]) -> Iterator[Filed]:
    """Archive ids in as few records as the length of an entry allows, in their order."""
    if sum(len(by) + len(id_) for _, by, id_ in ids) * 6 + len(ids) * 32 + 64 <= MOST_BYTES:  # 6: the longest escape of a character
        if ids:
            yield Filed(at, tuple(ids))
        return
    empty = len(write(Filed(at, ())))
    room, some = MOST_BYTES - empty, list[FiledId]()
    for one in ids:
        length = len(write(Filed(at, (one,)))) - empty
        if some and length + 1 > room:  # 1: the comma before it
            yield Filed(at, tuple(some))
            room, some = MOST_BYTES - empty, []
        room -= length + bool(some)
        some.append(one)
    yield Filed(at, tuple(some))


def lookups(record: Record) -> tuple[tuple[str, str], ...]:
    """Under which (field, value) pairs an entry is found again. `id` is any id; `of` says which messages are filed, roughly."""
    if isinstance(record, Filed):
        near = dict.fromkeys([of // NEIGHBOURS for of, _, _ in record.ids])
        return *[("id", id_) for _, _, id_ in record.ids], *[("of", str(one)) for one in near]
    if isinstance(record, DevicesChanged | DeviceDecided):
        return ("devices-of", record.owner), ABOUT_DEVICES
    parties = ("from", record.sender), ("to", record.recipient)
    own, origin = record.id, record.origin_id
    if own and origin and own != origin:
        return *parties, ("id", own), ("id", origin)
    return (*parties, ("id", own or origin)) if own or origin else parties


def neighbourhood(place: int) -> str:
    """The value of the lookup `of` under which the archive ids of the message at a place are found, among others."""
    return str(place // NEIGHBOURS)


_often = lru_cache(4096)(_written)
"""The same for the words of which there are few: addresses, types, rules."""


@lru_cache(4096)
def _devices(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


def write(record: Record) -> bytes:
    """The entry's bytes: what `json` would write with sorted keys and no white space, in a fraction of the time."""
    if isinstance(record, Filed):
        ids = ",".join([f"[{of},{_often(by)},{_written(id_)}]" for of, by, id_ in record.ids])
        return f'{{"at":{record.at},"ids":[{ids}],"kind":"filed","v":{VERSION}}}'.encode()
    if isinstance(record, DevicesChanged):
        return _write_change(record)
    if isinstance(record, DeviceDecided):
        return _write_decision(record)
    bodies = encrypted = ""
    for body in record.bodies:
        bodies += f'{{"commitment":{_written(body.commitment)},"length":{body.length}}},'
    for one in record.encrypted:
        encrypted += (
            f'{{"devices":[{_devices(one.devices)}],"digest":{_written(one.digest)},"ns":{_often(one.namespace)},'
            f'"payload":{one.payload},"sid":{one.sid}}},'
        )
    if bodies:
        bodies = f'"body":[{bodies[:-1]}],'
    if encrypted:
        encrypted = f'"omemo":[{encrypted[:-1]}],'
    code = f'"code":{_often(record.code)},' if record.code else ""
    id_ = f'"id":{_written(record.id)},' if record.id else ""
    origin = f'"origin-id":{_written(record.origin_id)},' if record.origin_id else ""
    room = f'"room":{_often(record.room)},' if record.room else ""
    return (
        f'{{"at":{record.at},{bodies}{code}"flow":{_often(record.flow)},'
        f'"from":{_often(record.sender)},{id_}"kind":"judged",{encrypted}'
        f'{origin}"policy":{_often(record.policy)},"resource":{_often(record.resource)},{room}"to":{_often(record.recipient)},'
        f'"type":{_often(record.type)},"v":{VERSION}}}'
    ).encode()


def _write_change(record: DevicesChanged) -> bytes:
    identity = f'"identity":{_written(record.identity)},' if record.identity else ""
    return (
        f'{{"action":{_often(record.action)},"at":{record.at},"devices":[{_devices(record.devices)}],"flow":{_often(record.flow)},'
        f'"from":{_often(record.owner)},{identity}"kind":"devices","ns":{_often(record.namespace)},"policy":{_often(record.policy)},'
        f'"resource":{_often(record.resource)},"subject":{_often(record.subject)},"v":{VERSION}}}'
    ).encode()


def _write_decision(record: DeviceDecided) -> bytes:
    identity = f'"identity":{_written(record.identity)},' if record.identity else ""
    label = f'"label":{_written(record.label)},' if record.label else ""
    return (
        f'{{"at":{record.at},"by":{_written(record.by)},"decision":{_written(record.decision)},"device":{record.device},'
        f'"from":{_written(record.owner)},{identity}"kind":"device-decided",{label}"means":{_written(record.means)},'
        f'"ns":{_written(record.namespace)},"resource":{_written(record.resource)},"v":{VERSION}}}'
    ).encode()


def _well_typed(record: Record) -> bool:
    if isinstance(record, DevicesChanged):
        words = record.owner, record.resource, record.flow, record.action, record.namespace, record.subject
        return _numbers(record.at, *record.devices) and _texts(*words, record.identity, record.policy)
    if isinstance(record, DeviceDecided):
        named = record.owner, record.namespace, record.decision, record.means, record.by
        return _numbers(record.at, record.device) and _texts(*named, record.identity, record.resource, record.label)
    if isinstance(record, Filed):
        return _numbers(record.at) and all(len(one) == 3 and _numbers(one[0]) and _texts(*one[1:]) for one in record.ids)
    return (
        _numbers(record.at)
        and _texts(record.sender, record.recipient, record.resource, record.type, record.flow, record.id, record.origin_id)
        and _texts(record.room, record.policy, record.code)
        and all(_texts(body.commitment) and _numbers(body.length) for body in record.bodies)
        and all(_texts(one.namespace, one.digest) and _numbers(one.sid, one.payload, *one.devices) for one in record.encrypted)
    )


def _numbers(*values: object) -> bool:
    return all(type(value) is int for value in values)  # True is an int to Python, and none to anybody else


def _texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def read(entry: bytes) -> Record:
    """The record in an entry's bytes.

    Raises:
        Unreadable: they are not what `write` writes (another version, a missing field, another form of the same JSON).
    """
    try:
        shape = json.loads(entry)
        if shape["v"] != VERSION:
            raise Unreadable(f"entry of version {shape['v']!r}; this program reads version {VERSION}")
        if shape["kind"] == "filed":
            record: Record = Filed(shape["at"], tuple(tuple(one) for one in shape["ids"]))
        elif shape["kind"] == "devices":
            record = DevicesChanged(
                at=shape["at"],
                owner=shape["from"],
                resource=shape["resource"],
                flow=shape["flow"],
                action=shape["action"],
                namespace=shape["ns"],
                subject=shape["subject"],
                devices=tuple(shape["devices"]),
                identity=shape.get("identity", ""),
                policy=shape["policy"],
            )
        elif shape["kind"] == "device-decided":
            record = DeviceDecided(
                at=shape["at"],
                owner=shape["from"],
                namespace=shape["ns"],
                device=shape["device"],
                decision=shape["decision"],
                means=shape["means"],
                by=shape["by"],
                identity=shape.get("identity", ""),
                resource=shape["resource"],
                label=shape.get("label", ""),
            )
        elif shape["kind"] == "judged":
            record = Judged(
                at=shape["at"],
                sender=shape["from"],
                recipient=shape["to"],
                resource=shape["resource"],
                type=shape["type"],
                flow=shape["flow"],
                id=shape.get("id", ""),
                origin_id=shape.get("origin-id", ""),
                room=shape.get("room", ""),
                policy=shape["policy"],
                code=shape.get("code", ""),
                bodies=tuple(Body(one["commitment"], one["length"]) for one in shape.get("body", ())),
                encrypted=tuple(
                    Encrypted(one["ns"], one["digest"], one["sid"], one["payload"], tuple(one["devices"]))
                    for one in shape.get("omemo", ())
                ),
            )
        else:
            raise Unreadable(f"entry of kind {shape['kind']!r}")
    except Unreadable:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(f"not an entry of this ledger: {type(error).__name__}") from None
    try:
        canonical = _well_typed(record) and write(record) == entry
    except UnicodeEncodeError:  # a lone surrogate: JSON can spell it, UTF-8 cannot
        canonical = False
    if not canonical:
        raise Unreadable("not written the one way in which this ledger writes")
    return record
