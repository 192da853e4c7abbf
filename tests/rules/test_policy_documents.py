"""Reading a policy: every way to get a document wrong is told with rule, key and mend."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from apostille.policy.classes import InUnit, OnPost, TheRoom
from apostille.policy.documents import read_policy
from apostille.policy.recipients import Level, Unknown
from apostille.policy.rules import Direction, Policy, Requirement, Rule, Setting, Stage
from apostille.policy.store import load_policy
from apostille.policy.windows import ALWAYS, Window
from apostille.vocabulary import Fault, Outage, Party, Reason, Refusal

WHO = 'from = ["verified"]\nto = ["verified"]\n'


def read(text: str) -> Policy:
    return read_policy(tomllib.loads(text), "policy.toml")


def test_a_rule_is_read_whole() -> None:
    (found,) = read(
        '[[rule]]\nname = "public"\nfrom = ["public", "remote"]\nto = ["verified", "room"]\nrequire = "nothing"\nstage = "warn"\n'
        'kinds = ["groupchat", "private"]\nversions = ["2"]\nextras = ["subject"]\n'
    ).rules
    assert (found.outage, found.hold_seconds) == (Outage.BOUNCE, 0)
    assert found == Rule(
        "public",
        frozenset((Party.PUBLIC, Party.REMOTE)),
        frozenset((Party.VERIFIED, Party.ROOM)),
        Requirement.NOTHING,
        Stage.WARN,
        frozenset((Setting.GROUPCHAT, Setting.PRIVATE)),
        frozenset(("2",)),
        frozenset(("subject",)),
    )


def test_what_a_rule_does_not_say_is_the_strict_choice() -> None:
    (found,) = read(f'[[rule]]\nname = "officials"\n{WHO}').rules
    assert (found.require, found.stage) == (Requirement.OMEMO, Stage.ENFORCE)
    assert (found.settings, found.versions, found.extras) == (frozenset(Setting), frozenset(("0.3", "2")), frozenset())


def test_what_a_rule_says_of_outages_is_read() -> None:
    held, opened = read(
        f'[[rule]]\nname = "a"\n{WHO}outage = "hold"\nhold_seconds = 300\n'
        '[[rule]]\nname = "b"\nfrom = ["service"]\nto = ["remote", "service"]\noutage = "pass"\n'
    ).rules
    assert (held.outage, held.hold_seconds) == (Outage.HOLD, 300)
    assert (opened.outage, opened.hold_seconds) == (Outage.PASS, 0)


def test_classes_direction_and_time_are_read() -> None:
    (found,) = read(
        '[[rule]]\nname = "a"\nfrom = ["unit:mof/tax/**", "unit:mof", "post:mof.head"]\nto = ["room:board@rooms.gov.example", "remote"]\n'
        'kinds = ["component"]\ndirection = ["outgoing"]\nrequire = "encrypted"\n'
        'extras = ["calls", "reactions", "links", "xhtml", "unknown"]\n'
        'hours = "22:00-06:30"\ndays = ["mon", "sun"]\nfrom_date = 2026-01-01\nto_date = 2026-12-31\nzone = "Asia/Kolkata"\n'
    ).rules
    assert found.senders == {InUnit("mof/tax", below=True), InUnit("mof"), OnPost("mof.head")}
    assert found.recipients == {TheRoom("board@rooms.gov.example"), Party.REMOTE}
    assert found.settings == {Setting.COMPONENT}
    assert (found.directions, found.require) == (frozenset((Direction.OUTGOING,)), Requirement.ENCRYPTED)
    assert found.extras == {"calls", "reactions", "links", "xhtml", "unknown"}
    window = Window((22 * 60, 6 * 60 + 30), frozenset((0, 6)), date(2026, 1, 1), date(2026, 12, 31), ZoneInfo("Asia/Kolkata"))
    assert found.window == window
    assert read(f'[[rule]]\nname = "a"\n{WHO}hours = "00:00-24:00"').rules[0].window == ALWAYS


def test_which_devices_a_rule_wants_is_read() -> None:
    plain, told = read(f'[[rule]]\nname = "a"\n{WHO}[[rule]]\nname = "b"\n{WHO}devices = "approved"\nunknown_devices = "pass"\n').rules
    assert (plain.devices, plain.unknown) == (Level.ANY, Unknown.REFUSE)
    assert (told.devices, told.unknown) == (Level.APPROVED, Unknown.PASS)


def test_rules_keep_the_order_of_the_file() -> None:
    names = [f"r{number}" for number in (3, 1, 2)]
    assert [rule.name for rule in read("".join(f'[[rule]]\nname = "{name}"\n{WHO}' for name in names)).rules] == names


def test_an_empty_document_is_an_empty_policy() -> None:
    assert read("") == Policy()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules = 1", "policy.toml: unknown key 'rules'; a policy is a list of [[rule]] tables"),
        (f'[rule]\nname = "a"\n{WHO}', "policy.toml: write each rule as [[rule]], with two brackets"),
        ("rule = 1", "write each rule as [[rule]]"),
        ("rule = [1]", "policy.toml: rule 1: is not a table; write [[rule]]"),
        (f"[[rule]]\n{WHO}", "policy.toml: rule 1: needs a name"),
        (f"[[rule]]\nname = ''\n{WHO}", "rule 1: needs a name"),
        (f"[[rule]]\nname = 7\n{WHO}", "rule 1: needs a name"),
        (
            f'[[rule]]\nname = "a"\n{WHO}[[rule]]\nname = "b"\n{WHO}form = 1',
            "rule 2: unknown key 'form'; known are days, devices, direction, extras, from",
        ),
        ('[[rule]]\nname = "a"\nto = ["verified"]', "policy.toml: rule 1 (a): needs from, a list of verified, suspended"),
        ('[[rule]]\nname = "a"\nfrom = ["verified"]', "rule 1 (a): needs to, a list of"),
        ('[[rule]]\nname = "a"\nfrom = "verified"\nto = []', "rule 1 (a): needs from, a list of"),
        ('[[rule]]\nname = "a"\nfrom = ["official"]\nto = []', "rule 1 (a): from holds 'official'; known are verified"),
        ('[[rule]]\nname = "a"\nfrom = ["Verified"]\nto = []', "from holds 'Verified'"),
        ('[[rule]]\nname = "a"\nfrom = [1]\nto = []', "from holds 1"),
        ('[[rule]]\nname = "a"\nfrom = [["verified"]]\nto = []', "from holds ['verified']"),
        (f'[[rule]]\nname = "a"\n{WHO}require = "pgp"', "rule 1 (a): require = 'pgp'; should be one of omemo, ox, encrypted, nothing"),
        (f'[[rule]]\nname = "a"\n{WHO}require = ["omemo"]', "require = ['omemo']; should be one of"),
        (f'[[rule]]\nname = "a"\n{WHO}require = true', "require = True; should be one of"),
        (f'[[rule]]\nname = "a"\n{WHO}stage = "off"', "rule 1 (a): stage = 'off'; should be one of observe, warn, enforce"),
        (f'[[rule]]\nname = "a"\n{WHO}kinds = ["room"]', "rule 1 (a): kinds holds 'room'; known are chat, groupchat, private"),
        (f'[[rule]]\nname = "a"\n{WHO}kinds = "chat"', "rule 1 (a): kinds should be a list of chat"),
        (f'[[rule]]\nname = "a"\n{WHO}versions = [2]', "rule 1 (a): versions holds 2; known are 0.3, 2"),
        (f'[[rule]]\nname = "a"\n{WHO}versions = ["0.4"]', "versions holds '0.4'"),
        (f'[[rule]]\nname = "a"\n{WHO}extras = ["body"]', "rule 1 (a): extras holds 'body'; known are calls, invitations, links"),
        (f'[[rule]]\nname = "a"\n{WHO}outage = "open"', "rule 1 (a): outage = 'open'; should be one of bounce, hold, pass"),
        (f'[[rule]]\nname = "a"\n{WHO}outage = "hold"', 'rule 1 (a): outage = "hold" and hold_seconds go together'),
        (f'[[rule]]\nname = "a"\n{WHO}hold_seconds = 20', 'rule 1 (a): outage = "hold" and hold_seconds go together'),
        (f'[[rule]]\nname = "a"\n{WHO}outage = "hold"\nhold_seconds = 0', 'outage = "hold" and hold_seconds go together'),
        *(
            (f'[[rule]]\nname = "a"\n{WHO}outage = "hold"\nhold_seconds = {wrong}', "should be a whole number up to 300")
            for wrong in ("301", "-1", "2.5", "true", '"20"', "[20]")
        ),
        *(
            (f'[[rule]]\nname = "a"\nfrom = [{one}]\nto = [{other}]\noutage = "pass"', 'rule 1 (a): outage = "pass" is never for people')
            for one, other in [('"verified"', '"remote"'), ('"remote"', '"public"'), ('"service"', '"remote", "room"')]
        ),
        *(
            (f'[[rule]]\nname = "a"\nto = []\nfrom = [{word!r}]', f"rule 1 (a): from holds {word!r}; known are verified, suspended")
            for word in (
                "unit:", "unit:/**", "unit:*", "unit:a/*/b", "unit: a", "post:", "post:a/**", "room:", "room:rooms.gov.example",
                "room:a@rooms.gov.example/nick", "room:A@rooms.gov.example", "team:a", "verified:",
            )
        ),
        *(
            (f'[[rule]]\nname = "a"\n{WHO}hours = {wrong}', 'write it like hours = "08:00-18:00"')
            for wrong in (
                '"8-18"', '"08:00"', '"08:00-08:00"', '"24:00-08:00"', '"08:60-18:00"', '"08:00-24:01"', '"٠٨:٠٠-18:00"', "8",
            )
        ),
        (f'[[rule]]\nname = "a"\n{WHO}days = ["monday"]', "rule 1 (a): days holds 'monday'; known are mon, tue"),
        (f'[[rule]]\nname = "a"\n{WHO}days = []', "rule 1 (a): days names no day"),
        (f'[[rule]]\nname = "a"\n{WHO}from_date = "2026-01-01"', "write a date without quotes, like from_date = 2026-12-31"),
        (f'[[rule]]\nname = "a"\n{WHO}to_date = 2026-01-01T00:00:00', "write a date without quotes, like to_date"),
        (f'[[rule]]\nname = "a"\n{WHO}from_date = 2026-02-01\nto_date = 2026-01-31', "to_date = 2026-01-31 is before from_date"),
        *(
            (f'[[rule]]\nname = "a"\n{WHO}zone = {wrong}', "is no time zone")
            for wrong in ('"Mars/Base"', "7", '""', '"../x"', '"/etc/passwd"')
        ),
        (f'[[rule]]\nname = "a"\n{WHO}direction = ["in"]', "rule 1 (a): direction holds 'in'; known are local, outgoing, incoming"),
        *((f'[[rule]]\nname = "{name}"\n{WHO}', f"rule 1 ({name}): this name is taken") for name in ("errors", "empty", "devices")),
        (f'[[rule]]\nname = "a"\n{WHO}versions = []', "rule 1 (a): versions names no version of OMEMO"),
        (f'[[rule]]\nname = "a"\n{WHO}devices = "mine"', "rule 1 (a): devices = 'mine'; should be one of any, announced, approved"),
        (f'[[rule]]\nname = "a"\n{WHO}unknown_devices = "ok"', "rule 1 (a): unknown_devices = 'ok'; should be one of refuse, pass"),
        (f'[[rule]]\nname = "a"\n{WHO}[[rule]]\nname = "a"\n{WHO}', "policy.toml: two rules are named 'a'"),
    ],
)
def test_every_flaw_is_told_with_rule_and_key(text: str, said: str) -> None:
    with pytest.raises(Refusal) as refusal:
        read(text)
    assert refusal.value.reason is Reason.MALFORMED
    assert said in refusal.value.text


def test_a_file_that_cannot_be_read_is_the_fault_of_the_environment(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(Fault, match="policy: cannot read"):
            load_policy(path)


@pytest.mark.parametrize(("content", "said"), [(b"\xff\xfe", "is not UTF-8 text"), (b"rule = ", "not TOML: "), (b"\0", "not TOML: ")])
def test_a_file_that_holds_no_policy_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "policy.toml").write_bytes(content)
    with pytest.raises(Refusal) as refusal:
        load_policy(tmp_path / "policy.toml")
    assert refusal.value.text.startswith(f"{tmp_path / 'policy.toml'}: {said}")


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(f'[[rule]]\nname = "a"\n{WHO}', encoding="utf-8")
    assert [rule.name for rule in load_policy(tmp_path / "policy.toml").rules] == ["a"]


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000 + "]" * 5000], ids=["long", "deep"])
def test_a_value_that_nobody_can_read_is_told_and_nothing_worse(tmp_path: Path, value: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(f"rule = {value}")
    with pytest.raises(Refusal, match="not TOML"):
        load_policy(path)
