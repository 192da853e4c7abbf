"""Cases: a file that says what a policy should do, and whether it does."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime

import pytest

from apostille.policy.cases import Expected, Tried, attempt, read_cases, said_of
from apostille.policy.classes import InUnit, OnPost, Side, TheRoom, read_class
from apostille.policy.documents import read_policy
from apostille.policy.lints import Places
from apostille.policy.rules import Setting
from apostille.policy.shapes import SHAPES, message_of, setting_between, side_of, written
from apostille.policy.stanzas import Kind, examine
from apostille.vocabulary import Party, Refusal, Verdict
from apostille_xep.gate.facts import read_message

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MORNING = datetime(2026, 11, 22, 9, tzinfo=UTC)
POLICY = read_policy(
    tomllib.loads("""
[[rule]]
name = "morning"
from = ["unit:mof/**"]
to = ["verified"]
hours = "08:00-10:00"
require = "nothing"
[[rule]]
name = "officials"
from = ["verified"]
to = ["verified", "room"]
[[rule]]
name = "asked"
from = ["public"]
to = ["verified"]
stage = "warn"
[[rule]]
name = "watched"
from = ["public"]
to = ["public"]
stage = "observe"
"""),
    "policy.toml",
)


def contents(name: str) -> str:
    return {"hello.xml": "<message><body>hi</body></message>"}[name]


def cases(text: str) -> list[Expected]:
    return read_cases(tomllib.loads(text), "cases.toml", contents)


def case(**keys: str) -> Expected:
    keys = {"from": "verified", "to": "verified", "stanza": "omemo", "expect": "pass", **keys}
    values = {key: value if key == "at" else repr(value) for key, value in keys.items() if value}
    (one,) = cases("[[case]]\nname = 'c'\n" + "".join(f"{key} = {value}\n" for key, value in values.items()))
    return one


def side(word: str, name: str, at: datetime) -> Side:
    assert at in (NOON, MORNING)
    one = read_class(word)
    assert one is not None
    return side_of(one, name)


def tried(**keys: str) -> Tried:
    return attempt(case(**keys), POLICY, read_message, NOON, side)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"rule": "officials"},
        {"stanza": "plaintext", "expect": "plaintext"},
        {"stanza": "plaintext", "expect": "plaintext", "rule": "officials"},
        {"stanza": "<message><body>hi</body></message>", "expect": "plaintext"},
        {"stanza": "", "file": "hello.xml", "expect": "plaintext"},
        {"to": "room", "stanza": "omemo-2", "rule": "officials"},
        {"to": "room:b@rooms.gov.example", "stanza": "subject", "expect": "subject"},
        {"to": "verified", "kind": "private", "rule": "officials"},
        {"from": "unit:mof/tax", "stanza": "plaintext", "at": "2026-11-22T09:00:00Z", "rule": "morning"},
        {"from": "unit:mof/tax", "stanza": "plaintext", "at": "2026-11-22T09:00:00", "rule": "morning"},
        {"from": "unit:mof/tax", "stanza": "plaintext", "expect": "plaintext"},
        {"from": "unit:mof/tax", "stanza": "plaintext", "at": "2026-11-22", "expect": "plaintext"},
        {"from": "remote", "expect": "no-rule"},
        {"from": "suspended", "expect": "sender-suspended"},
        {"from": "public", "stanza": "plaintext"},
    ],
    ids=str,
)
def test_a_case_that_the_policy_decides_as_it_says_is_right(keys: dict[str, str]) -> None:
    assert tried(**keys).wrong == ""


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ({"stanza": "plaintext"}, "should pass, and is refused (plaintext)"),
        ({"expect": "plaintext"}, "should be refused (plaintext), and passes"),
        ({"stanza": "unknown", "expect": "plaintext"}, "should be refused (plaintext), and is refused (unknown-element)"),
        (
            {"from": "public", "stanza": "plaintext", "expect": "plaintext"},
            "should be refused (plaintext), and passes with a warning (plaintext)",
        ),
        ({"rule": "morning"}, "should be decided by rule morning, and is decided by officials"),
        ({"from": "remote", "expect": "no-rule", "rule": "officials"}, "should be decided by rule officials, and no rule fits"),
    ],
    ids=str,
)
def test_a_case_that_is_decided_otherwise_says_how(keys: dict[str, str], wrong: str) -> None:
    assert tried(**keys).wrong == wrong


def test_a_verdict_is_said_in_few_words() -> None:
    assert said_of(Verdict(True)) == "passes"
    assert said_of(Verdict(False, "plaintext")) == "refused (plaintext)"
    assert said_of(Verdict(True, "plaintext")) == "passes, observed (plaintext)"
    assert said_of(tried(**{"from": "public"}, stanza="plaintext").verdict) == "passes with a warning (plaintext)"


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"stanza": "<iq/>"}, "c: stanza: begins with <iq/>"),
        ({"stanza": "<message>"}, "c: stanza: does not end"),
        ({"stanza": "<message type='chat'/>", "kind": "groupchat"}, "kind private, and the case of kind groupchat"),
    ],
)
def test_a_case_that_cannot_be_tried_is_an_error(keys: dict[str, str], why: str) -> None:
    with pytest.raises(Refusal, match=why):
        tried(**keys)


GOOD = "[[case]]\nname = 'c'\nfrom = 'verified'\nto = 'verified'\nstanza = 'omemo'\nexpect = 'pass'\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", r"\[\[case\]\] tables"),
        ("case = 1", r"\[\[case\]\] tables"),
        ("case = [1]", r"case 1: is not a table"),
        ("[[rule]]\n", r"\[\[case\]\] tables"),
        ("[[case]]\n", "case 1: needs a name"),
        (GOOD + "foo = 1", r"case 1 \(c\): unknown key 'foo'; known are name"),
        (GOOD.replace("from = 'verified'", ""), "needs from, a text"),
        (GOOD.replace("'pass'", "1"), "needs expect, a text"),
        (GOOD.replace("stanza = 'omemo'", ""), "either stanza or file"),
        (GOOD + "file = 'hello.xml'", "either stanza or file"),
        (GOOD.replace("'omemo'", "'omomo'"), "should be XML or one of omemo, "),
        (GOOD + "kind = 'chatter'", "kind = 'chatter'; should be one of chat"),
        (GOOD + "kind = []", "should be one of chat"),
        (GOOD + "at = 'noon'", "at = 'noon'; write a time without quotes"),
        (GOOD + "rule = 1", "needs rule, a text"),
    ],
)
def test_a_file_that_is_no_list_of_cases_names_what_would_be_right(text: str, why: str) -> None:
    with pytest.raises(Refusal, match=why):
        cases(text)


# ---- shapes -------------------------------------------------------------------------------------------------------------

KINDS = {
    **dict.fromkeys(("omemo", "omemo-2", "omemo-both", "omemo-fallback", "ox"), (Kind.ENCRYPTED, "")),
    **dict.fromkeys(("typing", "receipt"), (Kind.EMPTY, "")),
    "plaintext": (Kind.READABLE, "plaintext"),
    "plaintext-labelled": (Kind.READABLE, "plaintext"),
    "plaintext-beside": (Kind.READABLE, "plaintext-beside"),
    "no-keys": (Kind.READABLE, "no-keys"),
    "malformed": (Kind.READABLE, "encrypted-malformed"),
    "subject": (Kind.READABLE, "subject"),
    "loose-text": (Kind.READABLE, "hidden-text"),
    "reaction": (Kind.READABLE, "reactions"),
    "call": (Kind.READABLE, "calls"),
    "link": (Kind.READABLE, "links"),
    "xhtml": (Kind.READABLE, "xhtml"),
    **dict.fromkeys(("invitation", "unknown"), (Kind.READABLE, "unknown-element")),
}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_shape_is_what_its_name_says(name: str) -> None:
    sender, recipient = side_of(Party.VERIFIED, "sender"), side_of(Party.VERIFIED, "recipient")
    content = examine(message_of(written(name, recipient.address, Setting.CHAT), sender, recipient, Setting.CHAT, read_message))
    assert (content.kind, content.objections[0].code if content.objections else "") == KINDS[name]


def test_every_shape_is_tried_and_said_in_its_setting() -> None:
    assert set(KINDS) == set(SHAPES)
    sender, room = side_of(Party.VERIFIED, "sender"), side_of(Party.ROOM, "room")
    assert setting_between(room) is Setting.GROUPCHAT
    said = message_of(written("omemo", room.address, Setting.GROUPCHAT), sender, room, Setting.GROUPCHAT, read_message)
    assert (said.type, said.room, said.flow) == ("groupchat", room.address, "local")
    private = message_of(written("omemo", sender.address, Setting.PRIVATE), sender, sender, Setting.PRIVATE, read_message)
    assert (private.type, private.room) == ("chat", "room@rooms.invalid")
    remote = side_of(Party.REMOTE, "sender")
    assert message_of(written("omemo", room.address, Setting.CHAT), remote, sender, Setting.CHAT, read_message).flow == "remote"
    service = message_of(written("omemo", sender.address, Setting.COMPONENT), sender, sender, Setting.COMPONENT, read_message)
    assert (service.flow, service.room) == ("component", "")


def test_somebody_of_a_class_belongs_to_it_and_has_nobodys_address() -> None:
    places = Places({"mof/tax": ("mof/tax", "mof")}, {"tax.director": ("mof/tax", "mof")})
    assert side_of(InUnit("mof/tax", below=True), "a") == Side(Party.VERIFIED, "a@officials.invalid", "", ("mof/tax", "mof"))
    assert side_of(InUnit("mof/tax"), "a", places).units == ("mof/tax", "mof")
    assert side_of(InUnit("nosuch"), "a", places).units == ("nosuch",)
    assert side_of(OnPost("tax.director"), "a", places) == Side(
        Party.VERIFIED, "a@officials.invalid", "tax.director", ("mof/tax", "mof")
    )
    assert side_of(OnPost("tax.director"), "a").units == ()
    assert side_of(TheRoom("b@rooms"), "a") == Side(Party.ROOM, "b@rooms")
    assert side_of(Party.EXPIRED, "a") == Side(Party.EXPIRED, "a@expired.invalid")
