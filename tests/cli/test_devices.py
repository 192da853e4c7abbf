"""`apostille officials devices`: what a registrar sees, and what his words change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from apostille import bootstrap, record
from apostille.devices.rules import DAY, LEGACY
from installation import Installation
from messages import ANNA, BORIS, change

LIST = ("officials", "devices", "list")
KEY = "05" + "a1" * 32


@pytest.fixture
def announced(filled: Installation) -> Installation:
    """Boris has announced 11 with its key, which the policy for first devices approved."""
    filled.judge(changes=(change(11, subject="bundle", identity=KEY), change(11, ref="2")))
    return filled


def listed(installation: Installation, *arguments: str) -> list[dict[str, Any]]:
    found = installation.run(*LIST, *arguments, "--json")
    assert found.exit_code == 0, found.stderr
    answer: list[dict[str, Any]] = json.loads(found.stdout)
    return answer


def last(installation: Installation) -> record.Record:
    log, _ = bootstrap.ledger_log(str(installation.settings))
    with log.view() as view:
        *_, (_, entry) = view.entries(0, 2**40)
    return record.read(entry)


def age(installation: Installation, days: int) -> None:
    """Let time go by: everything in the register becomes older."""
    installation.sql("UPDATE devices SET first_seen = first_seen - ?, decided_at = decided_at - ?", days * DAY, days * DAY)


def test_a_register_that_knows_nobody_lists_nobody(filled: Installation) -> None:
    assert filled.run(*LIST).stdout == "0 devices\n"
    assert listed(filled) == []


def test_devices_are_listed_by_account_with_fingerprint_and_who_approved(announced: Installation) -> None:
    (one,) = listed(announced, BORIS)
    day = one.pop("first_seen")
    assert one == {
        "official": BORIS,
        "device": 11,
        "version": "OMEMO 0.3",
        "state": "approved",
        "announced": True,
        "fingerprint": " ".join(["a1a1a1a1"] * 8),
        "label": "",
        "last_used": None,
        "last_heard": day,
        "decision": "approved",
        "decided_by": "",
        "decided_means": "policy",
        "decided": day,
    }
    account, device, count = announced.run(*LIST).stdout.splitlines()
    assert (account, count) == (BORIS, "1 device")
    assert device.startswith(f"  11 (OMEMO 0.3): approved by the policy for first devices on {day}, first seen {day}, a1a1a1a1")
    assert listed(announced, ANNA) == []


def test_a_registrar_revokes_and_approves_and_the_ledger_names_him(announced: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "olga")
    said = announced.run("officials", "devices", "revoke", BORIS.upper(), "11")
    assert (said.exit_code, "revoked by a registrar olga" in said.stdout) == (0, True)
    decided = last(announced)
    assert isinstance(decided, record.DeviceDecided)
    assert (decided.owner, decided.device, decided.decision, decided.by) == (BORIS, 11, "revoked", "olga")
    assert (decided.namespace, decided.identity) == (LEGACY, KEY)
    monkeypatch.delenv("SUDO_USER")
    monkeypatch.setenv("LOGNAME", "petr")
    said = announced.run("officials", "devices", "approve", BORIS, "11", "--label", "phone")
    assert "11 (OMEMO 0.3, phone): approved by a registrar petr" in said.stdout
    assert [one["state"] for one in listed(announced)] == ["approved"]


def test_a_session_that_does_not_know_its_user_gives_a_number(announced: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUDO_USER", "LOGNAME"):
        monkeypatch.delenv(name, raising=False)
    announced.run("officials", "devices", "revoke", BORIS, "11")
    decided = last(announced)
    assert isinstance(decided, record.DeviceDecided)
    assert decided.by.startswith("uid ")


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("approve", BORIS, "11"), 1, "approved already"),
        (("approve", BORIS, "12"), 1, "has no device 12"),
        (("revoke", ANNA, "11"), 1, "has no device 11"),
        (("approve", "a@b@c", "11"), 1, "two @"),
        (("list", "boris volkov"), 1, "boris volkov"),
        (("approve", BORIS, "eleven"), 2, "not a valid integer"),
        (("approve", BORIS), 2, "Missing argument"),
    ],
)
def test_what_cannot_be_done_says_why(announced: Installation, arguments: tuple[str, ...], status: int, text: str) -> None:
    said = announced.run("officials", "devices", *arguments)
    assert (said.exit_code, text in said.stderr, said.stdout) == (status, True, "")


def test_stale_devices_are_listed_and_with_a_word_more_retired(announced: Installation) -> None:
    stale = ("officials", "devices", "stale")
    assert json.loads(announced.run(*stale, "--json").stdout) == []
    age(announced, 90)
    assert [one["device"] for one in json.loads(announced.run(*stale, "--json").stdout)] == [11]
    assert [one["state"] for one in listed(announced)] == ["approved"]
    assert "11 (OMEMO 0.3): retired on" in announced.run(*stale, "--retire").stdout
    assert [one["state"] for one in listed(announced)] == ["retired"]
    assert announced.run(*stale).stdout == "0 devices\n"


def test_what_a_gate_recorded_before_it_died_is_there_for_the_registrar(announced: Installation) -> None:
    announced.sql("DELETE FROM devices")
    assert [one["state"] for one in listed(announced)] == ["approved"]


def test_an_entry_about_devices_that_cannot_be_read_stops_everything_that_needs_it(announced: Installation) -> None:
    announced.sql("UPDATE ledger_entries SET data = ? WHERE CAST(data AS TEXT) LIKE ?", b"damage", '%"device-decided"%')
    said = announced.run(*LIST)
    assert (said.exit_code, "cannot be read" in said.stderr) == (3, True)


def test_the_settings_decide_about_first_devices_and_the_contact(filled: Installation, tmp_path: Path) -> None:
    with filled.settings.open("a", encoding="utf-8") as settings:
        settings.write(f'[devices]\nfirst = "wait"\nsecurity_contact = "{ANNA.upper()}"\n')
    filled.judge(changes=(change(11),))
    assert [one["state"] for one in listed(filled)] == ["seen"]
    register = bootstrap.devices(str(filled.settings))
    assert [to for _, to, _ in register.notices()] == [BORIS, ANNA]
    filled.settings.write_text(filled.settings.read_text("utf-8").replace(ANNA.upper(), "no jid@@"), encoding="utf-8")
    assert filled.run(*LIST).exit_code == 1
