"""Judging evidence: nothing is claimed that was not checked, and whatever was touched is not sound."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apostille.gate.rules import changed
from apostille.record import SALT_BYTES
from apostille.tracing.rules import Bundle, Claim, Exhibit, Finding, Item, Level, Report, judge, judge_bundle, moment
from apostille.vocabulary import Verdict
from doubles_gate import NOW
from doubles_tracing import KEY, OTHER, Archive
from messages import ANNA, BORIS, body, change, legacy, message

VKEYS = [KEY.vkey]
CAN_BE_SAID = {"account", "record", "text"}


def bundle() -> Bundle:
    """Five messages: an encrypted one, two in plain text, one in a room, one that is filed twice."""
    archive = Archive()
    archive.say(message(legacy(), id="m0"))
    archive.say(message(body("hello"), id="m1"))
    archive.say(message(body("Отчёт"), body("Report"), id="m2"))
    archive.say(message(body("hi"), legacy(), id="m3", type="groupchat", room="tax@rooms.gov.example"))
    filed = archive.say(message(legacy(), id="m4"))
    archive.file(filed, ANNA, "archive-a")
    archive.file(filed, BORIS, "archive-b")
    return archive.tracing.between(BORIS, ANNA, 0, NOW + 1)


BUNDLE = bundle()
ENCRYPTED, PLAIN, TWO, ROOM, FILED = BUNDLE.items


def weighed(item: Item, text: str | None = None) -> Finding:
    return judge(item, VKEYS, Claim(text))


def test_an_encrypted_message_proves_who_and_when_and_nothing_of_the_text() -> None:
    finding = weighed(ENCRYPTED)
    assert (finding.sound, finding.level, finding.index) == (True, Level.E0, 0)
    assert finding.proven[0] == (
        f"the account {BORIS} submitted an encrypted message of 25 bytes to {ANNA} at 2026-11-18 06:26:40.000 UTC".replace(
            "2026-11-18 06:26:40.000 UTC", moment(NOW)
        )
    )
    assert finding.unproven[0] == "what the message said"
    assert finding.checkpoint is not None
    assert finding.checkpoint.size == 7


def test_a_claim_about_an_encrypted_message_stays_a_claim() -> None:
    finding = weighed(ENCRYPTED, "hello")
    assert finding.level is Level.E0
    assert "UNVERIFIED CLAIM" in finding.unproven[0]
    assert not any("text" in line for line in finding.proven)


def test_a_plaintext_message_is_opened_by_its_salt_and_the_exact_text() -> None:
    finding = weighed(PLAIN, "hello")
    assert (finding.level, finding.proven[-1]) == (Level.E2P, "the text of the message is the claimed one, byte for byte")
    assert not any("claimed text" in line for line in finding.unproven)


@pytest.mark.parametrize("text", ["Hello", "hello ", "hello\n", "", "HELLO", "hell"])
def test_another_text_is_said_not_to_be_the_one_that_was_sent(text: str) -> None:
    finding = weighed(PLAIN, text)
    assert (finding.sound, finding.level) == (True, Level.E0)
    assert finding.unproven[0] == "the claimed text: it is NOT a text that the record commits to"


def test_any_of_several_bodies_may_be_the_claimed_one() -> None:
    assert [weighed(TWO, text).level for text in ("Отчёт", "Report", "Rapport")] == [Level.E2P, Level.E2P, Level.E0]


def test_a_message_in_a_room_says_which_one() -> None:
    assert "in the room tax@rooms.gov.example" in weighed(ROOM).proven[0]


@pytest.mark.parametrize(
    "salt", [b"", b"t" * SALT_BYTES, b"s" * (SALT_BYTES - 1), b"s" * (SALT_BYTES + 1), b"s"], ids=["none", "other", "short", "long", "one"]
)
def test_without_the_right_salt_a_text_is_not_proven(salt: bytes) -> None:
    finding = weighed(replace(PLAIN, salt=salt), "hello")
    assert (finding.sound, finding.level) == (True, Level.E0)
    assert any("claimed text" in line for line in finding.unproven)
    assert any("UNVERIFIED CLAIM" in line for line in finding.unproven) is (salt == b"")


@pytest.mark.parametrize("item", BUNDLE.items, ids=["encrypted", "plain", "two", "room", "filed"])
@pytest.mark.parametrize("text", [None, "hello", "Отчёт", "hi"])
def test_every_finding_says_what_it_does_not_prove(item: Item, text: str | None) -> None:
    finding = weighed(item, text)
    assert any("keyboard" in line for line in finding.unproven)
    assert any("no witness" in line for line in finding.unproven)
    assert (finding.level is Level.E2P) is ("the text of the message is the claimed one, byte for byte" in finding.proven)


def test_archive_ids_are_those_that_were_filed_for_this_message() -> None:
    assert weighed(FILED).ids == ((ANNA, "archive-a"), (BORIS, "archive-b"))


def test_an_archive_id_of_another_message_spoils_the_item() -> None:
    finding = weighed(replace(PLAIN, filed=FILED.filed))
    assert not finding.sound
    assert finding.faults == ("an archive id that was filed for another message",) * 2
    assert not weighed(replace(PLAIN, filed=(ENCRYPTED.judged,))).sound


def test_a_filing_is_no_message() -> None:
    finding = weighed(Item(FILED.filed[0]))
    assert (finding.sound, finding.faults) == (False, ("the entry is not the record of a message",))


def test_another_key_and_no_key_prove_nothing() -> None:
    for vkeys in ([OTHER.vkey], [], ["nonsense"], [KEY.vkey[:-1]]):
        finding = judge(PLAIN, vkeys, Claim("hello"))
        assert not finding.sound
        assert (finding.proven, finding.record, finding.checkpoint, finding.level) == ((), None, None, Level.E0)
    assert judge(PLAIN, [OTHER.vkey, KEY.vkey]).sound


def test_a_ledger_of_ones_own_making_does_not_pass_for_the_trusted_one() -> None:
    forged = Archive(OTHER)
    forged.say(message(body("I resign"), id="m1"))
    ((item),) = forged.tracing.by_stanza_id("m1").items
    assert judge(item, [OTHER.vkey], Claim("I resign")).level is Level.E2P
    assert not weighed(item, "I resign").sound


def test_the_proof_of_one_entry_does_not_prove_another() -> None:
    assert not weighed(Item(Exhibit(PLAIN.judged.entry, ENCRYPTED.judged.proof))).sound
    assert not weighed(replace(FILED, filed=(Exhibit(FILED.filed[0].entry, FILED.filed[1].proof),))).sound


def test_a_report_is_good_only_if_something_is_in_it_and_all_of_that_is_sound() -> None:
    assert judge_bundle(BUNDLE, VKEYS).ok
    assert len(judge_bundle(BUNDLE, VKEYS).findings) == 5
    assert not Report().ok
    assert not judge_bundle(replace(BUNDLE, items=()), VKEYS).ok
    spoiled = replace(PLAIN, judged=Exhibit(PLAIN.judged.entry + b" ", PLAIN.judged.proof))
    assert not judge_bundle(replace(BUNDLE, items=(*BUNDLE.items, spoiled)), VKEYS).ok


def test_what_the_bundle_says_of_its_key_is_not_believed() -> None:
    assert not judge_bundle(replace(BUNDLE, vkey=OTHER.vkey), [OTHER.vkey]).ok


# ---- laws ---------------------------------------------------------------------------------------------------------------


def test_every_single_changed_byte_of_an_entry_is_found() -> None:
    entry = FILED.judged.entry
    for place in range(len(entry)):
        changed = entry[:place] + bytes([entry[place] ^ 1]) + entry[place + 1 :]
        assert not weighed(replace(FILED, judged=Exhibit(changed, FILED.judged.proof))).sound


def test_every_single_changed_letter_of_a_proof_is_found() -> None:
    proof = FILED.judged.proof
    for place, letter in enumerate(proof):
        changed = proof[:place] + chr(ord(letter) ^ 1) + proof[place + 1 :]
        assert not weighed(replace(FILED, judged=Exhibit(FILED.judged.entry, changed))).sound, place


@given(st.integers(0, len(FILED.judged.proof)), st.text(max_size=3), st.integers(0, 3))
def test_a_proof_with_something_put_in_or_cut_out_is_found(place: int, put: str, cut: int) -> None:
    proof = FILED.judged.proof
    changed = proof[:place] + put + proof[place + cut :]
    assert weighed(replace(FILED, judged=Exhibit(FILED.judged.entry, changed))).sound is (changed == proof)


@settings(max_examples=50)
@given(st.binary(max_size=300), st.text(max_size=300) | st.just(PLAIN.judged.proof), st.binary(max_size=40), st.text(max_size=9))
def test_whatever_is_handed_in_is_judged_and_nothing_is_proven(entry: bytes, proof: str, salt: bytes, text: str) -> None:
    finding = judge(Item(Exhibit(entry, proof), (), salt), VKEYS, Claim(text))
    assert not finding.sound
    assert finding.faults


@given(st.binary(max_size=40), st.text(st.characters(exclude_categories=["Cs"]), max_size=9))
def test_no_salt_and_text_but_the_true_ones_open_a_message(salt: bytes, text: str) -> None:
    level = weighed(replace(PLAIN, salt=salt), text).level
    assert (level is Level.E2P) is (salt == PLAIN.salt and text == "hello")


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(0, "1970-01-01 00:00:00.000 UTC"), (1, "1970-01-01 00:00:00.001 UTC"), (10**18, "1000000000000000000 ms after 1970")],
)
def test_a_time_is_said_in_utc_to_the_millisecond(milliseconds: int, said: str) -> None:
    assert moment(milliseconds) == said
    assert moment(10**400).endswith("ms after 1970")


def test_a_change_of_devices_in_the_place_of_a_message_or_of_an_archive_id_is_not_sound() -> None:
    archive = Archive()
    said = archive.say(message(legacy(), id="m0"))
    place = archive.keep((changed(change(11), Verdict(True, rule="devices"), NOW), b""))
    (item,) = archive.tracing.by_stanza_id("m0").items
    told, change_told = (Exhibit(archive.ledger.entry(one).data, archive.ledger.prove(one)) for one in (said, place))
    assert item.judged == told
    assert weighed(item).sound
    assert weighed(Item(change_told)).faults == ("the entry is not the record of a message",)
    assert weighed(replace(item, filed=(change_told,))).faults == ("an archive id that was filed for another message",)
