"""The policy in force: read again when its file changes, kept when the change is none, and told to the server as terms."""

from __future__ import annotations

import logging
import os
from datetime import date
from pathlib import Path

import pytest

from apostille.bootstrap import _PolicyOfGate
from apostille.policy.rules import Policy, Rule
from apostille.policy.service import Hosts, Judge
from apostille.policy.store import PolicyFile
from apostille.vocabulary import Fault, Outage, OutageClass, Party, Standing
from doubles_gate import MemoryDirectory
from messages import ANNA, BORIS, body, legacy, message

HOSTS = Hosts("gov.example", frozenset(("rooms.gov.example",)), frozenset(("gate.gov.example",)))
OFFICIALS = frozenset((Party.VERIFIED,))
STRICT = '[[rule]]\nname = "strict"\nfrom = ["verified"]\nto = ["verified"]\n'
LAX = STRICT.replace("strict", "lax") + 'require = "nothing"\noutage = "hold"\nhold_seconds = 20\n'


def judge(*rules: Rule) -> Judge:
    standings = {ANNA: Standing.VERIFIED, BORIS: Standing.VERIFIED}
    return Judge(Policy(rules), MemoryDirectory(standings), HOSTS, lambda: date(2026, 11, 22))


class InForce:
    """A policy in force and the file that it comes from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text(STRICT, "utf-8")
        file = PolicyFile(path)
        judging = judge()
        judging.adopt(file.load())
        self.policy = _PolicyOfGate(file, judging)

    def write(self, text: str) -> None:
        """Write another policy as an editor does: a new file in the place of the old."""
        beside = self.path.with_suffix(".new")
        beside.write_text(text, "utf-8")
        os.replace(beside, self.path)  # noqa: PTH105

    def rule(self) -> str:
        return self.policy.judge(message(body("hello"))).rule


@pytest.fixture
def in_force(tmp_path: Path) -> InForce:
    return InForce(tmp_path / "policy.toml")


def test_a_file_that_did_not_change_is_not_read_again(in_force: InForce) -> None:
    assert not in_force.policy.refresh()
    assert in_force.rule() == "strict"


def test_a_changed_file_is_in_force_and_its_terms_with_it(in_force: InForce, caplog: pytest.LogCaptureFixture) -> None:
    in_force.write(LAX)
    with caplog.at_level(logging.INFO):
        assert in_force.policy.refresh()
    assert in_force.rule() == "lax"
    assert OutageClass("gov.example", "gov.example", Outage.HOLD, 20) in in_force.policy.terms().outages
    assert "the changed policy is in force" in caplog.text
    assert not in_force.policy.refresh()


def test_a_file_that_is_written_in_its_place_is_seen_too(in_force: InForce) -> None:
    in_force.path.write_text(LAX, "utf-8")
    assert in_force.policy.refresh()
    assert in_force.rule() == "lax"


@pytest.mark.parametrize(("text", "said"), [("[[rule]]\n", "needs a name"), ("rule = ", "not TOML")])
def test_a_broken_file_changes_nothing_and_is_told_once_for_each_change(
    in_force: InForce, text: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1, 3):
        in_force.write(text + "#" * number)
        assert [in_force.policy.refresh() for _ in range(5)] == [False] * 5
        assert in_force.rule() == "strict"
        assert len(caplog.records) == number
        assert said in caplog.text
        assert "stays in force" in caplog.text
    in_force.write(LAX)
    assert in_force.policy.refresh()
    assert in_force.rule() == "lax"


def test_a_file_that_is_gone_changes_nothing_and_is_told_once(in_force: InForce, caplog: pytest.LogCaptureFixture) -> None:
    in_force.path.unlink()
    assert [in_force.policy.refresh() for _ in range(5)] == [False] * 5
    assert in_force.rule() == "strict"
    assert len(caplog.records) == 1
    assert "cannot read" in caplog.text
    in_force.write(STRICT.replace("strict", "again"))
    assert in_force.policy.refresh()
    assert in_force.rule() == "again"


def test_at_the_start_a_file_that_cannot_be_read_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(Fault):
        PolicyFile(tmp_path / "none.toml").load()


# ---- terms --------------------------------------------------------------------------------------------------------------


def test_a_judge_that_adopts_another_policy_judges_by_it() -> None:
    asked = judge(Rule("old", OFFICIALS, OFFICIALS))
    assert asked.judge(message(legacy())).rule == "old"
    asked.adopt(Policy((Rule("new", OFFICIALS, OFFICIALS),)))
    assert asked.judge(message(legacy())).rule == "new"


def test_the_terms_name_the_own_hosts_and_no_outage_where_all_bounces() -> None:
    terms = judge(Rule("r", OFFICIALS, OFFICIALS)).terms()
    assert terms.within == ("gov.example", "rooms.gov.example")
    assert terms.outages == ()


def test_where_one_pair_of_hosts_is_not_bounced_every_pair_is_named() -> None:
    outages = judge(Rule("r", OFFICIALS, frozenset((Party.REMOTE,)), outage=Outage.HOLD, hold_seconds=9)).terms().outages
    hosts = ("gov.example", "rooms.gov.example", "gate.gov.example", "*")
    found = {(one.sender, one.recipient): (one.outage, one.seconds) for one in outages}
    assert set(found) == {(sender, recipient) for sender in hosts for recipient in hosts}
    held = {pair for pair, (outage, _) in found.items() if outage is Outage.HOLD}
    # Behind a room's address may be a person, and in it somebody of another server.
    assert held == {(one, other) for one in ("gov.example", "rooms.gov.example") for other in ("*", "rooms.gov.example")}
