"""Two policies side by side: which messages would fare otherwise.

Knows how to make a message of what the ledger kept of one, and which shapes to try without a ledger; refuses to know where records
lie. A record names no children of a message, so that much of it cannot be made again: `remade` says for which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product

from apostille.policy.cases import said_of
from apostille.policy.classes import Class, Side
from apostille.policy.lints import Places, can_be_said, cells
from apostille.policy.rules import Policy, Requirement, Setting
from apostille.policy.shapes import SHAPES, Reads, message_of, side_of, written
from apostille.record import Judged
from apostille.vocabulary import Message, Party, Verdict


@dataclass(frozen=True, slots=True)
class Shape:
    """A message to be judged by both: what it is called, from what to what."""

    label: str
    message: Message
    sender: Side
    recipient: Side
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of some messages: before and after, each with the rule that decides."""

    before: str
    after: str
    rule_before: str
    rule_after: str
    opens: bool
    closes: bool


@dataclass(slots=True)
class Difference:
    """How many messages were tried, and for each change how many it concerns and what they are."""

    tried: int = 0
    changes: Counter[Change] = field(default_factory=Counter)
    examples: dict[Change, Counter[str]] = field(default_factory=dict)


def compare(old: Policy, new: Policy, shapes: Iterable[Shape]) -> Difference:
    """What changes; that another rule decides in the same way is no change."""
    found = Difference()
    for shape in shapes:
        found.tried += 1
        before, after = (one.judge(shape.message, shape.sender, shape.recipient, shape.at) for one in (old, new))
        if _same(before, after):
            continue
        change = Change(
            said_of(before), said_of(after), before.rule, after.rule, after.passes > before.passes, after.passes < before.passes
        )
        found.changes[change] += 1
        found.examples.setdefault(change, Counter())[shape.label] += 1
    return found


def _same(before: Verdict, after: Verdict) -> bool:
    return (before.passes, before.code, before.notice, before.recorded) == (after.passes, after.code, after.notice, after.recorded)


# ---- shapes that need no ledger -----------------------------------------------------------------------------------------


def built_in(policies: Sequence[Policy], reads: Reads, now: datetime, places: Places | None = None) -> Iterator[Shape]:
    """Every named shape between all parties, and between the classes of every rule, in each setting that there can be."""
    known: dict[tuple[str, str, str, Setting], Message] = {}  # most classes have the same stand-in
    for one, other, setting in _pairs(policies):
        sender, recipient = side_of(one, "sender", places), side_of(other, "recipient", places)
        for name in SHAPES:
            key = (name, sender.address, recipient.address, setting)
            message = known.get(key)
            if message is None:
                message = known[key] = message_of(written(name, recipient.address, setting), sender, recipient, setting, reads)
            yield Shape(f"{name}, {one.value} to {other.value} ({setting.value})", message, sender, recipient, now)


def _pairs(policies: Sequence[Policy]) -> list[tuple[Class, Class, Setting]]:
    found: dict[tuple[Class, Class, Setting], None] = {}
    for sender, recipient, setting in product(Party, Party, Setting):
        by_component = setting is Setting.COMPONENT
        if can_be_said(recipient, setting) and by_component == (sender is Party.SERVICE) and not sender is recipient is Party.REMOTE:
            found[sender, recipient, setting] = None
    for rule in (rule for policy in policies for rule in policy.rules):
        for cell in cells(rule):
            found[cell.sender, cell.recipient, cell.setting] = None
    return list(found)


# ---- shapes from the ledger ---------------------------------------------------------------------------------------------

_SHAPE_OF_CODE = {
    "no-keys": "no-keys",
    "encrypted-malformed": "malformed",
    "hidden-text": "loose-text",
    "subject": "subject",
    "unknown-element": "unknown",
    "plaintext-beside": "plaintext-beside",
    "reactions": "reaction",
    "calls": "call",
    "links": "link",
    "xhtml": "xhtml",
}
_SHAPE_OF_PART = {"eu.siacs.conversations.axolotl": "omemo", "urn:xmpp:omemo:2": "omemo-2", "urn:xmpp:openpgp:0": "ox"}


def remade(record: Judged, requiring: Collection[str]) -> str | None:
    """The name of the shape that a recorded message had, as far as its record tells; None if it does not.

    `requiring` are the names of the rules that ask for encryption: beside an encrypted part, only those tell a fallback from a text.
    """
    if record.code in _SHAPE_OF_CODE:
        return _SHAPE_OF_CODE[record.code]
    if record.code == "plaintext" or (record.bodies and not record.encrypted and not record.code):
        return "plaintext"
    if record.code not in ("", "version"):
        return None
    parts = sorted({_SHAPE_OF_PART.get(one.namespace, "") for one in record.encrypted})
    if record.bodies:
        return "omemo-fallback" if record.policy in requiring and parts == ["omemo"] else None
    if parts == ["omemo", "omemo-2"]:
        return "omemo-both"
    return parts[0] or None if len(parts) == 1 else None


def recorded(
    records: Iterable[Judged], old: Policy, reads: Reads, seat: Callable[[str, datetime], Side], missed: Counter[str]
) -> Iterator[Shape]:
    """What the ledger kept, as messages; who is who is as it is today. What cannot be made again is counted in `missed`, by code."""
    requiring = {rule.name for rule in old.rules if rule.require is not Requirement.NOTHING}
    for record in records:
        name = remade(record, requiring)
        if name is None:
            missed[record.code or "readable"] += 1
            continue
        at = datetime.fromtimestamp(record.at / 1000, UTC)
        sender, recipient = seat(record.sender, at), seat(record.recipient, at)
        setting = _setting_of(record)
        message = message_of(written(name, recipient.address, setting), sender, recipient, setting, reads, record.room)
        label = f"{name}, {sender.party.value} to {recipient.party.value} ({setting.value})"
        yield Shape(label, message, sender, recipient, at)


def _setting_of(record: Judged) -> Setting:
    if record.flow == "component":
        return Setting.COMPONENT
    if not record.room:
        return Setting.CHAT
    return Setting.GROUPCHAT if record.type == "groupchat" else Setting.PRIVATE
