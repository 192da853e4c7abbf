"""The gate's specification: its examples follow the schema, and the code reads and writes them as the text says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema

import apostille_xep.gate
from apostille_xep.gate.stanza import ASK, NAMESPACE, Archived, Garbled, Passed, Question, Refused, Unreadable, read_ask, write_verdicts

FOLDER = Path(apostille_xep.gate.__file__).parent
SCHEMA = xmlschema.XMLSchema(str(FOLDER / "schema.xsd"))
SPEC = (FOLDER / "spec.md").read_text("utf-8")
EXAMPLES = re.findall(r"```xml\n(.*?)```", SPEC, re.DOTALL)
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "omemo_digest.json").read_text(encoding="utf-8"))
ELEMENTS = ("ask", "message", "child", "omemo", "keys", "archived", "by", "verdicts", "pass", "refuse", "refused")


def read(text: str) -> ET.Element:
    return ET.fromstring(text)


def payloads(example: str) -> list[ET.Element]:
    """The outermost elements of the gate's namespace in one example."""
    found: list[ET.Element] = []

    def walk(element: ET.Element) -> None:
        if element.tag.startswith(f"{{{NAMESPACE}}}"):
            found.append(element)
            return
        for child in element:
            walk(child)

    walk(read(example))
    return found


def asks() -> list[ET.Element]:
    return [payload for example in EXAMPLES for payload in payloads(example) if payload.tag == ASK]


def test_the_specification_has_an_example_of_each_element() -> None:
    names = {element.tag for example in EXAMPLES for element in read(example).iter() if element.tag.startswith(f"{{{NAMESPACE}}}")}
    assert names == {f"{{{NAMESPACE}}}{name}" for name in ELEMENTS}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_specification_follows_its_schema(example: str) -> None:
    for payload in payloads(example):
        SCHEMA.validate(payload)


def test_the_schema_refuses_what_the_specification_does_not_know() -> None:
    for wrong in (
        "<ask xmlns='apostille:gate:0'><message flow='local' from='a@b' to='c@d' text='0'/></ask>",
        "<ask xmlns='apostille:gate:0'><message ref='1' flow='sideways' from='a@b' to='c@d' text='0'/></ask>",
        "<ask xmlns='apostille:gate:0'><other/></ask>",
        "<verdicts xmlns='apostille:gate:0'><refuse ref='1' code='no' type='never'>No.</refuse></verdicts>",
        "<verdicts xmlns='apostille:gate:0'><pass/></verdicts>",
    ):
        assert not SCHEMA.is_valid(read(wrong)), wrong


@pytest.mark.parametrize("ask", asks())
def test_the_gate_reads_each_question_of_the_specification(ask: ET.Element) -> None:
    parts = list(read_ask(ask))
    assert parts
    assert all(isinstance(part, Question | Archived) for part in parts)


def test_the_digests_in_the_examples_are_those_of_the_test_vectors() -> None:
    known = {vector["digest"] for vector in VECTORS}
    shown = {omemo.get("digest") for ask in asks() for omemo in ask.iter(f"{{{NAMESPACE}}}omemo")}
    assert shown
    assert shown <= known


def test_what_the_gate_writes_follows_the_schema() -> None:
    text = write_verdicts([Passed("1", 41), Passed("2"), Refused("3", "plaintext", "Not <delivered> & \"so\"", "modify")])
    verdicts = read(text)
    SCHEMA.validate(verdicts)
    assert [child.get("ref") for child in verdicts] == ["1", "2", "3"]
    SCHEMA.validate(read(write_verdicts([])))


def test_a_message_that_cannot_be_read_does_not_spoil_its_neighbours() -> None:
    ask = read(
        "<ask xmlns='apostille:gate:0'>"
        "<message ref='1' flow='local' from='a@b' to='c@d' text='many'/>"
        "<message ref='2' flow='local' from='a@b' to='c@d' text='0'/></ask>"
    )
    first, second = read_ask(ask)
    assert isinstance(first, Garbled)
    assert isinstance(second, Question)


@pytest.mark.parametrize("inner", ["<message flow='local' from='a@b' to='c@d' text='0'/>", "<other/>", "<archived record='1'/>"])
def test_a_question_that_cannot_be_answered_is_unreadable_as_a_whole(inner: str) -> None:
    with pytest.raises(Unreadable):
        list(read_ask(read(f"<ask xmlns='apostille:gate:0'>{inner}</ask>")))
