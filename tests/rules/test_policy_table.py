"""The rows of the stanza table: each with what passes by it and what does not, in both versions of OMEMO, between two and in rooms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from apostille.policy import rows as table
from apostille.policy.stanzas import Content, Kind, Objection, examine
from apostille_xep.gate.stanza import Child, Question
from messages import BORIS, CLIENT, body, child, legacy, message, modern

CHATSTATES = "http://jabber.org/protocol/chatstates"
MARKERS = "urn:xmpp:chat-markers:0"
RECEIPTS = "urn:xmpp:receipts"
HINTS = "urn:xmpp:hints"
SID = "urn:xmpp:sid:0"
ROOM = "tax@rooms.gov.example"
RETRACT = ("urn:xmpp:message-retract:1", "retract")
FALLBACK = ("urn:xmpp:fallback:0", "fallback")

MUC = ("http://jabber.org/protocol/muc#user", "x")
FORM = ("jabber:x:data", "x")
FILE = (4096, 4096, 60)
CALL = (32, 320, 6)
JINGLE = ("propose", "ringing", "proceed", "accept", "reject", "retract", "finish")

Name = tuple[str, str]
# What may stand where, and the most that it may carry: bytes of text, bytes of markup, descendants. A row that is missing fails a test.
ANYWHERE: dict[Name, tuple[int, int, int]] = {
    (CLIENT, "thread"): (64, 72, 0),
    **{(CHATSTATES, name): (0, 0, 0) for name in ("active", "composing", "paused", "inactive", "gone")},
    (RECEIPTS, "request"): (0, 0, 0),
    (RECEIPTS, "received"): (0, 80, 0),
    (MARKERS, "markable"): (0, 0, 0),
    (MARKERS, "received"): (0, 80, 0),
    (MARKERS, "displayed"): (0, 104, 0),
    (MARKERS, "acknowledged"): (0, 80, 0),
    **{(HINTS, name): (0, 0, 0) for name in ("store", "no-store", "no-permanent-store", "no-copy")},
    ("urn:xmpp:carbons:2", "private"): (0, 0, 0),
    (SID, "origin-id"): (0, 80, 0),
    (SID, "stanza-id"): (0, 128, 0),
    ("urn:xmpp:occupant-id:0", "occupant-id"): (0, 80, 0),
    ("urn:xmpp:delay", "delay"): (0, 128, 0),
    ("http://jabber.org/protocol/nick", "nick"): (64, 0, 0),
    ("urn:xmpp:eme:0", "encryption"): (0, 80, 0),
    ("urn:xmpp:message-correct:0", "replace"): (0, 80, 0),
    RETRACT: (0, 80, 0),
    ("urn:xmpp:styling:0", "unstyled"): (0, 0, 0),
    MUC: (0, 0, 0),
    ("urn:xmpp:attention:0", "attention"): (0, 0, 0),
}
BESIDE: dict[Name, tuple[int, int, int]] = {
    ("urn:xmpp:message-attaching:1", "attach-to"): (0, 80, 0),
    ("urn:xmpp:reply:0", "reply"): (0, 192, 0),
    ("urn:xmpp:reference:0", "reference"): (0, 112, 0),
    FALLBACK: (0, 64, 2),
}
TOLD: dict[Name, tuple[int, int, int]] = {
    ("http://jabber.org/protocol/pubsub#event", "event"): (16_384, 16_384, 300),
    ("http://jabber.org/protocol/address", "addresses"): (0, 256, 1),
    MUC: (0, 64, 4),
    RETRACT: (0, 256, 3),
}
EXTRAS: dict[str, dict[Name, tuple[int, int, int]]] = {
    "subject": {(CLIENT, "subject"): (1024, 20, 0)},
    "invitations": {("jabber:x:conference", "x"): (0, 256, 0), MUC: (100, 320, 4), FORM: (320, 768, 24)},
    "reactions": {("urn:xmpp:reactions:0", "reactions"): (64, 144, 8)},
    "calls": {
        **{("urn:xmpp:jingle-message:0", name): CALL for name in JINGLE},
        **{("urn:xmpp:jingle-message:1", name): CALL for name in JINGLE},
        **{("urn:xmpp:call-invites:0", name): CALL for name in ("invite", "accept", "reject", "retract", "left")},
    },
    "links": {
        ("jabber:x:oob", "x"): (2048, 16, 2),
        ("urn:xmpp:sfs:0", "file-sharing"): FILE,
        ("urn:xmpp:sfs:0", "sources"): FILE,
        ("urn:xmpp:esfs:0", "encrypted"): FILE,
        ("urn:xmpp:file:metadata:0", "file"): FILE,
        ("urn:xmpp:sims:1", "media-sharing"): FILE,
        ("urn:xmpp:reference:0", "reference"): FILE,
        ("urn:xmpp:bob", "data"): (11_000, 256, 0),
        ("urn:xmpp:thumbs:1", "thumbnail"): (0, 2048, 0),
        ("urn:xmpp:stickers:0", "sticker"): (0, 256, 0),
        ("http://www.w3.org/1999/02/22-rdf-syntax-ns#", "Description"): FILE,
    },
    "xhtml": {("http://jabber.org/protocol/xhtml-im", "html"): (65_536, 65_536, 2000)},
}
EXTRA_ROWS = [(extra, name) for extra, table in EXTRAS.items() for name in table]
ALL_EXTRAS = frozenset((*EXTRAS, "unknown"))

# In no row: refused whatever a rule lists, unless it lists "unknown" and the namespace is one.
FOREIGN = [
    (CLIENT, "error", ""),
    (CLIENT, "x", ""),
    ("urn:xmpp:forward:0", "forwarded", ""),
    ("urn:xmpp:carbons:2", "sent", ""),
    ("urn:xmpp:mam:2", "result", ""),
    ("jabber:x:encrypted", "x", ""),
    ("jabber:x:signed", "x", ""),
    ("urn:xmpp:otr:0", "otr", ""),
    ("urn:xmpp:sce:1", "envelope", ""),
    ("urn:xmpp:privilege:2", "privilege", ""),
    ("urn:xmpp:reactions:0", "x", ""),
    (CHATSTATES, "dreaming", ""),
    (RECEIPTS, "body", ""),
    ("jabber:server", "body", ""),
    ("", "body", ""),
    ("urn:xmpp:omemo:1", "encrypted", ""),
    ("urn:xmpp:openpgp:0", "signcrypt", ""),
    ("unknown:x", "x", "unknown"),
    ("urn:xmpp:captcha", "captcha", "unknown"),
    ("urn:xmpp:message-moderate:1", "moderated", "unknown"),
    ("eu.siacs.conversations.axolotl.devicelist", "encrypted", "unknown"),
    ("urn:xmpp:fasten:0", "apply-to", "unknown"),
]


NO_EXTRAS: frozenset[str] = frozenset()
# An encrypted text in both versions, between two and in a room.
SEALED: dict[str, Callable[..., Question]] = {
    "0.3": lambda *others: message(legacy(), *others),
    "2": lambda *others: message(modern(), *others),
    "0.3 in a room": lambda *others: message(legacy(), *others, type="groupchat", room=ROOM, recipient=ROOM),
    "2 in a room": lambda *others: message(modern(), *others, type="groupchat", room=ROOM, recipient=ROOM),
    "0.3 in private": lambda *others: message(legacy(), *others, room=ROOM),
}
sealed = pytest.mark.parametrize("around", SEALED.values(), ids=SEALED)
ONE_MORE = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]


def codes(*children: Child, extras: frozenset[str] = NO_EXTRAS, type_: str = "chat") -> list[str]:
    return [objection.code for objection in examine(message(*children, type=type_), extras).objections]


def kind(*children: Child) -> Kind:
    return examine(message(*children)).kind


def more_than(measures: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    return [(measures[0] + text, measures[1] + markup, measures[2] + elements) for text, markup, elements in ONE_MORE]


def called(name: Name) -> str:
    return f"{{{name[0]}}}{name[1]}"


def names(name: object) -> str:
    return f"{name[1]} of {name[0]}" if isinstance(name, tuple) else str(name)


def told(*children: Child, **fields: Any) -> Content:
    """As another server, or a room there, tells something."""
    return examine(message(*children, sender="tax@rooms.other.example", flow="remote", type="groupchat", **fields))


def with_extra(extra: str, name: Name, measures: tuple[int, int, int], extras: frozenset[str]) -> Content:
    """An element where its extra has it: a subject in a room, a form to one."""
    where: dict[str, Any] = {"type": "groupchat"} if extra == "subject" else {}
    where |= {"recipient": ROOM, "room": ROOM} if name == FORM else {}
    return examine(message(child(*name, *measures), **where), extras)


def test_the_tables_above_are_the_tables() -> None:
    def measured(rows: Mapping[Name, table.Row]) -> dict[Name, tuple[int, int, int]]:
        return {name: (row.text, row.attributes, row.elements) for name, row in rows.items()}

    assert measured(table.TABLE) == ANYWHERE
    assert measured(table.BESIDE) == BESIDE
    assert measured(table.TOLD) == TOLD
    assert {extra: measured(rows) for extra, rows in table.EXTRAS.items()} == EXTRAS


@pytest.mark.parametrize("name", ANYWHERE, ids=names)
def test_an_element_of_the_table_is_nothing_with_all_that_it_may_carry_and_with_nothing(name: Name) -> None:
    assert kind(child(*name)) is Kind.EMPTY
    assert kind(child(*name, *ANYWHERE[name])) is Kind.EMPTY


@sealed
@pytest.mark.parametrize("name", [*ANYWHERE, *BESIDE], ids=names)
def test_an_element_of_the_table_passes_beside_an_encrypted_text_and_not_with_one_more(name: Name, around: Any) -> None:
    measures = (ANYWHERE | BESIDE)[name]
    content = examine(around(child(*name, *measures)))
    assert (content.kind, content.objections) == (Kind.ENCRYPTED, ())
    code = "links" if name[1] == "reference" else "too-much"  # it is a file, then
    for more in more_than(measures):
        content = examine(around(child(*name, *more)))
        assert (content.kind, content.objections) == (Kind.READABLE, (Objection(code, called(name)),))


@pytest.mark.parametrize("name", ANYWHERE, ids=names)
def test_an_element_alone_that_carries_one_more_is_refused(name: Name) -> None:
    for more in more_than(ANYWHERE[name]):
        content = examine(message(child(*name, *more)))
        assert (content.kind, content.objections) == (Kind.READABLE, (Objection("too-much", called(name)),))


@pytest.mark.parametrize("name", BESIDE, ids=names)
@pytest.mark.parametrize("type_", ["chat", "groupchat", "normal", "headline"])
def test_what_belongs_to_an_encrypted_text_is_refused_without_one(name: Name, type_: str) -> None:
    alone = (Objection("unknown-element", called(name)),)
    assert examine(message(child(*name, *BESIDE[name]), type=type_)).objections == alone
    assert examine(message(legacy(payload=None), child(*name), type=type_)).objections == alone, "keys without a text"
    assert examine(message(modern(payload=None), child(*name), type=type_)).objections == alone
    assert not examine(message(legacy(payload=None), modern(), child(*name), type=type_)).objections
    assert "plaintext" in codes(body("hello"), child(*name), type_=type_)


@pytest.mark.parametrize("name", TOLD, ids=names)
def test_what_servers_and_rooms_tell_passes_from_them_only_and_within_limits(name: Name) -> None:
    text, markup, elements = TOLD[name]
    said = Kind.READABLE if text or markup > 256 else Kind.EMPTY  # what can be read is written down
    content = told(child(*name, text, markup, elements))
    assert (content.kind, content.objections) == (said, ())
    assert told(child(*name)).kind is Kind.EMPTY
    for more in more_than(TOLD[name]):
        assert told(child(*name, *more)).objections == (Objection("too-much", called(name)),)
    own = child(*name, text, markup, elements)
    code = "too-much" if name in ANYWHERE else "unknown-element"
    refused = (Objection(code, called(name)),)
    assert examine(message(own, type="headline")).objections == refused, "a client of our own"
    assert examine(message(own, type="headline", sender=BORIS)).objections == refused, "a service on behalf of one"
    assert examine(message(own, type="headline", sender="a@other.example/desk", flow="remote")).objections == refused


@pytest.mark.parametrize(("extra", "name"), EXTRA_ROWS, ids=names)
def test_what_can_be_read_by_nature_passes_where_a_rule_lists_it_and_nowhere_else(extra: str, name: Name) -> None:
    measures = EXTRAS[extra][name]
    content = with_extra(extra, name, measures, frozenset((extra,)))
    assert (content.kind, content.objections) == (Kind.READABLE, ())
    for more in more_than(measures):
        assert with_extra(extra, name, more, frozenset((extra,))).objections
    (objection,) = with_extra(extra, name, measures, ALL_EXTRAS - {extra}).objections
    other = "too-much" if name == MUC else "unknown-element"
    code = other if extra == "invitations" else extra  # the others have a sentence of their own
    assert objection == Objection(code, called(name))


@sealed
@pytest.mark.parametrize(("extra", "name"), EXTRA_ROWS, ids=names)
def test_beside_an_encrypted_text_an_extra_is_no_less_readable(extra: str, name: Name, around: Any) -> None:
    beside = around(child(*name, *EXTRAS[extra][name]))
    assert examine(beside).kind is Kind.READABLE
    assert examine(beside).objections
    allowed = examine(beside, frozenset((extra,)))
    misplaced = name == FORM or (extra == "subject" and beside.type != "groupchat")
    assert bool(allowed.objections) is misplaced
    assert allowed.kind is Kind.READABLE


@pytest.mark.parametrize(("namespace", "name", "extra"), FOREIGN, ids=lambda value: value or "(none)")
def test_an_element_in_no_row_is_refused_alone_and_beside_an_encrypted_part(namespace: str, name: str, extra: str) -> None:
    expected = (Objection("unknown-element", f"{{{namespace}}}{name}"),)
    assert examine(message(child(namespace, name)), ALL_EXTRAS - {"unknown"}).objections == expected
    for around in SEALED.values():
        content = examine(around(child(namespace, name)), ALL_EXTRAS - {"unknown"})
        assert (content.kind, content.objections) == (Kind.READABLE, expected)
    assert examine(message(child(namespace, name)), ALL_EXTRAS).objections == (() if extra else expected)
    assert bool(examine(message(child(namespace, name, 4097)), ALL_EXTRAS).objections)


OFTEN = {(SID, "stanza-id"): 3, FALLBACK: 2, ("urn:xmpp:reference:0", "reference"): 4, ("jabber:x:oob", "x"): 4}


@pytest.mark.parametrize("name", [*ANYWHERE, *BESIDE], ids=names)
def test_an_element_may_stand_there_once_and_few_more_often(name: Name) -> None:
    most = OFTEN.get(name, 1)
    assert examine(message(legacy(), *[child(*name)] * most)).kind is Kind.ENCRYPTED
    assert examine(message(legacy(), *[child(*name)] * (most + 1))).objections == (Objection("too-much", called(name)),)


@pytest.mark.parametrize(("extra", "name"), EXTRA_ROWS, ids=names)
def test_what_can_be_read_by_nature_stands_there_once_but_files_come_in_fours(extra: str, name: Name) -> None:
    most = 4 if EXTRAS[extra][name] == FILE or name in OFTEN else 1
    beside = [child(*name)] * most
    in_room: dict[str, Any] = {"type": "groupchat"} if extra == "subject" else {"recipient": ROOM, "room": ROOM}
    assert not examine(message(*beside, **in_room), frozenset((extra,))).objections
    assert Objection("too-much", called(name)) in examine(message(*beside, child(*name), **in_room), frozenset((extra,))).objections


def test_what_nobody_knows_comes_in_fours_at_most() -> None:
    unknown = [child("unknown:x", "x")] * 4
    assert not examine(message(*unknown), frozenset(("unknown",))).objections
    assert examine(message(*unknown, child("unknown:x", "x")), frozenset(("unknown",))).objections
