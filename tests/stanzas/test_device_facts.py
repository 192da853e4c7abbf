"""The Lua module's words about an IQ that changes devices, read by the Python side and told a second time from the specification."""

from __future__ import annotations

import base64
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apostille_xep.gate.stanza import Change, Question
from lua import Lua, in_ask
from messages import LEGACY, MODERN

PUBSUB = "http://jabber.org/protocol/pubsub"
OWNER = f"{PUBSUB}#owner"
LEGACY_LIST, MODERN_LIST = f"{LEGACY}.devicelist", f"{MODERN}:devices"
LEGACY_BUNDLE, MODERN_BUNDLE = f"{LEGACY}.bundles:11", f"{MODERN}:bundles"
KEY = bytes(range(33))


def iq(*children: ET.Element | str, kind: str = "set", namespace: str = PUBSUB) -> str:
    inner = "".join(child if isinstance(child, str) else ET.tostring(child, "unicode") for child in children)
    return f"<iq type='{kind}' id='i1' from='a@b/c'><pubsub xmlns='{namespace}'>{inner}</pubsub></iq>"


def publish(node: str, payload: str, ident: str = "current") -> str:
    return f"<publish xmlns='{PUBSUB}' node='{node}'><item id='{ident}'>{payload}</item></publish>"


def devices(*ids: str, namespace: str = LEGACY, name: str = "list") -> str:
    return f"<{name} xmlns='{namespace}'>{''.join(f'<device id={chr(34)}{one}{chr(34)}/>' for one in ids)}</{name}>"


def bundle(key: str, namespace: str = LEGACY) -> str:
    name = "identityKey" if namespace == LEGACY else "ik"
    return f"<bundle xmlns='{namespace}'><{name}>{key}</{name}></bundle>"


def told(lua: Lua, xml: str) -> Change | None:
    words = lua.change(xml)
    if not words:
        return None
    (found,) = in_ask(f"change 1 local a@b/c a@b {words}\n")
    assert isinstance(found, Change), found
    return found


def what(found: Change | None) -> tuple[str, str, str, tuple[int, ...], str]:
    assert found is not None
    return found.action, found.namespace, found.subject, found.devices, found.identity


PUBLISHED = {
    "list 0.3": (publish(LEGACY_LIST, devices("11", "12")), (LEGACY, "list", (11, 12), "")),
    "list 2": (publish(MODERN_LIST, devices("21", namespace=MODERN, name="devices")), (MODERN, "list", (21,), "")),
    "no device": (publish(LEGACY_LIST, devices()), (LEGACY, "list", (), "")),
    "no list": (publish(LEGACY_LIST, ""), (LEGACY, "list", (), "")),
    "ids that are none": (publish(LEGACY_LIST, devices("x", "-1", "1.5", "", "9" * 11, "12")), (LEGACY, "list", (0, 0, 0, 0, 0, 12), "")),
    "bundle 0.3": (publish(LEGACY_BUNDLE, bundle(base64.b64encode(KEY).decode())), (LEGACY, "bundle", (11,), KEY.hex())),
    "bundle 2": (
        publish(MODERN_BUNDLE, bundle(base64.b64encode(KEY[:32]).decode(), MODERN), "21"),
        (MODERN, "bundle", (21,), KEY[:32].hex()),
    ),
    "no key": (publish(LEGACY_BUNDLE, f"<bundle xmlns='{LEGACY}'/>"), (LEGACY, "bundle", (11,), "")),
    "a key that is none": (publish(LEGACY_BUNDLE, bundle("a letter")), (LEGACY, "bundle", (11,), "")),
    "a short key": (publish(LEGACY_BUNDLE, bundle(base64.b64encode(KEY[:31]).decode())), (LEGACY, "bundle", (11,), "")),
    "a node that is another": (
        publish(f"{LEGACY}.bundles:011", bundle(base64.b64encode(KEY).decode())),
        (LEGACY, "bundle", (0,), KEY.hex()),
    ),
    "an item that is another": (publish(MODERN_BUNDLE, bundle("", MODERN), "021"), (MODERN, "bundle", (0,), "")),
    "a bundle of no device": (publish(f"{LEGACY}.bundles:x", bundle("")), (LEGACY, "bundle", (0,), "")),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_published_is_told(name: str, lua: Lua) -> None:
    xml, expected = PUBLISHED[name]
    assert what(told(lua, iq(xml))) == ("publish", *expected)


@pytest.mark.parametrize(("namespace", "name", "other"), [(LEGACY, "list", "devices"), (MODERN, "devices", "list")])
def test_the_list_that_clients_read_is_told_whatever_stands_before_it(namespace: str, name: str, other: str, lua: Lua) -> None:
    node = LEGACY_LIST if namespace == LEGACY else MODERN_LIST
    decoys = devices("1", namespace=namespace, name=other), devices("1", namespace="urn:x", name=name), "<x xmlns='urn:x'/>"
    xml = iq(publish(node, "".join(decoys) + devices("66", namespace=namespace, name=name)))
    assert what(told(lua, xml)) == ("publish", namespace, "list", (66,), "")


@pytest.mark.parametrize(
    ("element", "namespace", "action"),
    [
        ("retract", PUBSUB, "retract"),
        ("create", PUBSUB, "configure"),
        ("delete", OWNER, "delete"),
        ("purge", OWNER, "purge"),
        ("configure", OWNER, "configure"),
    ],
)
@pytest.mark.parametrize("node", [LEGACY_LIST, MODERN_LIST, LEGACY_BUNDLE, MODERN_BUNDLE])
def test_taking_away_and_configuring_is_told_of_every_node(element: str, namespace: str, action: str, node: str, lua: Lua) -> None:
    found = told(lua, iq(f"<{element} node='{node}'/>", namespace=namespace))
    assert found is not None
    assert (found.action, found.subject) == (action, "list" if node in (LEGACY_LIST, MODERN_LIST) else "bundle")


def test_what_changes_no_device_is_not_told(lua: Lua) -> None:
    sound = publish(LEGACY_LIST, devices("11"))
    for xml in (
        iq(sound, kind="get"),
        iq(sound, kind="result"),
        iq(sound, namespace="urn:x"),
        iq(publish("http://jabber.org/protocol/nick", "<nick xmlns='http://jabber.org/protocol/nick'>A</nick>")),
        iq(publish(f"{LEGACY}.devicelists", devices("11"))),
        iq(publish(f"x{LEGACY}.devicelist", devices("11"))),
        iq(f"<items node='{LEGACY_LIST}'/>"),
        iq(f"<subscribe node='{LEGACY_LIST}'/>"),
        iq(),
        "<iq type='set' id='i1'/>",
    ):
        assert told(lua, xml) is None, xml


def test_of_several_changes_the_first_is_told_as_mod_pep_does_no_other(lua: Lua) -> None:
    one, other = publish(LEGACY_LIST, devices("11")), publish(MODERN_LIST, "")
    assert what(told(lua, iq(one, other))) == ("publish", LEGACY, "list", (11,), "")
    assert what(told(lua, iq("<options/>", one))) == ("configure", LEGACY, "list", (11,), "")
    assert what(told(lua, iq(publish("urn:x", "<x xmlns='urn:x'/>"), one))) == ("configure", LEGACY, "list", (11,), "")


@pytest.mark.parametrize(
    ("element", "namespace"),
    [("publish", OWNER), ("retract", OWNER), ("create", OWNER), ("delete", PUBSUB), ("purge", PUBSUB), ("configure", PUBSUB)],
)
def test_what_mod_pep_has_no_handler_for_is_told_as_what_changes_no_device(element: str, namespace: str, lua: Lua) -> None:
    for node in (LEGACY_LIST, MODERN_BUNDLE):
        found = told(lua, iq(f"<{element} node='{node}'/>", namespace=namespace))
        assert found is not None
        assert found.action == "configure"


@pytest.mark.parametrize("namespace", [PUBSUB, OWNER, "urn:x"])
def test_whatever_namespace_an_action_has_mod_pep_goes_by_the_one_around_it(namespace: str, lua: Lua) -> None:
    found = told(lua, iq(f"<publish xmlns='{namespace}' node='{LEGACY_LIST}'/>"))
    assert found is not None
    assert found.action == "publish"


def test_of_a_list_no_more_are_told_than_a_question_can_hold(lua: Lua) -> None:
    found = told(lua, iq(publish(LEGACY_LIST, devices(*map(str, range(1, 5001))))))
    assert found is not None
    assert (len(found.devices), found.elements) == (1250, 5002)


# ---- laws ---------------------------------------------------------------------------------------------------------------

safe = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
HOSTILE = ["", " ", "%", "-", "0", "1,2", "11", "4294967296", "9" * 11, "\nchange 2 local a@b a@b", "a b", "'\"<>&", "я" * 300, "AAAA", "²"]
words = st.sampled_from(HOSTILE) | st.text(safe, max_size=8)
NODES = [LEGACY_LIST, MODERN_LIST, LEGACY_BUNDLE, MODERN_BUNDLE, f"{LEGACY}.bundles:", f"{LEGACY}.bundles:9%20 1"]
NAMES = ["publish", "retract", "delete", "purge", "configure", "create", "item", "list", "devices", "device", "bundle", "identityKey", "ik"]
names = st.sampled_from([*NAMES, "x"])
namespaces = st.sampled_from([PUBSUB, LEGACY, MODERN, "urn:x"])


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> ET.Element:
    found = ET.Element(f"{{{draw(namespaces)}}}{draw(names)}", draw(st.dictionaries(st.sampled_from(["id", "label"]), words, max_size=2)))
    found.text, found.tail = draw(st.none() | words), draw(st.none() | words)
    if depth:
        found.extend(draw(st.lists(elements(depth - 1), max_size=3)))
    return found


@settings(max_examples=150, deadline=None)
@given(node=st.sampled_from(NODES), name=st.sampled_from(NAMES[:6]), content=st.lists(elements(), max_size=3))
def test_whatever_somebody_publishes_it_is_one_readable_line_with_the_measures_of_an_element(
    lua: Lua, node: str, name: str, content: list[ET.Element]
) -> None:
    asked = ET.Element(f"{{{PUBSUB}}}{name}", {"node": node})
    asked.extend(content)
    found = told(lua, iq(asked, namespace=OWNER if name in NAMES[2:5] else PUBSUB))
    assert found is not None, "no node of OMEMO goes unasked"
    xml = ET.tostring(asked, "unicode")
    (message,) = in_ask(lua.facts(f"<message from='a@b' to='c@d'>{xml}</message>"))
    assert isinstance(message, Question)
    (measured,) = message.children
    assert (found.text, found.attributes, found.elements) == (measured.text, measured.attributes, measured.elements)
    read = ET.fromstring(xml)
    item = read.find(f"{{{PUBSUB}}}item")
    if node in (LEGACY_LIST, MODERN_LIST):
        tag = f"{{{LEGACY}}}list" if node == LEGACY_LIST else f"{{{MODERN}}}devices"
        listed = None if item is None else item.find(tag)
        ids = [one.get("id", "") for one in (() if listed is None else listed) if one.tag.rpartition("}")[2] == "device"]
        assert found.devices == tuple(int(one) if one.isascii() and one.isdigit() and len(one) <= 10 else 0 for one in ids)
        assert found.identity == ""
    else:
        assert len(found.devices) == 1
        assert found.subject == "bundle"
