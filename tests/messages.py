"""Facts of messages, built as the server would tell them: for tests that begin after the wire."""

from __future__ import annotations

import hashlib

from apostille_xep.gate.stanza import Change, Child, Envelope, Key, Question

LEGACY = "eu.siacs.conversations.axolotl"
MODERN = "urn:xmpp:omemo:2"
CLIENT = "jabber:client"
DIGEST = "d1" * 32
BORIS = "boris.volkov@gov.example"
ANNA = "anna.petrova@gov.example"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def child(namespace: str, name: str, text: int = 0, attributes: int = 0, elements: int = 0) -> Child:
    return Child(namespace, name, text, attributes, elements, "", None)


def body(text: str, *, attributes: int = 0, elements: int = 0) -> Child:
    return Child(CLIENT, "body", len(text.encode()), attributes, elements, sha256(text), None)


def keys(*rids: int, length: int = 60, jid: str = "") -> tuple[Key, ...]:
    return tuple(Key(rid, length, jid, kex=False) for rid in rids)


def encrypted(namespace: str, envelope: Envelope) -> Child:
    return Child(namespace, "encrypted", 400, 30, 6, "", envelope)


def legacy(
    header: tuple[Key, ...] = keys(11, 12),
    *,
    sid: int = 7,
    iv: int | None = 12,
    payload: int | None = 25,
    strange: int = 0,
) -> Child:
    return encrypted(LEGACY, Envelope(sid, iv, payload, header, DIGEST, strange))


def modern(
    header: tuple[Key, ...] = keys(11, 12, jid=ANNA),
    *,
    sid: int = 7,
    iv: int | None = None,
    payload: int | None = 208,
    strange: int = 0,
) -> Child:
    return encrypted(MODERN, Envelope(sid, iv, payload, header, DIGEST, strange))


def message(
    *children: Child,
    sender: str = f"{BORIS}/phone",
    recipient: str = ANNA,
    type: str = "chat",  # noqa: A002 - the attribute's name
    flow: str = "local",
    id: str = "m1",  # noqa: A002
    origin_id: str = "",
    room: str = "",
    text: int = 0,
    ref: str = "1",
    more: int = 0,
    lang: str = "",
    client: str = "",
) -> Question:
    return Question(ref, sender, recipient, type, flow, id, origin_id, room, text, children, more, None, None, lang, client)


def change(
    *devices: int,
    sender: str = f"{BORIS}/phone",
    owner: str = BORIS,
    flow: str = "local",
    action: str = "publish",
    namespace: str = LEGACY,
    subject: str = "list",
    identity: str = "",
    text: int = 0,
    attributes: int = 96,
    elements: int = 4,
    ref: str = "1",
) -> Change:
    """A change of devices; without a word more, an account's own list."""
    return Change(ref, flow, sender, owner, action, namespace, subject, devices, identity, text, attributes, elements)
