"""The stanza table at work: which parts of a message are content, which are not, and which are neither known nor let through.

Knows how the rows of `apostille.policy.rows` speak for a whole message; refuses to know who writes to whom. An element that is in no
row may hold readable content, and counts as such.
"""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from apostille.policy import rows
from apostille.policy.envelopes import DEVICE_IDS, OMEMO_0_3, OX, VERSIONS, sound, sound_ox, sound_payload, sound_publication
from apostille.policy.fallbacks import FALLBACKS, RETRACTIONS
from apostille.policy.rows import ID_LIMIT, Name, Row
from apostille.vocabulary import Child, Envelope, Free, Message, Terms, bare

__all__ = ["Content", "Kind", "Objection", "examine", "free_terms", "sound_publication"]

_RESOURCE_LIMIT = 96  # bytes after the slash of a JID: a device, or a nickname
_ASIDE_LIMIT = 768  # bytes that a message may carry beside its encrypted parts, whatever each row allows
_BARE_LIMIT = 256  # the same of a message without an encrypted part, of which nothing is written down
_TABLE = rows.TABLE


class Kind(enum.Enum):
    """What a message is, taken as a whole."""

    EMPTY = "empty"  # nothing that a person could have written
    ENCRYPTED = "encrypted"
    READABLE = "readable"  # holds, or may hold, something that the server could read


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing in a message that end-to-end encryption does not cover, by stable code, with the element's name where one is to blame."""

    code: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What `examine` found.

    `versions` are the schemes of the encrypted parts: "0.3" and "2" of OMEMO, "ox" (XEP-0373). `objections` are the gravest first.
    """

    kind: Kind
    versions: frozenset[str]
    objections: tuple[Objection, ...]


_FUNCTIONS = ("reactions", "calls", "links", "xhtml")  # extras with a sentence of their own for the person
_ORDER = (
    "plaintext", "plaintext-beside", "encrypted-malformed", "no-keys", "hidden-text", "subject", *_FUNCTIONS, "unknown-element", "too-much"
)  # fmt: skip


_Shape = tuple[object, ...]
_REMEMBERED = 4096  # shapes
_LONGEST_REMEMBERED = 100  # parts and devices of one
_MOST_CHARACTERS = 4096  # of one, in names that its sender chose
_ACCOUNT = re.compile(r"[^\s\"&'/:<>@]{1,64}@[^\s\"&'/:<>@]{1,64}")
_OTHERS_LIMIT = 128  # characters of accounts that nobody knows
_known: dict[_Shape, Content] = {}


def examine(message: Message, extras: frozenset[str] = frozenset()) -> Content:
    """What a message holds, by the stanza table.

    `extras` are what a rule allows beyond it, though it can be read: "subject", "invitations", "reactions", "calls", "links", "xhtml",
    "unknown". The messages of a chat have few shapes, so an answer is remembered by everything that it follows from.
    """
    shape = _shape(message, extras)
    found = _known.get(shape)
    if found is None:
        found = _examine(message, extras)
        size = len(message.children) + sum(len(child.envelope.keys) for child in message.children if child.envelope)
        if size <= _LONGEST_REMEMBERED and _characters(message) <= _MOST_CHARACTERS:
            if len(_known) >= _REMEMBERED:
                _known.clear()
            _known[shape] = found
    return found


def _characters(message: Message) -> int:
    """Of names that a shape keeps, as a sender may choose them."""
    names = sum(len(child.namespace) + len(child.name) for child in message.children)
    return names + sum(len(key.jid) for child in message.children if child.envelope for key in child.envelope.keys)


def _shape(message: Message, extras: frozenset[str]) -> _Shape:
    """Everything of a message that `_examine` looks at."""
    parts: list[object] = []
    links = "links" in extras  # which makes a body's length matter
    for child in message.children:
        envelope, namespace = child.envelope, child.namespace
        if envelope is not None:
            strangers = _for_strangers(message, child, envelope)
            payload = sound_payload(namespace, envelope.payload)
            parts.append(
                (namespace, child.name, envelope.sid in DEVICE_IDS, strangers, envelope.iv, payload, envelope.strange, envelope.keys)
            )
        elif child.sha256:
            text = child.text if links else child.text > 0
            parts.append((namespace, child.name, text, child.attributes, child.elements, _known_text(child)))
        else:
            parts.append((namespace, child.name, child.text, child.attributes, child.elements))
    told, to_room = _told(message), _to_room(message)
    return (extras, message.type, message.text > 0, message.more > 0, _long(message), told, to_room, *parts)


def _known_text(body: Child) -> tuple[bool, bool]:
    return body.sha256 in FALLBACKS, body.sha256 in RETRACTIONS


def _fits(text: str, limit: int) -> bool:
    return len(text) <= limit and (text.isascii() or len(text.encode()) <= limit)


def _long(message: Message) -> bool:
    """Whether one of the texts that a message must have is a place for a letter."""
    both, ends = message.id + message.origin_id, message.sender + message.recipient
    if len(both) <= ID_LIMIT and len(ends) <= _RESOURCE_LIMIT and both.isascii() and ends.isascii():
        return False  # as nearly always
    if not (_fits(message.id, ID_LIMIT) and _fits(message.origin_id, ID_LIMIT)):
        return True
    return not all(
        _fits(one, _RESOURCE_LIMIT) or _fits(one.partition("/")[2], _RESOURCE_LIMIT) for one in (message.sender, message.recipient)
    )


def _told(message: Message) -> bool:
    """Whether a server or a room speaks for itself: clients of our own server always have a resource."""
    return message.flow != "local" and "/" not in message.sender


def _to_room(message: Message) -> bool:
    """Whether a message is for a room itself, and not for those who are in it."""
    return bool(message.room) and message.recipient == message.room and message.type != "groupchat"


def _for_strangers(message: Message, child: Child, envelope: Envelope) -> bool:
    """Whether a key is for somebody who is no party of the message, or for a text in the place of somebody.

    OMEMO 0.3 does not say for whom keys are. Somebody may have left a room whom clients still know: such must look like accounts, and
    be few; only where the server does not tell who is there, they may be many.
    """
    if child.namespace == OMEMO_0_3:
        return False
    known = {"", bare(message.sender), bare(message.recipient)}
    known.update([member.jid for member in message.members or ()])
    others = {key.jid for key in envelope.keys} - known
    if not others or not message.room:
        return bool(others)
    few = message.type != "groupchat" or message.members is not None
    return (few and sum(map(len, others)) > _OTHERS_LIMIT) or not all(map(_ACCOUNT.fullmatch, others))


class _Place(enum.Enum):
    """What an element of the table is in a message."""

    ASIDE = enum.auto()  # no content
    BESIDE = enum.auto()  # no content, but has no business without an encrypted text
    SAID = enum.auto()  # content that the rule, or its sender's nature, allows to be readable


def _examine(message: Message, extras: frozenset[str]) -> Content:
    objections = list(_around(message))
    sealed, carries, said = set(), False, False
    bodies: list[Child] = []
    aside: list[Child] = []
    beside: list[Child] = []
    names = Counter((child.namespace, child.name) for child in message.children)
    for child in message.children:
        name = (child.namespace, child.name)
        if name == rows.BODY:
            bodies.append(child)
        elif child.envelope is not None and child.name == "encrypted" and child.namespace in VERSIONS:
            sealed.add(VERSIONS[child.namespace])
            carries = carries or child.envelope.payload is not None
            objections += _sealed(message, child, child.envelope)
        elif name == OX:
            sealed.add("ox")
            carries = True
            objections += [] if sound_ox(child) else [Objection("encrypted-malformed", _called(name))]
        else:
            place = _place(message, child, name, extras)
            if place is None:
                objections.append(_misplaced(message, name, extras))
            elif place is _Place.SAID:
                said = True
            else:
                aside.append(child)
                beside += [child] if place is _Place.BESIDE else []
    retracted = rows.RETRACT in names and rows.FALLBACK in names
    for child in beside:
        if not carries and not (retracted and (child.namespace, child.name) == rows.FALLBACK):
            objections.append(Objection("unknown-element", _called((child.namespace, child.name))))
    links = {child.text for child in message.children if (child.namespace, child.name) == rows.OOB} if "links" in extras else set()
    objections += _bodies(bodies, bool(sealed), retracted, links)
    objections += _together(names, aside, bodies, _ASIDE_LIMIT if sealed else _BARE_LIMIT)
    if bodies and rows.SUBJECT in names:
        objections.append(Objection("subject", _called(rows.SUBJECT)))  # XEP-0045 8.1: a change of subject has no body
    objections.sort(key=lambda one: _ORDER.index(one.code))
    kind = Kind.READABLE if objections or said else Kind.ENCRYPTED if sealed else Kind.EMPTY
    return Content(kind, frozenset(sealed), tuple(objections))


def free_terms(within: Sequence[str]) -> Terms:
    """What a server between these hosts need not ask about: the rows of the table that hold no text at all.

    Whatever passes by them is `EMPTY` to `examine`.
    """
    free = [Free(*name, 0, row.attributes, 0) for name, row in _TABLE.items() if not row.text and not row.elements]
    error = Free(*rows.ERROR, rows.ERROR_ROW.text, rows.ERROR_ROW.attributes, rows.ERROR_ROW.elements, "error")
    return Terms((*free, error), tuple(within), ID_LIMIT, _BARE_LIMIT, 1)


def _called(name: Name) -> str:
    return f"{{{name[0]}}}{name[1]}"


def _around(message: Message) -> Iterator[Objection]:
    if message.text:
        yield Objection("hidden-text")
    if message.more:
        yield Objection("too-much", "number of parts")
    if _long(message):
        yield Objection("too-much", "id")


def _place(message: Message, child: Child, name: Name, extras: frozenset[str]) -> _Place | None:
    """What an element outside the encrypted parts is; None if it may not stand there."""
    row = rows.ERROR_ROW if message.type == "error" and name == rows.ERROR else _TABLE.get(name)
    if row and row.holds(child):
        return _Place.ASIDE
    if any(one.holds(child) for one in _allowed(message, child, name, extras)):
        return _Place.SAID
    beside = rows.BESIDE.get(name)
    if beside and beside.holds(child):
        return _Place.BESIDE
    told = rows.TOLD.get(name) if _told(message) else None
    if told and told.holds(child):
        return _Place.SAID if child.text or child.attributes > _BARE_LIMIT else _Place.ASIDE
    return None


def _allowed(message: Message, child: Child, name: Name, extras: frozenset[str]) -> Iterator[Row]:
    """The rows of a rule's extras for an element."""
    for extra in extras & rows.EXTRAS.keys():
        row = rows.EXTRAS[extra].get(name)
        misplaced = (name == rows.SUBJECT and message.type != "groupchat") or (
            name == rows.FORM and not _to_room(message) and not _told(message)
        )
        wordy = extra == "reactions" and child.text > child.elements * rows.REACTION_BYTES
        if row and not misplaced and not wordy:
            yield row
    if "unknown" in extras and child.namespace not in rows.KNOWN_NAMESPACES:
        yield rows.UNKNOWN_ROW


def _misplaced(message: Message, name: Name, extras: frozenset[str]) -> Objection:
    """What to say of an element that may not stand there: too much of what may, or none of it."""
    known = name in _TABLE or name in rows.BESIDE or (message.type == "error" and name == rows.ERROR)
    known = known or (name in rows.TOLD and _told(message)) or any(name in rows.EXTRAS.get(extra, ()) for extra in extras)
    if name == rows.SUBJECT:
        return Objection("subject", _called(name))
    for extra in _FUNCTIONS:
        if name in rows.EXTRAS[extra] and extra not in extras:
            return Objection(extra, _called(name))
    return Objection("too-much" if known else "unknown-element", _called(name))


def _together(names: Counter[Name], aside: list[Child], bodies: list[Child], limit: int) -> Iterator[Objection]:
    """Rows limit one element each; many of them would hold a letter."""
    for name, count in names.items():
        if name[1] == "encrypted" and name[0] in VERSIONS and count > 1:
            # No client sends two encrypted parts of one version, and a record names few: what it does not name could never be traced.
            yield Objection("encrypted-malformed", _called(name))
        elif count > rows.TIMES.get(name, 1 if name == OX else rows.UNKNOWN_ROW.times):
            yield Objection("too-much", _called(name))
    if sum(child.attributes + child.text for child in aside) + sum(body.attributes for body in bodies) > limit:
        yield Objection("too-much", "all parts together")


def _bodies(bodies: list[Child], sealed: bool, retracted: bool, links: set[int]) -> Iterator[Objection]:
    for body in bodies:
        fallback, retraction = _known_text(body)
        if body.elements or body.attributes > rows.LANG_LIMIT:
            yield Objection("too-much", _called(rows.BODY))
        elif body.text and not (sealed and fallback) and not (retracted and retraction) and body.text not in links:
            yield Objection("plaintext-beside" if sealed else "plaintext")


def _sealed(message: Message, child: Child, envelope: Envelope) -> Iterator[Objection]:
    if not envelope.keys:
        yield Objection("no-keys")
    elif not sound(child.namespace, envelope) or _for_strangers(message, child, envelope):
        yield Objection("encrypted-malformed", _called((child.namespace, child.name)))
