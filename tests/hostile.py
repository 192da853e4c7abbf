"""Stanzas that nobody's client would send: a seeded generator, and one of each kind by name.

Knows XML and what the gate looks at; refuses to know what is right. Half of it is nearly right, since what is wrong in ten ways
finds no hole.
"""

from __future__ import annotations

import base64
from random import Random
from xml.sax.saxutils import escape, quoteattr

from strict import CLIENT, FALLBACKS, INVITATIONS, LEGACY, MODERN, TABLE

ODD = (
    "", " ", "%", "=", "-", "%20",
    "\u202emoon\u202c", "\u200b", "\u200f\u2066x\u2069", "\ufeff", "\u2028", "\u0085", "\u00a0", "я" * 40,
    "\U0001f512", "'\"<>&",
    "\nmessage 9 local a@b c@d chat x % % 0 0 % %", "]]>", "</ask></iq>", "@a", "31:4:1", "e\u0301" * 9, "\ufdfa", "0", "-1",
)  # fmt: skip
NAMES = ("body", "encrypted", "message", "x", "header", "payload", "keys", "forwarded", "ask", "verdicts", "тег", "a.b-c", "n" * 300)
NAMESPACES = (CLIENT, LEGACY, MODERN, "urn:xmpp:omemo:1", "urn:xmpp:hints", "apostille:gate:0", "jabber:server", "x" * 400, "a b", "")
DEVICES = ("1", "77", "2147483647", "007", "0", "2147483648", "-1", "+1", "1.0", "0x1", " 1", "٣", "", "99999999999", "1e3", "1\u200b")
FLAGS = ("true", "1", "false", "0", "TRUE", "yes", "", "true ", "\u200btrue")
TYPES = ("chat", "chat", "chat", "normal", "headline", "groupchat", "error", "", "CHAT", "чат", "chat ", "x" * 200)


def attribute(name: str, value: str) -> str:
    return f" {name}={quoteattr(value, {chr(10): '&#10;', chr(9): '&#9;'})}"


def word(size: int) -> str:
    """That many bytes in base64."""
    return base64.b64encode(bytes(size)).decode()


def begun(text: str, namespace: str, *, kex: bool = False) -> str:
    """A key that begins as a message of its ratchet; what is no zeros stays as it is."""
    begin = "MwAA" if namespace == LEGACY else "CAAA" if kex else "ChAA"
    return begin + text[4:] if text.startswith("AAAA") else text


class Hostile:
    """Random stanzas; the same seed gives the same."""

    def __init__(self, seed: int, parties: tuple[str, ...]) -> None:
        self.random = Random(seed)
        self._parties = parties

    def _rarely(self, chance: float = 0.04) -> bool:
        return self.random.random() < chance

    def _bytes(self, *sizes: int) -> str:
        text = word(self.random.choice(sizes))
        if self._rarely(0.02):
            wrong = (text[:-1], text + "=", text + "====", "=" + text, text.replace("A", "-", 1), text[:5] + "é" + text[5:])
            return self.random.choice((*wrong, text[:3] + "=" + text[3:], "A===", ""))
        if self._rarely():
            return text[:7] + self.random.choice((" ", "\n", "\t \n", "\u00a0", "\u200b", "\x0c".strip())) + text[7:]
        return text

    def _odd_attribute(self, chance: float = 0.02) -> str:
        if not self._rarely(chance):
            return ""
        name = self.random.choice(("jid", "xml:lang", "note", "rid", "sid", "id", "kex", "имя"))
        return attribute(name, self.random.choice(ODD))

    def _loose(self, chance: float = 0.015) -> str:
        return escape(self.random.choice((*ODD, " " * 64, " " * 65, "hi"))) if self._rarely(chance) else ""

    def _device(self) -> str:
        return self.random.choice(DEVICES) if self._rarely() else str(self.random.randrange(1, 2**31))

    def _key(self, namespace: str) -> str:
        name = self.random.choice(NAMES) if self._rarely(0.01) else "key"
        other = attribute("xmlns", self.random.choice(NAMESPACES)) if self._rarely(0.01) else ""
        rid = "" if self._rarely(0.01) else attribute("rid", self._device())
        flag = mark = ""
        if self._rarely(0.3):
            wrong = self._rarely(0.1)
            mark = self.random.choice(FLAGS if wrong else FLAGS[:4])
            flag = attribute(self.random.choice(("prekey", "kex")), mark)
        extra = self._odd_attribute(0.01) if not rid and not flag else ""
        inner = "<x/>" if self._rarely(0.005) else ""
        key = self._bytes(0, 31, 4097) if self._rarely() else self._bytes(32, 60, 4096)
        key = key if self._rarely(0.02) else begun(key, namespace, kex=mark in ("true", "1"))
        return f"<{name}{other}{rid}{flag}{extra}>{key}{inner}</{name}>"

    def _header(self, namespace: str) -> str:
        count = self.random.choice((0, 1, 1, 2, 3, 5)) if not self._rarely(0.004) else self.random.choice((1200, 1201, 1300))
        keys = "".join(self._key(namespace) for _ in range(min(count, 100)))
        keys += f"<key rid='5'>{begun(word(32), namespace)}</key>" * (count - 100)
        sid = "" if self._rarely(0.01) else attribute("sid", self._device())
        if (namespace == MODERN) != self._rarely(0.03):
            owner = self.random.choice(("", "BORIS@gov.example", "x@y", *ODD)) if self._rarely() else self.random.choice(self._parties)
            note = attribute("note", "hi") if self._rarely(0.005) else ""
            group = f"<keys{attribute('jid', owner)}{note}>{self._loose(0.01)}{keys}</keys>"
            keys = group * (2 if self._rarely() else 1)
            iv = f"<iv>{word(12)}</iv>" if self._rarely(0.01) else ""
        else:
            size = self._bytes(0, 11, 17) if self._rarely() else self._bytes(12, 16)
            iv = f"<iv>{size}</iv>" * (self.random.choice((0, 2)) if self._rarely() else 1)
        header = f"<header{sid}{self._odd_attribute(0.01) if not sid else ''}>{self._loose(0.01)}{keys}{iv}</header>"
        wrong = ("", header * 2, f"<x>{header}</x>", header.replace("header", "Header"))
        return self.random.choice(wrong) if self._rarely(0.03) else header

    def encrypted(self) -> str:
        """An OMEMO element, sound or nearly."""
        namespace = self.random.choice((LEGACY, LEGACY, MODERN))
        outer = self.random.choice(NAMESPACES) if self._rarely(0.03) else namespace
        inner = self._header(namespace)
        sizes = (16, 32, 4096) if namespace == MODERN else (1, 25, 5000)
        if not self._rarely(0.1):
            size = self._bytes(*sizes) if not self._rarely() else self._bytes(0, 15, 17, 33)
            inner += f"<payload>{size}</payload>" * (1 if not self._rarely(0.02) else 2)
        if self._rarely(0.02):
            inner = f"<encrypted xmlns='{namespace}'>{inner}</encrypted>"
        if self._rarely(0.02):  # namespaces swapped inside
            other = LEGACY if namespace == MODERN else MODERN
            inner = inner.replace("<header", f"<header xmlns='{other}'", 1).replace("<payload", f"<payload xmlns='{other}'", 1)
        return f"<encrypted xmlns={quoteattr(outer)}{self._odd_attribute(0.02)}>{self._loose()}{inner}</encrypted>"

    def row(self) -> str:
        """An element of the stanza table, within its measures or just beyond."""
        namespace, name = self.random.choice(list(TABLE))
        text, markup, elements = TABLE[namespace, name]
        over = self.random.choice((0, 0, 0, 1)) if self._rarely(0.25) else -self.random.randrange(1, 40)
        said = escape("t" * max(0, text + over)) if text and self._rarely(0.6) else self._loose(0.03)
        marked = attribute("id", "i" * (markup - 2 + over)) if markup + over > 2 and self._rarely(0.6) else self._odd_attribute(0.03)
        inner = "<body/>" * (elements + self._rarely(0.1)) if elements or self._rarely(0.03) else ""
        return f"<{name} xmlns={quoteattr(namespace)}{marked}>{said}{inner}</{name}>"

    def body(self) -> str:
        """A body: none, a fallback, a text, a text that looks like none."""
        text = self.random.choice((*FALLBACKS, *FALLBACKS, "", "hi", *ODD, FALLBACKS[0] + "\u200b", " " * 65, FALLBACKS[1].upper()))
        lang = attribute("xml:lang", self.random.choice(("en", "x" * 35, "x" * 36))) if self._rarely(0.1) else ""
        inner = "<x/>" if self._rarely(0.03) else ""
        return f"<body{lang}>{escape(text)}{inner}</body>"

    def _wrapped(self, inner: str) -> str:
        message = f"<message xmlns='jabber:client' from='boris@gov.example' to='asha@gov.example'>{inner}</message>"
        forwarded = f"<forwarded xmlns='urn:xmpp:forward:0'>{message}</forwarded>"
        outer = (
            forwarded,
            f"<sent xmlns='urn:xmpp:carbons:2'>{forwarded}</sent>",
            f"<received xmlns='urn:xmpp:carbons:2'>{forwarded}</received>",
            f"<result xmlns='urn:xmpp:mam:2' id='1'>{forwarded}</result>",
            f"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='{LEGACY}.devicelist'>{inner}</items></event>",
            f"<addresses xmlns='http://jabber.org/protocol/address'><address type='to' jid='clara@gov.example'/></addresses>{inner}",
            f"<privilege xmlns='urn:xmpp:privilege:2'>{forwarded}</privilege>",
            f"<html xmlns='http://jabber.org/protocol/xhtml-im'>{inner}</html>",
        )
        return self.random.choice(outer)

    def _strange(self) -> str:
        name, namespace = self.random.choice(NAMES), self.random.choice(NAMESPACES)
        inner = self.row() if self._rarely(0.3) else self._loose(0.5)
        return f"<{name} xmlns={quoteattr(namespace)}{self._odd_attribute(0.3)}>{inner}</{name}>"

    def _invitation(self) -> str:
        namespace, name = self.random.choice(list(INVITATIONS))
        reason = "r" * self.random.choice((5, 200, 250, 300))
        return f"<{name} xmlns='{namespace}'{attribute('jid', 'hall@rooms.gov.example')}{attribute('reason', reason)}/>"

    def _part(self) -> str:
        chance = self.random.random()
        if chance < 0.5:
            return self.row()
        if chance < 0.75:
            return self.encrypted()
        if chance < 0.87:
            return self.body()
        if chance < 0.89:
            return "<subject>hi</subject>"
        if chance < 0.91:
            return "<error type='cancel'><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
        if chance < 0.92:
            return self._invitation()
        return self._wrapped(self.encrypted() + self.body()) if chance < 0.97 else self._strange()

    def content(self) -> str:
        """What stands in a message."""
        chance = self.random.random()
        if chance < 0.25:
            return self.encrypted() + "".join(self.row() for _ in range(self.random.randrange(3)))
        if chance < 0.3:
            return self.encrypted() * 2
        if chance < 0.34:
            return self.encrypted() + self.encrypted() + self.body()
        if chance < 0.36:
            return self.row() * self.random.choice((4, 5, 64, 65))
        return "".join(self._part() for _ in range(self.random.choice((0, 1, 1, 2, 3, 6))))

    def message(self, ident: str, to: str | None, types: tuple[str, ...] = TYPES) -> str:
        """A whole stanza; its id begins with `ident`."""
        kind = self.random.choice(types)
        tail = "." + self.random.choice((*ODD, *ODD, *("i" * size for size in (200, 237, 240, 255, 300)))) if self._rarely(0.15) else ""
        attributes = attribute("id", ident + tail)
        attributes += attribute("to", to) if to is not None else ""
        attributes += attribute("type", kind) if kind else ""
        attributes += attribute("xml:lang", self.random.choice(("en", "x" * 35, "x" * 36))) if self._rarely() else ""
        attributes += attribute(self.random.choice(("note", "n" * 200)), self.random.choice(ODD)) if self._rarely(0.02) else ""
        parts = self.content()
        return f"<message{attributes}>{self._loose()}{parts}</message>"


def _sealed(namespace: str, keys: str, payload: str = word(32)) -> str:
    iv = f"<iv>{word(12)}</iv>" if namespace == LEGACY else ""
    keys = keys.replace("<key rid='5'>AAAA", f"<key rid='5'>{begun('AAAA', namespace)}")
    keys = keys if namespace == LEGACY else f"<keys jid='boris@gov.example'>{keys}</keys>"
    return f"<encrypted xmlns='{namespace}'><header sid='7'>{keys}{iv}</header><payload>{payload}</payload></encrypted>"


def _forwarded(inner: str) -> str:
    return f"<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>{inner}</message></forwarded>"


_KEY = f"<key rid='5'>{word(48)}</key>"
_SOUND = _sealed(LEGACY, _KEY)
# One of each kind that the issue names -> whether the second judge lets it pass.
NAMED: dict[str, tuple[str, bool]] = {
    "sound 0.3": (_SOUND, True),
    "sound 2": (_sealed(MODERN, _KEY), True),
    "both versions": (_SOUND + _sealed(MODERN, _KEY), True),
    "the namespaces of header and payload swapped": (_SOUND.replace("<header", f"<header xmlns='{MODERN}'"), False),
    "a header of one version in the other": (_SOUND.replace(LEGACY, MODERN), False),
    "two encrypted": (_SOUND * 2, False),
    "two of the other": (_sealed(MODERN, _KEY) * 2, False),
    "encrypted inside forwarded": (_forwarded(_SOUND), False),
    "encrypted beside a forwarded text": (_SOUND + _forwarded("<body>hi</body>"), False),
    "a huge attribute beside": (_SOUND + f"<origin-id xmlns='urn:xmpp:sid:0' id='{'i' * 60_000}'/>", False),
    "a huge attribute inside": (_SOUND.replace("sid='7'", f"sid='7' note='{'i' * 60_000}'"), False),
    "a huge id of a device": (_SOUND.replace("rid='5'", f"rid='{'5' * 60_000}'"), False),
    "invalid base64 in a key": (_sealed(LEGACY, f"<key rid='5'>{'A' * 63}*</key>"), False),
    "invalid base64 in a payload": (_sealed(LEGACY, _KEY, "=AAA"), False),
    "base64 for addresses in a payload": (_sealed(LEGACY, _KEY, "-_-_"), False),
    "10,000 keys": (_sealed(LEGACY, f"<key rid='5'>{word(24)}</key>" * 10_000), False),
    "10,000 good keys for one": (_sealed(MODERN, f"<key rid='5'>{word(32)}</key>" * 4_500), False),
    "bidirectional text": (_SOUND + "<body>\u202ehi\u202c</body>", False),
    "text of zero width": (_SOUND + "<body>\u200b\u200c\u200d\ufeff</body>", False),
    "a fallback with a character of zero width": (_SOUND + f"<body>{escape(FALLBACKS[0])}\u200b</body>", False),
    "a reader of zero width": (_sealed(MODERN, _KEY).replace("boris@", "boris\u200b@"), False),
    "bidirectional device": (_SOUND.replace("rid='5'", "rid='\u202e5'"), False),
    "nothing at all": ("", True),
}  # fmt: skip
