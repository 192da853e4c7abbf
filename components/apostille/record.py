"""What one entry of the ledger says, and how it is written down.

Knows the entry's form, so that the gate, the ledger and the tracing room speak of the same bytes; refuses to know where
entries are kept. An entry is one JSON object (RFC 8259), UTF-8, keys sorted, no white space: readable by a court without
this program, and the same bytes for the same facts.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

VERSION = 1
SALT_BYTES = 32


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
    """Archives' own ids for a message judged before: each as (archive's bare JID, id); `of` is the message's place in the ledger."""

    at: int
    of: int
    ids: tuple[tuple[str, str], ...]
    kind: str = field(default="filed", init=False)


Record = Judged | Filed


def commitment(salt: bytes, body_sha256: str) -> str:
    """The commitment to a body, hex. Without the salt it cannot be searched for likely texts."""
    return hmac.new(salt, bytes.fromhex(body_sha256), hashlib.sha256).hexdigest()


def resource_mark(jid: str) -> str:
    """What is kept of a resource: 16 hex digits of its SHA-256, empty for a bare JID."""
    resource = jid.partition("/")[2]
    return hashlib.sha256(resource.encode()).hexdigest()[:16] if resource else ""


def _shape(record: Record) -> dict[str, Any]:
    if isinstance(record, Filed):
        return {"v": VERSION, "kind": "filed", "at": record.at, "of": record.of, "ids": record.ids}
    shape: dict[str, Any] = {
        "v": VERSION,
        "kind": "judged",
        "at": record.at,
        "from": record.sender,
        "to": record.recipient,
        "resource": record.resource,
        "type": record.type,
        "flow": record.flow,
        "policy": record.policy,
    }
    optional = {"id": record.id, "origin-id": record.origin_id, "room": record.room, "code": record.code}
    shape |= {name: value for name, value in optional.items() if value}
    if record.bodies:
        shape["body"] = [{"commitment": body.commitment, "length": body.length} for body in record.bodies]
    if record.encrypted:
        shape["omemo"] = [
            {"ns": one.namespace, "digest": one.digest, "sid": one.sid, "payload": one.payload, "devices": one.devices}
            for one in record.encrypted
        ]
    return shape


def lookups(record: Record) -> tuple[tuple[str, str], ...]:
    """Under which (field, value) pairs an entry is found again. A time is 15 digits, so that text order is time order."""
    if isinstance(record, Filed):
        return *(("stanza-id", id_) for _, id_ in record.ids), ("of", str(record.of))
    pairs = (
        ("from", record.sender),
        ("to", record.recipient),
        ("at", moment(record.at)),
        ("id", record.id),
        ("origin-id", record.origin_id),
    )
    return tuple(pair for pair in pairs if pair[1])


def moment(milliseconds: int) -> str:
    """A time as the lookup `at` holds it."""
    return f"{milliseconds:015d}"


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def write(record: Record) -> bytes:
    """The entry's bytes."""
    return _encode(_shape(record)).encode()


def _well_typed(record: Record) -> bool:
    if isinstance(record, Filed):
        return _numbers(record.at, record.of) and all(len(one) == 2 and _texts(*one) for one in record.ids)
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
            record: Record = Filed(shape["at"], shape["of"], tuple(tuple(one) for one in shape["ids"]))
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
