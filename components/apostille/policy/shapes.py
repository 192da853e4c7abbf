"""Messages by name, and stand-ins for classes: what a policy is tried with when there is neither a client nor a directory.

Knows how each kind of message looks on the wire; refuses to know how the facts of one are gathered: whoever calls says how to read a
stanza.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Protocol

from apostille.policy.classes import Class, InUnit, OnPost, Side, TheRoom
from apostille.policy.lints import Places, line_of
from apostille.policy.rules import Setting
from apostille.vocabulary import Message, Party


class Reads(Protocol):
    """How the facts of a stanza are read; `apostille_xep.gate.facts.read_message` is one."""

    def __call__(self, stanza: bytes, sender: str = "", recipient: str = "", *, flow: str = "local", room: str = "") -> Message:
        """The facts; raises ValueError for what is no stanza."""
        ...


def _word(size: int, begin: bytes = b"") -> str:
    return base64.b64encode(begin + bytes(size - len(begin))).decode()


_KEY = f"<key rid='5'>{_word(60, bytes((0x33,)))}</key>"
_MODERN_KEY = f"<key rid='5'>{_word(60, bytes((0x0A, 0x10)))}</key>"
_LEGACY = (
    f"<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='7'>{_KEY}<iv>{_word(12)}</iv></header>"
    f"<payload>{_word(25)}</payload></encrypted>"
)
_MODERN = (
    f"<encrypted xmlns='urn:xmpp:omemo:2'><header sid='7'><keys jid='{{to}}'>{_MODERN_KEY}</keys></header>"
    f"<payload>{_word(208)}</payload></encrypted>"
)
_OX = f"<openpgp xmlns='urn:xmpp:openpgp:0'>{base64.b64encode(bytes((0xC1, 0x0C, 3)) + bytes(300)).decode()}</openpgp>"
_EME = "<encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl' name='OMEMO'/>"

SHAPES: Mapping[str, str] = {
    "omemo": _LEGACY + _EME + "<store xmlns='urn:xmpp:hints'/>",
    "omemo-2": _MODERN + "<store xmlns='urn:xmpp:hints'/>",
    "omemo-both": _LEGACY + _MODERN,
    "omemo-fallback": _LEGACY + "<body>[This message is OMEMO encrypted]</body>",
    "ox": _OX,
    "plaintext": "<body>hello</body>",
    "plaintext-labelled": "<body>hello</body>" + _EME,
    "plaintext-beside": _LEGACY + "<body>hello</body>",
    "no-keys": _LEGACY.replace(_KEY, ""),
    "malformed": _LEGACY.replace("sid='7'", "sid='x'"),
    "typing": "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
    "receipt": "<received xmlns='urn:xmpp:receipts' id='m1'/>",
    "subject": "<subject>hello</subject>",
    "invitation": "<x xmlns='jabber:x:conference' jid='room@rooms.example'/>",
    "reaction": "<reactions xmlns='urn:xmpp:reactions:0' id='m1'><reaction>\U0001f44d</reaction></reactions>",
    "call": "<propose xmlns='urn:xmpp:jingle-message:0' id='c1'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>",
    "link": _LEGACY + "<x xmlns='jabber:x:oob'><url>https://files.example/a.jpg</url></x>",
    "xhtml": _LEGACY
    + "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><p>hello</p></body></html>",
    "unknown": _LEGACY + "<x xmlns='urn:example:unknown'>hello</x>",
    "loose-text": _LEGACY + "hello",
}
"""Kinds of messages, by name: what stands inside the stanza; `{to}` is the recipient."""

_TYPES = {Setting.GROUPCHAT: "groupchat"}


def side_of(one: Class, name: str, places: Places | None = None) -> Side:
    """Somebody of a class; the address is nobody's (RFC 2606), unless the class is a room."""
    match one:
        case TheRoom(address):
            return Side(Party.ROOM, address)
        case InUnit(path):
            return Side(Party.VERIFIED, f"{name}@officials.invalid", "", line_of(path, places) or (path,))
        case OnPost(id_):
            return Side(Party.VERIFIED, f"{name}@officials.invalid", id_, places.posts.get(id_, ()) if places else ())
    return Side(one, f"{name}@{one.value}.invalid")


def setting_between(recipient: Side) -> Setting:
    """Where a message to somebody is said, unless more is known."""
    return Setting.GROUPCHAT if recipient.party is Party.ROOM else Setting.CHAT


def written(name: str, recipient: str, setting: Setting) -> bytes:
    """The stanza of this kind."""
    content = SHAPES[name].replace("{to}", recipient)
    return f"<message type='{_TYPES.get(setting, 'chat')}' id='m1'>{content}</message>".encode()


def message_of(stanza: bytes, sender: Side, recipient: Side, setting: Setting, reads: Reads, room: str = "") -> Message:
    """The facts of a stanza between two sides, said there.

    Raises:
        ValueError: it is no stanza.
    """
    flow = "component" if setting is Setting.COMPONENT else "remote" if sender.party is Party.REMOTE else "local"
    in_room = setting in (Setting.GROUPCHAT, Setting.PRIVATE) or recipient.party is Party.ROOM
    if in_room and not room:
        room = recipient.address if recipient.party is Party.ROOM else "room@rooms.invalid"
    # A client's own address has a resource; without one, a server or a room would speak.
    speaks = sender.address if sender.party is Party.ROOM or "@" not in sender.address else f"{sender.address}/client"
    return reads(stanza, speaks, recipient.address, flow=flow, room=room if in_room else "")
