"""The ledger's entries: one way to write each, and nothing else is read."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.gate.rules import changed, judged
from apostille.record import (
    ABOUT_DEVICES,
    Body,
    DeviceDecided,
    DevicesChanged,
    Encrypted,
    Filed,
    FiledId,
    Judged,
    Record,
    Unreadable,
    commitment,
    filings,
    lookups,
    neighbourhood,
    read,
    resource_mark,
    write,
)
from apostille.tlog.tiles import ENTRY_LIMIT
from apostille.vocabulary import Verdict
from messages import BORIS, LEGACY, body, change, child, encrypted, keys, legacy, message, sha256

numbers = st.integers(-(2**53), 2**53)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
filed = st.builds(Filed, at=numbers, ids=st.lists(st.tuples(numbers, texts, texts), max_size=3).map(tuple))
envelopes = st.builds(
    Encrypted, namespace=texts, digest=texts, sid=numbers, payload=numbers, devices=st.lists(numbers, max_size=4).map(tuple)
)
messages = st.builds(
    Judged,
    at=numbers,
    sender=texts,
    recipient=texts,
    resource=texts,
    type=texts,
    flow=texts,
    id=texts,
    origin_id=texts,
    room=texts,
    policy=texts,
    code=texts,
    bodies=st.lists(st.builds(Body, commitment=texts, length=numbers), max_size=2).map(tuple),
    encrypted=st.lists(envelopes, max_size=2).map(tuple),
)
device_changes = st.builds(
    DevicesChanged,
    at=numbers,
    owner=texts,
    resource=texts,
    flow=texts,
    action=texts,
    namespace=texts,
    subject=texts,
    devices=st.lists(numbers, max_size=4).map(tuple),
    identity=texts,
    policy=texts,
)
device_decisions = st.builds(
    DeviceDecided,
    at=numbers,
    owner=texts,
    namespace=texts,
    device=numbers,
    decision=texts,
    means=texts,
    by=texts,
    identity=texts,
    resource=texts,
    label=texts,
)
records = filed | messages | device_changes | device_decisions
KEPT = Judged(
    at=1_795_000_000_123,
    sender="анна@gov.example",
    recipient="boris@gov.example",
    resource="5f",
    type="chat",
    flow="local",
    id="m1",
    policy="officials",
    bodies=(Body("c0", 5),),
    encrypted=(Encrypted(LEGACY, "d1", 7, 25, (11, 12)),),
)
WRITTEN = (
    '{"at":1795000000123,"body":[{"commitment":"c0","length":5}],"flow":"local","from":"анна@gov.example","id":"m1","kind":"judged",'
    '"omemo":[{"devices":[11,12],"digest":"d1","ns":"eu.siacs.conversations.axolotl","payload":25,"sid":7}],"policy":"officials",'
    '"resource":"5f","to":"boris@gov.example","type":"chat","v":1}'
).encode()
CHANGED = DevicesChanged(
    at=1_795_000_000_123,
    owner="анна@gov.example",
    resource="5f",
    flow="local",
    action="publish",
    namespace=LEGACY,
    subject="bundle",
    devices=(11,),
    identity="0a" * 33,
    policy="devices",
)
CHANGED_WRITTEN = (
    '{"action":"publish","at":1795000000123,"devices":[11],"flow":"local","from":"анна@gov.example","identity":"' + "0a" * 33 + '",'
    '"kind":"devices","ns":"eu.siacs.conversations.axolotl","policy":"devices","resource":"5f","subject":"bundle","v":1}'
).encode()
DECIDED = DeviceDecided(
    at=1_795_000_000_123,
    owner="анна@gov.example",
    namespace=LEGACY,
    device=11,
    decision="approved",
    means="registrar",
    by="olga",
    identity="0a" * 33,
    label="Телефон",
)
DECIDED_WRITTEN = (
    '{"at":1795000000123,"by":"olga","decision":"approved","device":11,"from":"анна@gov.example","identity":"' + "0a" * 33 + '",'
    '"kind":"device-decided","label":"Телефон","means":"registrar","ns":"eu.siacs.conversations.axolotl","resource":"","v":1}'
).encode()


@given(records)
def test_what_is_written_is_read_back(record: Record) -> None:
    assert read(write(record)) == record


@given(records)
def test_the_same_facts_are_the_same_bytes_in_the_canonical_form(record: Record) -> None:
    entry = write(record)
    again = json.dumps(json.loads(entry), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert entry == again == write(read(entry))


def test_an_entry_looks_like_this_for_ever() -> None:
    assert write(KEPT) == WRITTEN
    assert write(Filed(2, ((0, "anna@gov.example", "a1"), (1, "b", "c")))) == (
        b'{"at":2,"ids":[[0,"anna@gov.example","a1"],[1,"b","c"]],"kind":"filed","v":1}'
    )
    assert write(CHANGED) == CHANGED_WRITTEN
    assert write(replace(CHANGED, subject="list", devices=(), identity="")) == (
        CHANGED_WRITTEN.replace(b"[11]", b"[]").replace(b'"identity":"' + b"0a" * 33 + b'",', b"").replace(b"bundle", b"list")
    )
    assert write(DECIDED) == DECIDED_WRITTEN
    assert write(replace(DECIDED, identity="", label="")) == (
        DECIDED_WRITTEN.replace(b'"identity":"' + b"0a" * 33 + b'",', b"").replace('"label":"Телефон",'.encode(), b"")
    )


@given(st.binary(max_size=200))
def test_any_other_bytes_are_unreadable(entry: bytes) -> None:
    with pytest.raises(Unreadable):
        read(entry)


@pytest.mark.parametrize(
    ("kept", "written"),
    [(KEPT, WRITTEN), (CHANGED, CHANGED_WRITTEN), (DECIDED, DECIDED_WRITTEN)],
    ids=["judged", "devices", "device-decided"],
)
@given(st.data(), st.integers(0, 255))
def test_one_changed_byte_is_unreadable_or_another_record(kept: Record, written: bytes, data: st.DataObject, value: int) -> None:
    place = data.draw(st.integers(0, len(written) - 1))
    entry = written[:place] + bytes([value]) + written[place + 1 :]
    try:
        found = read(entry)
    except Unreadable:
        return
    assert (found == kept) is (entry == written)
    assert write(found) == entry


anything = st.recursive(
    st.none() | st.booleans() | numbers | st.floats() | st.text(max_size=5) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


fields = [(written, name) for written in (WRITTEN, CHANGED_WRITTEN, DECIDED_WRITTEN) for name in sorted(json.loads(written))]


@given(st.sampled_from(fields), anything)
def test_a_field_of_another_type_is_unreadable(field: tuple[bytes, str], value: Any) -> None:
    written, name = field
    shape = json.loads(written) | {name: value}
    entry = json.dumps(shape, sort_keys=True, separators=(",", ":")).encode()
    try:
        assert write(read(entry)) == entry
    except Unreadable:
        return
    assert type(value) is type(json.loads(written)[name])


@pytest.mark.parametrize(
    "entry",
    [
        WRITTEN + b"\n",
        b" " + WRITTEN,
        WRITTEN.replace(b",", b", ", 1),
        WRITTEN.replace("анна".encode(), rb"\u0430\u043d\u043d\u0430"),
        WRITTEN.replace(b'"v":1', b'"v":2'),
        WRITTEN.replace(b'"v":1', b'"v":1.0'),
        WRITTEN.replace(b'"v":1', b'"v":true'),
        WRITTEN.replace(b'"at":1795000000123', b'"at":true'),
        WRITTEN.replace(b'"at":1795000000123', b'"at":NaN'),
        WRITTEN.replace(b'"at":1795000000123', b'"at":1e400'),
        WRITTEN.replace(b'"at":1795000000123', b'"at":' + b"9" * 5000),
        WRITTEN.replace(b"[11,12]", b"[11,false]"),
        WRITTEN.replace(b"[11,12]", b'"12"'),
        WRITTEN.replace(b'"length":5', b'"length":5.5'),
        WRITTEN.replace(b'"m1"', b'"\\ud800"'),
        WRITTEN.replace(b'"m1"', b'""'),
        WRITTEN.replace(b'"kind":"judged"', b'"kind":"heard"'),
        WRITTEN.replace(b'"kind":"judged"', b'"kind":["judged"]'),
        WRITTEN.replace(b'"m1"', b'"m1","more":1'),
        WRITTEN.replace(b'"m1"', b'"m1","id":"m1"'),
        b"[" * 100_000,
        b'{"at":1,"ids":' + b"[" * 900 + b"]" * 900 + b',"kind":"filed","v":1}',
        b'{"at":1,"ids":["abc"],"kind":"filed","v":1}',
        b'{"at":1,"ids":[[true,"a","b"]],"kind":"filed","v":1}',
        b'{"at":1,"ids":[[1,"a","b","c"]],"kind":"filed","v":1}',
        b'{"at":1,"ids":[["1","a","b"]],"kind":"filed","v":1}',
        b'{"at":1,"ids":{},"kind":"filed","v":1}',
        CHANGED_WRITTEN.replace(b"[11]", b"[true]"),
        CHANGED_WRITTEN.replace(b"[11]", b'["11"]'),
        CHANGED_WRITTEN.replace(b"[11]", b'{"11":1}'),
        CHANGED_WRITTEN.replace(b"0a" * 33, b""),
        CHANGED_WRITTEN.replace(b'"subject":"bundle",', b""),
        CHANGED_WRITTEN.replace(b'"v":1', b'"to":"b","v":1'),
        DECIDED_WRITTEN.replace(b'"device":11', b'"device":true'),
        DECIDED_WRITTEN.replace(b'"device":11', b'"device":"11"'),
        DECIDED_WRITTEN.replace("Телефон".encode(), b""),
        DECIDED_WRITTEN.replace(b'"by":"olga",', b""),
        b"null",
        b"[]",
        b"{}",
        b'"judged"',
        b"",
    ],
    ids=lambda entry: repr(entry[-60:]),
)
def test_another_form_of_the_same_is_unreadable(entry: bytes) -> None:
    with pytest.raises(Unreadable):
        read(entry)


# ---- commitments and lookups --------------------------------------------------------------------------------------------


def test_a_commitment_hides_the_text_and_binds_to_it() -> None:
    salt, other = b"s" * 32, b"t" * 32
    assert commitment(salt, sha256("hello")) == commitment(salt, sha256("hello"))
    assert len({commitment(one, sha256(text)) for one in (salt, other) for text in ("hello", "hellp")}) == 4
    assert commitment(salt, sha256("hello")) not in (sha256("hello"), hashlib.sha256(salt + b"hello").hexdigest())


def test_nothing_of_a_text_is_in_its_record() -> None:
    entry = write(judged(message(body("the launch code is 0000")), Verdict(True), 1, b"s" * 32))
    assert b"launch" not in entry
    assert sha256("the launch code is 0000").encode() not in entry
    assert b'"length":23' in entry


def test_a_message_is_found_by_who_when_and_its_own_ids() -> None:
    found = dict(lookups(KEPT))
    assert found == {"from": "анна@gov.example", "to": "boris@gov.example", "id": "m1"}
    assert [pair for pair in lookups(replace(KEPT, origin_id="o1")) if pair[0] == "id"] == [("id", "m1"), ("id", "o1")]
    assert [pair for pair in lookups(replace(KEPT, origin_id="m1")) if pair[0] == "id"] == [("id", "m1")]
    assert [pair for pair in lookups(replace(KEPT, id="", origin_id="o1")) if pair[0] == "id"] == [("id", "o1")]
    assert [pair for pair in lookups(replace(KEPT, id="")) if pair[0] == "id"] == []


def test_a_change_of_devices_is_found_by_whose_they_are_and_never_as_a_message() -> None:
    assert lookups(CHANGED) == lookups(DECIDED) == (("devices-of", "анна@gov.example"), ABOUT_DEVICES)


@given(filed)
def test_archive_ids_are_found_by_id_and_near_the_place_of_their_message(record: Filed) -> None:
    found = lookups(record)
    assert {value for field, value in found if field == "id"} == {id_ for _, _, id_ in record.ids}
    assert {value for field, value in found if field == "of"} == {neighbourhood(of) for of, _, _ in record.ids}


# ---- archive ids in as few entries as can hold them ---------------------------------------------------------------------


@given(st.lists(st.tuples(numbers, texts, st.builds(lambda part, times: part * times, texts, st.integers(0, 900))), max_size=20))
def test_archive_ids_are_kept_in_order_in_entries_that_fit(ids: list[FiledId]) -> None:
    found = list(filings(7, ids))
    assert [one for record in found for one in record.ids] == ids
    assert all(len(write(record)) <= ENTRY_LIMIT or len(record.ids) == 1 for record in found)
    for record, following in pairwise(found):  # no entry ends early
        assert len(write(replace(record, ids=(*record.ids, following.ids[0])))) > ENTRY_LIMIT


def test_the_archive_ids_of_many_messages_are_one_entry_and_the_next_begins_where_it_is_full() -> None:
    ids = [(number, "anna@gov.example", f"{number:024}") for number in range(3000)]
    assert [len(record.ids) for record in filings(1, ids[:200])] == [200]
    assert len(list(filings(1, ids))) == 3
    assert list(filings(1, [])) == []


def test_of_a_resource_only_a_mark_is_kept() -> None:
    assert resource_mark("anna@gov.example") == ""
    mark = resource_mark("anna@gov.example/Conversations.a1b2")
    assert mark == hashlib.sha256(b"Conversations.a1b2").hexdigest()[:16]
    assert mark == resource_mark("boris@gov.example/Conversations.a1b2")
    assert resource_mark("anna@gov.example/a/b") == hashlib.sha256(b"a/b").hexdigest()[:16]


# ---- the largest record -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("character", ["\U0001f512", '"', "\\", "\t", "\x7f", "\u2028"])
def test_the_largest_record_that_a_message_can_bring_fits_into_an_entry(character: str) -> None:
    longest = f"{'я' * 511}@{'ж' * 511}"  # RFC 7622 section 3: 1,023 bytes a part
    many = legacy(keys(*[2**33] * 5000), sid=2**40 - 1, payload=2**40 - 1)
    assert many.envelope is not None
    children = [encrypted("urn:xmpp:omemo:2", many.envelope), many] * 5 + [body("x" * 9)] * 50 + [child("unknown:x", "x")] * 500
    largest = message(
        *children,
        sender=f"{longest}/{'r' * 1023}",
        recipient=longest,
        room=longest,
        type="groupchat",
        flow="component",
        id=character * 100_000,
        origin_id=character * 100_000,
    )
    record = judged(largest, Verdict(True, "encrypted-malformed", rule="p" * 128), 2**53, b"s" * 32)
    assert len(write(record)) <= ENTRY_LIMIT
    assert read(write(record)) == record


def test_the_largest_change_of_devices_fits_into_an_entry() -> None:
    longest = f"{'я' * 511}@{'ж' * 511}"
    largest = change(*[2**33] * 5000, sender=f"{longest}/{'r' * 1023}", owner=longest, flow="component", identity="f" * 66)
    record = changed(largest, Verdict(True, rule="p" * 128), 2**53)
    assert len(write(record)) <= ENTRY_LIMIT
    assert read(write(record)) == record


def test_a_change_of_devices_is_kept_with_a_mark_of_its_session_only() -> None:
    record = changed(change(11, 12, identity="ab" * 32, subject="bundle"), Verdict(True, rule="devices"), 7)
    assert record == DevicesChanged(
        7, BORIS, resource_mark("x@y/phone"), "local", "publish", LEGACY, "bundle", (11, 12), "ab" * 32, "devices"
    )
    assert b"phone" not in write(record)
