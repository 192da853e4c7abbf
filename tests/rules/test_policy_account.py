"""The account of a decision: every rule that was asked, what did not fit, and mends that mend."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apostille.policy.account import FOUND, MENDS, Account, account, told, told_window, words_of
from apostille.policy.classes import Side
from apostille.policy.documents import _KEYS, read_policy
from apostille.policy.rules import Policy, Rule, Setting, case_of
from apostille.policy.shapes import SHAPES, message_of, setting_between, written
from apostille.policy.texts import TEXTS
from apostille.vocabulary import Message, Party
from apostille_xep.gate.facts import read_message

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday
BORIS = Side(Party.VERIFIED, "boris@gov.example", "tax.director", ("mof/tax", "mof"))
ANNA = Side(Party.VERIFIED, "anna@gov.example", "minister", ("mof",))
PUBLIC = Side(Party.PUBLIC, "petr@gov.example")
ROOM = Side(Party.ROOM, "board@rooms.gov.example")

RULES = """
[[rule]]
name = "night"
from = ["unit:mof/**"]
to = ["verified", "room"]
hours = "22:00-06:00"
days = ["mon", "tue"]
zone = "Asia/Kolkata"
to_date = 2026-12-31
[[rule]]
name = "board"
from = ["verified"]
to = ["room:board@rooms.gov.example"]
versions = ["2"]
kinds = ["groupchat"]
stage = "warn"
[[rule]]
name = "officials"
from = ["verified"]
to = ["verified"]
direction = ["local"]
extras = ["invitations"]
[[rule]]
name = "open"
from = ["public"]
to = ["public"]
require = "nothing"
"""


def policy(text: str = RULES) -> Policy:
    return read_policy(tomllib.loads(text), "policy.toml")


def message(shape: str, sender: Side, recipient: Side) -> Message:
    setting = setting_between(recipient)
    return message_of(written(shape, recipient.address, setting), sender, recipient, setting, read_message)


def told_of(shape: str, sender: Side, recipient: Side, text: str = RULES) -> Account:
    said = message(shape, sender, recipient)
    return account(policy(text), case_of(said, sender, recipient, NOON), said)


def test_every_rule_is_told_with_what_did_not_fit_up_to_the_one_that_decides() -> None:
    found = told_of("omemo", BORIS, ANNA)
    assert [(one.number, one.name, [unfit.key for unfit in one.unfit]) for one in found.asked] == [
        (1, "night", ["window"]),
        (2, "board", ["to", "kinds"]),
        (3, "officials", []),
    ]
    (window,) = found.asked[0].unfit
    assert (window.wanted, window.found) == (
        "22:00-06:00, mon tue, until 2026-12-31 (Asia/Kolkata)",
        "it is 2026-11-23T12:00+00:00",
    )
    to, kinds = found.asked[1].unfit
    assert (to.wanted, kinds.found) == ("room:board@rooms.gov.example", "the kind is chat")
    assert to.found == "the recipient is verified, post:minister, unit:mof, unit:mof/**"
    assert found.rule is not None
    assert found.rule.name == "officials"
    assert found.verdict is not None
    assert (found.verdict.passes, found.objections, found.mends) == (True, (), ())


def test_without_a_message_the_deciding_rule_is_told_and_no_verdict() -> None:
    said = message("omemo", BORIS, ANNA)
    found = account(policy(), case_of(said, BORIS, ANNA, NOON))
    assert (found.rule and found.rule.name, found.verdict, found.mends) == ("officials", None, ())


def test_where_no_rule_fits_the_nearest_are_told() -> None:
    found = told_of("omemo", PUBLIC, ANNA)
    assert found.rule is None
    assert found.verdict is not None
    assert found.verdict.code == "no-rule"
    assert found.mends == (
        "rule 3 (officials) would decide if its from were not verified: the sender is public",
        "rule 4 (open) would decide if its to were not public: the recipient is verified, post:minister, unit:mof, unit:mof/**",
    )
    said = message("omemo", PUBLIC, ANNA)
    assert account(policy(), case_of(said, PUBLIC, ANNA, NOON)).mends == found.mends


@pytest.mark.parametrize(
    ("sender", "recipient", "mend"),
    [
        (Party.SUSPENDED, Party.VERIFIED, "reinstate"),
        (Party.EXPIRED, Party.VERIFIED, "valid_until"),
        (Party.PUBLIC, Party.EXPIRED, "expired"),
    ],
)
def test_where_a_standing_is_to_blame_it_is_told_first(sender: Party, recipient: Party, mend: str) -> None:
    assert mend in told_of("omemo", Side(sender, "a@b"), Side(recipient, "c@d"), "").mends[0]


def test_what_passes_by_no_rule_of_the_file_needs_no_mend() -> None:
    found = told_of("typing", BORIS, Side(Party.SUSPENDED, "c@d"))
    assert found.verdict is not None
    assert (found.verdict.passes, found.verdict.rule, found.rule, found.mends) == (True, "empty", None, ())


@pytest.mark.parametrize(
    ("shape", "mends"),
    [
        ("plaintext", [MENDS["plaintext"], 'the rule has require = "nothing"']),
        ("malformed", [MENDS["encrypted-malformed"], 'the rule has require = "nothing"']),
        ("unknown", [MENDS["unknown-element"]]),
    ],
)
def test_a_refusal_has_a_mend_for_people_and_one_for_the_rule(shape: str, mends: list[str]) -> None:
    found = told_of(shape, BORIS, ANNA)
    assert list(found.mends[: len(mends)]) == mends
    assert found.mends[-1] == 'the rule has stage = "warn": the message passes, and its sender is told'


def test_every_objection_of_a_message_is_told() -> None:
    said = read_message(b"<message type='chat'><body>hi</body><x xmlns='urn:x'/>text</message>", BORIS.address, ANNA.address)
    found = account(policy(), case_of(said, BORIS, ANNA, NOON), said)
    assert [(one.code, one.where) for one in found.objections] == [("plaintext", ""), ("hidden-text", ""), ("unknown-element", "{urn:x}x")]


def test_a_stage_that_lets_pass_has_a_mend_all_the_same() -> None:
    found = told_of("omemo", BORIS, ROOM)
    assert found.verdict is not None
    assert (found.verdict.passes, found.verdict.code, found.verdict.notice) == (True, "version", True)
    assert found.mends == (MENDS["version"], "the rule allows every version of OMEMO")


def test_a_rule_that_asks_nothing_objects_to_nothing() -> None:
    assert told_of("plaintext", PUBLIC, PUBLIC).objections == ()


def test_every_objection_has_a_mend_and_every_condition_a_finding() -> None:
    others = {"device-foreign", "device-malformed", "sender-suspended", "sender-expired", "recipient-not-verified", "no-rule"}
    assert set(MENDS) == set(TEXTS) - others - {"unreadable-facts"}
    assert set(FOUND) == {one.key for one in Rule("r", frozenset(), frozenset()).conditions}


def test_a_rule_is_told_by_the_keys_of_its_file() -> None:
    keys = set(told(policy().rules[0]))
    assert keys == _KEYS - {"hours", "days", "from_date", "to_date", "zone"} | {"window"}


def test_words_say_everything_that_a_side_is() -> None:
    assert words_of(BORIS) == ["verified", "post:tax.director", "unit:mof/tax", "unit:mof/tax/**", "unit:mof/**"]
    assert words_of(Side(Party.VERIFIED, "a@b")) == ["verified"]
    assert words_of(ROOM) == ["room", "room:board@rooms.gov.example"]
    assert words_of(PUBLIC) == ["public"]


def test_a_window_is_told_in_words() -> None:
    windows = [rule.window for rule in policy('[[rule]]\nname = "a"\nfrom = []\nto = []\nfrom_date = 2026-01-01\n').rules]
    assert [told_window(one) for one in (*windows, policy().rules[1].window)] == ["from 2026-01-01 (UTC)", "always"]
    (kolkata,) = policy('[[rule]]\nname = "a"\nfrom = []\nto = []\nzone = "Asia/Kolkata"\n').rules
    assert told_window(kolkata.window) == "always (Asia/Kolkata)"


SIDES = (BORIS, ANNA, PUBLIC, ROOM, Side(Party.REMOTE, "x@y.example"), Side(Party.SUSPENDED, "s@gov.example"))


@settings(max_examples=120, deadline=None)
@given(shape=st.sampled_from(sorted(SHAPES)), sender=st.sampled_from(SIDES), recipient=st.sampled_from(SIDES))
def test_the_account_tells_what_the_policy_did(shape: str, sender: Side, recipient: Side) -> None:
    found = told_of(shape, sender, recipient)
    assert found.verdict is not None
    assert tuple(one.name for one in found.asked) == found.verdict.asked
    assert (found.rule.name if found.rule else "") == (found.verdict.rule if found.rule else "")
    assert [bool(one.unfit) for one in found.asked[:-1]] == [True] * (len(found.asked) - 1)
    assert (found.verdict.code == "") or found.mends or found.rule is None


def test_an_error_that_says_nothing_is_decided_by_no_rule_of_the_file() -> None:
    said = read_message(b"<message type='error'><error type='cancel'/></message>", BORIS.address, ANNA.address)
    found = account(policy(), case_of(said, BORIS, ANNA, NOON), said)
    assert found.verdict is not None
    assert (found.verdict.rule, found.rule, found.verdict.asked) == ("errors", None, ())
    assert Setting.CHAT is case_of(said, BORIS, ANNA, NOON).setting
