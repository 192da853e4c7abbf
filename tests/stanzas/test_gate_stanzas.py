"""`apostille:gate:0`: literal questions in, literal verdicts out; what cannot be read is said to be so, part by part."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille_xep.gate.stanza import (
    NAMESPACE,
    Archived,
    Child,
    Envelope,
    Garbled,
    Key,
    Passed,
    Question,
    Refused,
    Unreadable,
    read_ask,
    write_verdicts,
)

DIGEST = "0123456789abcdef" * 4
HEAD = "ref='1' from='boris@gov.example/phone' to='anna@gov.example' flow='local' text='0'"
CHILD = "ns='urn:xmpp:hints' name='store' t='0' a='0' e='0'"
OMEMO = f"sid='7' iv='12' payload='25' strange='0' digest='{DIGEST}'"


def read(inner: str) -> list[Question | Garbled | Archived]:
    return list(read_ask(ET.fromstring(f"<ask xmlns='{NAMESPACE}'>{inner}</ask>")))


def question(inner: str) -> Question:
    (found,) = read(inner)
    assert isinstance(found, Question), found
    return found


def why(inner: str) -> str:
    (found,) = read(inner)
    assert isinstance(found, Garbled), found
    assert found.ref == "1"
    return found.why


def test_a_question_is_read_whole() -> None:
    found = question(f"""
        <message ref='q1' from='boris@gov.example/phone' to='anna@gov.example' type='groupchat' flow='component' id='m1' origin-id='o1'
                 room='tax@rooms.gov.example' text='3'>
          <child ns='jabber:client' name='body' t='5' a='2' e='0' sha256='{DIGEST}'/>
          <child ns='eu.siacs.conversations.axolotl' name='encrypted' t='400' a='30' e='6'>
            <omemo sid='7' iv='12' payload='-1' strange='2' digest='{DIGEST}'><keys>11:60:1 12:-1:0</keys></omemo>
          </child>
          <child ns='urn:xmpp:omemo:2' name='encrypted' t='400' a='30' e='6'>
            <omemo sid='7' strange='0' digest='{DIGEST}'>
              <keys jid='anna@gov.example'>11:60:0</keys><keys jid='boris@gov.example'>
                13:61:0</keys>
            </omemo>
          </child>
        </message>""")
    old = Envelope(7, 12, -1, (Key(11, 60, "", True), Key(12, -1, "", False)), DIGEST, 2)
    new = Envelope(7, None, None, (Key(11, 60, "anna@gov.example", False), Key(13, 61, "boris@gov.example", False)), DIGEST, 0)
    assert found == Question(
        "q1",
        "boris@gov.example/phone",
        "anna@gov.example",
        "groupchat",
        "component",
        "m1",
        "o1",
        "tax@rooms.gov.example",
        3,
        (
            Child("jabber:client", "body", 5, 2, 0, DIGEST, None),
            Child("eu.siacs.conversations.axolotl", "encrypted", 400, 30, 6, "", old),
            Child("urn:xmpp:omemo:2", "encrypted", 400, 30, 6, "", new),
        ),
    )


def test_what_a_message_does_not_have_is_empty() -> None:
    assert question(f"<message {HEAD}/>") == Question(
        "1", "boris@gov.example/phone", "anna@gov.example", "normal", "local", "", "", "", 0, ()
    )


@pytest.mark.parametrize(("type_", "read_as"), [("chat", "chat"), ("error", "error"), ("letter", "normal"), ("", "normal")])
def test_a_type_that_nobody_knows_is_normal(type_: str, read_as: str) -> None:
    assert question(f"<message {HEAD} type='{type_}'/>").type == read_as


def test_archive_ids_stand_among_the_questions_in_order() -> None:
    first = "<archived record='40'><by jid='anna@gov.example' id='a1'/></archived>"
    last = "<archived record='0'><by jid='b@c' id='x'/></archived>"
    found = read(f"{first}<message {HEAD}/>{last}")
    assert found[0] == Archived(40, (("anna@gov.example", "a1"),))
    assert isinstance(found[1], Question)
    assert found[2] == Archived(0, (("b@c", "x"),))


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        (HEAD.replace("from=", "form="), "message: without from or to"),
        (HEAD.replace("'anna@gov.example'", "''"), "message: without from or to"),
        (HEAD.replace("local", "lokal"), "message: flow 'lokal'"),
        (HEAD.replace("flow='local'", ""), "message: flow ''"),
        (HEAD.replace("text='0'", ""), "text: not a number: None"),
        *((HEAD.replace("text='0'", f"text='{bad}'"), "text: not a number") for bad in ("", "x", "1.0", "-1", "+1", " 1", "1_0", "٣", "²")),
        *((HEAD.replace("text='0'", f"text='{bad}'"), "text: not a number") for bad in ("--5", "-", "9" * 11, "9" * 5000)),
    ],
)
def test_a_message_that_cannot_be_read_is_garbled_and_keeps_its_ref(inner: str, said: str) -> None:
    assert why(f"<message {inner}/>").startswith(said)


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ("<kid/>", "unexpected '{apostille:gate:0}kid'"),
        ("<child xmlns='other:ns' name='x'/>", "unexpected '{other:ns}child'"),
        (f"<child {CHILD.replace('ns=', 'xx=')}/>", "child: without ns or name"),
        (f"<child {CHILD.replace('store', '')}/>", "child: without ns or name"),
        (f"<child {CHILD.replace(chr(116) + '=', 'tt=')}/>", "t: not a number"),
        (f"<child {CHILD.replace('a=', 'aa=', 1)}/>", "a: not a number"),
        (f"<child {CHILD}><omemo {OMEMO}/><omemo {OMEMO}/></child>", "child: holds more than one omemo"),
        (f"<child {CHILD}><other/></child>", "child: holds more than one omemo"),
        (f"<child {CHILD} sha256='no hash'/>", "body: not a SHA-256"),
        (f"<child {CHILD} sha256='{'g' * 64}'/>", "body: not a SHA-256"),
        (f"<child {CHILD}><omemo {OMEMO.replace(DIGEST, 'd1')}/></child>", "omemo digest: not a SHA-256"),
        (f"<child {CHILD}><omemo {OMEMO.replace(DIGEST, 'D' * 64)}/></child>", "omemo digest: not a SHA-256"),
        (f"<child {CHILD}><omemo {OMEMO.replace('sid', 'id')}/></child>", "sid: not a number"),
        (f"<child {CHILD}><omemo {OMEMO.replace('12', '-2')}/></child>", "iv: not a number"),
        (f"<child {CHILD}><omemo {OMEMO.replace('25', 'big')}/></child>", "payload: not a number"),
        (f"<child {CHILD}><omemo {OMEMO.replace('strange', 'odd')}/></child>", "strange: not a number"),
        (f"<child {CHILD}><omemo {OMEMO}><key/></omemo></child>", "omemo: unexpected '{apostille:gate:0}key'"),
        *(
            (f"<child {CHILD}><omemo {OMEMO}><keys>{word}</keys></omemo></child>", "keys: not rid:length:kex")
            for word in ("11", "11:60", "11:60:0:0", "11:60:2", "11:60:", "1:2:0 x")
        ),
        (f"<child {CHILD}><omemo {OMEMO}><keys>x:60:0</keys></omemo></child>", "rid: not a number"),
        (f"<child {CHILD}><omemo {OMEMO}><keys>-1:60:0</keys></omemo></child>", "rid: not a number"),
        (f"<child {CHILD}><omemo {OMEMO}><keys>11:-2:0</keys></omemo></child>", "key length: not a number"),
    ],
)
def test_a_message_with_a_child_that_cannot_be_read_is_garbled(inner: str, said: str) -> None:
    assert why(f"<message {HEAD}>{inner}</message>").startswith(said)


def test_a_garbled_message_does_not_spoil_its_neighbours() -> None:
    found = read(f"<message {HEAD}/><message ref='2'/><message {HEAD.replace(chr(39) + '1', chr(39) + '3')}/>")
    assert [type(one) for one in found] == [Question, Garbled, Question]
    assert [one.ref for one in found if not isinstance(one, Archived)] == ["1", "2", "3"]


def test_a_reason_quotes_no_more_than_a_line_can_hold() -> None:
    assert len(why(f"<message {HEAD.replace('local', 'x' * 10_000)}/>")) < 100
    assert len(why(f"<message {HEAD.replace(chr(39) + '0', chr(39) + '9' * 10_000)}/>")) < 100


@pytest.mark.parametrize(
    "inner",
    [
        f"<message {HEAD.replace('ref=', 'no=')}/>",
        f"<message {HEAD.replace(chr(39) + '1' + chr(39), chr(39) * 2)}/>",
        "<other/>",
        f"<message xmlns='other:ns' {HEAD}/>",
        "<archived record='40'><by id='a1'/></archived>",
        "<archived record='40'><by jid='anna@gov.example'/></archived>",
        "<archived><by jid='anna@gov.example' id='a1'/></archived>",
        "<archived record='-1'><by jid='anna@gov.example' id='a1'/></archived>",
        "<archived record='x'><by jid='anna@gov.example' id='a1'/></archived>",
    ],
)
def test_a_question_that_cannot_be_answered_is_unreadable_as_a_whole(inner: str) -> None:
    with pytest.raises(Unreadable):
        read(f"<message {HEAD}/>{inner}")


def test_an_empty_question_asks_nothing() -> None:
    assert read("") == []


# ---- fuzz ---------------------------------------------------------------------------------------------------------------

# fmt: off
NAMES = [
    "ref", "from", "to", "flow", "type", "id", "origin-id", "room", "text", "ns", "name", "t",
    "a", "e", "sha256", "sid", "iv", "payload", "strange", "digest", "jid", "by", "record",
]
# fmt: on
values = st.text(max_size=8) | st.integers(-3, 2**70).map(str) | st.sampled_from(["local", "--1", DIGEST, "1:2:0", "9" * 5000, "0" * 64])
attributes = st.dictionaries(
    st.sampled_from(NAMES),
    values,
    max_size=12,
)
tags = st.sampled_from([f"{{{NAMESPACE}}}{name}" for name in ("message", "child", "omemo", "keys", "archived", "ask")] + ["x"])


@st.composite
def elements(draw: st.DrawFn, depth: int = 4) -> ET.Element:
    element = ET.Element(draw(tags), draw(attributes))
    element.text = draw(st.none() | values)
    if depth:
        element.extend(draw(st.lists(elements(depth - 1), max_size=2)))
    return element


@given(st.lists(elements(), max_size=3))
def test_whatever_is_asked_it_is_read_garbled_or_unreadable(inner: list[ET.Element]) -> None:
    ask = ET.Element(f"{{{NAMESPACE}}}ask")
    ask.extend(inner)
    try:
        found = list(read_ask(ask))
    except Unreadable:
        return
    assert len(found) == len(inner)


@given(attributes, attributes, attributes, values)
def test_whatever_a_message_says_its_ref_is_answered(head: dict[str, str], inner: dict[str, str], omemo: dict[str, str], keys: str) -> None:
    ask = ET.Element(f"{{{NAMESPACE}}}ask")
    child = ET.SubElement(ET.SubElement(ask, f"{{{NAMESPACE}}}message", {**head, "ref": "7"}), f"{{{NAMESPACE}}}child", inner)
    ET.SubElement(ET.SubElement(child, f"{{{NAMESPACE}}}omemo", omemo), f"{{{NAMESPACE}}}keys").text = keys
    (found,) = read_ask(ask)
    assert isinstance(found, Question | Garbled)
    assert found.ref == "7"


# ---- verdicts -----------------------------------------------------------------------------------------------------------


def test_verdicts_are_written_so() -> None:
    assert write_verdicts([Passed("1", 40), Passed("2"), Refused("3", "plaintext", "Not delivered.")]) == (
        '<verdicts xmlns="apostille:gate:0"><pass ref="1" record="40"/><pass ref="2"/>'
        '<refuse ref="3" code="plaintext" type="modify">Not delivered.</refuse></verdicts>'
    )
    assert write_verdicts([Passed("1", 0)]) == '<verdicts xmlns="apostille:gate:0"><pass ref="1" record="0"/></verdicts>'
    assert write_verdicts([]) == '<verdicts xmlns="apostille:gate:0"></verdicts>'


def test_passes_in_a_row_whose_records_are_in_a_row_are_one_verdict() -> None:
    passed = [Passed("1", 40), Passed("2", 41), Passed("3", 42), Passed("4", 50), Passed("5"), Passed("6")]
    assert write_verdicts([*passed, Refused("7", "c", "No."), Passed("8", 51)]) == (
        '<verdicts xmlns="apostille:gate:0"><pass ref="1" count="3" record="40"/><pass ref="4" record="50"/><pass ref="5" count="2"/>'
        '<refuse ref="7" code="c" type="modify">No.</refuse><pass ref="8" record="51"/></verdicts>'
    )


def test_what_xml_would_take_for_markup_is_escaped() -> None:
    assert write_verdicts([Refused("1", "c", "a <b> & 'c' \"d\" ]]> Отчёт", "cancel")]) == (
        '<verdicts xmlns="apostille:gate:0"><refuse ref="1" code="c" type="cancel">'
        "a &lt;b&gt; &amp; 'c' \"d\" ]]&gt; Отчёт</refuse></verdicts>"
    )


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")))
def test_a_ref_comes_back_as_it_was_given(ref: str) -> None:
    passed, refused = ET.fromstring(write_verdicts([Passed(ref), Refused(ref, ref, ref, ref)]))
    assert passed.get("ref") == refused.get("ref") == refused.get("code") == refused.get("type") == ref
    assert (refused.text or "") == ref
