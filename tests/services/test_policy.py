"""Who the two parties of a message are, and that nobody passes for another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from apostille.policy.recipients import Level
from apostille.policy.rules import Policy, Requirement, Rule
from apostille.policy.service import Hosts, Judge
from apostille.policy.texts import outages, refused
from apostille.vocabulary import Party, Standing, Verdict, bare
from apostille_xep.gate.stanza import Announced, Question
from doubles_gate import MemoryDirectory
from messages import LEGACY, body, change, keys, legacy, message

TODAY = date(2026, 11, 22)
HOSTS = Hosts("gov.example", frozenset(("rooms.gov.example",)), frozenset(("gate.gov.example", "trace.gov.example")))
STANDINGS = {
    "anna@gov.example": Standing.VERIFIED,
    "boris@gov.example": Standing.VERIFIED,
    "pavel@gov.example": Standing.SUSPENDED,
    "tomas@gov.example": Standing.EXPIRED,
}


@pytest.fixture
def directory() -> MemoryDirectory:
    return MemoryDirectory(STANDINGS)


def judge(directory: MemoryDirectory, *rules: Rule) -> Judge:
    return Judge(Policy(rules), directory, HOSTS, lambda: datetime(2026, 11, 22, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("jid", "party"),
    [
        ("anna@gov.example", Party.VERIFIED),
        ("anna@gov.example/phone", Party.VERIFIED),
        ("anna@gov.example/a@evil.example/b", Party.VERIFIED),
        ("pavel@gov.example/phone", Party.SUSPENDED),
        ("tomas@gov.example", Party.EXPIRED),
        ("nobody@gov.example", Party.PUBLIC),
        ("gov.example", Party.SERVICE),
        ("gov.example/anna@gov.example", Party.SERVICE),
        ("gate.gov.example", Party.SERVICE),
        ("desk@trace.gov.example/x", Party.SERVICE),
        ("rooms.gov.example", Party.ROOM),
        ("tax@rooms.gov.example", Party.ROOM),
        ("tax@rooms.gov.example/anna@gov.example", Party.ROOM),
        ("anna@gov.example.evil", Party.REMOTE),
        ("anna@evilgov.example", Party.REMOTE),
        ("anna@x.gov.example", Party.REMOTE),
        ("anna@gov.example.", Party.REMOTE),
        ("anna@GOV.example", Party.REMOTE),
        ("evilgov.example", Party.REMOTE),
        ("gov.example.evil/anna@gov.example", Party.REMOTE),
        ("evil.example/anna@gov.example", Party.REMOTE),
        ("tax@rooms.gov.example.evil", Party.REMOTE),
        ("gate.gov.example.evil", Party.REMOTE),
        ("example", Party.REMOTE),
        ("", Party.REMOTE),
    ],
)
def test_an_address_is_what_its_own_domain_and_the_directory_say(jid: str, party: Party, directory: MemoryDirectory) -> None:
    assert judge(directory).side(jid, TODAY).party is party


def test_only_officials_are_looked_up_by_their_bare_address_and_today(directory: MemoryDirectory) -> None:
    asked = judge(directory)
    for jid in ("anna@gov.example/phone", "gov.example", "tax@rooms.gov.example/anna", "anna@evil.example", "x@gate.gov.example"):
        asked.side(jid, TODAY)
    assert directory.asked == [("anna@gov.example", TODAY)]


def test_two_verified_officials_may_write_to_one_another_and_nobody_else_may(directory: MemoryDirectory) -> None:
    asked = judge(directory, Rule("officials", frozenset((Party.VERIFIED,)), frozenset((Party.VERIFIED, Party.ROOM))))
    good = asked.judge(message(legacy(), sender="boris@gov.example/phone", recipient="anna@gov.example"))
    assert (good.passes, good.rule) == (True, "officials")
    assert asked.judge(message(legacy(), sender="boris@gov.example/p", recipient="tax@rooms.gov.example")).passes
    assert not asked.judge(message(body("hi"), sender="boris@gov.example/p", recipient="anna@gov.example")).passes
    for sender, code in [
        ("pavel@gov.example/p", "sender-suspended"),
        ("tomas@gov.example/p", "sender-expired"),
        ("nobody@gov.example/p", "no-rule"),
        ("boris@gov.example.evil/p", "no-rule"),
        ("tax@rooms.gov.example/boris", "no-rule"),
        ("gov.example/boris@gov.example", "no-rule"),
    ]:
        assert asked.judge(message(legacy(), sender=sender, recipient="anna@gov.example")).code == code
    for recipient, code in [
        ("pavel@gov.example", "recipient-not-verified"),
        ("tomas@gov.example", "recipient-not-verified"),
        ("anna@evilgov.example", "no-rule"),
        ("gov.example", "no-rule"),
    ]:
        assert asked.judge(message(legacy(), sender="boris@gov.example/p", recipient=recipient)).code == code


def test_who_has_an_account_here_changes_his_own_devices_verified_or_not(directory: MemoryDirectory) -> None:
    asked = judge(directory)
    for name in ("anna", "pavel", "tomas", "nobody"):
        owner = f"{name}@gov.example"
        assert asked.judge_change(change(11, sender=f"{owner}/phone", owner=owner)).passes
        assert asked.judge_change(change(11, sender=f"{owner}/phone", owner="boris@gov.example")).code == "device-foreign"
    for stranger in ("anna@evil.example", "gov.example", "tax@rooms.gov.example", "desk@trace.gov.example"):
        assert asked.judge_change(change(11, sender=f"{stranger}/x", owner=stranger)).code == "device-foreign"


@pytest.mark.parametrize(
    ("jid", "bare_jid"),
    [
        ("a@b/c", "a@b"),
        ("a@b", "a@b"),
        ("b", "b"),
        ("b/c", "b"),
        ("a@b/c@d", "a@b"),
        ("b/c@d/e", "b"),
        (r"o\27neil@b", r"o\27neil@b"),
    ],
)
def test_bare_form_of_a_prepared_jid(jid: str, bare_jid: str) -> None:
    assert bare(jid) == bare_jid


def test_a_server_is_told_beforehand_what_its_senders_hear_in_an_outage(directory: MemoryDirectory) -> None:
    assert judge(directory).terms().texts == outages()


def test_a_message_that_cannot_be_read_is_refused_in_its_own_language(directory: MemoryDirectory) -> None:
    verdict = judge(directory).unreadable("ru-RU")
    assert (verdict.passes, verdict.code, verdict.lang) == (False, "unreadable-facts", "ru")
    assert verdict.text == refused("unreadable-facts", lang="ru")


def test_sessions_that_somebody_makes_up_do_not_fill_the_memory(directory: MemoryDirectory) -> None:
    asked = judge(directory)
    for number in range(50_100):
        assert asked.side(f"anna@gov.example/{number}", TODAY).party is Party.VERIFIED
    assert len(asked._sides) <= 50_000
    before = len(asked._sides)
    assert asked.side(f"anna@gov.example/{'x' * 1000}", TODAY).party is Party.VERIFIED
    assert len(asked._sides) == before


def test_what_the_server_calls_a_room_is_one_on_whatever_host(directory: MemoryDirectory) -> None:
    lax = Rule("abroad", frozenset((Party.VERIFIED,)), frozenset((Party.REMOTE, Party.SERVICE)), Requirement.NOTHING)
    for room in ("all@conf.gov.example", "all@gate.gov.example"):
        said = message(body("hello"), sender="boris@gov.example/p", recipient=room, type="groupchat", room=room)
        assert judge(directory, lax).judge(said).code == "no-rule"


# ---- for whose devices --------------------------------------------------------------------------------------------------


class Approvals:
    """A register that approves of some devices of everybody."""

    def __init__(self, *devices: int) -> None:
        self._devices = frozenset(devices)

    def approved(self, account: str, namespace: str) -> frozenset[int] | None:
        return self._devices if account.endswith("@gov.example") and namespace == LEGACY else None


def asked_for(level: Level, *approved: int, now: Callable[[], datetime] = lambda: datetime(2026, 11, 22, 12, tzinfo=UTC)) -> Judge:
    rule = Rule("officials", frozenset((Party.VERIFIED,)), frozenset((Party.VERIFIED,)), devices=level)
    return Judge(Policy((rule,)), MemoryDirectory(STANDINGS), HOSTS, now, Approvals(*approved))


def sent(*rids: int) -> Question:
    of = message(legacy(keys(*rids)), sender="boris@gov.example/phone", recipient="anna@gov.example")
    return of._replace(sender_devices=Announced((7,), None), recipient_devices=Announced((11, 12), None))


def test_a_message_is_held_against_what_is_announced_and_approved() -> None:
    assert asked_for(Level.ANNOUNCED).judge(sent(11, 12)) == Verdict(True, rule="officials")
    assert asked_for(Level.ANNOUNCED).judge(sent(11, 12, 13)).code == "ghost"
    assert asked_for(Level.APPROVED, 7, 11).judge(sent(11)).passes
    assert asked_for(Level.APPROVED, 7, 11).judge(sent(11, 12)).code == "device-unapproved"
    assert asked_for(Level.APPROVED, 7, 11, 12).judge(sent(11)).code == "missing"


def test_a_device_that_just_left_its_list_is_no_ghost_for_a_while() -> None:
    moment = [datetime(2026, 11, 22, 12, tzinfo=UTC)]
    asked = asked_for(Level.ANNOUNCED, now=lambda: moment[0])
    owner = "anna@gov.example"
    assert asked.judge_change(change(11, 12, sender=f"{owner}/phone", owner=owner)).passes
    assert asked.judge_change(change(11, sender=f"{owner}/phone", owner=owner)).passes
    late = sent(11, 12)._replace(recipient_devices=Announced((11,), None))
    assert asked.judge(late).passes
    moment[0] += timedelta(seconds=301)
    assert asked.judge(late).code == "ghost"
