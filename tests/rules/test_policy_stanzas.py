"""The stanza table: what each element may carry, what no element may, and what an encrypted part must look like."""

from __future__ import annotations

from typing import Any

import pytest

from apostille.policy.stanzas import _TABLE, Kind, Objection, examine, sound_publication
from apostille_xep.gate.stanza import Child
from messages import ANNA, BORIS, CLIENT, LEGACY, MODERN, body, change, child, keys, legacy, message, modern

CHATSTATES = "http://jabber.org/protocol/chatstates"
MARKERS = "urn:xmpp:chat-markers:0"
RECEIPTS = "urn:xmpp:receipts"
HINTS = "urn:xmpp:hints"
SID = "urn:xmpp:sid:0"

# namespace, name, and the most that it may carry: bytes of text, bytes of attributes, descendants
ROWS: list[tuple[str, str, int, int, int]] = [
    (CLIENT, "thread", 128, 128, 0),
    *((CHATSTATES, name, 0, 0, 0) for name in ("active", "composing", "paused", "inactive", "gone")),
    (RECEIPTS, "request", 0, 0, 0),
    (RECEIPTS, "received", 0, 256, 0),
    (MARKERS, "markable", 0, 0, 0),
    *((MARKERS, name, 0, 256, 0) for name in ("received", "displayed", "acknowledged")),
    *((HINTS, name, 0, 0, 0) for name in ("store", "no-store", "no-permanent-store", "no-copy")),
    ("urn:xmpp:carbons:2", "private", 0, 0, 0),
    (SID, "origin-id", 0, 256, 0),
    (SID, "stanza-id", 0, 512, 0),
    ("urn:xmpp:occupant-id:0", "occupant-id", 0, 256, 0),
    ("urn:xmpp:delay", "delay", 0, 512, 0),
    ("http://jabber.org/protocol/nick", "nick", 64, 0, 0),
    ("urn:xmpp:eme:0", "encryption", 0, 96, 0),
    ("urn:xmpp:message-correct:0", "replace", 0, 256, 0),
    ("urn:xmpp:message-retract:1", "retract", 0, 256, 0),
    ("urn:xmpp:message-attaching:1", "attach-to", 0, 256, 0),
    ("urn:xmpp:reply:0", "reply", 0, 512, 0),
    ("urn:xmpp:fallback:0", "fallback", 0, 160, 2),
    ("http://jabber.org/protocol/muc#user", "x", 0, 0, 0),
    ("urn:xmpp:attention:0", "attention", 0, 0, 0),
]

# What the groundwork's table blocks, or lets pass only where a policy asks for it and none can yet.
FOREIGN = [
    (CLIENT, "subject", "subject"),
    (CLIENT, "error", "unknown-element"),
    ("http://jabber.org/protocol/xhtml-im", "html", "unknown-element"),
    ("urn:xmpp:forward:0", "forwarded", "unknown-element"),
    ("urn:xmpp:reactions:0", "reactions", "unknown-element"),
    ("urn:xmpp:reference:0", "reference", "unknown-element"),
    ("urn:xmpp:sfs:0", "file-sharing", "unknown-element"),
    ("urn:xmpp:esfs:0", "encrypted", "unknown-element"),
    ("urn:xmpp:file:metadata:0", "file", "unknown-element"),
    ("jabber:x:oob", "x", "unknown-element"),
    ("urn:xmpp:bob", "data", "unknown-element"),
    ("urn:xmpp:sims:1", "media-sharing", "unknown-element"),
    ("urn:xmpp:openpgp:0", "openpgp", "unknown-element"),
    ("jabber:x:encrypted", "x", "unknown-element"),
    ("jabber:x:conference", "x", "unknown-element"),
    ("jabber:x:data", "x", "unknown-element"),
    ("http://jabber.org/protocol/pubsub#event", "event", "unknown-element"),
    ("urn:xmpp:jingle-message:0", "propose", "unknown-element"),
    ("urn:xmpp:call-invites:0", "invite", "unknown-element"),
    ("urn:xmpp:message-moderate:1", "moderated", "unknown-element"),
    ("urn:xmpp:privilege:2", "privilege", "unknown-element"),
    ("unknown:x", "x", "unknown-element"),
    (CHATSTATES, "dreaming", "unknown-element"),
    (RECEIPTS, "body", "unknown-element"),
    ("jabber:server", "body", "unknown-element"),
    ("", "body", "unknown-element"),
    ("eu.siacs.conversations.axolotl.devicelist", "encrypted", "unknown-element"),
    ("urn:xmpp:omemo:1", "encrypted", "unknown-element"),
]

FALLBACK_SENTENCES = [
    (
        "I sent you an OMEMO encrypted message but your client doesn’t seem to support that. "
        "Find more information on https://conversations.im/omemo"
    ),
    "I sent you an OMEMO encrypted message but your client doesn’t seem to support that.",
    "You received a message encrypted with OMEMO but your client doesn't support OMEMO.",
    "[This message is OMEMO encrypted]",
    (
        "This is an OMEMO encrypted message which your client doesn’t seem to support. "
        "Find more information on https://conversations.im/omemo"
    ),
]


def codes(*children: Child, extras: frozenset[str] = frozenset(), type_: str = "chat") -> list[str]:
    return [objection.code for objection in examine(message(*children, type=type_), extras).objections]


def kind(*children: Child) -> Kind:
    return examine(message(*children)).kind


def test_the_table_below_is_the_table() -> None:
    assert {(namespace, name) for namespace, name, *_ in ROWS} == set(_TABLE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[1]} of {row[0]}")
def test_an_element_of_the_table_passes_with_all_that_it_may_carry_and_with_nothing(row: tuple[str, str, int, int, int]) -> None:
    namespace, name, text, attributes, elements = row
    assert kind(child(namespace, name)) is Kind.EMPTY
    assert kind(child(namespace, name, text, attributes, elements)) is Kind.EMPTY
    assert kind(legacy(), child(namespace, name, text, attributes, elements)) is Kind.ENCRYPTED


@pytest.mark.parametrize("more", [(1, 0, 0), (0, 1, 0), (0, 0, 1)], ids=["text", "attributes", "elements"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[1]} of {row[0]}")
def test_an_element_of_the_table_that_carries_one_more_is_refused(row: tuple[str, str, int, int, int], more: tuple[int, int, int]) -> None:
    namespace, name, *limits = row
    element = child(namespace, name, *(limit + one for limit, one in zip(limits, more, strict=True)))
    content = examine(message(element))
    assert content.kind is Kind.READABLE
    assert content.objections == (Objection("too-much", f"{{{namespace}}}{name}"),)
    assert codes(legacy(), element) == ["too-much"]


@pytest.mark.parametrize(("namespace", "name", "code"), FOREIGN, ids=lambda value: value or "(none)")
def test_an_element_outside_the_table_is_refused_alone_and_beside_an_encrypted_part(namespace: str, name: str, code: str) -> None:
    expected = (Objection(code, f"{{{namespace}}}{name}"),)
    assert examine(message(child(namespace, name))).objections == expected
    assert examine(message(legacy(), child(namespace, name))).objections == expected
    assert examine(message(modern(), child(namespace, name))).kind is Kind.READABLE


@pytest.mark.parametrize("key", sorted(_TABLE), ids=lambda key: f"{key[1]} of {key[0]}")
def test_an_element_may_stand_there_so_many_times_and_no_more(key: tuple[str, str]) -> None:
    assert kind(*[child(*key)] * 4) is Kind.EMPTY
    assert examine(message(*[child(*key)] * 5)).objections == (Objection("too-much", f"{{{key[0]}}}{key[1]}"),)


def test_many_small_hiding_places_together_are_a_large_one() -> None:
    half = child("urn:xmpp:delay", "delay", attributes=512)
    assert kind(half, half) is Kind.EMPTY
    assert codes(half, half, child("http://jabber.org/protocol/nick", "nick", text=1)) == ["too-much"]
    assert codes(legacy(), half, half, child("urn:xmpp:eme:0", "encryption", attributes=1)) == ["too-much"]


def test_keys_are_for_the_two_who_write_or_for_a_room() -> None:
    stranger = modern((*keys(11, jid=ANNA), *keys(13, jid="clara@gov.example")))
    assert kind(modern((*keys(11, jid=ANNA), *keys(13, jid=BORIS)))) is Kind.ENCRYPTED
    assert codes(stranger) == ["encrypted-malformed"]
    assert examine(message(stranger, room="tax@rooms.gov.example", type="groupchat")).kind is Kind.ENCRYPTED


def test_two_encrypted_parts_of_one_version_are_one_too_many() -> None:
    assert codes(legacy(), legacy()) == ["encrypted-malformed"]
    assert codes(modern(), legacy(), modern()) == ["encrypted-malformed"]


def test_a_message_without_children_is_empty() -> None:
    assert examine(message()).kind is Kind.EMPTY


def test_loose_text_between_the_elements_is_refused() -> None:
    assert examine(message(text=1)).objections == (Objection("hidden-text"),)
    assert examine(message(legacy(), text=1)).objections == (Objection("hidden-text"),)


@pytest.mark.parametrize("field", ["id", "origin_id"])
def test_an_id_is_no_place_for_a_letter(field: str) -> None:
    assert examine(message(**{field: "x" * 256})).kind is Kind.EMPTY  # type: ignore[arg-type]
    assert examine(message(**{field: "x" * 257})).objections == (Objection("too-much", "id"),)  # type: ignore[arg-type]
    assert examine(message(**{field: "я" * 129})).objections == (Objection("too-much", "id"),)  # type: ignore[arg-type]


def test_a_claim_of_encryption_proves_nothing() -> None:
    claim = child("urn:xmpp:eme:0", "encryption", attributes=60)
    assert kind(claim) is Kind.EMPTY
    assert codes(claim, body("hello")) == ["plaintext"]


def test_an_error_element_passes_in_an_error_within_limits_and_nowhere_else() -> None:
    said = child(CLIENT, "error", 0, 256, 3)
    assert examine(message(said, type="error")).kind is Kind.EMPTY
    assert examine(message(said, type="chat")).kind is Kind.READABLE
    assert codes(child(CLIENT, "error", 1), type_="error") == ["too-much"]
    assert codes(child(CLIENT, "error", 0, 257), type_="error") == ["too-much"]
    assert codes(child(CLIENT, "error", 0, 0, 4), type_="error") == ["too-much"]
    assert codes(said, body("hello"), type_="error") == ["plaintext"]


# ---- bodies -------------------------------------------------------------------------------------------------------------


def test_a_body_alone_is_plaintext_and_a_blank_one_is_nothing() -> None:
    assert codes(body("hello")) == ["plaintext"]
    assert kind(body("")) is Kind.EMPTY
    assert kind(legacy(), body("")) is Kind.ENCRYPTED


@pytest.mark.parametrize("sentence", FALLBACK_SENTENCES)
def test_a_known_fallback_passes_beside_an_encrypted_part_only_and_only_to_the_letter(sentence: str) -> None:
    assert kind(legacy(), body(sentence)) is Kind.ENCRYPTED
    assert codes(body(sentence)) == ["plaintext"]
    for place in (0, len(sentence) // 2, len(sentence) - 1):
        changed = sentence[:place] + chr(ord(sentence[place]) + 1) + sentence[place + 1 :]
        assert codes(legacy(), body(changed)) == ["plaintext-beside"]
    assert codes(legacy(), body(sentence + " ")) == ["plaintext-beside"]


def test_one_known_fallback_does_not_excuse_a_second_body() -> None:
    assert codes(legacy(), body(FALLBACK_SENTENCES[0]), body("and by the way")) == ["plaintext-beside"]
    assert "plaintext-beside" in codes(legacy(), body("and by the way"), body(FALLBACK_SENTENCES[0]))


def test_a_body_may_name_its_language_and_carry_no_more() -> None:
    assert kind(legacy(), body(FALLBACK_SENTENCES[0], attributes=43)) is Kind.ENCRYPTED
    assert codes(legacy(), body(FALLBACK_SENTENCES[0], attributes=44)) == ["too-much"]
    assert codes(legacy(), body(FALLBACK_SENTENCES[0], elements=1)) == ["too-much"]
    assert codes(legacy(), body("", elements=1)) == ["too-much"]


@pytest.mark.parametrize("element", ["message-correct:0 replace", "reply:0 reply", "fallback:0 fallback", "message-retract:1 retract"])
def test_metadata_passes_beside_encryption_and_never_excuses_plaintext(element: str) -> None:
    namespace, name = element.split()
    assert kind(legacy(), child(f"urn:xmpp:{namespace}", name, attributes=40)) is Kind.ENCRYPTED
    assert codes(body("hello"), child(f"urn:xmpp:{namespace}", name, attributes=40)) == ["plaintext"]


def test_a_link_to_an_encrypted_file_is_plaintext_when_it_can_be_read() -> None:
    assert codes(body("aesgcm://files.gov.example/1#8f01")) == ["plaintext"]
    assert codes(legacy(), body("aesgcm://files.gov.example/1#8f01")) == ["plaintext-beside"]
    assert codes(body("?OTRv23?")) == ["plaintext"]


# ---- subjects -----------------------------------------------------------------------------------------------------------


def test_a_room_subject_passes_only_where_a_rule_allows_it_only_in_a_room_and_never_with_a_body() -> None:
    subject, allowed = child(CLIENT, "subject", text=12), frozenset(("subject",))
    assert codes(subject, type_="groupchat") == ["subject"]
    assert codes(subject, type_="groupchat", extras=allowed) == []
    assert codes(subject, type_="chat", extras=allowed) == ["subject"]
    assert "subject" in codes(subject, body("hello"), type_="groupchat", extras=allowed)
    assert examine(message(subject, type="groupchat"), allowed).kind is Kind.READABLE  # passes, but is no secret


# ---- the encrypted part -------------------------------------------------------------------------------------------------


def test_the_gravest_objection_comes_first() -> None:
    everything = message(child("unknown:x", "x"), child(CLIENT, "subject"), legacy(()), body("hello"), legacy(sid=0), text=4)
    found = [objection.code for objection in examine(everything).objections]
    assert list(dict.fromkeys(found)) == [
        "plaintext-beside",
        "encrypted-malformed",
        "no-keys",
        "hidden-text",
        "subject",
        "unknown-element",
    ]


def test_both_versions_of_omemo_are_known_and_may_stand_together() -> None:
    assert examine(message(legacy())).versions == {"0.3"}
    assert examine(message(modern())).versions == {"2"}
    both = examine(message(legacy(), modern()))
    assert (both.kind, both.versions) == (Kind.ENCRYPTED, frozenset(("0.3", "2")))


def test_a_bad_encrypted_part_is_not_saved_by_a_good_one() -> None:
    assert codes(legacy(), modern(())) == ["no-keys"]
    assert codes(legacy(sid=0), modern()) == ["encrypted-malformed"]


def test_keys_without_a_payload_pass_and_a_payload_without_keys_does_not() -> None:
    assert kind(legacy(iv=None, payload=None)) is Kind.ENCRYPTED
    assert kind(modern(payload=None)) is Kind.ENCRYPTED
    assert codes(legacy(())) == ["no-keys"]
    assert codes(modern((), payload=None)) == ["no-keys"]


def test_an_encrypted_element_of_which_no_header_was_told_is_unknown() -> None:
    assert codes(child(LEGACY, "encrypted")) == ["unknown-element"]
    assert codes(child(MODERN, "encrypted")) == ["unknown-element"]
    assert codes(child(MODERN, "envelope")) == ["unknown-element"]


# ---- device lists and bundles -------------------------------------------------------------------------------------------

KEY = "05" + "ab" * 32
BUNDLE: dict[str, Any] = {"subject": "bundle", "identity": KEY, "text": 5000, "attributes": 3000, "elements": 106}


@pytest.mark.parametrize("namespace", [LEGACY, MODERN])
@pytest.mark.parametrize("devices", [(), (1,), (2**31 - 1,), tuple(range(1, 101))], ids=["none", "first", "last", "hundred"])
def test_a_list_of_device_ids_is_sound(namespace: str, devices: tuple[int, ...]) -> None:
    count = len(devices)
    assert sound_publication(change(*devices, namespace=namespace, attributes=512 + count * 256, elements=count + 8))


@pytest.mark.parametrize(
    ("devices", "measures"),
    [
        ((0,), {}),
        ((2**31,), {}),
        ((11, 0), {}),
        (tuple(range(1, 102)), {"elements": 104}),
        ((11,), {"text": 1}),
        ((11,), {"attributes": 512 + 256 + 1}),
        ((11,), {"elements": 10}),
        ((), {"attributes": 513}),
        ((), {"elements": 9}),
    ],
    ids=["0", "too large", "0 among others", "too many", "text", "labels", "elements", "a list of none", "elements of none"],
)
def test_a_list_that_holds_anything_else_is_not(devices: tuple[int, ...], measures: dict[str, Any]) -> None:
    assert not sound_publication(change(*devices, **({"attributes": 96, "elements": 4} | measures)))


@pytest.mark.parametrize("identity", [KEY, KEY[2:]])
def test_a_bundle_of_one_device_with_a_key_is_sound(identity: str) -> None:
    assert sound_publication(change(11, **(BUNDLE | {"identity": identity})))
    assert sound_publication(change(11, **(BUNDLE | {"text": 16_384, "elements": 260, "attributes": 260 * 64})))


@pytest.mark.parametrize(
    ("devices", "changes"),
    [
        ((), {}),
        ((0,), {}),
        ((2**31,), {}),
        ((11, 12), {}),
        ((11,), {"identity": ""}),
        ((11,), {"text": 16_385}),
        ((11,), {"elements": 261}),
        ((11,), {"attributes": 260 * 64 + 1}),
    ],
    ids=["of none", "of 0", "too large", "of two", "no key", "text", "elements", "attributes"],
)
def test_a_bundle_without_a_key_or_with_room_for_a_letter_is_not(devices: tuple[int, ...], changes: dict[str, Any]) -> None:
    assert not sound_publication(change(*devices, **(BUNDLE | changes)))
