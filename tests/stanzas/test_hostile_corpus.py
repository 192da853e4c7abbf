"""The bypass corpus: messages that would carry readable text past the policy, each through the server's own facts. None passes.

To add an idea, write it into a file of tests/corpus/hostile/ (tests/corpus/README.md). The policy is the strict one of officials.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

from apostille.gate.component import _terms
from apostille.policy.documents import read_policy
from apostille.policy.rules import Policy
from apostille.policy.stanzas import free_terms
from apostille_xep.gate.facts import read_message
from apostille_xep.gate.stanza import Question
from lua import Lua, in_ask
from rig.corpus import CORPUS, SETTINGS, Case, cases, code_of

STRICT = read_policy(
    {"rule": [{"name": "officials", "from": ["verified"], "to": ["verified", "room"], "require": "omemo", "stage": "enforce"}]}, "strict"
)
HOSTILE = list(cases("hostile"))
STREAM = "stream"
"""The code of what never becomes a stanza: the server ends the stream (RFC 6120 section 11.1)."""


@pytest.fixture(scope="module")
def strict() -> Policy:
    return STRICT


@pytest.fixture(scope="module")
def asked() -> Iterator[Lua]:
    """A server with terms, which passes what is free of them without a question."""
    process = Lua()
    assert process.terms(_terms(free_terms(("gov.example", "rooms.gov.example")))) == "ok"
    yield process
    process.close()


def test_the_corpus_is_large_and_says_of_each_message_what_it_is() -> None:
    assert len(HOSTILE) >= 150
    names = Counter(case.name for case in HOSTILE)
    assert not [name for name, count in names.items() if count > 1]
    for case in HOSTILE:
        assert case.words["setting"] in SETTINGS, case.name
        assert case.words["code"], case.name
    for file in {case.file for case in HOSTILE}:
        root = ET.fromstring((CORPUS / "hostile" / f"{file}.xml").read_text(encoding="utf-8"))
        assert len(root) == len([case for case in HOSTILE if case.file == file]), "every case is read"


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case.name)
def test_nothing_of_the_corpus_passes(asked: Lua, strict: Policy, case: Case) -> None:
    if case.words["code"] == STREAM:
        with pytest.raises(AssertionError, match=r"restricted-xml|no stanza"):
            asked.facts(case.xml)
        return
    host = "gov.example" if case.words["setting"] == "chat" else "rooms.gov.example"
    assert not asked.is_free(case.xml, host), "passes without a question"
    (question,) = in_ask(asked.facts(case.xml))
    if isinstance(question, Question):
        assert question == read_message(case.xml.encode())._replace(ref=question.ref, lang=question.lang), "an operator is told the same"
    assert code_of(strict, case, question) == case.words["code"]
