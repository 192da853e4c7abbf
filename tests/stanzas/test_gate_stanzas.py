"""`apostille:gate:0`: literal questions in, literal verdicts out; what cannot be read is said to be so, part by part."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille_xep.gate.stanza import (
    NAMESPACE,
    Announced,
    Archived,
    Change,
    Child,
    Covered,
    Envelope,
    Garbled,
    Key,
    Limits,
    OutageRow,
    Passed,
    Question,
    Refused,
    Row,
    Unreadable,
    read_ask,
    read_covered,
    write_terms,
    write_verdicts,
)
from asks import CHANGE, DEVICES, DIGEST, HEAD, LEGACY, MEMBERS, OMEMO, ROOM, STORE, Part, head, question, read, why


def test_a_question_is_read_whole() -> None:
    found = question(
        "message q1 component boris@gov.example/phone anna@gov.example groupchat m1 o1 tax@rooms.gov.example 3 2 de-AT https://dino.im",
        f" body jabber:client 5 2 0 {DIGEST}",
        f" encrypted {LEGACY} 7 12 -1 2 {DIGEST} 11:60:1 12:-1:0",
        f" encrypted urn:xmpp:omemo:2 7 - - 0 {DIGEST} @anna@gov.example 11:60:0 @boris@gov.example 13:61:0",
    )
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
            Child(LEGACY, "encrypted", 0, 0, 0, "", old),
            Child("urn:xmpp:omemo:2", "encrypted", 0, 0, 0, "", new),
        ),
        2,
        None,
        None,
        "de-AT",
        "https://dino.im",
    )


def test_what_a_message_does_not_have_is_empty() -> None:
    assert question("message 1 local boris@gov.example/phone anna@gov.example normal % % % 0 0 % %") == Question(
        "1", "boris@gov.example/phone", "anna@gov.example", "normal", "local", "", "", "", 0, ()
    )


def test_an_origin_id_may_be_said_to_be_the_id() -> None:
    assert question(head(id="m%201", origin_id="=")).origin_id == "m 1"
    assert question(head(id="m1", origin_id="%3D")).origin_id == "="


@pytest.mark.parametrize(
    ("word", "text"),
    [("%", ""), ("%25", "%"), ("a%20b%0Ac", "a b\nc"), ("%3C%26%3E%27%22%3D", "<&>'\"="), ("%D0%9E", "О"), ("Отчёт", "Отчёт"), ("-", "-")],
)
def test_a_word_stands_for_any_text(word: str, text: str) -> None:
    found = question(head(sender=word if text else "x", id=word, room=word), f" {word if text else 'x'} {word if text else 'x'} 0 0 0")
    assert (found.id, found.room) == (text, text)
    if text:
        assert (found.sender, found.children[0].name, found.children[0].namespace) == (text, text, text)


@pytest.mark.parametrize(("type_", "read_as"), [("chat", "chat"), ("error", "error"), ("letter", "normal"), ("%", "normal")])
def test_a_type_that_nobody_knows_is_normal(type_: str, read_as: str) -> None:
    assert question(head(kind=type_)).type == read_as


def test_archive_ids_stand_among_the_questions_in_order() -> None:
    found = read("archived 40 anna@gov.example a%201", HEAD, "", "archived 0 b@c x", "")
    assert found[0] == Archived(40, "anna@gov.example", "a 1")
    assert isinstance(found[1], Question)
    assert found[2] == Archived(0, "b@c", "x")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (head(sender="%"), "message: without from or to"),
        (head(recipient="%"), "message: without from or to"),
        (head(sender=""), "message: without from or to"),
        (head(recipient=""), "message: without from or to"),
        (head(flow="lokal"), "message: flow 'lokal'"),
        (head(flow="%"), "message: flow '%'"),
        (head(id="%FF"), "a word that is not UTF-8: '%FF'"),
        ("message 1", "message: 2 words"),
        (f"{HEAD} 0", "message: 14 words"),
        (HEAD.replace(" chat", ""), "message: 12 words"),
        *((head(text=bad), "text: not a number") for bad in ("", "x", "1.0", "-1", "+1", "1_0", "٣", "²", "%31")),
        *((head(text=bad), "text: not a number") for bad in ("--5", "-", "9" * 11, "9" * 5000)),
        (head(more="x"), "more: not a number"),
        *((head(lang=bad), "message: no language") for bad in ("", "=", "de_AT", "%64e", "д", "٣", "a" * 36)),
        (head(client="%FF"), "a word that is not UTF-8"),
        (head(client="x" * 257), "message: a client with too long a name"),
    ],
)
def test_a_message_that_cannot_be_read_is_garbled_and_keeps_its_ref(line: str, said: str) -> None:
    assert why(line).startswith(said)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "child: 1 words"),
        ("store", "child: 1 words"),
        (f"{STORE} 0", "child: 6 words"),
        (f"{STORE} {DIGEST}", "child: 6 words"),
        (f" {STORE}", "child: 6 words"),
        ("store % 0 0 0", "child: without a namespace or a name"),
        ("% urn:xmpp:hints 0 0 0", "child: without a namespace or a name"),
        ("store urn:xmpp:hints x 0 0", "text: not a number"),
        ("store urn:xmpp:hints 0 -1 0", "attributes: not a number"),
        ("store urn:xmpp:hints 0 0 1.5", "elements: not a number"),
        ("store %FF 0 0 0", "a word that is not UTF-8"),
        ("body jabber:client 5 0 0", "child: 5 words"),
        ("body jabber:client 5 0 0 hash", "body: not a SHA-256"),
        (f"body jabber:client 5 0 0 {'g' * 64}", "body: not a SHA-256"),
        (f"encrypted {LEGACY}", "encrypted: too few words"),
        (OMEMO.replace(DIGEST, "d1"), "omemo digest: not a SHA-256"),
        (OMEMO.replace(DIGEST, "D" * 64), "omemo digest: not a SHA-256"),
        (OMEMO.replace(" 7 ", " sid "), "sid: not a number"),
        (OMEMO.replace(" 7 ", " - "), "sid: not a number"),
        (OMEMO.replace(" 12 ", " -2 "), "iv: not a number"),
        (OMEMO.replace(" 25 ", " big "), "payload: not a number"),
        (OMEMO.replace(" 0 ", " -1 "), "strange: not a number"),
        *((f"{OMEMO} {word}", "keys: not rid:length:kex") for word in ("11", "11:60", "11:60:0:0", "11:60:2", "11:60:")),
        *((f"{OMEMO} 1:2:0 {word}", "keys: not rid:length:kex") for word in ("x", " 1:2:0", "")),
        (f"{OMEMO} x:60:0", "rid: not a number"),
        (f"{OMEMO} -1:60:0", "rid: not a number"),
        (f"{OMEMO} 11:-2:0", "key length: not a number"),
        (f"{OMEMO} @%FF 11:60:0", "a word that is not UTF-8"),
    ],
)
def test_a_message_with_a_child_that_cannot_be_read_is_garbled(line: str, said: str) -> None:
    for _ in range(2):  # whatever is remembered of a line, the second time is like the first
        assert why(HEAD, f" {STORE}", f" {line}").startswith(said)


def test_a_garbled_message_does_not_spoil_its_neighbours() -> None:
    found = read(HEAD, "message 2", f" {STORE}", head(ref="3"), f" {STORE}")
    assert [type(one) for one in found] == [Question, Garbled, Question]
    assert [one.ref for one in found if not isinstance(one, Archived)] == ["1", "2", "3"]


def test_a_reason_quotes_no_more_than_a_line_can_hold() -> None:
    assert len(why(head(flow="x" * 10_000))) < 100
    assert len(why(head(text="9" * 10_000))) < 100
    assert len(why(HEAD, " " + "x" * 10_000)) < 100


@pytest.mark.parametrize(
    "line",
    [
        "message ",
        "message  local a@b c@d chat m1 % % 0 0 % %",
        "message",
        "other 1",
        "Message 1",
        "\tmessage 1",
        "archived 40",
        "archived 40 anna@gov.example",
        "archived 40 anna@gov.example a1 a2",
        "archived 40 % a1",
        "archived 40 anna@gov.example %",
        "archived 40 anna@gov.example %FF",
        "archived -1 anna@gov.example a1",
        "archived x anna@gov.example a1",
        f"archived {'9' * 16} anna@gov.example a1",
    ],
)
def test_a_question_that_cannot_be_answered_is_unreadable_as_a_whole(line: str) -> None:
    with pytest.raises(Unreadable):
        read(HEAD, line)


def test_a_child_without_a_message_makes_the_question_unreadable() -> None:
    for lines in ([f" {STORE}", HEAD], [HEAD, "archived 40 a@b x", f" {STORE}"], [HEAD, "", f" {STORE}"]):
        with pytest.raises(Unreadable):
            read(*lines)


@pytest.mark.parametrize("inner", [f"<message>{HEAD}</message>", f"{HEAD}<x/>", f"{HEAD}<x xmlns='other:ns'/>"])
def test_an_element_in_a_question_makes_it_unreadable(inner: str) -> None:
    with pytest.raises(Unreadable):
        list(read_ask(ET.fromstring(f"<ask xmlns='{NAMESPACE}'>{inner}</ask>")))


def test_an_empty_question_asks_nothing() -> None:
    assert read() == read("", "") == list(read_ask(ET.Element(f"{{{NAMESPACE}}}ask"))) == []


# ---- laws ---------------------------------------------------------------------------------------------------------------

odd = st.text(max_size=8)
# fmt: off
words = odd | st.integers(-3, 2**70).map(str) | st.sampled_from([
    "local", "--1", DIGEST, "1:2:0", "9" * 5000, "0" * 64, "%", "=", "%20", "%zz", "0", "-", "-1", "@a%40b", "a@b", "chat", LEGACY,
    "jabber:client", "body", "encrypted", "message", "archived", "change", "devices", "publish", "list", "bundle", "1,2", "1,", ",",
])
# fmt: on
STARTS = ["message 7 ", "message 7 local a@b c@d chat ", "archived ", " ", "  ", " body jabber:client ", f" {OMEMO} ", "", "x "]
STARTS += ["change 7 ", "change 8 local a@b a@b publish ", "devices ", "devices a@b ", "members ", "members a@b ", "members -"]
starts = st.sampled_from(STARTS)
texts = words.filter(lambda word: " " not in word and "\n" not in word)
heads = st.builds(head, sender=texts, recipient=texts, kind=texts, id=texts, origin_id=texts, room=texts, lang=texts, client=texts)
some_lines = st.builds(lambda start, rest: start + " ".join(rest), starts, st.lists(words, max_size=11))
sound_lines = st.sampled_from([HEAD, f" {STORE}", f" {OMEMO} 11:60:0", CHANGE, DEVICES, MEMBERS, head(room=ROOM)])
a_question = st.lists(some_lines | heads | sound_lines, max_size=6).map("\n".join) | st.text()


def escaped(text: str) -> str:
    return re.sub("[\\s%=<>&'\"\0-\x1f\x7f]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text) or "%"


def lengthy(value: int | None) -> str:
    return "-" if value is None else str(value)


def ids(devices: tuple[int, ...]) -> str:
    return ",".join(map(str, devices)) or "%"


def announced(jid: str, devices: Announced | None) -> list[str]:
    if devices is None:
        return []
    return [" ".join(["devices", escaped(jid), *("-" if one is None else ids(one) for one in devices)])]


def written(found: Part) -> list[str]:
    """What was read, written again by the text of the specification alone."""
    if isinstance(found, Change):
        measures = found.text, found.attributes, found.elements
        who = f"{escaped(found.sender)} {escaped(found.owner)}"
        what = f"{found.action} {found.namespace} {found.subject} {ids(found.devices)} {found.identity or '%'}"
        return [f"change {found.ref} {found.flow} {who} {what} {' '.join(map(str, measures))}"]
    if isinstance(found, Archived):
        return [f"archived {found.record} {escaped(found.by)} {escaped(found.id)}"]
    assert isinstance(found, Question)
    texts = [found.sender, found.recipient, found.type, found.id, found.origin_id, found.room]
    lines = announced(found.sender.partition("/")[0], found.sender_devices)
    lines += announced(found.recipient.partition("/")[0], found.recipient_devices)
    if found.members is not None:
        names = [found.room, *(member.jid for member in found.members)]
        lines += [" ".join(["members", *("%2D" if name == "-" else escaped(name) for name in names)])]
        lines += [line for member in found.members for line in announced(member.jid, member.devices)]
    elif found.room:
        lines += [f"members {'%2D' if found.room == '-' else escaped(found.room)} -"]
    lines += [" ".join(["message", found.ref, found.flow, *map(escaped, texts), str(found.text), str(found.more), found.lang or "%"])]
    lines[-1] += f" {escaped(found.client)}"
    for child in found.children:
        envelope = child.envelope
        if envelope is None:
            digest = f" {child.sha256}" if child.sha256 else ""
            name = f"{escaped(child.name)} {escaped(child.namespace)}"
            lines.append(f" {name} {child.text} {child.attributes} {child.elements}{digest}")
            continue
        line = f" encrypted {child.namespace} {envelope.sid} {lengthy(envelope.iv)} {lengthy(envelope.payload)} {envelope.strange}"
        keys = [f"@{escaped(key.jid)} {key.rid}:{key.length}:{int(key.kex)}" for key in envelope.keys]
        lines.append(" ".join([line, envelope.digest, *keys]))
    return lines


@given(a_question)
def test_whatever_is_asked_it_is_read_garbled_or_unreadable(text: str) -> None:
    lines = text.split("\n")
    try:
        found = read(text)
    except Unreadable:
        return
    beginnings = [line for line in lines if line and not line.startswith((" ", "devices ", "members "))]
    assert len(found) == len(beginnings)
    for one, line in zip(found, beginnings, strict=True):
        if isinstance(one, Garbled):
            assert line.startswith(("message ", "change "))
        else:
            assert line.startswith({Archived: "archived ", Question: "message ", Change: "change "}[type(one)])
        if not isinstance(one, Archived):
            assert one.ref == line.split(" ")[1] != ""
    told = [len(one.children) for one in found if isinstance(one, Question)]
    assert sum(told) <= sum(line.startswith(" ") for line in lines)


@given(a_question)
def test_what_was_read_says_what_its_lines_say(text: str) -> None:
    try:
        found = [one for one in read(text) if not isinstance(one, Garbled)]
    except Unreadable:
        return
    again = [line for one in found for line in written(one)]
    assert read(*again) == found
    for one in found:
        if isinstance(one, Question):
            (line,) = [line for line in text.split("\n") if line.startswith(f"message {one.ref} ")][:1]
            assert (one.flow, len(line.split(" "))) == (line.split(" ")[2], 13)
            assert all((one.sender, one.recipient, *(child.name and child.namespace for child in one.children)))


@given(st.text(), st.text(), st.text(), st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), max_size=3))
def test_every_text_can_be_said_in_a_word(id_: str, origin_id: str, room: str, names: list[tuple[str, str]]) -> None:
    lines = [f" {escaped(name)} {escaped(namespace)} 1 2 3" for name, namespace in names if (name, namespace) != ("body", "jabber:client")]
    found = question(head(id=escaped(id_), origin_id=escaped(origin_id), room=escaped(room)), *lines)
    assert (found.id, found.origin_id, found.room) == (id_, origin_id, room)
    assert [(child.name, child.namespace) for child in found.children] == [one for one in names if one != ("body", "jabber:client")]


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


# ---- terms --------------------------------------------------------------------------------------------------------------


def test_terms_are_written_so() -> None:
    rows = [Row("urn:xmpp:hints", "store", 0, 0, 0), Row("jabber:client", "error", 0, 256, 3, "error")]
    outages = [OutageRow("gov.example", "*", "hold", 20)]
    assert write_terms(rows, ["gov.example", "rooms.gov.example"], Limits(256, 1024, 4), outages, 100) == (
        '<terms xmlns="apostille:gate:0" valid="100"><free within="gov.example rooms.gov.example" id="256" aside="1024" times="4">'
        '<child ns="urn:xmpp:hints" name="store" t="0" a="0" e="0"/>'
        '<child ns="jabber:client" name="error" t="0" a="256" e="3" type="error"/></free>'
        '<outage from="gov.example" to="*" mode="hold" seconds="20"/></terms>'
    )


def test_a_report_of_hosts_is_read() -> None:
    hosts = "<host jid='gov.example' covered='true'/><host jid='x.gov.example' covered='false'/>"
    text = f"<covered xmlns='{NAMESPACE}' modules='{DIGEST}'>{hosts}</covered>"
    assert read_covered(ET.fromstring(text)) == Covered(DIGEST, {"gov.example": True, "x.gov.example": False})


@pytest.mark.parametrize(
    "host", ["<host covered='true'/>", "<host jid='' covered='true'/>", "<host jid='a'/>", "<host jid='a' covered='yes'/>"]
)
def test_a_report_that_is_unclear_about_a_host_is_none(host: str) -> None:
    with pytest.raises(Unreadable):
        read_covered(ET.fromstring(f"<covered xmlns='{NAMESPACE}' modules=''><host jid='b' covered='true'/>{host}</covered>"))
