"""The rows of the stanza table: what each element may carry, and where it may stand.

Knows names and measures, XEP by XEP, as docs/reference/policy.md has them; refuses to know how a message is read. Measures are as
narrow as what clients send allows: a server sees lengths only, and each byte more is a byte for a letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apostille.vocabulary import Child

ID_LIMIT = 80  # bytes of an id; clients use UUIDs (36), the longest seen have 55
LANG_LIMIT = len("xml:lang") + 12  # zh-Hant-TW and some; a fallback body is in the language of its client
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """How much one element may carry (bytes of text, bytes of markup that its writer chose, descendants), and how many there may be."""

    text: int = 0
    attributes: int = 0
    elements: int = 0
    times: int = 1

    def holds(self, child: Child) -> bool:
        """Whether an element is within these measures."""
        return child.text <= self.text and child.attributes <= self.attributes and child.elements <= self.elements


BODY = ("jabber:client", "body")
SUBJECT = ("jabber:client", "subject")
RETRACT = ("urn:xmpp:message-retract:1", "retract")
FALLBACK = ("urn:xmpp:fallback:0", "fallback")
OOB = ("jabber:x:oob", "x")
FORM = ("jabber:x:data", "x")
_MUC = ("http://jabber.org/protocol/muc#user", "x")
_MARK = Row(attributes=ID_LIMIT)

# In any message, and no content wherever it stands.
TABLE: Mapping[Name, Row] = {
    ("jabber:client", "thread"): Row(text=64, attributes=72),
    ("http://jabber.org/protocol/chatstates", "active"): Row(),
    ("http://jabber.org/protocol/chatstates", "composing"): Row(),
    ("http://jabber.org/protocol/chatstates", "paused"): Row(),
    ("http://jabber.org/protocol/chatstates", "inactive"): Row(),
    ("http://jabber.org/protocol/chatstates", "gone"): Row(),
    ("urn:xmpp:receipts", "request"): Row(),
    ("urn:xmpp:receipts", "received"): _MARK,
    ("urn:xmpp:chat-markers:0", "markable"): Row(),
    ("urn:xmpp:chat-markers:0", "received"): _MARK,
    ("urn:xmpp:chat-markers:0", "displayed"): Row(attributes=104),  # Conversations names the occupant in rooms without archive
    ("urn:xmpp:chat-markers:0", "acknowledged"): _MARK,
    ("urn:xmpp:hints", "store"): Row(),
    ("urn:xmpp:hints", "no-store"): Row(),
    ("urn:xmpp:hints", "no-permanent-store"): Row(),
    ("urn:xmpp:hints", "no-copy"): Row(),
    ("urn:xmpp:carbons:2", "private"): Row(),
    ("urn:xmpp:sid:0", "origin-id"): _MARK,
    ("urn:xmpp:sid:0", "stanza-id"): Row(attributes=128, times=3),
    ("urn:xmpp:occupant-id:0", "occupant-id"): _MARK,
    ("urn:xmpp:delay", "delay"): Row(attributes=128),
    ("http://jabber.org/protocol/nick", "nick"): Row(text=64),
    ("urn:xmpp:eme:0", "encryption"): Row(attributes=80),  # says "encrypted", proves nothing
    ("urn:xmpp:message-correct:0", "replace"): _MARK,  # slixmpp sends it beside nothing, when the text is encrypted
    RETRACT: _MARK,
    ("urn:xmpp:styling:0", "unstyled"): Row(),
    _MUC: Row(),  # the mark of a private message from a room
    ("urn:xmpp:attention:0", "attention"): Row(),
}
# Says something about an encrypted text, so it stands beside one and nowhere else; a fallback mark also beside a retraction.
BESIDE: Mapping[Name, Row] = {
    ("urn:xmpp:message-attaching:1", "attach-to"): _MARK,
    ("urn:xmpp:reply:0", "reply"): Row(attributes=192),
    ("urn:xmpp:reference:0", "reference"): Row(attributes=112, times=4),
    FALLBACK: Row(attributes=64, elements=2, times=2),
}
# What servers and rooms tell of themselves, under a JID without a resource and through another server or a component.
TOLD: Mapping[Name, Row] = {
    ("http://jabber.org/protocol/pubsub#event", "event"): Row(text=16_384, attributes=16_384, elements=300),
    ("http://jabber.org/protocol/address", "addresses"): Row(attributes=256, elements=1),  # XEP-0163 section 4.3: replyto
    _MUC: Row(attributes=64, elements=4),  # status codes
    RETRACT: Row(attributes=256, elements=3),  # XEP-0425: moderated, without the moderator's words
}
# Only in a message of type "error", where it answers what passed before: a condition (RFC 6120 section 8.3.2) and no words.
ERROR = ("jabber:client", "error")
ERROR_ROW = Row(attributes=192, elements=3)

SUBJECT_ROW = Row(text=1024, attributes=LANG_LIMIT)
FORM_ROW = Row(text=320, attributes=768, elements=24)
REACTION_BYTES = 32  # of text in one reaction: the longest emoji are families and flags of less
_FILE = Row(text=4096, attributes=4096, elements=60, times=4)
_CALL = Row(text=32, attributes=320, elements=6)
_JINGLE = ("propose", "ringing", "proceed", "accept", "reject", "retract", "finish")
# Readable by nature: only a rule that lists the extra lets them pass.
EXTRAS: Mapping[str, Mapping[Name, Row]] = {
    "subject": {SUBJECT: SUBJECT_ROW},
    "invitations": {
        ("jabber:x:conference", "x"): Row(attributes=256),  # XEP-0249
        _MUC: Row(text=100, attributes=320, elements=4),  # XEP-0045 section 7.8.2
        FORM: FORM_ROW,  # XEP-0045 sections 7.10 and 7.13: to ask a room for voice or membership, and its moderators' answer
    },
    "reactions": {("urn:xmpp:reactions:0", "reactions"): Row(text=64, attributes=144, elements=8)},
    "calls": {
        **{(f"urn:xmpp:jingle-message:{version}", name): _CALL for version in (0, 1) for name in _JINGLE},
        **{("urn:xmpp:call-invites:0", name): _CALL for name in ("invite", "accept", "reject", "retract", "left")},
    },
    "links": {
        OOB: Row(text=2048, attributes=16, elements=2, times=4),
        ("urn:xmpp:sfs:0", "file-sharing"): _FILE,
        ("urn:xmpp:sfs:0", "sources"): _FILE,
        ("urn:xmpp:esfs:0", "encrypted"): _FILE,
        ("urn:xmpp:file:metadata:0", "file"): _FILE,
        ("urn:xmpp:sims:1", "media-sharing"): _FILE,
        ("urn:xmpp:reference:0", "reference"): _FILE,  # the envelope of XEP-0385
        ("urn:xmpp:bob", "data"): Row(text=11_000, attributes=256),
        ("urn:xmpp:thumbs:1", "thumbnail"): Row(attributes=2048),
        ("urn:xmpp:stickers:0", "sticker"): Row(attributes=256),
        ("http://www.w3.org/1999/02/22-rdf-syntax-ns#", "Description"): _FILE,  # XEP-0511
    },
    "xhtml": {("http://jabber.org/protocol/xhtml-im", "html"): Row(text=65_536, attributes=65_536, elements=2000)},
}
UNKNOWN_ROW = Row(text=4096, attributes=4096, elements=100, times=4)  # of the extra "unknown"
_NEVER = (
    "",
    "jabber:client",
    "jabber:server",
    "jabber:component:accept",
    "eu.siacs.conversations.axolotl",
    "urn:xmpp:omemo:1",
    "urn:xmpp:omemo:2",
    "urn:xmpp:openpgp:0",
    "urn:xmpp:sce:1",  # XEP-0420: what belongs into the encrypted part
    "jabber:x:encrypted",
    "jabber:x:signed",
    "urn:xmpp:otr:0",
    "urn:xmpp:forward:0",  # whole messages; people forward within the encrypted part
    "urn:xmpp:mam:2",
    "urn:xmpp:privilege:1",
    "urn:xmpp:privilege:2",
)
_TABLES = (TABLE, BESIDE, TOLD, *EXTRAS.values())
TIMES: Mapping[Name, int] = {BODY: 1} | {
    name: max(table[name].times for table in _TABLES if name in table)
    for name in dict.fromkeys(name for table in _TABLES for name in table)
}
KNOWN_NAMESPACES = frozenset(
    (*_NEVER, *(name[0] for name in TIMES)),
)
