"""From an id or two addresses to the messages of a complaint, with a proof of each."""

from __future__ import annotations

import pytest

from apostille.gate.rules import changed
from apostille.record import read
from apostille.tracing.rules import Claim, Level, judge_bundle, read_bundle, write_bundle
from apostille.vocabulary import Fault, Reason, Refusal, Verdict
from doubles_gate import NOW
from doubles_tracing import KEY, MADE, SALT, Archive, texts
from messages import ANNA, BORIS, body, change, legacy, message

CLARA = "clara.lindqvist@gov.example"


@pytest.fixture
def archive() -> Archive:
    return Archive()


def found(archive: Archive, stanza_id: str) -> list[str]:
    return texts([read(item.judged.entry) for item in archive.tracing.by_stanza_id(stanza_id).items])


def between(archive: Archive, one: str, other: str, since: int = 0, until: int = NOW * 2) -> list[str]:
    return texts([read(item.judged.entry) for item in archive.tracing.between(one, other, since, until).items])


def test_a_message_is_found_under_each_of_its_ids_and_once(archive: Archive) -> None:
    place = archive.say(message(legacy(), id="m1", origin_id="o1"))
    archive.file(place, ANNA, "a1")
    archive.file(place, BORIS, "b1")
    archive.say(message(legacy(), id="m2", origin_id="m2"))
    for stanza_id in ("m1", "o1", "a1", "b1"):
        assert found(archive, stanza_id) == ["m1"]
    assert found(archive, "m2") == ["m2"]
    assert found(archive, "m3") == []


def test_an_empty_id_is_refused(archive: Archive) -> None:
    archive.say(message(legacy(), id=""))
    with pytest.raises(Refusal) as refusal:
        archive.tracing.by_stanza_id("")
    assert refusal.value.reason is Reason.MALFORMED


def test_all_who_chose_one_id_are_found_in_the_order_of_the_ledger(archive: Archive) -> None:
    archive.say(message(legacy(), id="same", sender=f"{BORIS}/x"))
    archive.say(message(legacy(), id="other", origin_id="same", sender=f"{CLARA}/x"))
    place = archive.say(message(legacy(), id="third"))
    archive.file(place, ANNA, "same")
    assert found(archive, "same") == ["same", "other", "third"]


def test_messages_between_two_are_found_both_ways_in_order_and_no_others(archive: Archive) -> None:
    archive.say(message(legacy(), id="1", sender=f"{BORIS}/a", recipient=ANNA))
    archive.say(message(legacy(), id="2", sender=f"{ANNA}/b", recipient=BORIS))
    archive.say(message(legacy(), id="3", sender=f"{ANNA}/b", recipient=CLARA))
    archive.say(message(legacy(), id="4", sender=f"{BORIS}/c", recipient=ANNA))
    assert between(archive, BORIS, ANNA) == between(archive, ANNA, BORIS) == ["1", "2", "4"]
    assert between(archive, ANNA, ANNA) == []


def test_a_note_to_oneself_is_found_once(archive: Archive) -> None:
    archive.say(message(legacy(), id="1", sender=f"{ANNA}/a", recipient=ANNA))
    assert between(archive, ANNA, ANNA) == ["1"]


def test_the_time_is_from_since_up_to_but_not_including_until(archive: Archive) -> None:
    for number in range(4):
        archive.say(message(legacy(), id=str(number)), at=NOW + number)
    assert between(archive, BORIS, ANNA, NOW + 1, NOW + 3) == ["1", "2"]
    assert between(archive, BORIS, ANNA, NOW + 1, NOW + 1) == []
    assert between(archive, BORIS, ANNA, NOW + 3, NOW) == []


def test_a_bundle_says_what_was_asked_and_proves_all_of_it(archive: Archive) -> None:
    place = archive.say(message(body("hello"), id="m1"))
    archive.file(place, ANNA, "a1")
    bundle = archive.tracing.by_stanza_id("a1")
    assert (bundle.vkey, bundle.made, dict(bundle.question)) == (KEY.vkey, MADE, {"stanza-id": "a1"})
    assert bundle.items[0].salt == SALT
    report = judge_bundle(read_bundle(write_bundle(bundle)), [KEY.vkey], Claim("hello"))
    assert report.ok
    assert (report.findings[0].level, report.findings[0].ids) == (Level.E2P, ((ANNA, "a1"),))
    asked = archive.tracing.between(ANNA, BORIS, 1, 2)
    assert (dict(asked.question), asked.items) == ({"between": f"{ANNA} {BORIS}", "since": "1", "until": "2"}, ())


def test_a_proof_holds_also_in_a_large_ledger(archive: Archive) -> None:
    for number in range(300):
        archive.say(message(legacy(), id=f"m{number}"))
    report = judge_bundle(archive.tracing.between(BORIS, ANNA, 0, NOW + 1), [KEY.vkey])
    assert report.ok
    assert [finding.index for finding in report.findings] == list(range(300))


def test_an_archive_id_for_a_place_that_is_none_does_not_hide_the_others(archive: Archive) -> None:
    place = archive.say(message(legacy(), id="m1"))
    archive.file(999, ANNA, "a1")
    archive.file(place, BORIS, "a1")
    assert found(archive, "a1") == ["m1"]


def test_an_archive_id_for_what_is_no_message_finds_nothing(archive: Archive) -> None:
    place = archive.file(999, ANNA, "a1")
    archive.file(place, ANNA, "a2")
    assert found(archive, "a2") == []


def test_a_damaged_entry_is_a_fault_that_says_what_to_run(archive: Archive) -> None:
    archive.say(message(legacy(), id="m1"))
    archive.log.now.data[0] = b"not an entry"
    with pytest.raises(Fault, match=r"entry 0: .*apostille ledger verify"):
        archive.tracing.by_stanza_id("m1")


def test_a_damaged_filing_is_a_fault_that_says_what_to_run(archive: Archive) -> None:
    archive.file(archive.say(message(legacy(), id="m1")), ANNA, "a1")
    archive.log.now.data[1] = b"not an entry"
    with pytest.raises(Fault, match=r"entry 1: .*apostille ledger verify"):
        archive.tracing.by_stanza_id("a1")


def test_an_entry_that_was_changed_is_not_proven(archive: Archive) -> None:
    archive.say(message(legacy(), id="m1"))
    archive.log.now.data[0] = archive.log.now.data[0].replace(b"boris", b"clara")
    with pytest.raises(Fault, match="entry 0"):
        archive.tracing.by_stanza_id("m1")


def test_a_change_of_devices_is_in_nobodys_way(archive: Archive) -> None:
    before, after = (changed(change(device), Verdict(True, rule="devices"), NOW) for device in (11, 12))
    kept = archive.keep((before, b""))
    place = archive.say(message(legacy(), id="m1"))
    archive.keep((after, b""))
    archive.file(place, ANNA, "a1")
    archive.file(kept, ANNA, "a1")  # whoever files it for the wrong place
    assert found(archive, "a1") == ["m1"]
    assert between(archive, BORIS, ANNA) == ["m1"]
    assert len(archive.tracing.by_stanza_id("a1").items) == 1
    assert [read(one.data) for one in archive.ledger.find("devices-of", BORIS)] == [before, after]
