"""The policy in force: read again when its file changes, kept when the change is none, and told to the server as terms."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.bootstrap import _PolicyOfGate
from apostille.policy.rules import Policy, Requirement, Rule, Stage
from apostille.policy.service import Hosts, Judge
from apostille.policy.store import PolicyFile
from apostille.vocabulary import Fault, Outage, OutageClass, Party, Seat, Standing, Verdict
from apostille_xep.gate.stanza import Question
from doubles_gate import MemoryDirectory
from messages import ANNA, BORIS, body, legacy, message, modern

HOSTS = Hosts("gov.example", frozenset(("rooms.gov.example",)), frozenset(("gate.gov.example",)))


def clock() -> datetime:
    return datetime(2026, 11, 22, 12, tzinfo=UTC)


OFFICIALS = frozenset((Party.VERIFIED,))
STRICT = '[[rule]]\nname = "strict"\nfrom = ["verified"]\nto = ["verified"]\n'
LAX = STRICT.replace("strict", "lax") + 'require = "nothing"\noutage = "hold"\nhold_seconds = 20\n'


def judge(*rules: Rule) -> Judge:
    standings = {ANNA: Standing.VERIFIED, BORIS: Standing.VERIFIED}
    return Judge(Policy(rules), MemoryDirectory(standings), HOSTS, clock)


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


def test_whoever_asks_hears_what_came_of_it_each_time(in_force: InForce, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert in_force.policy.refresh(asked=True)
        assert "the policy was read again: it has not changed" in caplog.text
        in_force.write(LAX)
        assert in_force.policy.refresh(asked=True)
        assert "the changed policy is in force" in caplog.text
        in_force.write("rule = ")
        caplog.clear()
        assert [in_force.policy.refresh(asked=True) for _ in range(2)] == [False, False]
    assert [("not TOML" in line, "stays in force" in line) for line in caplog.messages] == [(True, True)] * 2
    assert in_force.rule() == "lax"


def test_at_the_start_a_file_that_cannot_be_read_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(Fault):
        PolicyFile(tmp_path / "none.toml").load()


# ---- terms --------------------------------------------------------------------------------------------------------------


def test_a_judge_that_adopts_another_policy_judges_by_it() -> None:
    asked = judge(Rule("old", OFFICIALS, OFFICIALS))
    assert asked.judge(message(legacy())).rule == "old"
    asked.adopt(Policy((Rule("new", OFFICIALS, OFFICIALS),)))
    assert asked.judge(message(legacy())).rule == "new"


class Changing(MemoryDirectory):
    """A directory that is asked while the policy changes."""

    def __init__(self, standings: dict[str, Standing], look_up: int, change: Callable[[], None]) -> None:
        super().__init__(standings)
        self._left, self._change = look_up, change

    def seat(self, jid: str, day: date) -> Seat:
        self._left -= 1
        if self._left == 0:
            self._change()
        return super().seat(jid, day)


some = st.frozensets(st.sampled_from((Party.VERIFIED, Party.PUBLIC)))
policies = st.lists(
    st.builds(
        Rule,
        st.just("r"),
        some,
        some,
        require=st.sampled_from(Requirement),
        stage=st.sampled_from(Stage),
        versions=st.frozensets(st.just("2")),
    ),
    max_size=3,
).map(lambda rules: Policy(tuple(rules)))
people = st.sampled_from(("anna@gov.example", "nobody@gov.example"))
said = st.builds(message, st.sampled_from((body("hello"), legacy(), modern())), sender=people, recipient=people)


@given(policies, policies, st.integers(1, 3), said)
def test_a_change_of_policy_lets_nothing_pass_that_both_refuse(old: Policy, new: Policy, look_up: int, what: Question) -> None:
    standings = {"anna@gov.example": Standing.VERIFIED}

    def verdict(policy: Policy) -> Verdict:
        return Judge(policy, MemoryDirectory(standings), HOSTS, clock).judge(what)

    changing = Judge(old, Changing(standings, look_up, lambda: changing.adopt(new)), HOSTS, clock)
    assert changing.judge(what) in (verdict(old), verdict(new))


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
