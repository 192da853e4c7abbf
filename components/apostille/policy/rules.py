"""The policy: rules in order, the first that fits decides, none that fits refuses.

Knows what a rule is and what it says of a message between two parties; refuses to know where rules are kept or who is an
official. An empty policy refuses everything.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from apostille.policy.stanzas import Content, Kind, examine, sound_publication
from apostille.vocabulary import Change, Message, Outage, Party, Reason, Refusal, Verdict, bare


class Stage(enum.Enum):
    """How a rule is meant: watch only, pass and tell the sender, or refuse."""

    OBSERVE = "observe"
    WARN = "warn"
    ENFORCE = "enforce"


class Requirement(enum.Enum):
    """What a rule asks of a message."""

    OMEMO = "omemo"
    NOTHING = "nothing"


class Setting(enum.Enum):
    """Where a message is said."""

    CHAT = "chat"
    GROUPCHAT = "groupchat"
    PRIVATE = "private"


_ALL_SETTINGS = frozenset(Setting)
PEOPLE = frozenset((Party.VERIFIED, Party.SUSPENDED, Party.EXPIRED, Party.PUBLIC))
"""Everybody with an account on the officials' own domain."""
_WITHIN = PEOPLE | {Party.ROOM}
LONGEST_HOLD = 300
"""Seconds that a message may be held through an outage at most."""
_VERSIONS = frozenset(("0.3", "2"))
_EXTRAS = frozenset(("subject", "invitations"))

REFUSED = "Not delivered: "
REFUSED_CHANGE = "Not changed: "
WARNED = "Delivered this time, but such messages will soon be refused: "


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: for messages from these parties to those, said there, this much is required, at this stage."""

    name: str
    senders: frozenset[Party]
    recipients: frozenset[Party]
    require: Requirement = Requirement.OMEMO
    stage: Stage = Stage.ENFORCE
    settings: frozenset[Setting] = _ALL_SETTINGS
    versions: frozenset[str] = _VERSIONS
    extras: frozenset[str] = frozenset()
    outage: Outage = Outage.BOUNCE
    hold_seconds: int = 0

    def fits(self, sender: Party, recipient: Party, setting: Setting) -> bool:
        """Whether this rule speaks of such a message."""
        return sender in self.senders and recipient in self.recipients and setting in self.settings

    def judge(self, message: Message) -> Verdict:
        """The verdict of this rule, its stage applied."""
        content = examine(message, self.extras)
        code, text = self._objection(content)
        if not code:
            return Verdict(True, rule=self.name, recorded=content.kind is not Kind.EMPTY)
        if self.stage is Stage.ENFORCE:
            return Verdict(False, code, REFUSED + text, self.name)
        return Verdict(True, code, WARNED + text, self.name, notice=self.stage is Stage.WARN)

    def _objection(self, content: Content) -> tuple[str, str]:
        if self.require is Requirement.NOTHING:
            return "", ""
        if content.objections:
            first = content.objections[0]
            return first.code, TEXTS[first.code].format(where=first.where)
        if not content.versions <= self.versions:
            return "version", TEXTS["version"].format(where=" or ".join(sorted(self.versions)))
        return "", ""


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in order."""

    rules: tuple[Rule, ...] = field(default=())

    def judge(self, message: Message, sender: Party, recipient: Party) -> Verdict:
        """What is to be done with a message between these parties.

        An error (RFC 6121 section 5.2.2) answers what passed before, so no rule is asked while it says nothing; one that says
        something, encrypted or not, is a message like any other, whatever it calls itself.
        """
        if message.type == "error" and examine(message).kind is Kind.EMPTY:
            return Verdict(True, rule="errors", recorded=False)
        setting = setting_of(message)
        rule = self._first(sender, recipient, setting)
        if rule is not None:
            return rule.judge(message)
        if sender in PEOPLE and (recipient in _WITHIN or message.room) and _says_nothing(message):
            return Verdict(True, rule="empty", recorded=False)  # as the server does without asking, by `stanzas.free_terms`
        code = _no_rule(sender, recipient)
        return Verdict(False, code, REFUSED + TEXTS[code])

    def judge_change(self, change: Change, sender: Party) -> Verdict:
        """What is to be done with a change to somebody's OMEMO devices: people change their own, in a form that hides no text."""
        if sender not in PEOPLE or bare(change.sender) != change.owner:
            return Verdict(False, "device-foreign", REFUSED_CHANGE + TEXTS["device-foreign"])
        if change.action == "publish" and not sound_publication(change):
            return Verdict(False, "device-malformed", REFUSED_CHANGE + TEXTS["device-malformed"])
        return Verdict(True, rule="devices")

    def in_outage(self, senders: Iterable[Party], recipients: Iterable[Party]) -> tuple[Outage, int]:
        """What becomes of a message from one of these to one of those while nobody can judge it, and for how many seconds it is held.

        The strictest of the rules that might decide; a message that no rule fits does not count unless the others would pass.
        """
        deciding = [self._first(*one) for one in product(senders, recipients, Setting)]
        rules = [rule for rule in deciding if rule is not None]
        if not rules or any(rule.outage is Outage.BOUNCE for rule in rules):
            return Outage.BOUNCE, 0
        if all(rule is not None and rule.outage is Outage.PASS for rule in deciding):
            return Outage.PASS, 0
        held = [rule.hold_seconds for rule in rules if rule.outage is Outage.HOLD]
        return (Outage.HOLD, min(held)) if held else (Outage.BOUNCE, 0)

    def _first(self, sender: Party, recipient: Party, setting: Setting) -> Rule | None:
        return next((rule for rule in self.rules if rule.fits(sender, recipient, setting)), None)


def setting_of(message: Message) -> Setting:
    """Where a message is said: in a room to all, in a room to one, or outside rooms."""
    if not message.room:
        return Setting.CHAT
    return Setting.GROUPCHAT if message.type == "groupchat" else Setting.PRIVATE


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


# What a person reads after one of the beginnings below: what happened, and the next step.
TEXTS: Mapping[str, str] = {
    "plaintext": "messages between officials must be encrypted. Turn on OMEMO encryption for this chat, then send it again.",
    "plaintext-beside": "the message carried readable text beside its encrypted part. Send it again with a current "
    "version of your client.",
    "no-keys": "the encrypted message was made for no device at all. Check that your contact's OMEMO devices are "
    "known to your client, then send it again.",
    "encrypted-malformed": "the encrypted part of the message is damaged. "
    "Send it again with a current version of your client.",
    "hidden-text": "the message carried text outside of its elements. Send it again with a current version of your client.",
    "subject": "a subject can be read by the server and is not allowed here. Write it into the encrypted message instead.",
    "too-much": "a part of the message that is not encrypted ({where}) carries more than it may.",
    "unknown-element": "the message has a part that is not encrypted and may be readable ({where}). "
    "Turn that function off in your client, then send it again.",
    "version": "this chat asks for OMEMO version {where}.",
    "device-foreign": "OMEMO devices can only be announced by the account that they belong to.",
    "device-malformed": "the announcement of OMEMO devices is damaged or carries more than it may. "
    "Update your client, then try again.",
    "sender-suspended": "your entry in the directory of officials is suspended. Ask your registrar.",
    "sender-expired": "your entry in the directory of officials has expired. Ask your registrar to renew it.",
    "recipient-not-verified": "the person you wrote to is not a verified official at present.",
    "no-rule": "the rules of this server do not provide for messages between you and this address.",
}


# ---- reading a policy ---------------------------------------------------------------------------------------------------

_KEYS = frozenset(("name", "from", "to", "require", "stage", "kinds", "versions", "extras", "outage", "hold_seconds"))


def read_policy(document: Mapping[str, Any], origin: str) -> Policy:
    """The policy in a parsed TOML document; `origin` names the file in errors.

    Raises:
        Refusal: an unknown key, a wrong type or an unknown word, with the rule, the key and what would be right.
    """
    unknown = sorted(set(document) - {"rule"})
    if unknown:
        raise Refusal(Reason.MALFORMED, f"{origin}: unknown key {unknown[0]!r}; a policy is a list of [[rule]] tables")
    tables = document.get("rule", [])
    if not isinstance(tables, list):
        raise Refusal(Reason.MALFORMED, f"{origin}: write each rule as [[rule]], with two brackets")
    rules = tuple(_rule(table, f"{origin}: rule {number}") for number, table in enumerate(tables, 1))
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise Refusal(Reason.MALFORMED, f"{origin}: two rules are named {name!r}; verdicts name the rule, so each needs its own")
    return Policy(rules)


def _rule(table: Any, where: str) -> Rule:
    if not isinstance(table, dict):
        raise Refusal(Reason.MALFORMED, f"{where}: is not a table; write [[rule]]")
    unknown = sorted(set(table) - _KEYS)
    if unknown:
        raise Refusal(Reason.MALFORMED, f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise Refusal(Reason.MALFORMED, f"{where}: needs a name")
    where = f"{where} ({name})"
    return _expect_outage(Rule(
        name=name,
        senders=frozenset(map(Party, _words(table, "from", where, [party.value for party in Party], None))),
        recipients=frozenset(map(Party, _words(table, "to", where, [party.value for party in Party], None))),
        require=Requirement(_word(table, "require", where, [one.value for one in Requirement], "omemo")),
        stage=Stage(_word(table, "stage", where, [one.value for one in Stage], "enforce")),
        settings=frozenset(map(Setting, _words(table, "kinds", where, [one.value for one in Setting], [s.value for s in Setting]))),
        versions=frozenset(_words(table, "versions", where, sorted(_VERSIONS), sorted(_VERSIONS))),
        extras=frozenset(_words(table, "extras", where, sorted(_EXTRAS), [])),
        outage=Outage(_word(table, "outage", where, [one.value for one in Outage], "bounce")),
        hold_seconds=_seconds(table, where),
    ), where)


def _expect_outage(rule: Rule, where: str) -> Rule:
    if rule.outage is Outage.PASS and (rule.senders | rule.recipients) & _WITHIN:
        raise Refusal(Reason.MALFORMED, f'{where}: outage = "pass" is never for people or rooms of this server; write "bounce" or "hold"')
    if (rule.outage is Outage.HOLD) != bool(rule.hold_seconds):
        raise Refusal(Reason.MALFORMED, f'{where}: outage = "hold" and hold_seconds go together; write for example hold_seconds = 20')
    return rule


def _seconds(table: Mapping[str, Any], where: str) -> int:
    value = table.get("hold_seconds", 0)
    if type(value) is not int or not 0 <= value <= LONGEST_HOLD:
        raise Refusal(Reason.MALFORMED, f"{where}: hold_seconds = {value!r}; should be a whole number up to {LONGEST_HOLD}")
    return value


def _word(table: Mapping[str, Any], key: str, where: str, known: Sequence[str], default: str) -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or value not in known:
        raise Refusal(Reason.MALFORMED, f"{where}: {key} = {value!r}; should be one of {', '.join(known)}")
    return value


def _words(table: Mapping[str, Any], key: str, where: str, known: Sequence[str], default: list[str] | None) -> list[str]:
    value = table.get(key, default)
    if value is None:
        raise Refusal(Reason.MALFORMED, f"{where}: needs {key}, a list of {', '.join(known)}")
    if not isinstance(value, list):
        raise Refusal(Reason.MALFORMED, f"{where}: {key} should be a list of {', '.join(known)}")
    for word in value:
        if not isinstance(word, str) or word not in known:
            raise Refusal(Reason.MALFORMED, f"{where}: {key} holds {word!r}; known are {', '.join(known)}")
    return value
