"""What ciphertext must look like, and the laws that no message escapes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.policy.fallbacks import FALLBACKS, RETRACTIONS
from apostille.policy.rows import TABLE
from apostille.policy.stanzas import Kind, examine
from apostille_xep.gate.stanza import Child, Key, Member
from messages import ANNA, CLIENT, LEGACY, MODERN, body, child, keys, legacy, message, modern

ROOM = "tax@rooms.gov.example"


def sound(element: Child) -> bool:
    content = examine(message(element))
    assert content.kind is (Kind.READABLE if content.objections else Kind.ENCRYPTED)
    assert {objection.code for objection in content.objections} <= {"encrypted-malformed"}
    return not content.objections


@pytest.mark.parametrize(
    ("iv", "payload", "right"),
    [
        (12, 1, True),
        (16, 1, True),
        (12, None, True),
        (None, None, True),
        (None, 1, False),
        (11, 1, False),
        (13, 1, False),
        (-1, 1, False),
        (0, None, False),
        (12, 0, False),
        (12, -1, False),
        (12, 100_000, True),
    ],
)
def test_an_old_payload_has_an_iv_of_twelve_or_sixteen_bytes(iv: int | None, payload: int | None, right: bool) -> None:
    assert sound(legacy(iv=iv, payload=payload)) is right


@pytest.mark.parametrize(
    ("payload", "right"), [(16, True), (32, True), (4096, True), (None, True), (0, False), (15, False), (17, False), (-1, False)]
)
def test_a_new_payload_is_whole_blocks(payload: int | None, right: bool) -> None:
    assert sound(modern(payload=payload)) is right


@pytest.mark.parametrize("length", [32, 60, 4096])
def test_a_key_of_a_ratchet_message_has_its_length(length: int) -> None:
    assert sound(legacy(keys(1, length=length)))
    assert sound(modern(keys(1, length=length, jid=ANNA)))


@pytest.mark.parametrize("length", [-1, 0, 31, 4097])
def test_a_key_that_is_too_short_or_too_long_is_none(length: int) -> None:
    assert not sound(legacy(keys(1, length=length)))
    assert not sound(legacy((*keys(1), *keys(2, length=length))))
    assert not sound(modern(keys(1, length=length, jid=ANNA)))


@pytest.mark.parametrize(("number", "right"), [(1, True), (2**31 - 1, True), (0, False), (-1, False), (2**31, False), (2**40 - 1, False)])
def test_device_ids_lie_between_one_and_two_to_the_31(number: int, right: bool) -> None:
    assert sound(legacy(sid=number)) is right
    assert sound(modern(sid=number)) is right
    assert sound(legacy(keys(number))) is right
    assert sound(modern(keys(number, jid=ANNA))) is right


def test_new_keys_say_whose_they_are() -> None:
    assert not sound(modern(keys(1)))
    assert not sound(modern((*keys(1, jid=ANNA), *keys(2))))


def test_anything_strange_inside_makes_it_malformed() -> None:
    assert not sound(legacy(strange=1))
    assert not sound(modern(strange=1))


def test_as_many_devices_as_a_record_can_name_and_no_more() -> None:
    assert sound(legacy(keys(*range(1, 1201))))
    assert not sound(legacy(keys(*range(1, 1202))))


def test_every_known_fallback_is_a_hash() -> None:
    assert all(len(bytes.fromhex(one)) == 32 and one == one.lower() for one in FALLBACKS | RETRACTIONS)
    assert not FALLBACKS & RETRACTIONS


# ---- laws ---------------------------------------------------------------------------------------------------------------

numbers = st.integers(0, 1300)
rows = st.sampled_from(sorted(TABLE))
inside = rows.map(lambda key: child(*key, TABLE[key].text, TABLE[key].attributes, TABLE[key].elements))
names = st.sampled_from([CLIENT, LEGACY, MODERN, "urn:xmpp:hints", "urn:xmpp:receipts", "unknown:x", ""])
words = st.sampled_from(["encrypted", "body", "subject", "html", "x", "request", "Body", "error", "store"])
outside = st.tuples(names, words).filter(lambda key: key not in TABLE and key != (CLIENT, "body")).map(lambda key: child(*key))
ciphertexts = st.sampled_from([legacy(), legacy(iv=16), legacy(iv=None, payload=None), modern(), modern(payload=None)])
types = st.sampled_from(["chat", "normal", "groupchat", "headline"])


@given(st.lists(inside | ciphertexts, max_size=5), outside, st.integers(0, 5), types)
def test_one_element_outside_the_table_makes_any_message_readable(rest: list[Child], strange: Child, place: int, type_: str) -> None:
    children = [*rest[:place], strange, *rest[place:]]
    assert examine(message(*children, type=type_)).kind is Kind.READABLE


@given(rows, numbers, numbers, numbers)
def test_an_element_passes_only_within_its_row(key: tuple[str, str], text: int, attributes: int, elements: int) -> None:
    row = TABLE[key]
    within = text <= row.text and attributes <= row.attributes and elements <= row.elements
    assert (examine(message(child(*key, text, attributes, elements))).kind is Kind.EMPTY) is within


@given(st.lists(inside | ciphertexts, max_size=5), st.text(min_size=1), st.integers(0, 5), types)
def test_a_readable_body_makes_any_message_readable(rest: list[Child], text: str, place: int, type_: str) -> None:
    content = examine(message(*rest[:place], body(text.encode(errors="replace").decode()), *rest[place:], type=type_))
    assert content.kind is Kind.READABLE
    assert content.objections[0].code in {"plaintext", "plaintext-beside"}


@given(st.lists(inside | outside | ciphertexts, max_size=6), st.integers(0, 3))
def test_the_kind_follows_from_objections_and_encrypted_parts(children: list[Child], text: int) -> None:
    content = examine(message(*children, text=text))
    if content.objections:
        assert content.kind is Kind.READABLE
    else:
        assert content.kind is (Kind.ENCRYPTED if content.versions else Kind.EMPTY)


def test_in_a_room_keys_of_omemo_2_are_for_those_who_are_in_it_and_a_few_who_were() -> None:
    crowd = tuple(Member(f"somebody{number}@gov.example", None) for number in range(40))
    ask = message(modern(tuple(Key(11, 60, one.jid, kex=False) for one in crowd)), type="groupchat", room=ROOM, recipient=ROOM)
    assert examine(ask._replace(members=crowd)).objections == ()
    assert examine(ask._replace(members=crowd[2:])).objections == ()
    assert [one.code for one in examine(ask._replace(members=crowd[9:])).objections] == ["encrypted-malformed"]
    assert examine(ask).objections == (), "who is in the room was not told"


@pytest.mark.parametrize("jid", ["Meet me at noon@gate", "noon", "a@b@c", "@gate", "noon@", "x" * 65 + "@gov.example", "a@b/c"])
def test_where_nobody_knows_who_is_there_keys_are_at_least_for_what_looks_like_an_account(jid: str) -> None:
    for ask in (message(modern(keys(11, jid=jid)), type=type_, room=ROOM) for type_ in ("groupchat", "chat")):
        assert [one.code for one in examine(ask).objections] == ["encrypted-malformed"]


def test_in_a_private_message_strange_accounts_are_few() -> None:
    few, many = (tuple(Key(11 + n, 60, f"somebody{n}@elsewhere.example", kex=False) for n in range(count)) for count in (3, 6))
    assert examine(message(modern(few), room=ROOM)).objections == ()
    assert [one.code for one in examine(message(modern(many), room=ROOM)).objections] == ["encrypted-malformed"]
