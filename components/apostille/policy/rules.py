"""The policy: rules in order, the first that fits decides, none that fits refuses.

Knows what a rule is and what it says of a message between two sides; refuses to know where rules are kept, who is an official and
what time it is: that is told. An empty policy refuses everything.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import product
from typing import NamedTuple

from apostille.policy.classes import Class, Side, TheRoom, holds, party_of
from apostille.policy.recipients import Finding, Level, Part, Severity, Unknown, findings
from apostille.policy.stanzas import Content, Kind, examine, sound_publication
from apostille.policy.texts import noted, refused, refused_change, spoken, warned
from apostille.policy.windows import ALWAYS, Window
from apostille.vocabulary import Change, Message, Outage, Party, Verdict, bare


class Stage(enum.Enum):
    """How a rule is meant: watch only, pass and tell the sender, or refuse."""

    OBSERVE = "observe"
    WARN = "warn"
    ENFORCE = "enforce"


class Requirement(enum.Enum):
    """What a rule asks of a message: which end-to-end encryption, or none."""

    OMEMO = "omemo"
    OX = "ox"
    ENCRYPTED = "encrypted"  # either
    NOTHING = "nothing"


class Setting(enum.Enum):
    """Where a message is said: outside rooms, in a room to all, in a room to one; or by an external component, wherever."""

    CHAT = "chat"
    GROUPCHAT = "groupchat"
    PRIVATE = "private"
    COMPONENT = "component"

    __hash__ = object.__hash__  # looked up for every message; the one that enum makes is a call into Python


class Direction(enum.Enum):
    """Which way a message goes: within this server, to another one, from another one."""

    LOCAL = "local"
    OUTGOING = "outgoing"
    INCOMING = "incoming"

    __hash__ = object.__hash__


PEOPLE = frozenset((Party.VERIFIED, Party.SUSPENDED, Party.EXPIRED, Party.PUBLIC))
"""Everybody with an account on the officials' own domain."""
WITHIN = PEOPLE | {Party.ROOM}
LONGEST_HOLD = 300
"""Seconds that a message may be held through an outage at most."""
VERSIONS = frozenset(("0.3", "2"))
"""Of OMEMO."""
OX = "ox"
"""What `examine` calls a part that is encrypted with OpenPGP for XMPP (XEP-0373)."""
EXTRAS = frozenset(("subject", "invitations", "reactions", "calls", "links", "xhtml", "unknown"))
"""What a rule may let be readable all the same."""
_ALL_SETTINGS = frozenset(Setting)
_ALL_DIRECTIONS = frozenset(Direction)


Parts = Callable[[Message], Sequence[Part]]
"""Says of a message for whose devices each of its encrypted parts is."""


def no_parts(_message: Message) -> Sequence[Part]:
    """Where nothing is known of devices."""
    return ()


class Case(NamedTuple):
    """What a rule is asked about, apart from what the message holds."""

    sender: Side
    recipient: Side
    setting: Setting
    direction: Direction
    now: datetime


class Condition(NamedTuple):
    """One thing that has to be so for a rule to speak of a message; `key` is what the rule's file calls it."""

    key: str
    holds: Callable[[Case], bool]


class Asked(NamedTuple):
    """What a rule looks at in a message: what it holds, and, when it is wanted, for whose devices each part is encrypted."""

    message: Message
    content: Content
    parts: Parts


class Check(NamedTuple):
    """One thing that a rule asks of a message: its name, what is asked in a few words, and what it finds wrong."""

    name: str
    reason: str
    find: Callable[[Asked], Finding | None]


@dataclass(frozen=True)
class Rule:
    """One rule: for messages from these classes to those, said there and then, this much is required, at this stage."""

    name: str
    senders: frozenset[Class]
    recipients: frozenset[Class]
    require: Requirement = Requirement.OMEMO
    stage: Stage = Stage.ENFORCE
    settings: frozenset[Setting] = _ALL_SETTINGS
    versions: frozenset[str] = VERSIONS
    extras: frozenset[str] = frozenset()
    outage: Outage = Outage.BOUNCE
    hold_seconds: int = 0
    directions: frozenset[Direction] = _ALL_DIRECTIONS
    window: Window = ALWAYS
    devices: Level = Level.ANY
    unknown: Unknown = Unknown.REFUSE

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """When this rule speaks of a message: when all of them hold."""
        return (
            Condition("from", lambda case: any(holds(one, case.sender) for one in self.senders)),
            Condition("to", lambda case: any(holds(one, case.recipient) for one in self.recipients)),
            Condition("kinds", lambda case: case.setting in self.settings),
            Condition("direction", lambda case: case.direction in self.directions),
            Condition("window", lambda case: self.window.holds(case.now)),
        )

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """What this rule asks, in order; the first that finds something speaks."""
        if self.require is Requirement.NOTHING:
            return ()
        readable = Check("unreadable", "nothing that the server could read", _readable)
        encryption = Check("encryption", f"{self.encryption()}, if anything is said", self._other_encryption)
        if self.devices is Level.ANY:
            return readable, encryption
        return readable, encryption, Check("devices", f"encrypted for {self.devices.value} devices alone", self._other_devices)

    def fits(self, case: Case) -> bool:
        """Whether this rule speaks of such a message."""
        return all(one.holds(case) for one in self.conditions)

    def encryption(self) -> str:
        """Which encryptions this rule takes, as people call them."""
        omemo = [f"OMEMO {one}" for one in sorted(self.versions)] if self.versions != VERSIONS else ["OMEMO"]
        names = [] if self.require is Requirement.OX else omemo
        return " / ".join(names if self.require is Requirement.OMEMO else [*names, "OpenPGP (OX)"])

    def judge(self, message: Message, parts: Parts = no_parts, asked: tuple[str, ...] = ()) -> Verdict:
        """The verdict of this rule, its stage applied, after these rules were asked."""
        content = examine(message, self.extras)
        at_hand, found = Asked(message, content, parts), None
        for check in self.checks:
            found = check.find(at_hand)
            if found is not None:
                break
        if found is None:
            return self._pass(content.kind is not Kind.EMPTY, asked)
        slight = found.severity is Severity.SLIGHT  # honest clients do it, too: nobody is refused for it
        passes, told = slight or self.stage is not Stage.ENFORCE, slight or self.stage is Stage.WARN
        words = noted if slight else warned if passes else refused
        text = words(found.code, found.where, message.lang, message.client)
        notice = passes and told and self.stage is not Stage.OBSERVE
        return Verdict(passes, found.code, text, self.name, notice=notice, where=found.where, lang=spoken(message.lang), asked=asked)

    def _pass(self, recorded: bool, asked: tuple[str, ...]) -> Verdict:
        known = self._passes.get(recorded)
        if known is None or known.asked is not asked:
            known = self._passes[recorded] = Verdict(True, rule=self.name, recorded=recorded, asked=asked)
        return known

    @cached_property
    def _passes(self) -> dict[bool, Verdict]:
        return {}

    @cached_property
    def _taken(self) -> frozenset[str]:
        return {Requirement.OMEMO: self.versions, Requirement.OX: frozenset((OX,))}.get(self.require, self.versions | {OX})

    def _other_encryption(self, asked: Asked) -> Finding | None:
        return None if asked.content.versions <= self._taken else Finding("version", self.encryption())

    def _other_devices(self, asked: Asked) -> Finding | None:
        parts, message = asked.parts(asked.message), asked.message
        found = findings(parts, bare(message.sender), self.devices, self.unknown, message.room)
        if all(part.envelope.payload is None for part in parts):  # it says nothing: who gets no key misses nothing
            found = tuple(one for one in found if one.code not in ("missing", "devices-unknown"))
        return found[0] if found else None


def _readable(asked: Asked) -> Finding | None:
    objections = asked.content.objections
    return Finding(objections[0].code, objections[0].where) if objections else None


class _Sieve:
    """Which rules fit, for every message of a server: in one step for all rules, as bits of a number, lowest first."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._rooms = frozenset(one.address for rule in rules for one in rule.senders | rule.recipients if isinstance(one, TheRoom))
        self._where = {
            (setting, direction): self._bits(rule for rule in rules if setting in rule.settings and direction in rule.directions)
            for setting, direction in product(Setting, Direction)
        }
        self._from: dict[tuple[object, ...], int] = {}
        self._to: dict[tuple[object, ...], int] = {}
        self._timed = [rule.window != ALWAYS for rule in rules]

    def first(self, case: Case) -> int | None:
        """The number of the first rule that fits."""
        sender, recipient = case.sender, case.recipient
        left = self._where[case.setting, case.direction] & self._side(self._from, sender, 0) & self._side(self._to, recipient, 1)
        while left:
            number = (left & -left).bit_length() - 1
            if not self._timed[number] or self._rules[number].window.holds(case.now):
                return number
            left &= left - 1
        return None

    def _side(self, known: dict[tuple[object, ...], int], side: Side, place: int) -> int:
        key = (side.party, side.post, side.units, side.address if side.address in self._rooms else "")
        found = known.get(key)
        if found is None:
            if len(known) >= _REMEMBERED:
                known.clear()
            classes = [(rule.senders, rule.recipients)[place] for rule in self._rules]
            found = known[key] = sum(1 << number for number, some in enumerate(classes) if any(holds(one, side) for one in some))
        return found

    def _bits(self, some: Iterable[Rule]) -> int:
        chosen = {id(rule) for rule in some}
        return sum(1 << number for number, rule in enumerate(self._rules) if id(rule) in chosen)


_REMEMBERED = 20_000  # sides that differ to the rules: posts, mostly


@dataclass(frozen=True)
class Policy:
    """Rules in order."""

    rules: tuple[Rule, ...] = field(default=())

    def judge(self, message: Message, sender: Side, recipient: Side, now: datetime, parts: Parts = no_parts) -> Verdict:
        """What is to be done with a message between these sides, at an aware time.

        An error (RFC 6121 section 5.2.2) answers what passed before, so no rule is asked while it says nothing; one that says
        something, encrypted or not, is a message like any other, whatever it calls itself.
        """
        if message.type == "error" and examine(message).kind is Kind.EMPTY:
            return Verdict(True, rule="errors", recorded=False)
        number = self._sieve.first(case_of(message, sender, recipient, now))
        if number is not None:
            return self.rules[number].judge(message, parts, self._asked[number])
        if sender.party in PEOPLE and (recipient.party in WITHIN or message.room) and _says_nothing(message):
            return Verdict(True, rule="empty", recorded=False, asked=self._names)  # as the server without asking, by `free_terms`
        code = _no_rule(sender.party, recipient.party)
        return Verdict(False, code, refused(code, "", message.lang, message.client), lang=spoken(message.lang), asked=self._names)

    def judge_change(self, change: Change, sender: Party) -> Verdict:
        """What is to be done with a change to somebody's OMEMO devices: people change their own, in a form that hides no text."""
        if sender not in PEOPLE or bare(change.sender) != change.owner:
            return Verdict(False, "device-foreign", refused_change("device-foreign"))
        if change.action == "publish" and not sound_publication(change):
            return Verdict(False, "device-malformed", refused_change("device-malformed"))
        return Verdict(True, rule="devices")

    def in_outage(self, senders: Iterable[Party], recipients: Iterable[Party]) -> tuple[Outage, int]:
        """What becomes of a message from one of these to one of those while nobody can judge it, and for how many seconds it is held.

        The strictest of the rules that might decide; a message that no rule fits does not count unless the others would pass.
        """
        deciding = [rule for one in product(senders, recipients, Setting) for rule in self._might(*one)]
        rules = [rule for rule in deciding if rule is not None]
        if not rules or any(rule.outage is Outage.BOUNCE for rule in rules):
            return Outage.BOUNCE, 0
        if all(rule is not None and rule.outage is Outage.PASS for rule in deciding):
            return Outage.PASS, 0
        held = [rule.hold_seconds for rule in rules if rule.outage is Outage.HOLD]
        return (Outage.HOLD, min(held)) if held else (Outage.BOUNCE, 0)

    def _might(self, sender: Party, recipient: Party, setting: Setting) -> Iterator[Rule | None]:
        """The rules that might decide a message between two parties, up to one that surely does; None if none surely does."""
        direction = direction_of(sender, recipient)
        for rule in self.rules:
            concerned = sender in map(party_of, rule.senders) and recipient in map(party_of, rule.recipients)
            if concerned and setting in rule.settings and direction in rule.directions:
                yield rule
                if sender in rule.senders and recipient in rule.recipients and rule.window == ALWAYS:
                    return
        yield None

    @cached_property
    def _sieve(self) -> _Sieve:
        return _Sieve(self.rules)

    @cached_property
    def _asked(self) -> list[tuple[str, ...]]:
        """Which rules were asked when one decides, by its number."""
        return [self._names[: number + 1] for number in range(len(self.rules))]

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(rule.name for rule in self.rules)


def case_of(message: Message, sender: Side, recipient: Side, now: datetime) -> Case:
    """What a rule is asked about a message between two sides."""
    return Case(sender, recipient, setting_of(message), direction_of(sender.party, recipient.party), now)


def setting_of(message: Message) -> Setting:
    """Where a message is said."""
    if message.flow == "component":
        return Setting.COMPONENT
    if not message.room:
        return Setting.CHAT
    return Setting.GROUPCHAT if message.type == "groupchat" else Setting.PRIVATE


def direction_of(sender: Party, recipient: Party) -> Direction:
    """Which way a message goes between two parties."""
    if sender is Party.REMOTE:
        return Direction.INCOMING
    return Direction.OUTGOING if recipient is Party.REMOTE else Direction.LOCAL


def _says_nothing(message: Message) -> bool:
    return examine(message).kind is Kind.EMPTY and not any(child.text for child in message.children)


def _no_rule(sender: Party, recipient: Party) -> str:
    if sender is Party.SUSPENDED:
        return "sender-suspended"
    if sender is Party.EXPIRED:
        return "sender-expired"
    if recipient in (Party.SUSPENDED, Party.EXPIRED):
        return "recipient-not-verified"
    return "no-rule"
