"""Who could read this: keys for devices of nobody, devices without a key, messages in another's name; the unknown."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apostille.policy.recipients import Finding, Known, Level, Part, Severity, Unknown, findings
from apostille_xep.gate.stanza import Envelope, Key
from messages import ANNA, BORIS, DIGEST, LEGACY, MODERN, keys

CLARA = "clara@gov.example"
ROOM = "audit@rooms.gov.example"
GRAVE, SLIGHT = Severity.GRAVE, Severity.SLIGHT
CHAT = {BORIS: (1, 2), ANNA: (11, 12)}


def known(*devices: int, approved: tuple[int, ...] | None = None, recent: tuple[int, ...] = (), elsewhere: bool = False) -> Known:
    return Known(frozenset(devices), None if approved is None else frozenset(approved), frozenset(recent), elsewhere)


def all_known(lists: Mapping[str, tuple[int, ...]], *, approved: bool = False) -> dict[str, Known]:
    return {jid: known(*devices, approved=devices if approved else None) for jid, devices in lists.items()}


def part(namespace: str, sid: int, header: tuple[Key, ...], people: Mapping[str, Known]) -> Part:
    return Part(namespace, Envelope(sid, None, 16, header, DIGEST, 0), people)


def legacy(*rids: int, sid: int = 1, **people: Known) -> Part:
    """A part of OMEMO 0.3; `boris` and `anna` say what is known of them, if it is not what they announce as a rule."""
    return part(LEGACY, sid, keys(*rids), all_known(CHAT) | {{"boris": BORIS, "anna": ANNA}[name]: one for name, one in people.items()})


def found(
    *parts: Part, level: Level = Level.ANNOUNCED, unknown: Unknown = Unknown.REFUSE, sender: str = BORIS, room: str = ""
) -> list[tuple[str, str, Severity]]:
    return [(one.code, one.where, one.severity) for one in findings(parts, sender, level, unknown, room)]


def codes(*parts: Part, **options: Level | Unknown) -> list[str]:
    return [code for code, _, _ in found(*parts, **options)]  # type: ignore[arg-type]


def test_a_message_for_all_devices_of_both_sides_has_no_findings_with_or_without_a_key_for_the_sending_one() -> None:
    assert found(legacy(2, 11, 12)) == found(legacy(1, 2, 11, 12)) == []


def test_a_key_for_a_device_of_nobody_is_a_ghost_by_its_number() -> None:
    assert found(legacy(2, 11, 12, 666)) == [("ghost", "666", GRAVE)]
    assert found(legacy(2, 11, 12, 1000, 666, 666, 99)) == [("ghost", "99", GRAVE), ("ghost", "666", GRAVE), ("ghost", "1000", GRAVE)]


def test_a_device_without_a_key_is_missing_on_either_side_and_named_by_its_account() -> None:
    assert found(legacy(2, 11)) == [("missing", ANNA, SLIGHT)]
    assert found(legacy(11, 12)) == [("missing", BORIS, SLIGHT)]
    assert found(legacy()) == [("missing", ANNA, SLIGHT), ("missing", BORIS, SLIGHT)]


def test_a_sending_device_that_is_not_the_senders_is_spoofed_even_if_it_is_the_recipients() -> None:
    assert found(legacy(1, 2, 11, 12, sid=666)) == [("spoofed", "666", GRAVE)]
    assert found(legacy(1, 2, 11, 12, sid=11)) == [("spoofed", "11", GRAVE)]


def test_omemo_2_says_whose_a_device_is_and_it_has_to_be() -> None:
    people = all_known(CHAT)
    sound = keys(2, jid=BORIS) + keys(11, 12, jid=ANNA)
    assert found(part(MODERN, 1, sound, people)) == []
    exchanged = keys(2, 11, jid=BORIS) + keys(12, jid=ANNA)
    assert found(part(MODERN, 1, exchanged, people)) == [("ghost", "11", GRAVE), ("missing", ANNA, SLIGHT)]
    assert found(part(MODERN, 1, sound + keys(11, jid=CLARA), people)) == [("ghost", "11", GRAVE)]
    assert found(part(MODERN, 1, sound + keys(11, jid=""), people)) == [("ghost", "11", GRAVE)]
    assert found(part(MODERN, 1, keys(2, jid=BORIS) + keys(11, 12, jid=""), people))[-1] == ("missing", ANNA, SLIGHT)


# ---- two versions --------------------------------------------------------------------------------------------------------


def test_a_device_may_have_its_key_in_either_part_of_a_message() -> None:
    people = all_known(CHAT)
    old = part(LEGACY, 1, keys(11), people)
    new = part(MODERN, 1, keys(2, jid=BORIS) + keys(12, jid=ANNA), people)
    assert found(old, new) == []
    assert codes(old) == ["missing", "missing"]
    assert found(old, part(MODERN, 1, keys(12, jid=ANNA), people)) == [("missing", BORIS, SLIGHT)]


def test_who_announces_in_the_other_version_only_is_no_stranger_and_is_missed_where_that_part_is_not_there() -> None:
    here, there = known(1, elsewhere=True), known(elsewhere=True)
    new = part(MODERN, 1, (), {BORIS: here, ANNA: there})
    assert found(new) == [("missing", ANNA, SLIGHT)]
    assert found(new, level=Level.APPROVED, unknown=Unknown.PASS) == [("missing", ANNA, SLIGHT)]
    old = part(LEGACY, 1, keys(11), {BORIS: here, ANNA: known(11, elsewhere=True)})
    assert found(new, old) == []
    assert found(part(MODERN, 1, keys(11, jid=ANNA), new.readers))[0] == ("ghost", "11", GRAVE)


# ---- the unknown ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known_of_her", [Known(None), Known(None, frozenset((11,))), known()])
@pytest.mark.parametrize("level", [Level.ANNOUNCED, Level.APPROVED])
def test_a_recipient_of_whom_no_devices_are_known_is_refused_unless_the_rule_says_otherwise(known_of_her: Known, level: Level) -> None:
    him = known(1, 2, approved=(1, 2))
    one = legacy(2, boris=him, anna=known_of_her)
    assert found(one, level=level) == [("devices-unknown", ANNA, GRAVE)]
    assert found(one, level=level, unknown=Unknown.PASS) == []


def test_a_sender_of_whom_no_devices_are_known_is_unknown_and_one_who_has_none_is_spoofed() -> None:
    assert found(legacy(11, 12, boris=Known(None))) == [("devices-unknown", BORIS, GRAVE)]
    assert found(legacy(11, 12, boris=Known(None)), unknown=Unknown.PASS) == []
    assert found(legacy(11, 12, boris=known())) == found(legacy(11, 12, boris=known()), unknown=Unknown.PASS) == [("spoofed", "1", GRAVE)]
    assert found(part(LEGACY, 1, keys(11, 12), {ANNA: known(11, 12)}), unknown=Unknown.PASS) == []


def test_in_omemo_0_3_a_device_may_be_anybodys_who_is_unknown_and_in_omemo_2_only_his() -> None:
    people = {BORIS: known(1, 2), ANNA: known(11), CLARA: Known(None)}
    assert found(part(LEGACY, 1, keys(2, 11, 666), people), unknown=Unknown.PASS) == []
    header = keys(2, jid=BORIS) + keys(11, jid=ANNA) + keys(31, jid=CLARA)
    assert found(part(MODERN, 1, header, people), unknown=Unknown.PASS) == []
    assert found(part(MODERN, 1, header + keys(666, jid=ANNA), people), unknown=Unknown.PASS) == [("ghost", "666", GRAVE)]


def test_who_is_known_to_have_no_devices_hides_no_ghost() -> None:
    assert found(legacy(2, 666, anna=known()), unknown=Unknown.PASS) == [("ghost", "666", GRAVE)]


# ---- approval ------------------------------------------------------------------------------------------------------------


def test_at_the_level_approved_a_device_has_to_be_approved_and_one_that_is_must_not_be_left_out() -> None:
    him, her = known(1, 2, approved=(1, 2)), known(11, 12, approved=(11,))
    approved = Level.APPROVED
    assert found(legacy(2, 11, boris=him, anna=her), level=approved) == []
    assert found(legacy(2, 11, 12, boris=him, anna=her), level=Level.ANNOUNCED) == []
    assert found(legacy(2, 11, 12, boris=him, anna=her), level=approved) == [("device-unapproved", "12", GRAVE)]
    assert found(legacy(2, 11, 13, boris=him, anna=her), level=approved) == [("ghost", "13", GRAVE)]
    assert found(legacy(2, boris=him, anna=her), level=approved) == [("missing", ANNA, GRAVE)]
    assert found(legacy(1, 11, sid=2, boris=known(1, 2, approved=(1,)), anna=her), level=approved) == [("device-unapproved", "2", GRAVE)]
    people = {BORIS: him, ANNA: her}
    modern = part(MODERN, 1, keys(2, jid=BORIS) + keys(11, 12, jid=ANNA), people)
    assert found(modern, level=approved) == [("device-unapproved", "12", GRAVE)]


def test_an_approved_device_that_is_not_announced_is_no_ghost_and_not_missed() -> None:
    him, her = known(1, 2, approved=(1, 2)), known(11, approved=(11, 12))
    for rids in ((2, 11), (2, 11, 12)):
        assert found(legacy(*rids, boris=him, anna=her), level=Level.APPROVED) == []


def test_of_an_account_that_the_register_does_not_know_the_list_counts_and_it_is_unknown() -> None:
    him = known(1, 2, approved=(1, 2))
    assert found(legacy(2, 11, 12, boris=him), level=Level.APPROVED) == [("devices-unknown", ANNA, GRAVE)]
    one = legacy(2, 11, 666, boris=him)
    assert found(one, level=Level.APPROVED, unknown=Unknown.PASS) == [("ghost", "666", GRAVE), ("missing", ANNA, SLIGHT)]


def test_approval_has_no_grace() -> None:
    him = known(1, 2, approved=(1, 2))
    for her in (known(11, 12, approved=(11,), recent=(12,)), known(11, approved=(11,), recent=(12,)), known(approved=(), recent=(12,))):
        assert ("device-unapproved", "12", GRAVE) in found(legacy(2, 11, 12, boris=him, anna=her), level=Level.APPROVED)


def test_a_rule_that_takes_any_device_looks_at_none() -> None:
    assert found(legacy(666, sid=667), level=Level.ANY) == []


# ---- rooms ---------------------------------------------------------------------------------------------------------------


def test_in_a_room_every_member_counts_and_none_is_named() -> None:
    people = {BORIS: known(1), ANNA: known(11), CLARA: known(21)}
    assert found(part(LEGACY, 1, keys(11, 21), people), room=ROOM) == []
    assert found(part(LEGACY, 1, keys(11), people), room=ROOM) == [("missing", ROOM, SLIGHT)]
    assert found(part(LEGACY, 1, (), people | {CLARA: Known(None)}), room=ROOM) == [
        ("devices-unknown", ROOM, GRAVE),
        ("missing", ROOM, SLIGHT),
    ]


def test_a_large_room_is_judged_like_a_small_one() -> None:
    people = {f"m{number}@gov.example": known(2 * number, 2 * number + 1) for number in range(1, 101)} | {BORIS: known(1)}
    rids = range(2, 202)
    assert found(part(LEGACY, 1, keys(*rids), people), room=ROOM) == []
    assert found(part(LEGACY, 1, keys(*rids, 666), people), room=ROOM) == [("ghost", "666", GRAVE)]
    assert found(part(LEGACY, 1, keys(*rids[1:]), people), room=ROOM) == [("missing", ROOM, SLIGHT)]


def test_an_answer_that_is_remembered_is_the_one_that_was_given_however_many_there_are() -> None:
    for _ in range(2):
        for number in range(1000, 6000):
            assert found(legacy(2, 11, 12, number)) == [("ghost", str(number), GRAVE)]
    assert found(legacy(2, 11, 12)) == []


# ---- laws ----------------------------------------------------------------------------------------------------------------

accounts = st.sampled_from([BORIS, ANNA, CLARA, "dmitri@gov.example"])
numbers = st.integers(1, 2**31 - 1)
lists = st.dictionaries(accounts, st.sets(numbers, min_size=1, max_size=4), min_size=1).filter(
    lambda people: BORIS in people and len(set().union(*people.values())) == sum(map(len, people.values()))
)
namespaces = st.sampled_from([LEGACY, MODERN])
levels = st.sampled_from([Level.ANNOUNCED, Level.APPROVED])
unknowns = st.sampled_from(Unknown)


def header(namespace: str, people: Mapping[str, set[int]]) -> list[Key]:
    return [Key(rid, 60, jid if namespace == MODERN else "", kex=False) for jid, devices in people.items() for rid in sorted(devices)]


def sound(people: Mapping[str, set[int]]) -> dict[str, Known]:
    return all_known({jid: tuple(devices) for jid, devices in people.items()}, approved=True)


@given(lists, namespaces, levels, unknowns, st.randoms(use_true_random=False))
def test_a_message_for_exactly_the_announced_and_approved_devices_never_has_findings_in_any_order(
    people: dict[str, set[int]], namespace: str, level: Level, unknown: Unknown, random: Random
) -> None:
    sid = random.choice(sorted(people[BORIS]))
    said = header(namespace, people)
    random.shuffle(said)
    assert findings([part(namespace, sid, tuple(said), sound(people))], BORIS, level, unknown) == ()


@given(lists, namespaces, levels, unknowns, numbers)
def test_any_key_more_is_a_ghost(people: dict[str, set[int]], namespace: str, level: Level, unknown: Unknown, ghost: int) -> None:
    assume(not any(ghost in devices for devices in people.values()))
    said = (*header(namespace, people), Key(ghost, 60, BORIS if namespace == MODERN else "", kex=False))
    one = part(namespace, min(people[BORIS]), said, sound(people))
    assert findings([one], BORIS, level, unknown) == (Finding("ghost", str(ghost)),)


@given(lists, namespaces, st.data())
def test_any_key_less_is_missing_but_that_of_the_sending_device(people: dict[str, set[int]], namespace: str, data: st.DataObject) -> None:
    said = header(namespace, people)
    sid = min(people[BORIS])
    gone = data.draw(st.sampled_from(said))
    said.remove(gone)
    (owner,) = [jid for jid, devices in people.items() if gone.rid in devices]
    one = part(namespace, sid, tuple(said), sound(people))
    expected = () if gone.rid == sid else (Finding("missing", owner),)
    assert findings([one], BORIS, Level.APPROVED, Unknown.REFUSE) == expected


@given(lists, namespaces, levels, unknowns, numbers)
def test_any_sending_device_that_is_not_the_senders_is_spoofed(
    people: dict[str, set[int]], namespace: str, level: Level, unknown: Unknown, sid: int
) -> None:
    assume(sid not in people[BORIS])
    one = part(namespace, sid, tuple(header(namespace, people)), sound(people))
    assert findings([one], BORIS, level, unknown) == (Finding("spoofed", str(sid)),)


@given(
    st.dictionaries(accounts, st.builds(
        Known,
        st.none() | st.frozensets(st.integers(1, 6)), st.none() | st.frozensets(st.integers(1, 6)),
        st.frozensets(st.integers(1, 6), max_size=2), st.booleans(),
    )),
    st.lists(st.tuples(st.integers(1, 6), accounts), max_size=6), namespaces, levels, unknowns, st.integers(1, 6),
)  # fmt: skip
def test_whatever_is_known_the_order_of_keys_does_not_matter_and_a_rule_that_lets_the_unknown_pass_finds_no_more(
    people: dict[str, Known], said: list[tuple[int, str]], namespace: str, level: Level, unknown: Unknown, sid: int
) -> None:
    told = [Key(rid, 60, jid if namespace == MODERN else "", kex=False) for rid, jid in said]
    one = findings([part(namespace, sid, tuple(told), people)], BORIS, level, unknown)
    assert one == findings([part(namespace, sid, tuple(reversed(told)), people)], BORIS, level, unknown)
    assert len(set(one)) == len(one)
    lenient = findings([part(namespace, sid, tuple(told), people)], BORIS, level, Unknown.PASS)
    assert set(lenient) <= set(one)
    assert set(one) - set(lenient) <= {item for item in one if item.code == "devices-unknown"}
    # A device that its owner neither announces, nor lately did, nor has approved, is never let pass where everybody is known.
    owned = {device for known_ in people.values() for device in (known_.announced or set()) | known_.recent | (known_.approved or set())}
    strange = {str(rid) for rid, _ in said if rid not in owned}
    if all(known_.announced is not None for known_ in people.values()):
        assert strange <= {item.where for item in one if item.code == "ghost"}
