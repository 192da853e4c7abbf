"""The desk of the register of devices, without a wire: a stanza is pushed in, what would be sent is read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from apostille.devices import component as desks
from apostille.devices.component import ADHOC, FORMS, Desk
from apostille.devices.rules import State
from apostille.devices.service import Devices
from apostille.record import resource_mark
from apostille.xmpp import Component
from doubles_devices import CONTACT, Bench
from heard import ACCEPT
from messages import ANNA

PHONE, DESKTOP = f"{ANNA}/phone", f"{ANNA}/desk"


class Wireless(Component):
    """A component that keeps what it would send, as if it were connected."""

    def __init__(self) -> None:
        super().__init__("gate.gov.example", "secret", "127.0.0.1", 1)
        self.sent: list[str] = []
        self.transport: Any = object()

    def send_raw(self, data: Any) -> None:
        self.sent.append(str(data))

    def send(self, data: Any, *_: Any, **__: Any) -> None:  # what else would wait in a queue that nobody empties
        self.send_raw(data)

    async def hear(self, stanza: str) -> list[str]:
        """What is sent because of this stanza."""
        self.sent.clear()
        self._spawn_event(ET.fromstring(stanza))
        for _ in range(20):
            await asyncio.sleep(0)
        return list(self.sent)


def two() -> Bench:
    """Anna's phone has the approved device 11, and 12 of her desk waits."""
    bench = Bench()
    bench.gate(bench.changed(11, by=resource_mark(PHONE)))
    bench.devices.approve(ANNA, 11, "olga")
    bench.gate(bench.changed(11, 12, by=resource_mark(DESKTOP)))
    return bench


def conversation(stanzas: Sequence[str], devices: Devices) -> list[list[str]]:
    async def run() -> list[list[str]]:
        component = Wireless()
        Desk(component, devices, "gov.example", ticks=lambda: 0.0)
        return [await component.hear(stanza) for stanza in stanzas]

    return asyncio.run(run())


def chat(text: str, sender: str = PHONE, type_: str = "chat") -> str:
    return f"<message xmlns='{ACCEPT}' type='{type_}' from='{sender}' to='gate.gov.example'><body>{text}</body></message>"


def command(node: str, device: str = "", *, sender: str = PHONE, action: str = "execute", type_: str = "set", extra: str = "") -> str:
    field = f"<x xmlns='{FORMS}' type='submit'><field var='device'><value>{device}</value></field></x>" if device else ""
    inner = f"<command xmlns='{ADHOC}' node='{node}' action='{action}' {extra}>{field}</command>"
    return f"<iq xmlns='{ACCEPT}' type='{type_}' id='i1' from='{sender}' to='gate.gov.example'>{inner}</iq>"


def told(stanza: str, devices: Devices) -> ET.Element:
    ((sent,),) = conversation([stanza], devices)
    return ET.fromstring(sent)


def test_a_chat_message_is_answered_to_the_session_that_wrote_it() -> None:
    answer = told(chat("devices approve 12"), two().devices)
    assert (answer.get("type"), answer.get("from"), answer.get("to")) == ("chat", "gate.gov.example", PHONE)
    assert (answer.findtext("body") or "").startswith("12 (OMEMO 0.3): approved from another session")


@pytest.mark.parametrize(
    "stanza",
    [
        chat("hello"),
        chat("devices", sender="eve@elsewhere.example/x"),
        chat("devices", sender="gov.example"),
        chat("devices", sender=ANNA),
        chat("devices", type_="error"),
        chat("devices", type_="groupchat"),
        chat("devices", type_="headline"),
        chat(""),
        command("devices", type_="result"),
    ],
)
def test_everything_else_is_not_answered(stanza: str) -> None:
    assert conversation([stanza], two().devices) == [[]]


@pytest.mark.parametrize("other", [ANNA.replace("a", "\u1d43", 1), ANNA.replace("a", "A", 1), ANNA.replace("gov", "GOV")])
def test_an_account_that_only_looks_like_another_speaks_for_nobody(other: str) -> None:
    """Prosody keeps U+1D43, which Unicode 3.2 did not know, so this is another account; slixmpp makes Anna's of it."""
    bench = two()
    sender = f"{other}/x"
    stanzas = chat("devices approve 12", sender=sender), command("devices-approve", "12", sender=sender, action="complete")
    assert conversation(stanzas, bench.devices) == [[], []]
    assert bench.states()[12] is State.SEEN


def test_a_form_is_offered_filled_in_and_answered_with_a_note() -> None:
    bench = two()
    (asked,), (done,) = conversation([command("devices-approve"), command("devices-approve", "12", action="complete")], bench.devices)
    form = ET.fromstring(asked)[0]
    assert (form.get("node"), form.get("status")) == ("devices-approve", "executing")
    assert form.find(f"{{{ADHOC}}}actions/{{{ADHOC}}}complete") is not None
    field = form.find(f"{{{FORMS}}}x[@type='form']/{{{FORMS}}}field[@var='device'][@type='list-single']")
    assert field is not None
    assert [(one.get("label") or "")[:14] for one in field.findall(f"{{{FORMS}}}option")] == ["12 (OMEMO 0.3)"]
    assert [one.text for one in field.iter(f"{{{FORMS}}}value")] == ["12"]
    last = ET.fromstring(done)[0]
    assert (last.get("status"), bench.decided()[-1]) == ("completed", (12, "approved", "session"))
    assert (last.findtext(f"{{{ADHOC}}}note") or "").startswith("12 (OMEMO 0.3): approved")


def test_the_session_that_brought_the_device_gets_a_note_with_the_reason() -> None:
    bench = two()
    answer = told(command("devices-approve", "12", sender=DESKTOP), bench.devices)
    assert "this very session" in (answer[0].findtext(f"{{{ADHOC}}}note") or "")
    assert bench.decided()[-1] == (11, "approved", "registrar")


@pytest.mark.parametrize("chosen", ["13", "11", "-1", "x", "²", "9" * 5000])
def test_a_choice_that_was_not_offered_is_offered_again(chosen: str) -> None:
    assert told(command("devices-approve", chosen), two().devices)[0].get("status") == "executing"


def test_the_list_needs_no_form_and_where_nothing_can_be_chosen_a_note_says_so() -> None:
    bench = two()
    assert (told(command("devices"), bench.devices)[0].findtext(f"{{{ADHOC}}}note") or "").count("\n") == 1
    stranger = command("devices-revoke", "11", sender="nobody@gov.example/x")
    assert told(stranger, bench.devices)[0].findtext(f"{{{ADHOC}}}note") == "You have no device to choose from."


def test_a_cancelled_form_does_nothing_and_a_session_id_comes_back_cut() -> None:
    bench = two()
    kept = len(bench.ledger.records)
    answer = told(command("devices-revoke", "11", action="cancel", extra=f"sessionid='{'s' * 100}'"), bench.devices)[0]
    assert (answer.get("status"), answer.get("sessionid")) == ("canceled", "s" * 64)
    assert len(bench.ledger.records) == kept


@pytest.mark.parametrize(
    ("stanza", "condition"),
    [
        (command("devices", sender="eve@elsewhere.example/x"), "forbidden"),
        (command("devices", sender="rooms.gov.example/x"), "forbidden"),
        (command("devices", sender=ANNA), "forbidden"),
        (command("something"), "item-not-found"),
    ],
)
def test_who_may_not_ask_and_what_there_is_not_is_an_error(stanza: str, condition: str) -> None:
    answer = told(stanza, two().devices)
    assert answer.get("type") == "error"
    assert [child.tag.partition("}")[2] for child in answer.iter() if "stanzas" in child.tag] == [condition]


def test_who_asks_without_end_is_not_answered_for_the_rest_of_the_minute_and_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "_REMEMBERED", 2)
    bench, nobody = two(), chat("devices", sender="nobody@gov.example/x")
    flood = [nobody, *[chat("devices")] * 30, chat("devices"), command("devices"), nobody]
    *answered, silent, refused, other = conversation(flood, bench.devices)
    assert all(len(one) == 1 for one in (*answered, other))
    assert silent == []
    assert "resource-constraint" in refused[0]


def test_a_register_that_is_away_is_said_to_be() -> None:
    bench = two()
    bench.register.away = True
    message, iq = conversation([chat("devices"), command("devices")], bench.devices)
    assert "does not answer now" in message[0]
    assert "does not answer now" in iq[0]


def test_what_is_to_be_said_is_said_once_with_its_text_escaped() -> None:
    bench = two()
    bench.devices.said([number for number, _, _ in bench.devices.notices()])
    bench.devices.approve(ANNA, 12, "olga", "<desk> & 'co'")

    async def run() -> list[str]:
        component = Wireless()
        desk = Desk(component, bench.devices, "gov.example")
        desk.tell()
        desk.tell()
        return component.sent

    sent = [ET.fromstring(one) for one in asyncio.run(run())]
    assert [one.get("to") for one in sent] == [ANNA, CONTACT]
    assert "Device 12 (OMEMO 0.3, <desk> & 'co') was approved" in (sent[0].findtext("body") or "")


def connected(bench: Bench, seconds: float, *, speaks: bool = True, back: float = 0) -> list[str]:
    """What is sent in the first moments of a connection."""

    async def run() -> list[str]:
        component = Wireless()
        Desk(component, bench.devices, "gov.example", speaks=speaks)
        component.event("session_start", None)
        component.event("session_start", None)
        await asyncio.sleep(back)
        bench.register.away = False
        await asyncio.sleep(seconds)
        component.event("disconnected", None)
        bench.gate(bench.changed(77))
        await asyncio.sleep(0.05)
        return component.sent

    return asyncio.run(run())


def test_as_long_as_it_is_connected_it_tells_writes_uses_and_catches_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_TELL", "_WRITE", "_CATCH_UP"):
        monkeypatch.setattr(desks, name, 0.01)
    bench = two()
    bench.devices.used(ANNA, "eu.siacs.conversations.axolotl", 11, bench.clock.now)
    sent = connected(bench, 0.3)
    assert len(sent) == 6
    assert bench.devices.listed(ANNA)[0].last_used
    assert bench.register.followed() == bench.clock.now


def test_a_second_desk_tells_nobody() -> None:
    assert connected(two(), 0.05, speaks=False) == []


def test_a_register_that_was_away_is_tried_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(desks, "_TELL", 0.01)
    bench = two()

    bench.register.away = True
    assert len(connected(bench, 0.4, back=0.05)) == 6
    assert "will be tried again" in caplog.text
