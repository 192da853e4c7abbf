"""What the stanza table says of a whole message: bodies, ids, many parts together, and what an encrypted part must look like."""

from __future__ import annotations

import pytest

from apostille.policy.stanzas import Kind, Objection, examine
from apostille_xep.gate.stanza import Child
from messages import ANNA, BORIS, CLIENT, LEGACY, MODERN, body, child, keys, legacy, message, modern

SID = "urn:xmpp:sid:0"
ROOM = "tax@rooms.gov.example"
RETRACT = ("urn:xmpp:message-retract:1", "retract")
FALLBACK = ("urn:xmpp:fallback:0", "fallback")
FORM = ("jabber:x:data", "x")
NO_EXTRAS: frozenset[str] = frozenset()
ALL_EXTRAS = frozenset(("subject", "invitations", "reactions", "calls", "links", "xhtml", "unknown"))

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


def codes(*children: Child, extras: frozenset[str] = NO_EXTRAS, type_: str = "chat") -> list[str]:
    return [objection.code for objection in examine(message(*children, type=type_), extras).objections]


def kind(*children: Child) -> Kind:
    return examine(message(*children)).kind


def test_many_small_hiding_places_together_are_a_large_one() -> None:
    id_, delay = child(SID, "stanza-id", attributes=128), child("urn:xmpp:delay", "delay", attributes=64)
    assert kind(id_, delay, child(CLIENT, "thread", text=64)) is Kind.EMPTY
    assert codes(id_, delay, child(CLIENT, "thread", text=64, attributes=1)) == ["too-much"]
    many = (
        id_,
        id_,
        id_,
        child("urn:xmpp:reply:0", "reply", attributes=192),
        child(CLIENT, "thread", text=64, attributes=64),
        child("urn:xmpp:delay", "delay", attributes=64),
    )
    assert kind(legacy(), *many) is Kind.ENCRYPTED
    assert codes(legacy(), *many, child("http://jabber.org/protocol/nick", "nick", text=1)) == ["too-much"]


def test_keys_are_for_the_two_who_write_or_for_a_room() -> None:
    stranger = modern((*keys(11, jid=ANNA), *keys(13, jid="clara@gov.example")))
    assert kind(modern((*keys(11, jid=ANNA), *keys(13, jid=BORIS)))) is Kind.ENCRYPTED
    assert codes(stranger) == ["encrypted-malformed"]
    assert examine(message(stranger, room=ROOM, type="groupchat")).kind is Kind.ENCRYPTED


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
    assert examine(message(**{field: "x" * 80})).kind is Kind.EMPTY  # type: ignore[arg-type]
    assert examine(message(**{field: "x" * 81})).objections == (Objection("too-much", "id"),)  # type: ignore[arg-type]
    assert examine(message(**{field: "я" * 41})).objections == (Objection("too-much", "id"),)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["sender", "recipient"])
def test_a_resource_is_no_place_for_a_letter(field: str) -> None:
    assert examine(message(**{field: f"{ANNA}/{'x' * 96}"})).kind is Kind.EMPTY  # type: ignore[arg-type]
    assert examine(message(**{field: f"{ANNA}/{'x' * 97}"})).objections == (Objection("too-much", "id"),)  # type: ignore[arg-type]
    assert examine(message(legacy(), **{field: f"{ANNA}/a/{'я' * 48}"})).objections == (Objection("too-much", "id"),)  # type: ignore[arg-type]


def test_a_claim_of_encryption_proves_nothing() -> None:
    claim = child("urn:xmpp:eme:0", "encryption", attributes=60)
    assert kind(claim) is Kind.EMPTY
    assert codes(claim, body("hello")) == ["plaintext"]


def test_an_error_element_passes_in_an_error_within_limits_and_nowhere_else() -> None:
    said = child(CLIENT, "error", 0, 192, 3)
    assert examine(message(said, type="error")).kind is Kind.EMPTY
    assert examine(message(said, type="chat")).kind is Kind.READABLE
    assert codes(child(CLIENT, "error", 1), type_="error") == ["too-much"]
    assert codes(child(CLIENT, "error", 0, 193), type_="error") == ["too-much"]
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
    assert codes(legacy(), body(FALLBACK_SENTENCES[0]), body("and by the way")) == ["plaintext-beside", "too-much"]
    assert codes(legacy(), body(FALLBACK_SENTENCES[0]), body(FALLBACK_SENTENCES[1])) == ["too-much"]
    assert "plaintext-beside" in codes(legacy(), body("and by the way"), body(FALLBACK_SENTENCES[0]))


def test_a_body_may_name_its_language_and_carry_no_more() -> None:
    assert kind(legacy(), body(FALLBACK_SENTENCES[0], attributes=20)) is Kind.ENCRYPTED
    assert codes(legacy(), body(FALLBACK_SENTENCES[0], attributes=21)) == ["too-much"]
    assert codes(legacy(), body(FALLBACK_SENTENCES[0], elements=1)) == ["too-much"]
    assert codes(legacy(), body("", elements=1)) == ["too-much"]


RETRACTION_SENTENCES = [
    "This person attempted to retract a previous message, but it's unsupported by your client.",
    "This person attempted to retract a previous message, but your client does not support it.",
    "/me retracted a previous message, but it's unsupported by your client.",
    "/me retracted a message",
]


@pytest.mark.parametrize("sentence", RETRACTION_SENTENCES)
def test_a_retraction_may_say_that_it_is_one_if_it_marks_the_sentence_and_no_more(sentence: str) -> None:
    retraction, mark = child(*RETRACT, attributes=38), child(*FALLBACK, attributes=29)
    assert kind(retraction, mark, body(sentence)) is Kind.EMPTY
    assert examine(message(retraction, mark, body(sentence), type="groupchat", room=ROOM, recipient=ROOM)).kind is Kind.EMPTY
    assert kind(legacy(), retraction, mark, body(sentence)) is Kind.ENCRYPTED
    assert codes(retraction, mark, body(sentence + "!")) == ["plaintext"]
    assert codes(legacy(), retraction, mark, body(sentence + "!")) == ["plaintext-beside"]
    assert codes(retraction, body(sentence)) == ["plaintext"]
    assert codes(mark, body(sentence)) == ["plaintext", "unknown-element"]
    assert codes(legacy(), body(sentence)) == ["plaintext-beside"]
    assert codes(retraction, mark, body(FALLBACK_SENTENCES[0])) == ["plaintext"]


def test_a_file_that_a_rule_lets_pass_in_clear_may_have_its_link_as_body() -> None:
    link, links = child("jabber:x:oob", "x", text=34, attributes=3, elements=1), frozenset(("links",))
    assert codes(link, body("https://files.gov.example/1/a.jpeg"), extras=links) == []
    assert codes(link, body("https://files.gov.example/1/a.jpeg, and by the way"), extras=links) == ["plaintext"]
    assert codes(legacy(), link, body("and by the way"), extras=links) == ["plaintext-beside"]
    assert codes(link, body("https://files.gov.example/1/a.jpeg"), extras=ALL_EXTRAS - links) == ["plaintext", "links"]


def test_a_reaction_is_a_few_signs() -> None:
    reactions, name = frozenset(("reactions",)), ("urn:xmpp:reactions:0", "reactions")
    assert codes(child(*name, 0, 38, 0), extras=reactions) == []
    assert codes(child(*name, 32, 46, 1), extras=reactions) == []
    assert codes(child(*name, 33, 46, 1), extras=reactions) == ["too-much"], "a word of many letters"
    assert codes(child(*name, 1, 38, 0), extras=reactions) == ["too-much"], "text in none of them"


def test_a_form_is_for_a_room_and_never_for_those_in_it() -> None:
    form, invitations = child(*FORM, 60, 120, 4), frozenset(("invitations",))
    assert not examine(message(form, recipient=ROOM, room=ROOM, type="normal"), invitations).objections
    assert not examine(message(form, sender="tax@rooms.other.example", flow="remote"), invitations).objections
    assert examine(message(form, recipient=ROOM, room=ROOM, type="groupchat"), invitations).objections
    assert examine(message(form, recipient=ANNA, room=ROOM), invitations).objections
    assert examine(message(form), invitations).objections


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


def openpgp(text: int = 600, attributes: int = 0, elements: int = 0) -> Child:
    return child("urn:xmpp:openpgp:0", "openpgp", text, attributes, elements)


@pytest.mark.parametrize("measures", [(128, 0, 0), (1_048_576, 0, 0)])
def test_ox_is_a_scheme_of_its_own(measures: tuple[int, int, int]) -> None:
    content = examine(message(openpgp(*measures), child("urn:xmpp:reply:0", "reply", attributes=60), body(FALLBACK_SENTENCES[0])))
    assert (content.kind, content.versions, content.objections) == (Kind.ENCRYPTED, frozenset(("ox",)), ())
    assert examine(message(openpgp(), legacy())).versions == {"0.3", "ox"}
    assert codes(openpgp(), body("hello")) == ["plaintext-beside"]


@pytest.mark.parametrize("measures", [(127, 0, 0), (1_048_577, 0, 0), (600, 1, 0), (600, 0, 1), (0, 0, 0)])
def test_what_is_no_ox_is_malformed(measures: tuple[int, int, int]) -> None:
    assert codes(openpgp(*measures)) == ["encrypted-malformed"]
    assert codes(legacy(), openpgp(*measures)) == ["encrypted-malformed"]
    assert codes(openpgp(), openpgp()) == ["too-much"]


def test_an_encrypted_element_of_which_no_header_was_told_is_unknown() -> None:
    assert codes(child(LEGACY, "encrypted")) == ["unknown-element"]
    assert codes(child(MODERN, "encrypted")) == ["unknown-element"]
    assert codes(child(MODERN, "envelope")) == ["unknown-element"]
