"""An account of a decision: which rules were asked, why each did not fit, what the one that did asks, and what would make a message pass.

Knows the conditions of a rule by their keys; refuses to decide: what it says of a rule, the rule itself was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from apostille.policy.classes import Side
from apostille.policy.rules import EXTRAS, VERSIONS, Case, Policy, Requirement, Rule
from apostille.policy.stanzas import Objection, examine
from apostille.policy.windows import ALWAYS, DAYS, Window
from apostille.vocabulary import Message, Party, Verdict


def words_of(side: Side) -> list[str]:
    """Every word of `from` and `to` that the side belongs to."""
    words = [side.party.value]
    if side.party is Party.ROOM:
        words.append(f"room:{side.address}")
    if side.party is Party.VERIFIED:
        words += [f"post:{side.post}"] if side.post else []
        words += [f"unit:{path}" for path in side.units[:1]]
        words += [f"unit:{path}/**" for path in side.units]
    return words


def told_window(window: Window) -> str:
    """When a window holds, in words."""
    if window == ALWAYS:
        return "always"
    parts = []
    if window.hours != ALWAYS.hours:
        parts.append("-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in window.hours))
    if window.days != ALWAYS.days:
        parts.append(" ".join(day for number, day in enumerate(DAYS) if number in window.days))
    parts += [f"from {window.first}"] if window.first else []
    parts += [f"until {window.last}"] if window.last else []
    return f"{', '.join(parts) or 'always'} ({window.zone})"


def told(rule: Rule) -> dict[str, Any]:
    """A rule for software, by the keys of its file."""
    return {
        "name": rule.name,
        "from": sorted(one.value for one in rule.senders),
        "to": sorted(one.value for one in rule.recipients),
        "kinds": sorted(one.value for one in rule.settings),
        "direction": sorted(one.value for one in rule.directions),
        "window": told_window(rule.window),
        "require": rule.require.value,
        "versions": sorted(rule.versions),
        "devices": rule.devices.value,
        "unknown_devices": rule.unknown.value,
        "extras": sorted(rule.extras),
        "stage": rule.stage.value,
        "outage": rule.outage.value,
        "hold_seconds": rule.hold_seconds,
    }


FOUND: Mapping[str, Callable[[Case], str]] = {
    "from": lambda case: f"the sender is {', '.join(words_of(case.sender))}",
    "to": lambda case: f"the recipient is {', '.join(words_of(case.recipient))}",
    "kinds": lambda case: f"the kind is {case.setting.value}",
    "direction": lambda case: f"the direction is {case.direction.value}",
    "window": lambda case: f"it is {case.now.isoformat(timespec='minutes')}",
}
"""By key of a rule's condition: what was found in its place."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """A condition that did not hold: its key, what the rule has there, and what was found."""

    key: str
    wanted: str
    found: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One rule that was asked; it decided if nothing was unfit."""

    number: int
    name: str
    unfit: tuple[Unfit, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """What a policy says of a case, and why.

    Attributes:
        asked: the rules in the order in which they were asked, the last one the one that decided, if any did.
        rule: that rule.
        verdict: what becomes of the message, if there is one.
        objections: everything in the message that the rule objects to.
        mends: what would make the message pass, one sentence each.
    """

    asked: tuple[Asked, ...]
    rule: Rule | None = None
    verdict: Verdict | None = None
    objections: tuple[Objection, ...] = ()
    mends: tuple[str, ...] = ()


def account(policy: Policy, case: Case, message: Message | None = None) -> Account:
    """The account of a case; with a message, also of what becomes of that."""
    asked: list[Asked] = []
    rule = None
    for number, one in enumerate(policy.rules, 1):
        asked.append(Asked(number, one.name, _unfit(one, case)))
        if not asked[-1].unfit:
            rule = one
            break
    nearest = tuple(_nearest(asked)) if rule is None else ()
    if message is None:
        return Account(tuple(asked), rule, mends=nearest)
    verdict = policy.judge(message, case.sender, case.recipient, case.now)
    if rule is None or verdict.rule != rule.name:  # by a rule that is written nowhere: an error or an empty message
        return Account(tuple(asked), None, verdict, mends=() if verdict.passes else (*_standing(verdict.code), *nearest))
    found = () if rule.require is Requirement.NOTHING else examine(message, rule.extras).objections
    return Account(tuple(asked), rule, verdict, found, tuple(_mends(rule, verdict, message)) if verdict.code else ())


def _unfit(rule: Rule, case: Case) -> tuple[Unfit, ...]:
    wanted = told(rule)
    return tuple(Unfit(one.key, _listed(wanted[one.key]), FOUND[one.key](case)) for one in rule.conditions if not one.holds(case))


def _listed(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _nearest(asked: list[Asked]) -> Iterator[str]:
    """The rules that would have fitted but for one condition."""
    for one in asked:
        if len(one.unfit) == 1:
            unfit = one.unfit[0]
            yield f"rule {one.number} ({one.name}) would decide if its {unfit.key} were not {unfit.wanted}: {unfit.found}"


_STANDING = {
    "sender-suspended": "the sender is suspended: `apostille officials reinstate JID`, if that is right",
    "sender-expired": "the sender's entry has expired: import the officials with a later valid_until",
    "recipient-not-verified": "the recipient is suspended or expired in the directory",
}


def _standing(code: str) -> Iterator[str]:
    if code in _STANDING:
        yield _STANDING[code]


MENDS: Mapping[str, str] = {
    "plaintext": "the sender turns on end-to-end encryption for this chat",
    "plaintext-beside": "the sender's client leaves the readable body out, or its fallback sentence becomes known (policy/fallbacks.py)",
    "no-keys": "the sender's client learns the devices of the recipient",
    "encrypted-malformed": "the sender's client is updated: its encrypted part is not what its version prescribes",
    "hidden-text": "the sender's client is updated: there is text outside of the elements of the message",
    "subject": "the sender writes the subject into the encrypted message",
    "reactions": "the sender answers with an encrypted message",
    "calls": "the sender writes an encrypted message",
    "links": "the sender sends the file or link inside the encrypted message",
    "xhtml": "the sender turns formatted text off",
    "too-much": "the sender's client is updated: a part beside the encrypted one carries more than it may",
    "unknown-element": "the sender turns off the function of the client that adds this part",
    "version": "the sender's client speaks the encryption that the rule asks for",
    "ghost": "the sender's client reads the device lists again, and leaves out the device that nobody has",
    "spoofed": "the sender's client announces the device that it sends from",
    "missing": "the sender trusts all devices of the recipients",
    "devices-unknown": 'the recipient signs in with OMEMO turned on, or the rule has unknown_devices = "pass"',
    "device-unapproved": "the owner of the device, or a registrar, approves it",
}
"""What a person can do, by the code of an objection."""


def _mends(rule: Rule, verdict: Verdict, message: Message) -> Iterator[str]:
    """First what people can do, then what could be written into the rule; that, each was tried."""
    yield MENDS.get(verdict.code, f"what {verdict.code} means is mended (docs/reference/policy.md, codes of refusal)")
    yield next(text for text, changed in _milder(rule) if not changed.judge(message).code)
    if not verdict.passes:
        yield 'the rule has stage = "warn": the message passes, and its sender is told'


def _milder(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """The rule with one thing more allowed, the smallest first; under the last one everything passes."""
    for extra in sorted(EXTRAS - rule.extras):
        if extra != "unknown":
            yield f"the rule has {extra} in its extras", replace(rule, extras=rule.extras | {extra})
    yield "the rule allows every version of OMEMO", replace(rule, versions=VERSIONS)
    yield 'the rule has require = "encrypted": OMEMO or OX', replace(rule, versions=VERSIONS, require=Requirement.ENCRYPTED)
    yield "the rule has unknown in its extras", replace(rule, extras=rule.extras | {"unknown"})
    yield 'the rule has require = "nothing"', replace(rule, require=Requirement.NOTHING)
