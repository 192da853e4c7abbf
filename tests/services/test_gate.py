"""Judging a batch: policy, then ledger, then the answer, in that order, always."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.gate.rules import NOTICE_PAUSE
from apostille.gate.service import Gate
from apostille.record import DeviceDecided, DevicesChanged, Filed, Judged, commitment, resource_mark
from apostille.vocabulary import Change as AnyChange
from apostille.vocabulary import Fault, Message, Verdict
from apostille_xep.gate.stanza import Announced, Change, Member, Question
from doubles_gate import NOW, Clock, FallenPolicy, MemoryLedger, ToldPolicy, ToldRegister, salts
from messages import ANNA, BORIS, LEGACY, body, change, legacy, message, sha256

REFUSED = Verdict(False, "plaintext", "Not delivered.", "officials")
EMPTY = Verdict(True, rule="officials", recorded=False)
OBSERVED = Verdict(True, "plaintext", "Not delivered.", "officials")
WARNED = Verdict(True, "plaintext", "Not delivered.", "officials", notice=True)
FOREIGN = Verdict(False, "device-foreign", "Not changed.")
TOLD = {"refused": REFUSED, "empty": EMPTY, "observed": OBSERVED, "warned": WARNED, "delete": FOREIGN}


def gate(ledger: MemoryLedger, clock: Clock | None = None) -> Gate:
    return Gate(ToldPolicy(TOLD), ledger, clock or Clock(), salts())


def ids(ledger: MemoryLedger) -> list[str]:
    return [record.id for record in ledger.records if isinstance(record, Judged)]


def batch(*names: str) -> list[Question]:
    return [message(legacy(), id=name) for name in names]


def test_what_passes_is_kept_and_answered_with_its_place() -> None:
    ledger = MemoryLedger(first=40)
    outcomes = gate(ledger).judge(batch("a", "b"))
    assert [(outcome.verdict.passes, outcome.record) for outcome in outcomes] == [(True, 40), (True, 41)]
    assert ids(ledger) == ["a", "b"]


def test_a_batch_is_one_durable_step() -> None:
    ledger = MemoryLedger()
    gate(ledger).judge(batch("a", "refused", "b", "empty", "c"), [(7, ANNA, "s1")])
    assert len(ledger.steps) == 1


def test_refused_and_content_free_messages_are_not_kept_and_outcomes_keep_their_order() -> None:
    ledger = MemoryLedger()
    outcomes = gate(ledger).judge(batch("refused", "a", "empty", "b", "refused"))
    assert [outcome.record for outcome in outcomes] == [None, 0, None, 1, None]
    assert [outcome.verdict.passes for outcome in outcomes] == [False, True, True, True, False]
    assert ids(ledger) == ["a", "b"]


def test_where_nothing_is_to_be_kept_the_ledger_is_left_alone() -> None:
    ledger = MemoryLedger()
    ledger.fault = "lost"
    assert [outcome.record for outcome in gate(ledger).judge(batch("refused", "empty"))] == [None, None]
    assert gate(ledger).judge([]) == []
    assert ledger.steps == []


def test_archive_ids_are_kept_before_the_messages_and_places_count_them() -> None:
    ledger = MemoryLedger(first=10)
    (outcome,) = gate(ledger).judge(batch("a"), [(7, ANNA, "s1"), (8, BORIS, "s2")])
    assert ledger.records[0] == Filed(NOW, ((7, ANNA, "s1"), (8, BORIS, "s2")))
    assert outcome.record == 11
    (outcome,) = gate(ledger).judge(batch("b"), [(7, ANNA, "s" * 60_000), (8, BORIS, "s" * 60_000)])
    assert outcome.record == 14


def test_archive_ids_alone_are_kept() -> None:
    ledger = MemoryLedger()
    assert gate(ledger).judge([], [(7, ANNA, "s1")]) == []
    assert ledger.kept == [(Filed(NOW, ((7, ANNA, "s1"),)), b"")]


def test_only_a_readable_body_is_salted_each_with_its_own_salt() -> None:
    ledger = MemoryLedger()
    gate(ledger).judge([message(body("hello"), id="observed"), message(legacy()), message(body(""), legacy()), message(body("hello"))])
    assert [salt for _, salt in ledger.kept] == [b"\1" * 32, b"", b"", b"\2" * 32]
    bodies = [record.bodies for record in ledger.records if isinstance(record, Judged)]
    assert [one[0].commitment for one in bodies if one] == [commitment(salt, sha256("hello")) for salt in (b"\1" * 32, b"\2" * 32)]


def test_a_whole_batch_was_judged_at_one_time() -> None:
    ledger = MemoryLedger()
    gate(ledger).judge(batch("a", "b"))
    assert {record.at for record in ledger.records} == {NOW}


def test_every_verdict_is_made_before_anything_is_kept() -> None:
    order: list[str] = []

    class Noting(ToldPolicy):
        def judge(self, message: Message) -> Verdict:
            order.append("judged")
            return super().judge(message)

    class NotingLedger(MemoryLedger):
        def keep(self, records: object) -> int:  # noqa: ARG002
            order.append("kept")
            return 0

    outcomes = Gate(Noting(), NotingLedger(), Clock(), salts()).judge(batch("a", "b"))
    assert order == ["judged", "judged", "kept"]
    assert len(outcomes) == 2


@pytest.mark.parametrize("fault", ["kept", "lost"])
def test_when_the_ledger_fails_nothing_is_answered_and_the_next_batch_is_judged_anew(fault: str) -> None:
    ledger = MemoryLedger()
    asked = gate(ledger)
    ledger.fault = fault
    with pytest.raises(Fault):
        asked.judge(batch("refused", "a"))
    (outcome,) = asked.judge(batch("b"))
    assert outcome.record == (1 if fault == "kept" else 0)


def test_when_the_policy_fails_nothing_is_kept() -> None:
    ledger = MemoryLedger()
    with pytest.raises(Fault):
        Gate(FallenPolicy(), ledger, Clock(), salts()).judge(batch("a"), [(7, ANNA, "s1")])
    assert ledger.steps == []


@given(st.lists(st.sampled_from(["a", "refused", "empty", "observed", "warned"]), max_size=20), st.integers(0, 3))
def test_each_place_holds_the_record_of_its_message(names: list[str], reports: int) -> None:
    ledger = MemoryLedger(first=100)
    outcomes = gate(ledger).judge(batch(*names), [(number, ANNA, "s") for number in range(reports)])
    assert len(outcomes) == len(names)
    for name, outcome in zip(names, outcomes, strict=True):
        assert (outcome.record is not None) is (name not in {"refused", "empty"})
        if outcome.record is not None:
            record = ledger.records[outcome.record - 100]
            assert isinstance(record, Judged)
            assert record.id == name


# ---- changes of devices -------------------------------------------------------------------------------------------------


def test_a_change_that_passes_is_kept_after_the_messages_of_its_question_in_the_same_step() -> None:
    ledger = MemoryLedger(first=40)
    changes = [change(11), change(action="delete"), change(12, action="retract", subject="bundle")]
    outcomes = gate(ledger).judge(batch("a", "refused"), [(7, ANNA, "s1")], changes)
    assert [(one.verdict.passes, one.record) for one in outcomes] == [(True, 41), (False, None), (True, 42), (False, None), (True, 43)]
    assert len(ledger.steps) == 1
    kept = [(one.action, one.devices) for one in ledger.records if isinstance(one, DevicesChanged)]
    assert kept == [("publish", (11,)), ("retract", (12,))]
    assert [salt for _, salt in ledger.kept] == [b""] * 4


def test_a_change_alone_is_kept_and_a_refused_one_is_not() -> None:
    ledger = MemoryLedger()
    (outcome,) = gate(ledger).judge([], (), [change(action="delete")])
    assert (outcome.verdict, outcome.record, ledger.steps) == (FOREIGN, None, [])
    (outcome,) = gate(ledger).judge([], (), [change(11)])
    phone = resource_mark("x@y/phone")
    assert ledger.records == [DevicesChanged(NOW, BORIS, phone, "local", "publish", LEGACY, "list", (11,), policy="told")]
    assert outcome.record == 0


@pytest.mark.parametrize("fault", ["kept", "lost"])
def test_when_the_ledger_fails_no_device_is_changed(fault: str) -> None:
    ledger = MemoryLedger()
    ledger.fault = fault
    with pytest.raises(Fault):
        gate(ledger).judge([], (), [change(11)])


def test_when_the_policy_fails_over_a_change_nothing_of_the_question_is_kept() -> None:
    class Half(ToldPolicy):
        def judge_change(self, change: AnyChange) -> Verdict:  # noqa: ARG002
            raise Fault("directory: the database does not answer")

    ledger = MemoryLedger()
    with pytest.raises(Fault):
        Gate(Half(), ledger, Clock(), salts()).judge(batch("a"), (), [change(11)])
    assert ledger.steps == []


some_actions = st.lists(st.sampled_from(["publish", "delete", "purge"]), max_size=5)


@given(st.lists(st.sampled_from(["a", "refused", "empty"]), max_size=5), some_actions)
def test_outcomes_are_those_of_the_messages_and_then_of_the_changes(names: list[str], actions: list[str]) -> None:
    ledger = MemoryLedger(first=7)
    changes: list[Change] = [change(11, action=action) for action in actions]
    outcomes = gate(ledger).judge(batch(*names), (), changes)
    assert len(outcomes) == len(names) + len(actions)
    for action, outcome in zip(actions, outcomes[len(names) :], strict=True):
        assert (outcome.record is None) is (action == "delete")
        if outcome.record is not None:
            record = ledger.records[outcome.record - 7]
            assert isinstance(record, DevicesChanged)
            assert record.action == action


# ---- the register of devices -----------------------------------------------------------------------------------------------

DECIDED = DeviceDecided(NOW, BORIS, LEGACY, 11, "approved", "policy")


def following(register: ToldRegister, ledger: MemoryLedger) -> Gate:
    return Gate(ToldPolicy({"delete": FOREIGN}), ledger, Clock(), salts(), register)


def test_what_follows_from_changes_is_kept_behind_them_in_the_same_step_and_then_taken_in() -> None:
    register, ledger = ToldRegister(DECIDED), MemoryLedger(first=40)
    outcomes = following(register, ledger).judge(batch("a"), [(7, ANNA, "s1")], [change(11), change(action="delete"), change(12)])
    assert [one.record for one in outcomes] == [41, 42, None, 43]
    assert [record.kind for record in ledger.records] == ["filed", "judged", "devices", "devices", "device-decided"]
    assert len(ledger.steps) == 1
    assert register.heard[-2:] == [("asked", (11,), (12,)), ("took", (42, "devices"), (43, "devices"), (44, "device-decided"))]


def test_without_a_change_that_passes_the_register_is_not_asked() -> None:
    register = ToldRegister(DECIDED)
    following(register, MemoryLedger()).judge([message(body("x"))], (), [change(action="delete")])
    assert register.heard == []


@pytest.mark.parametrize(("fault", "kept"), [("asked", 0), ("took", 2)])
def test_when_the_register_fails_no_device_is_changed_and_the_ledger_has_all_or_nothing(fault: str, kept: int) -> None:
    register, ledger = ToldRegister(DECIDED), MemoryLedger()
    register.fault = fault
    with pytest.raises(Fault):
        following(register, ledger).judge([], (), [change(11)])
    assert len(ledger.records) == kept


def test_the_register_hears_what_both_sides_announce_before_the_policy_is_asked_and_which_device_wrote() -> None:
    register = ToldRegister()
    asked = message(legacy(sid=7), body("x"), sender=f"{BORIS}/phone", recipient=f"{ANNA}/desk")
    asked = asked._replace(sender_devices=Announced((7,), None), recipient_devices=Announced(None, (8,)))
    following(register, MemoryLedger()).judge([asked])
    assert register.heard == [("met", BORIS, (7,)), ("met", ANNA, None), ("used", BORIS, LEGACY, 7, NOW)]


def test_the_members_of_a_room_are_met_once_as_long_as_they_are_the_same() -> None:
    register = ToldRegister()
    asked = following(register, MemoryLedger())
    near = [Member(f"u{number}@gov.example", Announced((number,), None)) for number in (1, 2)]
    members = near[0], Member("far@elsewhere.example", None), near[1]
    said = message(body("x"), type="groupchat", room="r@rooms.gov.example", recipient="r@rooms.gov.example")._replace(members=members)
    asked.judge([said])
    asked.judge([said])
    assert register.heard == [("met", "u1@gov.example", (1,)), ("met", "u2@gov.example", (2,))]
    asked.judge([said._replace(members=members[:1])])
    assert len(register.heard) == 3


def test_a_large_room_of_people_with_unheard_of_devices_is_met_over_several_messages() -> None:
    register = ToldRegister()
    register.finds = True
    asked = following(register, MemoryLedger())
    members = tuple(Member(f"u{number}@gov.example", Announced((number,), None)) for number in range(120))
    said = message(body("x"), type="groupchat", room="r@rooms.gov.example", recipient="r@rooms.gov.example")._replace(members=members)
    asked.judge([said])
    assert len(register.heard) == 50
    register.finds = False
    asked.judge([said])
    assert len(register.heard) == 50 + 120


def test_any_number_of_rooms_is_remembered_in_bounded_space() -> None:
    asked = following(ToldRegister(), MemoryLedger())
    for number in range(10_001):
        room = f"r{number}@rooms.gov.example"
        asked.judge([message(legacy(), type="groupchat", room=room, recipient=room)._replace(members=())])
    assert len(asked._met) == 1


# ---- notices ------------------------------------------------------------------------------------------------------------


def notices(asked: Gate, *messages: Question) -> list[tuple[str, str]]:
    return [(to, verdict.text) for to, verdict in asked.notices(messages, asked.judge(messages))]


def test_only_a_warned_sender_is_told_and_at_the_bare_address() -> None:
    asked = gate(MemoryLedger())
    assert notices(asked, *batch("a", "refused", "empty", "observed")) == []
    assert notices(asked, *batch("warned")) == [(BORIS, "Not delivered.")]


def test_each_person_is_told_each_thing_once_an_hour() -> None:
    clock = Clock()
    asked = gate(MemoryLedger(), clock)
    phone, desk = (message(legacy(), id="warned", sender=f"{BORIS}/{where}") for where in ("phone", "desk"))
    other = message(legacy(), id="warned", sender=f"{ANNA}/phone")
    assert len(notices(asked, phone, phone, desk)) == 1
    clock.now += NOTICE_PAUSE - 1
    assert notices(asked, phone, other) == [(ANNA, "Not delivered.")]
    clock.now += 1
    assert notices(asked, phone, other) == [(BORIS, "Not delivered.")]


def test_another_reason_is_told_at_once() -> None:
    told = {**TOLD, "other": Verdict(True, "no-keys", "No keys.", "officials", notice=True)}
    asked = Gate(ToldPolicy(told), MemoryLedger(), Clock(), salts())
    assert notices(asked, *batch("warned", "other", "warned")) == [(BORIS, "Not delivered."), (BORIS, "No keys.")]


def test_any_number_of_senders_is_remembered_in_bounded_space() -> None:
    asked = gate(MemoryLedger())
    crowd = [message(legacy(), id="warned", sender=f"u{number}@gov.example/r") for number in range(10_001)]
    assert len(notices(asked, *crowd)) == 10_001
    assert notices(asked, crowd[-1]) == []
