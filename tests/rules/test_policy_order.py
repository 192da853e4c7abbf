"""Which rule decides: by who, where and when, for a message and for an outage; and what it says of itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.policy.classes import InUnit, OnPost, Side, TheRoom
from apostille.policy.rules import (
    LONGEST_HOLD,
    PEOPLE,
    Case,
    Direction,
    Policy,
    Requirement,
    Rule,
    Setting,
    _Sieve,
    direction_of,
)
from apostille.policy.windows import ALWAYS, Window
from apostille.vocabulary import Outage, Party
from messages import ANNA, BORIS, body, legacy, message
from verdicts import CHATSTATE, EVERYBODY, NOW, ROOM, judged, rule

OFFICIALS, REMOTES, SERVICES = frozenset((Party.VERIFIED,)), frozenset((Party.REMOTE,)), frozenset((Party.SERVICE,))
HELD: dict[str, Any] = {"outage": Outage.HOLD, "hold_seconds": 20}
LONGER = {**HELD, "hold_seconds": 60}


def in_outage(*rules: Rule, senders: frozenset[Party] = OFFICIALS, recipients: frozenset[Party] = OFFICIALS) -> tuple[Outage, int]:
    return Policy(rules).in_outage(senders, recipients)


def test_without_a_word_an_outage_bounces() -> None:
    assert in_outage() == in_outage(rule()) == (Outage.BOUNCE, 0)


def test_a_rule_may_hold_its_messages_through_an_outage() -> None:
    assert in_outage(rule(**HELD)) == (Outage.HOLD, 20)
    assert in_outage(rule(**HELD), senders=PEOPLE, recipients=PEOPLE) == (Outage.HOLD, 20), "what no rule fits is refused afterwards"


def test_of_several_rules_that_might_decide_the_strictest_holds() -> None:
    chat, rooms = (frozenset((setting,)) for setting in (Setting.CHAT, Setting.GROUPCHAT))
    assert in_outage(rule("a", settings=chat, **LONGER), rule("b", **HELD)) == (Outage.HOLD, 20)
    assert in_outage(rule("a", settings=chat, **LONGER), rule("b", settings=rooms)) == (Outage.BOUNCE, 0)
    assert in_outage(rule("a"), rule("b", **HELD)) == (Outage.BOUNCE, 0), "the second never decides"
    public = Rule("public", frozenset((Party.PUBLIC,)), OFFICIALS)
    assert in_outage(rule(**HELD), public, senders=PEOPLE) == (Outage.BOUNCE, 0)


def test_only_where_every_message_is_covered_by_such_rules_one_may_pass() -> None:
    opened = Rule("alarms", SERVICES, REMOTES, Requirement.NOTHING, outage=Outage.PASS)
    assert in_outage(opened, senders=SERVICES, recipients=REMOTES) == (Outage.PASS, 0)
    assert in_outage(opened, senders=SERVICES | OFFICIALS, recipients=REMOTES) == (Outage.BOUNCE, 0)
    assert in_outage(opened, senders=SERVICES, recipients=REMOTES | SERVICES) == (Outage.BOUNCE, 0), "no rule lets the others pass"
    half = replace(opened, settings=frozenset((Setting.CHAT,)))
    assert in_outage(half, senders=SERVICES, recipients=REMOTES) == (Outage.BOUNCE, 0)
    held = Rule("held", SERVICES, SERVICES, outage=Outage.HOLD, hold_seconds=5)
    assert in_outage(opened, held, senders=SERVICES, recipients=REMOTES | SERVICES) == (Outage.HOLD, 5)


parties = st.frozensets(st.sampled_from(Party), min_size=1)
any_rule = st.builds(
    Rule,
    st.just("r"),
    parties,
    parties,
    settings=st.frozensets(st.sampled_from(Setting), min_size=1),
    outage=st.sampled_from(Outage),
    hold_seconds=st.integers(1, LONGEST_HOLD),
)


@given(st.lists(any_rule, max_size=4), parties, parties)
def test_an_outage_is_no_softer_for_many_than_for_each(rules: list[Rule], senders: frozenset[Party], recipients: frozenset[Party]) -> None:
    policy = Policy(tuple(rules))
    outage, seconds = policy.in_outage(senders, recipients)
    for sender, recipient, setting in product(senders, recipients, Setting):
        case = Case(Side(sender), Side(recipient), setting, direction_of(sender, recipient), NOW)
        deciding = next((one for one in rules if one.fits(case)), None)
        if outage is Outage.PASS:
            assert deciding is not None
            assert deciding.outage is Outage.PASS
        elif outage is Outage.HOLD and deciding is not None:
            assert deciding.outage is not Outage.BOUNCE
            assert deciding.outage is Outage.PASS or seconds <= deciding.hold_seconds
    assert (seconds > 0) is (outage is Outage.HOLD)


# ---- who, where and when -------------------------------------------------------------------------------------------------

UNITS = ("mof", "mof/tax", "mof/tax/audit")
sides = st.builds(
    Side,
    st.sampled_from(Party),
    st.sampled_from((ANNA, BORIS, ROOM, "board@rooms.gov.example")),
    st.sampled_from(("", "head", "auditor")),
    st.sampled_from(((), *(tuple(reversed(UNITS[:number])) for number in (1, 2, 3)))),
)
classes = st.frozensets(
    st.sampled_from(Party)
    | st.builds(InUnit, st.sampled_from(UNITS), st.booleans())
    | st.sampled_from((OnPost("head"), OnPost("auditor"), TheRoom(ROOM))),
    max_size=3,
)
hours = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda one: one[0] != one[1])
windows = st.builds(Window, hours, st.frozensets(st.integers(0, 6)))
whole_rules = st.builds(
    Rule,
    st.just("r"),
    classes,
    classes,
    settings=st.frozensets(st.sampled_from(Setting), min_size=1),
    directions=st.frozensets(st.sampled_from(Direction), min_size=1),
    window=st.just(ALWAYS) | windows,
    outage=st.sampled_from(Outage),
    hold_seconds=st.integers(1, LONGEST_HOLD),
)
times = st.integers(0, 10_000).map(lambda hours: NOW + timedelta(hours=hours))
cases = st.builds(Case, sides, sides, st.sampled_from(Setting), st.sampled_from(Direction), times)


@given(st.lists(whole_rules, max_size=6), st.lists(cases, min_size=1, max_size=6))
def test_the_sieve_finds_the_first_rule_whose_every_condition_holds(rules: list[Rule], asked: list[Case]) -> None:
    sieve = _Sieve(tuple(rules))
    for case in asked:
        assert sieve.first(case) == next((number for number, one in enumerate(rules) if one.fits(case)), None)


@given(st.lists(whole_rules, max_size=4), parties, parties, st.lists(cases, max_size=4))
def test_an_outage_is_no_softer_than_any_rule_that_may_decide(
    rules: list[Rule], senders: frozenset[Party], recipients: frozenset[Party], asked: list[Case]
) -> None:
    outage, seconds = Policy(tuple(rules)).in_outage(senders, recipients)
    for any_way in asked:
        case = any_way._replace(direction=direction_of(any_way.sender.party, any_way.recipient.party))
        deciding = next((one for one in rules if one.fits(case)), None)
        if case.sender.party not in senders or case.recipient.party not in recipients:
            continue
        if outage is Outage.PASS:
            assert deciding is not None
            assert deciding.outage is Outage.PASS
        elif outage is Outage.HOLD and deciding is not None:
            assert deciding.outage is not Outage.BOUNCE
            assert deciding.outage is Outage.PASS or seconds <= deciding.hold_seconds


def test_the_sides_of_a_large_government_are_not_remembered_for_ever() -> None:
    sieve = _Sieve((rule(),))
    for number in range(20_100):
        assert sieve.first(Case(Side(Party.VERIFIED, "", f"post{number}"), Side(Party.VERIFIED), Setting.CHAT, Direction.LOCAL, NOW)) == 0
    assert len(sieve._from) <= 20_000


def test_a_verdict_names_the_rules_that_were_asked_and_the_last_one_decided() -> None:
    parties_of = zip("abc", (Party.PUBLIC, Party.VERIFIED, Party.ROOM), strict=True)
    first, second, third = (Rule(name, frozenset((party,)), EVERYBODY) for name, party in parties_of)
    assert judged(first, second, third, of=message(legacy())).asked == ("a", "b")
    refused = judged(first, second, third, of=message(body("hello")))
    assert (refused.rule, refused.asked) == ("b", ("a", "b"))
    assert judged(first, third, of=message(legacy())).asked == ("a", "c")
    assert judged(first, third, of=message(CHATSTATE)).asked == ("a", "c")


def test_each_direction_is_what_the_parties_make_it() -> None:
    assert direction_of(Party.VERIFIED, Party.ROOM) is direction_of(Party.SERVICE, Party.PUBLIC) is Direction.LOCAL
    assert direction_of(Party.VERIFIED, Party.REMOTE) is Direction.OUTGOING
    assert direction_of(Party.REMOTE, Party.VERIFIED) is direction_of(Party.REMOTE, Party.REMOTE) is Direction.INCOMING
    outgoing = Rule("out", EVERYBODY, EVERYBODY, directions=frozenset((Direction.OUTGOING,)))
    assert judged(outgoing, of=message(legacy()), recipient=Party.REMOTE).passes
    assert judged(outgoing, of=message(legacy()), sender=Party.REMOTE).code == "no-rule"
    assert judged(outgoing, of=message(legacy())).code == "no-rule"


def test_a_rule_speaks_only_in_its_time() -> None:
    weekdays = rule(window=Window(days=frozenset(range(5))))
    assert judged(weekdays, of=message(legacy())).code == "no-rule"
    monday = NOW + timedelta(days=1)
    assert Policy((weekdays,)).judge(message(legacy()), Side(Party.VERIFIED), Side(Party.VERIFIED), monday).passes


def test_what_a_rule_asks_is_told_in_words() -> None:
    asked = {requirement: [check.reason for check in rule(require=requirement).checks] for requirement in Requirement}
    assert asked[Requirement.NOTHING] == []
    assert asked[Requirement.OMEMO][1] == "OMEMO, if anything is said"
    assert asked[Requirement.OX][1] == "OpenPGP (OX), if anything is said"
    assert asked[Requirement.ENCRYPTED][1] == "OMEMO / OpenPGP (OX), if anything is said"
    assert rule(versions=frozenset(("2",))).encryption() == "OMEMO 2"
    assert [one.key for one in rule().conditions] == ["from", "to", "kinds", "direction", "window"]


@pytest.mark.parametrize(
    ("require", "versions", "where"),
    [("omemo", ("2",), "OMEMO 2"), ("ox", ("0.3", "2"), "OpenPGP (OX)"), ("encrypted", ("2",), "OMEMO 2 / OpenPGP (OX)")],
)
def test_another_encryption_than_the_rule_takes_is_refused_by_its_name(require: str, versions: tuple[str, ...], where: str) -> None:
    verdict = judged(rule(require=Requirement(require), versions=frozenset(versions)), of=message(legacy()))
    assert (verdict.passes, verdict.code, verdict.where) == (False, "version", where)
    assert where in verdict.text
