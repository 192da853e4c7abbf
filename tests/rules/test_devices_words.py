"""What people read about devices."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from apostille.devices.rules import (
    LEGACY,
    MODERN,
    Device,
    Id,
    take,
)
from apostille.devices.words import LABEL, LINES, day, fingerprint, label, line, state, told, version
from apostille.record import DeviceRecord
from entries import ANNA, AT, K1, K2, after, bundle, changed, said

DESK = "gate.gov.example"


def test_one_key_has_one_fingerprint_in_both_versions() -> None:
    seed = hashlib.sha256(b"a device").digest()
    signing = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    agreeing = X25519PrivateKey.from_private_bytes(hashlib.sha512(seed).digest()[:32]).public_key().public_bytes_raw()
    shown = " ".join(agreeing.hex()[start : start + 8] for start in range(0, 64, 8))
    assert fingerprint(Device(ANNA, Id(LEGACY, 1), identity="05" + agreeing.hex())) == shown
    assert fingerprint(Device(ANNA, Id(MODERN, 1), identity=signing.hex())) == shown


@pytest.mark.parametrize("identity", ["", "no hex", "0a", "00" * 32, "01" + "00" * 31, "ff" * 32, "05" + "00" * 32])
@pytest.mark.parametrize("namespace", [LEGACY, MODERN])
def test_a_fingerprint_of_anything_is_no_error(identity: str, namespace: str) -> None:
    shown = fingerprint(Device(ANNA, Id(namespace, 1), identity=identity))
    assert set(shown) <= set("0123456789abcdef ")


def lines(*entries: DeviceRecord, together: int = 1) -> tuple[list[str], list[str]]:
    """What both hear of the last entries, taken in together."""
    before = after(*entries[:-together])[0]
    found = list(enumerate(entries, 0))[-together:]
    return told(take(before.values(), ANNA, found).happened, DESK)


def test_each_happening_is_a_line_for_the_person_with_a_next_step_and_one_for_the_contact_without() -> None:
    (own,), (theirs,) = lines(bundle(11, K1))
    assert own.startswith(theirs)
    assert theirs == "New device 11 (OMEMO 0.3) waits for approval. Fingerprint: " + " ".join(["a1a1a1a1"] * 8) + "."
    assert "devices approve 11 to gate.gov.example" in own
    (own,), (theirs,) = lines(bundle(11, K1), bundle(11, K2))
    assert theirs.startswith("ALARM: device 11 (OMEMO 0.3) has another key")
    assert "change your password" in own
    (own,), (theirs,) = lines(changed(11), said(11, "approved"), bundle(11, K1))
    assert theirs.startswith("Device 11 (OMEMO 0.3), approved before its key was known, has shown its first one. Fingerprint: a1a1a1a1")
    assert "devices revoke 11 to gate.gov.example" in own
    (own,), (theirs,) = lines(changed(11), said(11, "approved", name="phone"))
    assert theirs == "Device 11 (OMEMO 0.3, phone) was approved by a registrar."
    assert "devices revoke 11 to gate.gov.example" in own


def test_of_many_things_at_once_ten_are_told_and_an_alarm_is_the_first_of_them() -> None:
    own, theirs = lines(bundle(50, K1), changed(*range(1, 21)), bundle(50, K2), together=2)
    assert [len(one) for one in (own, theirs)] == [LINES + 1] * 2
    assert own[0].startswith("ALARM: device 50")
    assert own[-1] == theirs[-1] == "and 11 more; the list of devices has them all."
    assert len(lines(changed(*range(1, LINES + 1)))[0]) == LINES


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ((changed(11), said(11, "revoked", means="session")), "Device 11 (OMEMO 0.3) was revoked from another session of the account."),
        ((changed(11), said(11, "retired")), "Device 11 (OMEMO 0.3) was retired, as it was not used for long."),
        ((changed(11), said(11, "approved"), changed()), "Approved device 11 (OMEMO 0.3) was taken off the device list."),
    ],
)
def test_what_takes_a_device_away_is_the_same_line_for_both(entries: tuple[DeviceRecord, ...], text: str) -> None:
    assert lines(*entries) == ([text], [text])


def test_a_device_that_is_announced_and_approved_at_once_is_one_line() -> None:
    own, _ = lines(changed(11), replace(said(11, "approved"), means="policy"), together=2)
    assert [one.partition(".")[0] for one in own] == ["Device 11 (OMEMO 0"]
    assert "by the policy for first devices" in own[0]


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ((changed(11),), "waits for approval"),
        ((bundle(11, K1),), "waits for approval, not announced now"),
        ((changed(11), said(11, "approved")), "approved by a registrar olga on 2026-11-18"),
        (
            (changed(11), said(11, "revoked", means="session"), changed()),
            "revoked from another session of the account on 2026-11-18, not announced now",
        ),
        ((changed(11), said(11, "retired")), "retired on 2026-11-18"),
        ((changed(11), bundle(11, K1), said(11, "approved", K1), bundle(11, K2)), "waits for approval"),
    ],
)
def test_a_state_is_said_with_who_brought_it_about(entries: tuple[DeviceRecord, ...], text: str) -> None:
    assert state(after(*entries)[0][11]) == text


def test_a_device_is_one_line_of_a_list() -> None:
    device = replace(after(bundle(11, K1), changed(11))[0][11], label="phone", last_used=AT)
    assert line(device) == (
        "11 (OMEMO 0.3, phone): waits for approval, first seen 2026-11-18, last used 2026-11-18, " + " ".join(["a1a1a1a1"] * 8)
    )
    assert line(Device(ANNA, Id("urn:x", 1), listed=True)) == "1 (urn:x): waits for approval, first seen 1970-01-01"


def test_versions_and_days_have_words() -> None:
    assert [version(one) for one in (LEGACY, MODERN, "urn:x")] == ["OMEMO 0.3", "OMEMO 2", "urn:x"]
    assert day(AT) == "2026-11-18"


@given(st.text())
def test_a_label_is_one_printable_line(text: str) -> None:
    kept = label(text)
    assert kept.isprintable()
    assert len(kept) <= LABEL
    assert label(kept) in (kept, kept.strip())
