"""What is written down of a message that passes, and what is not."""

from __future__ import annotations

import pytest

from apostille.gate.rules import NOTICE_PAUSE, judged, notice_due, uncovered
from apostille.record import Body, Encrypted, Judged, commitment, resource_mark
from apostille.vocabulary import Verdict
from messages import ANNA, BORIS, CLIENT, DIGEST, LEGACY, MODERN, body, child, keys, legacy, message, modern, sha256

SALT = b"s" * 32
PASSES = Verdict(True, rule="officials")


def test_an_encrypted_message_is_kept_by_its_digest_and_devices() -> None:
    record = judged(message(legacy(), child("urn:xmpp:hints", "store"), origin_id="o1"), PASSES, 5, b"")
    assert record == Judged(
        at=5,
        sender=BORIS,
        recipient=ANNA,
        resource=resource_mark("x@y/phone"),
        type="chat",
        flow="local",
        id="m1",
        origin_id="o1",
        policy="officials",
        encrypted=(Encrypted(LEGACY, DIGEST, 7, 25, (11, 12)),),
    )


def test_the_recipient_is_kept_without_a_resource_and_the_room_beside_it() -> None:
    private = message(legacy(), recipient=f"{ANNA}/desk", room="tax@rooms.gov.example", flow="remote")
    record = judged(private, PASSES, 5, b"")
    assert (record.recipient, record.room, record.flow) == (ANNA, "tax@rooms.gov.example", "remote")


def test_a_plaintext_body_is_kept_as_a_commitment_and_its_length_in_bytes() -> None:
    record = judged(message(body("Отчёт")), Verdict(True, "plaintext", "…", "officials"), 5, SALT)
    assert record.bodies == (Body(commitment(SALT, sha256("Отчёт")), 10),)
    assert record.code == "plaintext"


def test_an_empty_body_leaves_nothing() -> None:
    assert judged(message(body("")), PASSES, 5, SALT).bodies == ()


def test_subjects_and_unknown_elements_leave_nothing() -> None:
    record = judged(message(child(CLIENT, "subject", 5), child("unknown:x", "x", 5)), PASSES, 5, SALT)
    assert (record.bodies, record.encrypted) == ((), ())


def test_both_encrypted_parts_are_kept_in_order_and_an_absent_payload_has_no_bytes() -> None:
    record = judged(message(legacy(payload=None), modern()), PASSES, 5, b"")
    assert record.encrypted == (Encrypted(LEGACY, DIGEST, 7, 0, (11, 12)), Encrypted(MODERN, DIGEST, 7, 208, (11, 12)))


def test_what_an_observed_message_brings_too_much_of_is_cut() -> None:
    record = judged(
        message(*[legacy(keys(*range(1, 2000)))] * 9, *[body("hello")] * 9, id="я" * 300, origin_id="o" * 300), PASSES, 5, SALT
    )
    assert (len(record.encrypted), len(record.encrypted[0].devices), len(record.bodies)) == (4, 1200, 9)
    assert (record.id, record.origin_id) == ("я" * 256, "o" * 256)


@pytest.mark.parametrize(("last", "now", "due"), [(None, 0, True), (0, NOTICE_PAUSE - 1, False), (0, NOTICE_PAUSE, True), (5, 5, False)])
def test_a_notice_is_due_once_an_hour(last: int | None, now: int, due: bool) -> None:
    assert notice_due(last, now) is due


# ---- coverage -----------------------------------------------------------------------------------------------------------

SERVED = ("gov.example", "rooms.gov.example")
BOTH = dict.fromkeys(SERVED, True)


@pytest.mark.parametrize(
    ("reports", "exempt", "found"),
    [
        ({}, (), ["gov.example", "rooms.gov.example"]),
        ({"gov.example": BOTH}, (), ["rooms.gov.example"]),
        ({"gov.example": BOTH, "rooms.gov.example": None}, (), ["rooms.gov.example"]),
        (dict.fromkeys(SERVED, BOTH), (), []),
        ({"gov.example": BOTH, "rooms.gov.example": {**BOTH, "z": False, "a": False}}, (), ["a", "z"]),
        ({"gov.example": {**BOTH, "gate": False}, "rooms.gov.example": BOTH}, ("gate",), []),
        ({"gov.example": {"gov.example": False}, "rooms.gov.example": BOTH}, (), ["gov.example"]),
        ({"gov.example": BOTH}, ("rooms.gov.example",), []),
    ],
)
def test_a_host_is_uncovered_if_it_is_silent_or_anybody_says_so(
    reports: dict[str, dict[str, bool] | None], exempt: tuple[str, ...], found: list[str]
) -> None:
    assert uncovered(SERVED, exempt, reports) == found
