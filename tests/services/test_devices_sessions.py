"""What a session of the account may do about its devices, and what it hears in a chat or a form."""

from __future__ import annotations

import pytest

from apostille.devices.commands import COMMANDS, USAGE, Asker, answer, choices
from apostille.devices.rules import State
from apostille.record import DeviceDecided
from apostille.vocabulary import Fault, Reason, Refusal
from doubles_devices import CONTACT, Bench
from messages import ANNA

KEY, OTHER = "05" + "a1" * 32, "05" + "b2" * 32


def two(**terms: object) -> Bench:
    """Anna has an approved device 11 of session a, and 12 of session b waits."""
    bench = Bench(**terms)
    bench.gate(bench.changed(11, by="a"))
    bench.devices.approve(ANNA, 11, "olga")
    bench.gate(bench.changed(11, 12, by="b"))
    bench.told()
    return bench


def test_the_other_session_approves_and_the_ledger_says_which_one() -> None:
    bench = two()
    with pytest.raises(Refusal, match="this very session") as own:
        bench.devices.approve_from(ANNA, 12, "b")
    assert own.value.reason is Reason.FORBIDDEN
    bench.devices.approve_from(ANNA, 12, "a")
    last = bench.ledger.records[-1]
    assert isinstance(last, DeviceDecided)
    assert (last.means, last.by, last.resource) == ("session", ANNA, "a")
    assert bench.told() == [(ANNA, "Device 12 (OME"), (CONTACT, "Devices of ann")]


def test_any_session_may_revoke_and_only_a_registrar_approves_what_was_revoked() -> None:
    bench = two()
    bench.devices.revoke_from(ANNA, 12, "b")
    with pytest.raises(Refusal, match="only a registrar"):
        bench.devices.approve_from(ANNA, 12, "a")
    with pytest.raises(Refusal, match="revoked already"):
        bench.devices.revoke_from(ANNA, 12, "a")


def test_a_session_does_not_overtake_a_revocation_that_was_kept_and_not_taken_in() -> None:
    bench = two()
    bench.ledger.fault = "kept"
    with pytest.raises(Fault):
        bench.beside().revoke(ANNA, 12, "olga")
    (device,) = bench.devices.approve_from(ANNA, 12, "a")
    assert device.state is State.REVOKED
    bench.beside().catch_up()
    assert bench.states()[12] is State.REVOKED


def test_a_session_decides_while_the_register_is_away_and_it_counts_once_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = two()

    def away(_: object) -> None:
        bench.register.away = True
        raise Fault("away")

    with monkeypatch.context() as patch:
        patch.setattr(bench.ledger, "about_devices", away)
        with pytest.raises(Fault):
            bench.devices.approve_from(ANNA, 12, "a")
    bench.register.away = False
    bench.gate(bench.changed(11, 12))
    assert bench.states()[12] is State.APPROVED


def test_a_chat_is_answered_by_the_commands_and_nothing_else_is() -> None:
    bench = two()
    asker = Asker(ANNA, "a")
    assert answer(bench.devices, asker, "Devices").splitlines()[0].startswith("11 (OMEMO 0.3): approved by a registrar olga")
    assert answer(bench.devices, asker, "devices approve #12").startswith("12 (OMEMO 0.3): approved from another session")
    assert answer(bench.devices, asker, " devices  revoke 12 ").startswith("12 (OMEMO 0.3): revoked")
    assert answer(bench.devices, asker, "devices revoke 12") == f"device 12 of {ANNA} is revoked already"
    assert answer(bench.devices, Asker("nobody@gov.example", "a"), "devices") == "No device of yours is known."
    for text in ("", "hello", "my devices"):
        assert answer(bench.devices, asker, text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "help",
        "devices 12",
        "devices 5 5",
        "devices approve",
        "devices approve all",
        "devices approve 1 2",
        "devices revoke -1",
        "devices approve ²",
        "devices approve 9" + "9" * 30,
        "devices sell 12",
    ],
)
def test_what_is_not_understood_is_answered_with_what_would_be(text: str) -> None:
    assert answer(two().devices, Asker(ANNA, "a"), text) == USAGE


def test_a_form_offers_what_can_be_done() -> None:
    bench = two()
    offered = [set(choices(command, bench.devices, Asker(ANNA, "a"))) for command in COMMANDS]
    assert offered == [set(), {"12"}, {"11", "12"}]
