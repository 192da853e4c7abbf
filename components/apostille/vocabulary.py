"""The words that every room says, and nothing else.

This module knows what an address, a standing, a message's facts and a verdict are. It refuses to know where any
of them come from: no XMPP library, no database, no clock.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A prepared bare JID (RFC 7622): what an official, a room or a host is called.

    Build one from outside text only with `apostille.xmpp.address`, which prepares it, so that two spellings of one JID
    are one address.

    Attributes:
        domain: the domainpart, never empty.
        local: the localpart, escaped as XEP-0106 wants; empty for a host.
    """

    domain: str
    local: str = ""

    def __str__(self) -> str:
        """The JID as it travels: `local@domain`, or the domain alone."""
        return f"{self.local}@{self.domain}" if self.local else self.domain


class Reason(enum.Enum):
    """Why a question may not be asked; `apostille.xmpp` turns each into one stanza error."""

    MALFORMED = "malformed"
    FORBIDDEN = "forbidden"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"


class Refusal(Exception):
    """A question that may not be asked, with a sentence for the person who asked it.

    A "no" to a question that may be asked is an answer, and is returned instead.
    """

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


class Fault(Exception):
    """The environment is at fault (server down, file unreadable), with a sentence that names the thing and the mend."""


class Standing(enum.Enum):
    """What the directory says of an address."""

    VERIFIED = "verified"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    UNLISTED = "unlisted"


class Seat(NamedTuple):
    """Where the directory has an address: its standing, the post, and the units of the post, its own first, then the ones above."""

    standing: Standing
    post: str = ""
    units: tuple[str, ...] = ()


class Party(enum.Enum):
    """What an address is to the policy: the words of `from` and `to` in a rule."""

    VERIFIED = "verified"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    PUBLIC = "public"
    ROOM = "room"
    SERVICE = "service"
    REMOTE = "remote"

    __hash__ = object.__hash__  # looked up for every message; the one that enum makes is a call into Python


class Key(Protocol):
    """One `<key/>` of an OMEMO header (XEP-0384): for which device, and how many bytes."""

    @property
    def rid(self) -> int: ...  # noqa: D102
    @property
    def length(self) -> int: ...  # noqa: D102
    @property
    def jid(self) -> str: ...  # noqa: D102


class Envelope(Protocol):
    """What a server can see of one OMEMO `<encrypted/>` (XEP-0384 0.3 and 0.8+); lengths are bytes, -1 if not base64."""

    @property
    def sid(self) -> int: ...  # noqa: D102
    @property
    def iv(self) -> int | None: ...  # noqa: D102
    @property
    def payload(self) -> int | None: ...  # noqa: D102
    @property
    def keys(self) -> Sequence[Key]: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102
    @property
    def strange(self) -> int: ...  # noqa: D102


class Child(Protocol):
    """One child element of a message: its name and how much it carries, never what.

    `text` and `attributes` count bytes of character data and of attribute values in the whole subtree; `elements` counts
    descendants; `sha256` (hex) is there for a plaintext `<body/>` only.
    """

    @property
    def namespace(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def text(self) -> int: ...  # noqa: D102
    @property
    def attributes(self) -> int: ...  # noqa: D102
    @property
    def elements(self) -> int: ...  # noqa: D102
    @property
    def sha256(self) -> str: ...  # noqa: D102
    @property
    def envelope(self) -> Envelope | None: ...  # noqa: D102


class Message(Protocol):
    """The facts of one message, as the server gathered them; JIDs are prepared by the server.

    `text` counts bytes outside of all children; `more` counts children beyond those that are told. `lang` is the language that
    it is written in and `client` what the sender's client calls itself; both only serve to word a refusal, and are kept nowhere.
    `members` can read what is said in `room`, present or not; None outside rooms, and where the server does not tell.
    """

    @property
    def sender(self) -> str: ...  # noqa: D102
    @property
    def recipient(self) -> str: ...  # noqa: D102
    @property
    def type(self) -> str: ...  # noqa: D102
    @property
    def flow(self) -> str: ...  # noqa: D102
    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def origin_id(self) -> str: ...  # noqa: D102
    @property
    def room(self) -> str: ...  # noqa: D102
    @property
    def text(self) -> int: ...  # noqa: D102
    @property
    def more(self) -> int: ...  # noqa: D102
    @property
    def children(self) -> Sequence[Child]: ...  # noqa: D102
    @property
    def sender_devices(self) -> Announced | None: ...  # noqa: D102
    @property
    def recipient_devices(self) -> Announced | None: ...  # noqa: D102
    @property
    def lang(self) -> str: ...  # noqa: D102
    @property
    def client(self) -> str: ...  # noqa: D102
    @property
    def members(self) -> Sequence[Member] | None: ...  # noqa: D102


class Announced(Protocol):
    """Which devices an account announces, in OMEMO 0.3 and 2; None: in that version it announces nothing."""

    @property
    def legacy(self) -> tuple[int, ...] | None: ...  # noqa: D102
    @property
    def modern(self) -> tuple[int, ...] | None: ...  # noqa: D102


class Member(Protocol):
    """Somebody who can read what is said in a room, by bare JID; `devices` is None for accounts of other servers."""

    @property
    def jid(self) -> str: ...  # noqa: D102
    @property
    def devices(self) -> Announced | None: ...  # noqa: D102


class Change(Protocol):
    """What somebody wants to change about the OMEMO devices of an account (XEP-0384 section 5.3, XEP-0060); JIDs are prepared.

    `action` is publish, retract, delete, purge or configure, `subject` list or bundle. `devices` are those of the list, or the
    bundle's; `identity` is the bundle's public key (hex). `text`, `attributes` and `elements` measure it as a `Child`.
    """

    @property
    def sender(self) -> str: ...  # noqa: D102
    @property
    def owner(self) -> str: ...  # noqa: D102
    @property
    def flow(self) -> str: ...  # noqa: D102
    @property
    def action(self) -> str: ...  # noqa: D102
    @property
    def namespace(self) -> str: ...  # noqa: D102
    @property
    def subject(self) -> str: ...  # noqa: D102
    @property
    def devices(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def identity(self) -> str: ...  # noqa: D102
    @property
    def text(self) -> int: ...  # noqa: D102
    @property
    def attributes(self) -> int: ...  # noqa: D102
    @property
    def elements(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy says of one message.

    Attributes:
        passes: whether the message may go on.
        code: stable word for software (`plaintext`, `no-keys`, ...), empty when there is nothing to say.
        text: a sentence for the person, empty when there is nothing to say.
        rule: name of the policy rule that decided, empty when none matched.
        recorded: whether the ledger must hold the message before it goes on (content-free stanzas are not kept).
        notice: the message passes, but its sender is to be told `text` (stage "warn").
        where: what `text` names: an element, a device; empty where it names nothing.
        lang: the language of `text`.
        asked: names of the rules that were asked, in order; if one decided, it is the last.
    """

    passes: bool
    code: str = ""
    text: str = ""
    rule: str = ""
    recorded: bool = True
    notice: bool = False
    where: str = ""
    lang: str = "en"
    asked: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Free:
    """One element that may stand in a message without content, and how much of it: bytes of text and of attributes, descendants.

    `type` limits it to messages of that type; empty means any.
    """

    namespace: str
    name: str
    text: int
    attributes: int
    elements: int
    type: str = ""


class Outage(enum.Enum):
    """What becomes of a message while no verdict can be had; the first is the strictest."""

    BOUNCE = "bounce"
    HOLD = "hold"
    PASS = "pass"  # noqa: S105 - no password


@dataclass(frozen=True, slots=True)
class OutageClass:
    """What an outage means for messages from one host to another ("*": any other host); `seconds` is how long they may be held."""

    sender: str
    recipient: str
    outage: Outage
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """What a server tells a sender by itself under a code, in one language."""

    code: str
    lang: str
    text: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What a server may know beforehand, so that it need not ask, or knows what to do when it cannot.

    Attributes:
        free: the elements of a message that carries nothing a person could have written; it passes without a verdict.
        within: hosts between whose accounts and rooms that holds.
        id_limit, aside_limit, times: bytes of the stanza's id, bytes of all elements together, how often one may stand there.
        outages: what an outage means, by hosts.
        texts: what a sender hears where there is no verdict.
    """

    free: tuple[Free, ...]
    within: tuple[str, ...]
    id_limit: int
    aside_limit: int
    times: int
    outages: tuple[OutageClass, ...] = ()
    texts: tuple[Said, ...] = ()


def bare(jid: str) -> str:
    """The bare form of a prepared JID (RFC 7622 section 3): everything before the first slash."""
    return jid.partition("/")[0]
