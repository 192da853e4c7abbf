"""What a person reads: every sentence in every language, whatever languages and clients call themselves."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.policy.catalogues import LANGUAGES, Translation, load, read_catalogue
from apostille.policy.texts import (
    CLIENTS,
    ENGLISH,
    OUTAGES,
    REFUSED,
    REFUSED_CHANGE,
    STEPS,
    TEXTS,
    WARNED,
    outages,
    refused,
    refused_change,
    spoken,
    warned,
)

PROFANITY = "http://profanity-im.github.io"
SPOKEN = ("en", *LANGUAGES)
SCRIPTS = {"hi": "[\u0900-\u097f]", "mr": "[\u0900-\u097f]", "ru": "[а-яё]"}
codes = st.sampled_from(sorted(TEXTS))
anything = st.text() | st.sampled_from([*SPOKEN, "de-AT", "RU", "%", "-", "de-", "-de", "x" * 10_000, "-" * 10_000])
clients = st.text() | st.sampled_from([part for part, _, _ in CLIENTS]) | st.sampled_from(CLIENTS).map(lambda one: f"x{one[0]}{one[0]}")


# ---- sentences ----------------------------------------------------------------------------------------------------------


def test_every_sentence_says_what_happened_and_ends_like_one() -> None:
    assert all((text[0].islower() or text.startswith("OMEMO ")) and text.endswith(".") for text in TEXTS.values())
    assert all(text.startswith("Your message was not delivered: ") and text.endswith(".") for text in OUTAGES.values())
    assert all(text.startswith("In {client}: ") and text.endswith(".") for text in STEPS.values())
    assert not set(TEXTS) & set(OUTAGES)


def test_a_refusal_begins_with_what_happened_to_the_message() -> None:
    assert refused("subject") == REFUSED + TEXTS["subject"]
    assert warned("subject") == WARNED + TEXTS["subject"]
    assert refused_change("device-foreign") == REFUSED_CHANGE + TEXTS["device-foreign"]


def test_a_text_names_what_it_is_about() -> None:
    assert "({urn:x}note)" in refused("unknown-element", "{urn:x}note", "ru")
    assert "(number 27)" in refused("ghost", "27")
    assert "{where}" in refused("ghost", "{where}"), "what a sender writes is no pattern"


def test_what_a_text_names_is_not_longer_than_a_person_reads() -> None:
    assert len(refused("too-much", "x" * 100_000)) < 400
    assert "x" * 200 + "…)" in refused("too-much", "x" * 201)
    assert "x" * 200 + ")" in refused("too-much", "x" * 200)


# ---- languages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "answer"),
    [
        ("", "en"), ("en", "en"), ("en-GB", "en"), ("de", "de"), ("de-AT", "de"), ("DE-at", "de"), ("fr-x-twain", "fr"),
        ("hi-Deva-IN", "hi"), ("mr-IN", "mr"), ("ru-", "ru"),
        ("nl", "en"), ("deutsch", "en"), ("-de", "en"), ("zh-Hant-CN-x-private1-private2-ru", "en"),
    ],
)  # fmt: skip
def test_the_nearest_language_that_there_is_answers_and_else_english(lang: str, answer: str) -> None:
    assert spoken(lang) == answer


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_has_a_translation_of_it_as_it_stands(language: str) -> None:
    found = load(language)
    assert {key: one.original for key, one in found.items()} == ENGLISH


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_names_what_its_sentence_names_and_is_one(language: str) -> None:
    for key, (original, text) in load(language).items():
        assert sorted(re.findall(r"\{.*?\}", text)) == sorted(re.findall(r"\{.*?\}", original)), key
        assert (text[-1] == " ") == (original[-1] == " "), key
        assert text == text.strip() + (" " if original[-1] == " " else ""), key
        assert text != original, key
        assert "  " not in text, key
        assert re.search(SCRIPTS.get(language, "[a-z]"), text), key
        assert re.findall(r"/\w+(?: \w+)?", original)[:1] == re.findall(r"/\w+(?: \w+)?", text)[:1] or "/" not in original, key
        assert len(text) < 400, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_end_as_they_do_in_their_language(language: str) -> None:
    end = "।" if language == "hi" else "."
    assert all(one.text.endswith((end, ": ")) for one in load(language).values())


def test_a_catalogue_is_installed_for_each_language_and_for_no_other() -> None:
    assert {one.name for one in files("apostille.policy").joinpath("locale").iterdir()} == {f"{language}.po" for language in LANGUAGES}


def test_what_a_server_says_by_itself_is_there_in_every_language() -> None:
    told = {(one.code, one.lang): one.text for one in outages()}
    assert set(told) == {(code, language) for code in OUTAGES for language in SPOKEN}
    assert {code: text for (code, language), text in told.items() if language == "en"} == OUTAGES
    assert len(set(told.values())) == len(told)


# ---- clients ------------------------------------------------------------------------------------------------------------


def test_a_client_that_is_known_gets_its_own_next_step() -> None:
    step = " In Profanity: type /omemo start in the chat; before the very first time, type /omemo gen."
    assert refused("plaintext", client=PROFANITY) == REFUSED + TEXTS["plaintext"] + step
    assert refused("plaintext", lang="ru", client=PROFANITY).startswith("Не доставлено: ")
    assert "В Profanity: введите в чате /omemo start" in refused("plaintext", lang="ru", client=PROFANITY)
    assert "Dino" in warned("plaintext-beside", client="https://dino.im")


def test_a_client_that_is_not_known_gets_none_and_nobody_where_it_does_not_help() -> None:
    assert refused("plaintext") == refused("plaintext", client="https://example.org/bot") == REFUSED + TEXTS["plaintext"]
    assert refused("no-rule", client=PROFANITY) == REFUSED + TEXTS["no-rule"]


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("https://gajim.org", "Gajim"),
        ("http://gajim.org", "Gajim"),
        ("http://conversations.im", "Conversations"),
        ("https://conversations.im", "Conversations"),
        ("https://dino.im", "Dino"),
        ("https://conversejs.org", "Converse"),
        ("https://movim.eu/", "Movim"),
        ("http://moxl.movim.eu/", "Movim"),
        ("https://poez.io", "poezio"),
        ("https://monal-im.org/", "Monal"),
        ("http://monal.im/caps", "Monal"),
        ("https://github.com/qxmpp-project/qxmpp", "Kaidan"),
        ("org.qxmpp.caps", "Kaidan"),
        ("http://tigase.org/TigaseSwiftX", "Siskin / Beagle"),
        ("https://psi-im.org", "Psi"),
        ("http://psi-plus.com", "Psi+"),
        ("https://android.atalk.org", "aTalk"),
        ("http://pidgin.im/", "Pidgin"),
        ("http://www.profanity.im", "Profanity"),
    ],
)
def test_clients_are_known_by_the_nodes_that_they_send(node: str, name: str) -> None:
    assert f" In {name}: " in refused("plaintext", client=node)


def test_no_client_hides_another_and_each_step_is_some_clients() -> None:
    for part, name, _ in CLIENTS:
        assert part == part.lower()
        assert f" In {name}: " in refused("plaintext", client=part)
    assert {step for _, _, step in CLIENTS} == set(STEPS)


# ---- laws ---------------------------------------------------------------------------------------------------------------


@given(code=codes, where=st.text(max_size=50), lang=anything, client=clients)
def test_whatever_language_and_client_call_themselves_there_is_a_sentence(code: str, where: str, lang: str, client: str) -> None:
    language = spoken(lang)
    assert language in SPOKEN
    for say in (refused, warned, refused_change):
        text = say(code, where, lang, client)
        assert text == say(code, where, language, client)
        assert "{client}" not in text.replace(where, "")
        if code in ("plaintext", "plaintext-beside"):
            assert text.startswith(say(code, where, lang))
        else:
            assert text == say(code, where, lang)


@given(lang=anything, client=st.text(st.characters(codec="utf-8"), min_size=3))
def test_nothing_of_what_a_client_calls_itself_is_in_a_text(lang: str, client: str) -> None:
    said = refused("plaintext", "", lang, client)
    assert said == refused("plaintext", "", lang) or any(part in client.lower() for part, _, _ in CLIENTS)


# ---- the form of a catalogue --------------------------------------------------------------------------------------------


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


lines = st.text(st.characters(codec="utf-8", exclude_characters="\r\n") | st.sampled_from("\\\"nrt{}"), max_size=9)


@given(st.dictionaries(lines.filter(bool), st.tuples(lines, st.lists(lines, min_size=1, max_size=3)), max_size=4))
def test_what_is_written_as_a_catalogue_is_read_as_it_was_meant(entries: dict[str, tuple[str, list[str]]]) -> None:
    written = []
    for key, (original, parts) in entries.items():
        text = "\n".join(['""', *map(quoted, parts)])
        written.append(f"#. for translators\n#: policy/texts.py:1\nmsgctxt {quoted(key)}\nmsgid {quoted(original)}\nmsgstr {text}")
    expected = {key: Translation(original, "".join(parts)) for key, (original, parts) in entries.items() if "".join(parts)}
    assert read_catalogue("\n\n".join(written) + "\n") == expected


def test_what_is_fuzzy_untranslated_or_obsolete_is_left_out() -> None:
    text = (
        'msgid ""\nmsgstr "Language: de\\n"\n\n#, fuzzy\nmsgctxt "a"\nmsgid "A"\nmsgstr "x"\n\nmsgctxt "b"\nmsgid "B"\nmsgstr ""\n\n'
        '#~ msgctxt "c"\n#~ msgid "C"\n#~ msgstr "x"\n\n#, c-format\nmsgctxt "d"\nmsgid "D"\nmsgstr "\\"x\\"\\n\\\\"\n'
    )
    assert read_catalogue(text) == {"d": Translation("D", '"x"\n\\')}


@pytest.mark.parametrize(
    "entry",
    ['msgid_plural "x"', 'msgid "x', "msgid x", 'msgid "x" "y"', '"x"', 'msgid "x"\nmsgid "y"', 'msgid "\\x41"', 'msgid "a"b"', "msgid"],
)
def test_what_is_no_catalogue_of_sentences_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="of a catalogue"):
        read_catalogue(entry)


def test_nothing_that_turns_a_line_or_ends_it_comes_back_from_a_name() -> None:
    told = refused("unknown-element", "{urn:\u202egood\u0085\n\x1b[1m}x")
    assert "\ufffdgood\ufffd\ufffd\ufffd[1m}x" in told
    assert told.isprintable()
