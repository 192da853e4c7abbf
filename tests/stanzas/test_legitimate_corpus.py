"""What real clients send, judged as the strict profile for officials does: what is marked is refused under that code, all else passes."""

from __future__ import annotations

import re
from collections import Counter
from xml.etree import ElementTree as ET

import pytest

from apostille.policy.documents import read_policy
from apostille.policy.stanzas import examine
from apostille_xep.gate.stanza import Question
from corpus.record import structure
from lua import Lua, in_ask
from rig.corpus import CORPUS, Case, cases, code_of

RECORDED = list(cases("legitimate"))
FILES = sorted((CORPUS / "legitimate").glob("*.xml"))
# The rule that `apostille init` writes.
OFFICIALS = {"name": "officials", "from": ["verified"], "to": ["verified", "room"], "require": "omemo", "extras": ["invitations"]}
STRICT = read_policy({"rule": [{**OFFICIALS, "stage": "enforce"}]}, "strict")


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case.name.replace("/", " "))
def test_a_message_of_a_real_client_passes_unless_the_table_refuses_it(case: Case, lua: Lua) -> None:
    (question,) = in_ask(lua.facts(case.sent))
    assert isinstance(question, Question), question
    told = [(one.code, one.where) for one in examine(case.asked(question), frozenset(OFFICIALS["extras"])).objections]
    assert code_of(STRICT, case, question) == case.words["refused"], told


def test_the_corpus_holds_enough_messages_and_no_two_of_one_client_are_alike() -> None:
    assert len(RECORDED) >= 150
    alike = Counter((case.file, case.words["setting"], structure(ET.fromstring(case.xml))) for case in RECORDED)
    assert [key for key, times in alike.items() if times > 1] == []


def test_every_file_is_one_client_and_holds_nothing_but_messages_that_its_accounts_sent() -> None:
    roots = [ET.parse(path).getroot() for path in FILES]
    assert all(root.tag == "corpus" and root.get("client") and re.search(r"\d", root.get("version", "")) for root in roots)
    assert len({(root.get("client"), root.get("version")) for root in roots}) == len(FILES)
    assert sum(map(len, roots)) == len(RECORDED)
    senders = {ET.fromstring(case.xml).get("from", "").partition("/")[0].partition("@")[2] for case in RECORDED}
    assert senders == {"office.example"}
