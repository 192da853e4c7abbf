"""The stanzas of managed rosters: building a `<fill/>`, reading a `<filled/>`, hearing an `<unfilled/>`.

Knows the XML of `apostille:roster:0`; refuses to know who belongs in a roster and how stanzas travel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar
from xml.etree import ElementTree as ET

from slixmpp.xmlstream import ElementBase
from slixmpp.xmlstream.tostring import escape

NAMESPACE = "apostille:roster:0"

LARGEST = 256 * 1024
"""Bytes of the largest `<fill/>`: half of what Prosody reads from a component before it ends the stream."""

USUAL = 64 * 1024
"""Bytes at which a `<fill/>` is full: a server parses that much in a few milliseconds."""


class Malformed(ValueError):
    """An answer that does not follow the specification."""


class TooLarge(ValueError):
    """A roster that fits in no `<fill/>`, because one official is never split.

    Attributes:
        jid: whose roster it is.
    """

    def __init__(self, jid: str, size: int) -> None:
        super().__init__(f"the roster of {jid} takes {size} bytes, more than the {LARGEST} of one stanza")
        self.jid = jid


@dataclass(frozen=True, slots=True)
class Item:
    """One contact of a managed roster (RFC 6121 section 2.1.2)."""

    jid: str
    subscription: str
    name: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Roster:
    """All managed contacts of one official."""

    jid: str
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What a server did to one roster."""

    jid: str
    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A server's answer: rosters that it has now, accounts that it does not know, rosters it could not write."""

    written: tuple[Change, ...] = ()
    absent: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


@lru_cache(maxsize=65536)
def _item(item: Item) -> str:
    name = f" name='{escape(item.name)}'" if item.name else ""
    groups = "".join(f"<group>{escape(group)}</group>" for group in item.groups)
    return f"<item jid='{escape(item.jid)}'{name} subscription='{item.subscription}'>{groups}</item>"


def _roster(roster: Roster) -> str:
    return f"<roster jid='{escape(roster.jid)}'>{''.join(map(_item, roster.items))}</roster>"


def _fill(parts: Iterable[str]) -> ET.Element:
    return ET.fromstring(f"<fill xmlns='{NAMESPACE}'>{''.join(parts)}</fill>")  # noqa: S314 - our own text


_ENVELOPE = len(f"<fill xmlns='{NAMESPACE}'></fill>") + 1024
"""What stands around the rosters: the `<fill/>`, and an `<iq/>` with room for its addresses."""


def pack(rosters: Iterable[Roster], usual: int = USUAL) -> Iterator[ET.Element]:
    """The `<fill/>` elements that carry `rosters`, in order.

    Each is closed when the next roster would pass `usual` bytes.

    Raises:
        TooLarge: a single roster passes `LARGEST` bytes. Those before it have been given out.
    """
    parts: list[str] = []
    total = _ENVELOPE
    for roster in rosters:
        text = _roster(roster)
        size = len(text.encode())
        if parts and total + size > usual:
            yield _fill(parts)
            parts, total = [], _ENVELOPE
        if size + _ENVELOPE > LARGEST:
            raise TooLarge(roster.jid, size)
        parts.append(text)
        total += size
    if parts:
        yield _fill(parts)


def outcome(filled: ET.Element) -> Outcome:
    """What a `<filled/>` says; elements that this version does not know are passed over.

    Raises:
        Malformed: it is no `<filled/>`, or lacks what the specification requires.
    """
    if filled.tag != f"{{{NAMESPACE}}}filled":
        raise Malformed(f"expected <filled/>, got {filled.tag}")
    return Outcome(
        written=tuple(_change(child) for child in filled.iterfind(f"{{{NAMESPACE}}}roster")),
        absent=tuple(_jid(child) for child in filled.iterfind(f"{{{NAMESPACE}}}absent")),
        failed=tuple(_jid(child) for child in filled.iterfind(f"{{{NAMESPACE}}}failed")),
    )


def _jid(element: ET.Element) -> str:
    jid = element.get("jid")
    if not jid:
        raise Malformed(f"{element.tag} without jid")
    return jid


def _change(element: ET.Element) -> Change:
    counts = [element.get(name, "") for name in ("added", "changed", "removed")]
    if not all(count.isascii() and count.isdigit() for count in counts):
        raise Malformed(f"the counts of {element.get('jid')} are no numbers")
    return Change(_jid(element), *map(int, counts))


class Fill(ElementBase):
    """`<fill/>`: the complete managed rosters of one or more officials."""

    name = "fill"
    namespace = NAMESPACE
    plugin_attrib = "apostille_fill"
    interfaces: ClassVar[set[str]] = set()


class Filled(ElementBase):
    """`<filled/>`: what became of a `<fill/>`."""

    name = "filled"
    namespace = NAMESPACE
    plugin_attrib = "apostille_filled"
    interfaces: ClassVar[set[str]] = set()


class Unfilled(ElementBase):
    """`<unfilled jid=''/>`: a server's notice that somebody logged in whose roster it was never given."""

    name = "unfilled"
    namespace = NAMESPACE
    plugin_attrib = "apostille_unfilled"
    interfaces: ClassVar[set[str]] = {"jid"}
