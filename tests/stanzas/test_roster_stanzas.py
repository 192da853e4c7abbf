"""The stanzas of managed rosters: literal XML in, literal XML out; and the specification's own examples."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from slixmpp import ComponentXMPP
from slixmpp.xmlstream.tostring import tostring

import apostille_xep.rosters
from apostille_xep.rosters import LARGEST, NAMESPACE, USUAL, Change, Item, Malformed, Outcome, Roster, TooLarge, outcome, pack

FOLDER = Path(apostille_xep.rosters.__file__).parent
SCHEMA = xmlschema.XMLSchema(str(FOLDER / "schema.xsd"))
EXAMPLES = re.findall(r"```xml\n(.*?)```", (FOLDER / "spec.md").read_text("utf-8"), re.DOTALL)

AIGUL = Roster("aigul@gov.example", (Item("bolot@gov.example", "both", "Bolot O'Neil & Co, Clerk", ("Finance :: Tax",)),))
EMIL = Roster("emil@gov.example")


def read(text: str) -> ET.Element:
    return ET.fromstring(text)


def canonical(element: ET.Element) -> str:
    return ET.canonicalize(ET.tostring(element), strip_text=True)


def roster(name: str, items: int) -> Roster:
    return Roster(f"{name}@gov.example", tuple(Item(f"m{number:05}@gov.example", "both", "x" * 80, ("y" * 80,)) for number in range(items)))


def test_a_fill_holds_complete_rosters() -> None:
    (fill,) = pack([AIGUL, EMIL])
    expected = """
    <fill xmlns='apostille:roster:0'>
      <roster jid='aigul@gov.example'>
        <item jid='bolot@gov.example' name='Bolot O&apos;Neil &amp; Co, Clerk' subscription='both'><group>Finance :: Tax</group></item>
      </roster>
      <roster jid='emil@gov.example'/>
    </fill>"""
    assert canonical(fill) == canonical(read(expected))
    SCHEMA.validate(fill)


def test_nothing_to_send_makes_no_stanza() -> None:
    assert list(pack([])) == []


def test_stanzas_are_filled_up_to_the_usual_size_and_nobody_is_split() -> None:
    rosters = [roster(f"o{number}", 40) for number in range(30)]
    fills = list(pack(rosters))
    assert [child.get("jid") for fill in fills for child in fill] == [one.jid for one in rosters]
    assert 1 < len(fills) < 30
    assert all(len(tostring(fill).encode()) <= USUAL for fill in fills)


def test_a_large_roster_has_a_stanza_of_its_own() -> None:
    fills = list(pack([roster("a", 1), roster("b", 1000), roster("c", 1)]))
    assert [len(fill) for fill in fills] == [1, 1, 1]
    assert USUAL < len(tostring(fills[1]).encode()) <= LARGEST


def test_a_roster_that_fits_in_no_stanza_is_named() -> None:
    fills = pack([roster("a", 1), roster("b", 2000)])
    assert next(fills)[0].get("jid") == "a@gov.example"
    with pytest.raises(TooLarge, match=r"b@gov\.example") as error:
        next(fills)
    assert error.value.jid == "b@gov.example"


def test_an_answer_is_read_and_what_is_not_known_is_passed_over() -> None:
    answer = read("""
    <filled xmlns='apostille:roster:0'>
      <roster jid='aigul@gov.example' added='1' changed='0' removed='12' later='?'/>
      <absent jid='emil@gov.example'/><failed jid='dastan@gov.example'/><later xmlns='urn:example'/>
    </filled>""")
    change = Change("aigul@gov.example", 1, 0, 12)
    assert outcome(answer) == Outcome((change,), ("emil@gov.example",), ("dastan@gov.example",))


@pytest.mark.parametrize(
    "text",
    [
        "<filled/>",
        "<fill xmlns='apostille:roster:0'/>",
        "<filled xmlns='apostille:roster:0'><absent/></filled>",
        "<filled xmlns='apostille:roster:0'><roster jid='a@b' added='1' changed='0'/></filled>",
        "<filled xmlns='apostille:roster:0'><roster jid='a@b' added='1' changed='-1' removed='0'/></filled>",
        "<filled xmlns='apostille:roster:0'><roster added='1' changed='1' removed='0'/></filled>",
    ],
)
def test_a_malformed_answer_is_said_to_be_one(text: str) -> None:
    with pytest.raises(Malformed):
        outcome(read(text))


def test_the_plugin_listens_to_notices() -> None:
    component = ComponentXMPP("rosters.gov.example", "secret")  # type: ignore[no-untyped-call]
    component.register_plugin("apostille_rosters", module="apostille_xep.rosters")
    assert component.remove_handler("apostille_rosters") is True


def test_the_specification_has_an_example_of_each_element() -> None:
    names = {element.tag for example in EXAMPLES for element in read(example).iter() if element.tag.startswith(f"{{{NAMESPACE}}}")}
    assert names == {f"{{{NAMESPACE}}}{name}" for name in ("fill", "roster", "item", "group", "filled", "absent", "failed", "unfilled")}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_specification_follows_its_schema(example: str) -> None:
    stanza = read(example)
    for payload in stanza:
        if payload.tag.startswith(f"{{{NAMESPACE}}}"):
            SCHEMA.validate(payload)
