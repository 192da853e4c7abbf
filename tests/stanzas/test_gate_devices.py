"""`apostille:gate:0`: changes of devices and announced devices, literal lines in; what cannot be read is said to be so."""

from __future__ import annotations

import pytest

from apostille_xep.gate.stanza import Announced, Change, Garbled, Question, Told, Unreadable
from asks import CHANGE, DEVICES, DIGEST, HEAD, LEGACY, STORE, head, read, why


def test_a_change_of_devices_is_read_whole() -> None:
    assert read(CHANGE) == [
        Change("1", "local", "boris@gov.example/phone", "boris@gov.example", "publish", LEGACY, "list", (11, 12), "", 0, 96, 3)
    ]
    (bundle,) = read(f"change c%20 remote a%20@b/c%2F a%20@b retract urn:xmpp:omemo:2 bundle 21 {DIGEST} 5 6 7")
    assert bundle == Change("c%20", "remote", "a @b/c/", "a @b", "retract", "urn:xmpp:omemo:2", "bundle", (21,), DIGEST, 5, 6, 7)
    (empty,) = read(CHANGE.replace("11,12", "%"))
    assert isinstance(empty, Change)
    assert empty.devices == ()


@pytest.mark.parametrize("length", [64, 66])
def test_a_public_key_has_the_length_of_one(length: int) -> None:
    (found,) = read(CHANGE.replace(" % ", f" {'a' * length} "))
    assert isinstance(found, Change)
    assert found.identity == "a" * length


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("change 1", "change: 2 words"),
        (f"{CHANGE} 0", "change: 14 words"),
        (CHANGE.replace(" 96", ""), "change: 12 words"),
        (CHANGE.replace(" local ", " lokal "), "change: 'lokal publish"),
        (CHANGE.replace(" publish ", " subscribe "), "change: 'local subscribe"),
        (CHANGE.replace(" list ", " lists "), "change: 'local publish"),
        (CHANGE.replace(LEGACY, "urn:xmpp:omemo:1"), "change: 'local publish"),
        (CHANGE.replace(" boris@gov.example/phone ", " %FF "), "a word that is not UTF-8"),
        (CHANGE.replace(" boris@gov.example publish", " %FF publish"), "a word that is not UTF-8"),
        *((CHANGE.replace("11,12", bad), "device: not a number") for bad in ("11,", ",", "x", "-1", "11,,12", "11;12", "", "9" * 11, "²")),
        *((CHANGE.replace(" % ", f" {bad} "), "change: no public key") for bad in ("-", "a" * 63, "a" * 65, "a" * 68, "G" * 64, "A" * 64)),
        (CHANGE.replace(" 0 96 3", " x 96 3"), "text: not a number"),
        (CHANGE.replace(" 0 96 3", " 0 -1 3"), "attributes: not a number"),
        (CHANGE.replace(" 0 96 3", " 0 96 %"), "elements: not a number"),
    ],
)
def test_a_change_that_cannot_be_read_is_garbled_and_keeps_its_ref(line: str, said: str) -> None:
    assert why(line).startswith(said)
    first, second, third = read(HEAD, line, head(ref="3"))
    assert [type(one) for one in (first, second, third)] == [Question, Garbled, Question]


def test_a_change_ends_the_message_before_it_and_has_no_children() -> None:
    message, change, after = read(HEAD, f" {STORE}", CHANGE.replace("change 1 ", "change 2 "), head(ref="3"))
    assert [type(one) for one in (message, change, after)] == [Question, Change, Question]
    assert isinstance(message, Question)
    assert len(message.children) == 1
    with pytest.raises(Unreadable):
        read(CHANGE, f" {STORE}")


def test_what_an_account_announces_is_told_with_the_messages_after_it() -> None:
    before, after = read(HEAD, DEVICES, "devices anna@gov.example - 21", head(ref="2"))
    assert isinstance(before, Question)
    assert isinstance(after, Question)
    assert (before.sender_devices, before.recipient_devices) == (None, None)
    assert (after.sender_devices, after.recipient_devices) == (Announced((11, 12), ()), Announced(None, (21,)))


def test_what_was_announced_is_known_in_later_questions_of_the_same_stream_until_it_is_told_anew() -> None:
    told = Told()
    assert read(DEVICES, told=told) == []
    (later,) = read(HEAD, told=told)
    assert isinstance(later, Question)
    assert later.sender_devices == Announced((11, 12), ())
    (anew,) = read("devices boris@gov.example - -", HEAD, told=told)
    assert isinstance(anew, Question)
    assert anew.sender_devices == Announced(None, None)
    (elsewhere,) = read(HEAD)
    assert isinstance(elsewhere, Question)
    assert elsewhere.sender_devices is None


def test_devices_are_known_by_the_account_and_not_by_the_session() -> None:
    (found,) = read("devices boris@gov.example/phone 1 1", HEAD)
    assert isinstance(found, Question)
    assert found.sender_devices is None


@pytest.mark.parametrize(
    "line",
    [
        "devices ",
        "devices boris@gov.example",
        "devices boris@gov.example 11",
        "devices boris@gov.example 11 12 13",
        "devices %FF 11 12",
        "devices boris@gov.example 11, 12",
        "devices boris@gov.example x -",
        "devices boris@gov.example - -1",
        f"devices boris@gov.example - {'9' * 11}",
        "change ",
        "change  local a@b c@d publish",
        "changes 1",
    ],
)
def test_devices_that_cannot_be_read_and_a_change_without_a_reference_spoil_the_question(line: str) -> None:
    with pytest.raises(Unreadable):
        read(HEAD, line)
