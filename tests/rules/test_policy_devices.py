"""A rule that asks for whose devices a message is encrypted: what it refuses, what it only tells, and when it does not look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from apostille.policy.classes import Side
from apostille.policy.recipients import Known, Level, Part, Unknown
from apostille.policy.rules import Policy, Requirement, Rule, Stage
from apostille.policy.texts import noted, refused, warned
from apostille.vocabulary import Message, Party, Verdict
from apostille_xep.gate.stanza import Question
from messages import ANNA, BORIS, LEGACY, body, keys, legacy, message

OFFICIALS = frozenset((Party.VERIFIED,))
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DEVICES = {BORIS: Known(frozenset((7, 12))), ANNA: Known(frozenset((11,)))}


class Asked:
    """Says for whom the parts are, and counts how often it was asked."""

    def __init__(self, readers: dict[str, Known]) -> None:
        self._readers, self.times = readers, 0

    def __call__(self, of: Message) -> Sequence[Part]:
        self.times += 1
        return [Part(LEGACY, child.envelope, self._readers) for child in of.children if child.envelope is not None]


def judged(of: Question, readers: dict[str, Known] = DEVICES, **fields: Any) -> Verdict:
    rule = Rule("officials", OFFICIALS, OFFICIALS, **{"devices": Level.ANNOUNCED, **fields})
    return Policy((rule,)).judge(of, Side(Party.VERIFIED, BORIS), Side(Party.VERIFIED, ANNA), NOW, Asked(readers))


def test_a_message_for_the_announced_devices_passes() -> None:
    assert judged(message(legacy())) == Verdict(True, rule="officials")


@pytest.mark.parametrize(
    ("part", "code", "where"),
    [
        (legacy(keys(11, 12, 99)), "ghost", "99"),
        (legacy(sid=98), "spoofed", "98"),
        (legacy(keys(11, 12, 99), payload=None, iv=None), "ghost", "99"),
    ],
)
def test_who_reads_along_or_speaks_for_another_is_refused(part: Any, code: str, where: str) -> None:
    assert judged(message(part)) == Verdict(False, code, refused(code, where), "officials", where=where)
    warning = judged(message(part), stage=Stage.WARN)
    assert warning == Verdict(True, code, warned(code, where), "officials", notice=True, where=where)
    assert judged(message(part), stage=Stage.OBSERVE) == Verdict(True, code, warned(code, where), "officials", where=where)


def test_a_device_that_is_left_out_is_told_and_not_refused_unless_it_is_approved() -> None:
    short = message(legacy(keys(11)))  # without the sender's other device
    assert judged(short) == Verdict(True, "missing", noted("missing", BORIS), "officials", notice=True, where=BORIS)
    assert judged(short, stage=Stage.OBSERVE) == Verdict(True, "missing", noted("missing", BORIS), "officials", where=BORIS)
    approved = {jid: Known(known.announced, known.announced) for jid, known in DEVICES.items()}
    assert judged(short, approved, devices=Level.APPROVED) == Verdict(False, "missing", refused("missing", BORIS), "officials", where=BORIS)


def test_a_message_that_says_nothing_leaves_nobody_out() -> None:
    assert judged(message(legacy(keys(11), payload=None, iv=None))) == Verdict(True, rule="officials")
    unknown = {BORIS: DEVICES[BORIS], ANNA: Known(None)}
    assert judged(message(legacy(payload=None, iv=None)), unknown).passes
    assert judged(message(legacy()), unknown).code == "devices-unknown"
    assert judged(message(legacy()), unknown, unknown=Unknown.PASS).passes


def test_an_announced_device_that_nobody_approved_is_refused_where_approval_is_asked_for() -> None:
    half = {BORIS: Known(frozenset((7, 12)), frozenset((7, 12))), ANNA: Known(frozenset((11,)), frozenset())}
    assert judged(message(legacy()), half, devices=Level.APPROVED).code == "device-unapproved"


def test_what_can_be_read_is_objected_to_first() -> None:
    assert judged(message(legacy(keys(99)), body("hello"))).code == "plaintext-beside"


@pytest.mark.parametrize("fields", [{"devices": Level.ANY}, {"require": Requirement.NOTHING}], ids=["any", "nothing"])
def test_nobody_is_asked_for_devices_where_no_rule_wants_them(fields: dict[str, Any]) -> None:
    asked = Asked(DEVICES)
    rule = Rule("officials", OFFICIALS, OFFICIALS, **fields)
    verdict = Policy((rule,)).judge(message(legacy(keys(99))), Side(Party.VERIFIED, BORIS), Side(Party.VERIFIED, ANNA), NOW, asked)
    assert verdict.passes
    assert asked.times == 0


def test_where_nothing_is_known_of_devices_none_is_missed() -> None:
    rule = Rule("officials", OFFICIALS, OFFICIALS, devices=Level.APPROVED)
    assert Policy((rule,)).judge(message(legacy()), Side(Party.VERIFIED, BORIS), Side(Party.VERIFIED, ANNA), NOW).passes


def test_the_checks_of_a_rule_say_which_devices_it_wants() -> None:
    rule = Rule("officials", OFFICIALS, OFFICIALS, devices=Level.APPROVED)
    assert [check.name for check in rule.checks] == ["unreadable", "encryption", "devices"]
    assert rule.checks[-1].reason == "encrypted for approved devices alone"
