"""`apostille:gate:0`: the questions of a server and the verdicts of its gate, as they travel.

Knows how to read an `<ask/>` and write a `<verdicts/>` (spec.md beside this file); refuses to know what a verdict should be.
Questions are read straight from ElementTree: the gate answers for every message of a server, and stanza objects would
cost more than the decision itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

NAMESPACE = "apostille:gate:0"
ASK = f"{{{NAMESPACE}}}ask"
_MESSAGE = f"{{{NAMESPACE}}}message"
_ARCHIVED = f"{{{NAMESPACE}}}archived"
_BY = f"{{{NAMESPACE}}}by"
_CHILD = f"{{{NAMESPACE}}}child"
_OMEMO = f"{{{NAMESPACE}}}omemo"
_KEYS = f"{{{NAMESPACE}}}keys"
_FLOWS = frozenset(("local", "remote", "component"))
_TYPES = frozenset(("normal", "chat", "groupchat", "headline", "error"))
_SHA256_HEX = 64
_HEX = frozenset("0123456789abcdef")


class Unreadable(ValueError):
    """An `<ask/>` or a part of one that is not what spec.md says."""


class Key(NamedTuple):
    """One `<key/>` of an OMEMO header: `length` bytes (-1: not base64) for device `rid` of `jid` ("" where OMEMO 0.3 says none)."""

    rid: int
    length: int
    jid: str
    kex: bool


class Envelope(NamedTuple):
    """What can be seen of one `<encrypted/>`; `iv` and `payload` are lengths in bytes, None if absent, -1 if not base64."""

    sid: int
    iv: int | None
    payload: int | None
    keys: tuple[Key, ...]
    digest: str
    strange: int


class Child(NamedTuple):
    """One child element of a message, by name and measure."""

    namespace: str
    name: str
    text: int
    attributes: int
    elements: int
    sha256: str
    envelope: Envelope | None


class Question(NamedTuple):
    """The facts of one message. `ref` is the server's own mark, to be given back with the verdict."""

    ref: str
    sender: str
    recipient: str
    type: str
    flow: str
    id: str
    origin_id: str
    room: str
    text: int
    children: tuple[Child, ...]
    more: int = 0


class Archived(NamedTuple):
    """Afterwards: archives gave the message of ledger record `record` their ids (XEP-0359), each as (archive's bare JID, id)."""

    record: int
    ids: tuple[tuple[str, str], ...]


class Garbled(NamedTuple):
    """A message whose facts cannot be read, and why; it is answered all the same, by a refusal."""

    ref: str
    why: str


_DIGITS = 10  # of a number on the wire; a server says 0 for a device id that is none
_PLACE_DIGITS = 15


def _count(value: str | None, what: str, digits: int = _DIGITS) -> int:
    if value is None or not (value.isascii() and value.isdigit() and len(value) <= digits):
        raise Unreadable(f"{what}: not a number: {_short(value)}")
    return int(value)


def _length(value: str | None, what: str) -> int:
    return -1 if value == "-1" else _count(value, what)  # -1: it was no base64


def _sha256(value: str, what: str) -> str:
    if len(value) != _SHA256_HEX or not _HEX.issuperset(value):
        raise Unreadable(f"{what}: not a SHA-256 in hex")
    return value


def _short(value: str | None) -> str:
    return repr(value if value is None else value[:40])


def _key(word: str, jid: str) -> Key:
    parts = word.split(":")
    if len(parts) != 3 or parts[2] not in ("0", "1"):
        raise Unreadable(f"keys: not rid:length:kex: {_short(word)}")
    return Key(_count(parts[0], "rid"), _length(parts[1], "key length"), jid, parts[2] == "1")


def _keys(group: ET.Element) -> Iterator[Key]:
    if group.tag != _KEYS:
        raise Unreadable(f"omemo: unexpected {_short(group.tag)}")
    jid = group.get("jid", "")
    return (_key(word, jid) for word in (group.text or "").split())


def _envelope(element: ET.Element) -> Envelope:
    iv, payload = element.get("iv"), element.get("payload")
    return Envelope(
        sid=_count(element.get("sid"), "sid"),
        iv=None if iv is None else _length(iv, "iv"),
        payload=None if payload is None else _length(payload, "payload"),
        keys=tuple(key for group in element for key in _keys(group)),
        digest=_sha256(element.get("digest", ""), "omemo digest"),
        strange=_count(element.get("strange"), "strange"),
    )


def _child(element: ET.Element) -> Child:
    if element.tag != _CHILD:
        raise Unreadable(f"unexpected {_short(element.tag)}")
    get = element.get
    namespace, name, sha256 = get("ns"), get("name"), get("sha256")
    if not namespace or not name:
        raise Unreadable("child: without ns or name")
    if len(element) > 1 or (len(element) == 1 and element[0].tag != _OMEMO):
        raise Unreadable("child: holds more than one omemo")
    return Child(
        namespace,
        name,
        _count(get("t"), "t"),
        _count(get("a"), "a"),
        _count(get("e"), "e"),
        "" if sha256 is None else _sha256(sha256, "body"),
        _envelope(element[0]) if len(element) else None,
    )


def _question(element: ET.Element, ref: str) -> Question:
    get = element.get
    sender, recipient, flow, kind = get("from"), get("to"), get("flow", ""), get("type", "normal")
    if not sender or not recipient:
        raise Unreadable("message: without from or to")
    if flow not in _FLOWS:
        raise Unreadable(f"message: flow {_short(flow)}")
    return Question(
        ref,
        sender,
        recipient,
        kind if kind in _TYPES else "normal",  # RFC 6121 section 5.2.2: an unknown type is "normal"
        flow,
        get("id", ""),
        get("origin-id", ""),
        get("room", ""),
        _count(get("text"), "text"),
        tuple(map(_child, element)),
        _count(get("more", "0"), "more"),
    )


def _archive_id(element: ET.Element) -> tuple[str, str]:
    jid, id_ = element.get("jid"), element.get("id")
    if element.tag != _BY or not jid or not id_:
        raise Unreadable("archived: a child that is no by, or one without jid or id")
    return jid, id_


def read_ask(ask: ET.Element) -> Iterator[Question | Garbled | Archived]:
    """The contents of one `<ask/>`, in order.

    Raises:
        Unreadable: an element without a `ref`, or of no known name: nothing in this question can be answered.
    """
    for element in ask:
        if element.tag == _MESSAGE:
            ref = element.get("ref")
            if not ref:
                raise Unreadable("message: without ref")
            try:
                yield _question(element, ref)
            except Unreadable as error:
                yield Garbled(ref, str(error))
        elif element.tag == _ARCHIVED:
            if not len(element):
                raise Unreadable("archived: without any by")
            yield Archived(_count(element.get("record"), "record", _PLACE_DIGITS), tuple(map(_archive_id, element)))
        else:
            raise Unreadable(f"unexpected {_short(element.tag)}")


class Passed(NamedTuple):
    """Let it through, and the `span` - 1 messages that the question holds after it.

    `record` is its place in the ledger, the next one's is one more, and so on; None for what is not kept.
    """

    ref: str
    record: int | None = None
    span: int = 1

    def followed_by(self, other: Passed) -> Passed | None:
        """This verdict and the next message's in one, if the places of their records allow it."""
        if other.span != 1 or other.record != (None if self.record is None else self.record + self.span):
            return None
        return self._replace(span=self.span + 1)


class Refused(NamedTuple):
    """Do not: `text` tells the person why and what to do, `code` tells software; `kind` is the error type of RFC 6120 8.3.2."""

    ref: str
    code: str
    text: str
    kind: str = "modify"


def _in_runs(verdicts: Iterable[Passed | Refused]) -> list[Passed | Refused]:
    runs: list[Passed | Refused] = []
    for verdict in verdicts:
        last = runs[-1] if runs else None
        both = last.followed_by(verdict) if isinstance(last, Passed) and isinstance(verdict, Passed) else None
        if both is None:
            runs.append(verdict)
        else:
            runs[-1] = both
    return runs


def write_verdicts(verdicts: Iterable[Passed | Refused]) -> str:
    """The `<verdicts/>` element, serialised. The verdicts are those of all messages of one question, in its order."""
    parts = [f'<verdicts xmlns="{NAMESPACE}">']
    for verdict in _in_runs(verdicts):
        if isinstance(verdict, Passed):
            record = "" if verdict.record is None else f' record="{verdict.record}"'
            count = "" if verdict.span == 1 else f' count="{verdict.span}"'
            parts.append(f"<pass ref={quoteattr(verdict.ref)}{count}{record}/>")
        else:
            parts.append(
                f"<refuse ref={quoteattr(verdict.ref)} code={quoteattr(verdict.code)} type={quoteattr(verdict.kind)}>"
                f"{escape(verdict.text)}</refuse>"
            )
    parts.append("</verdicts>")
    return "".join(parts)
