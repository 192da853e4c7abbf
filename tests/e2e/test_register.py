"""The register of devices beside a real server: who is told what, who may approve, and what the command line changes meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from slixmpp import JID
from slixmpp.exceptions import IqError

from apostille import bootstrap
from apostille import record as records
from apostille.devices.memory import POLL
from e2e.conftest import SEALED_POLICY, Government, govern, play
from e2e.flows import sealed_message
from e2e.test_devices import KEY, LEGACY, LEGACY_BUNDLE, ask, changes, item, legacy_list, word
from rig.client import Client
from rig.installation import Installation

GATE = "gate.gov.example"
CONTACT = "dmitri"
ADHOC, FORMS = "http://jabber.org/protocol/commands", "jabber:x:data"
APPROVED = 'devices = "approved"\n'
POLICY = f'[[rule]]\nname = "commands"\nfrom = ["verified"]\nto = ["service"]\nrequire = "nothing"\n{SEALED_POLICY}'
OTHER_BUNDLE = LEGACY_BUNDLE.replace(f"<identityKey>{word(KEY)}", f"<identityKey>{word(KEY[:1] + bytes(32))}")


def waiting(installation: Installation) -> None:
    with installation.settings.open("a") as settings:
        settings.write(f'[devices]\nfirst = "wait"\nsecurity_contact = "{CONTACT}@gov.example"\n')


@pytest.fixture(scope="module")
def registered() -> Iterator[Government]:
    """Where every device waits for a person's word, and dmitri is told of all."""
    yield from govern("registered", POLICY, before=waiting)


@pytest.fixture(scope="module")
def approving() -> Iterator[Government]:
    """Where messages are for approved devices only."""
    yield from govern("approving", SEALED_POLICY + APPROVED, before=waiting)


def decisions(government: Government, name: str) -> list[tuple[int, str, str]]:
    log, _ = bootstrap.ledger_log(str(government.installation.settings))
    with log.view() as view:
        read = [records.read(data) for _, data in view.entries(0, 2**40)]
    mine = [one for one in read if isinstance(one, records.DeviceDecided) and one.owner == government.jid(name)]
    return [(one.device, one.decision, one.means) for one in mine]


async def hear(client: Client, *words: str) -> str:
    """The next message of the gate that has all these words; others before it are passed over."""
    while True:
        message = await asyncio.wait_for(client.inbox.get(), 10)
        if message["from"].bare == GATE and all(one in message["body"] for one in words):
            return str(message["body"])


def write(client: Client, text: str) -> None:
    client.say_raw(f"<message to='{GATE}' type='chat'><body>{text}</body></message>")


async def form(client: Client, node: str, device: int | None = None, action: str = "execute") -> ET.Element:
    """One step of a command (XEP-0050), and its answer."""
    iq: Any = client.make_iq_set(ito=GATE)
    command = ET.SubElement(iq.xml, f"{{{ADHOC}}}command", {"node": node, "action": action, "sessionid": "s1"})
    if device is not None:
        x = ET.SubElement(command, f"{{{FORMS}}}x", {"type": "submit"})
        ET.SubElement(ET.SubElement(x, f"{{{FORMS}}}field", {"var": "device"}), f"{{{FORMS}}}value").text = str(device)
    answer: Any = await iq.send(timeout=10)
    found: ET.Element | None = answer.xml.find(f"{{{ADHOC}}}command")
    assert found is not None
    return found


def note(command: ET.Element) -> str:
    return command.findtext(f"{{{ADHOC}}}note") or ""


def test_a_device_waits_until_a_registrar_approves_it_and_both_people_hear_of_each_step(registered: Government) -> None:
    jid, command = registered.jid("asha"), registered.installation

    async def act() -> None:
        async with registered.online("asha", CONTACT) as (asha, contact):
            assert await ask(asha, item(f"{LEGACY}.bundles:11", LEGACY_BUNDLE)) == "result"
            assert await ask(asha, legacy_list(11)) == "result"
            assert "If it is yours" in await hear(asha, "New device 11 (OMEMO 0.3) waits", "Fingerprint: 01020304 05060708")
            assert "If it is yours" not in await hear(contact, f"Devices of {jid}", "New device 11")
            (listed,) = command.answer("officials", "devices", "list", jid)
            assert (listed["device"], listed["state"], listed["announced"]) == (11, "seen", True)
            await asyncio.to_thread(command.run, "officials", "devices", "approve", jid, "11", "--label", "phone")
            await hear(asha, "Device 11 (OMEMO 0.3, phone) was approved by a registrar")
            await hear(contact, "Device 11 (OMEMO 0.3, phone) was approved by a registrar")
            assert decisions(registered, "asha") == [(11, "approved", "registrar")]
            assert await ask(asha, item(f"{LEGACY}.bundles:11", OTHER_BUNDLE)) == "result"
            await hear(asha, "ALARM: device 11")
            await hear(contact, "ALARM: device 11")
            (listed,) = command.answer("officials", "devices", "list", jid)
            assert listed["state"] == "seen"

    play(act)


def test_another_session_approves_a_new_device_by_a_form_and_the_one_that_brought_it_cannot(registered: Government) -> None:
    jid, command = registered.jid("boris"), registered.installation

    async def act() -> None:
        async with registered.online("boris/desk", "boris/phone") as (desk, phone):
            assert await ask(desk, legacy_list(21)) == "result"
            await asyncio.to_thread(command.run, "officials", "devices", "approve", jid, "21")
            assert await ask(phone, legacy_list(21, 22)) == "result"
            await hear(desk, "New device 22")
            asked = await form(phone, "devices-approve")
            assert asked.get("status") == "executing"
            assert [value.text for value in asked.iter(f"{{{FORMS}}}value")] == ["22"]
            assert "from this very session" in note(await form(phone, "devices-approve", 22, "complete"))
            done = await form(desk, "devices-approve", 22, "complete")
            assert done.get("status") == "completed"
            assert "approved from another session" in note(done)
            await hear(phone, "Device 22 (OMEMO 0.3) was approved from another session")
            assert "22 (OMEMO 0.3): approved" in note(await form(phone, "devices"))
            assert decisions(registered, "boris") == [(21, "approved", "registrar"), (22, "approved", "session")]
            assert (await form(desk, "devices-revoke", action="cancel")).get("status") == "canceled"

    play(act)


def test_the_same_commands_answer_in_a_chat(registered: Government) -> None:
    async def act() -> None:
        async with registered.online("clara/desk", "clara/phone") as (desk, phone):
            assert await ask(desk, legacy_list(31, 32)) == "result"
            write(desk, "devices")
            await hear(desk, "31 (OMEMO 0.3): waits for approval", "32 (OMEMO 0.3): waits")
            write(phone, "devices approve 31")
            await hear(phone, "no other approved device")
            write(phone, "Devices revoke 32")
            await hear(phone, "32 (OMEMO 0.3): revoked")
            write(phone, "devices approve")
            await hear(phone, "Write one of: devices;")
            assert decisions(registered, "clara") == [(32, "revoked", "session")]

    play(act)


def test_clients_find_the_commands(registered: Government) -> None:
    async def act() -> None:
        async with registered.online("clara") as (clara,):
            items: Any = await clara.plugin["xep_0030"].get_items(jid=JID(GATE), node=ADHOC)
            assert {one[1] for one in items["disco_items"]["items"]} == {"devices", "devices-approve", "devices-revoke"}
            with pytest.raises(IqError) as refused:
                await form(clara, "nothing-of-that-name")
            assert refused.value.condition == "item-not-found"

    play(act)


def test_what_was_announced_before_the_register_is_found_with_the_next_message(registered: Government) -> None:
    jid, command = registered.jid("clara"), registered.installation
    secret = f"<encrypted xmlns='{LEGACY}'><header sid='41'><key rid='31'>{word(bytes(60))}</key></header></encrypted>"

    async def act() -> None:
        async with registered.online("clara", "boris") as (clara, boris):
            assert await ask(clara, legacy_list(41)) == "result"
            engine = bootstrap.database(bootstrap.settings_at(str(command.settings)))
            with engine.begin() as connection:
                connection.exec_driver_sql("DELETE FROM devices WHERE account = ?", (jid,))
            engine.dispose()
            clara.say_raw(f"<message to='{boris.boundjid.bare}' type='chat' id='f1'>{secret}</message>")
            await hear(clara, "New device 41")
            found = command.answer("officials", "devices", "list", jid)
            assert (41, "seen") in [(one["device"], one["state"]) for one in found]
            assert [one.devices for one in changes(registered) if one.action == "found"] == [(41,)]

    play(act)


def test_a_message_passes_between_approved_devices_only_from_the_decision_on(approving: Government) -> None:
    asha_, boris_, command = approving.jid("asha"), approving.jid("boris"), approving.installation

    async def decide(verb: str, jid: str, device: int) -> None:
        await asyncio.to_thread(command.run, "officials", "devices", verb, jid, str(device))
        await asyncio.sleep(POLL)

    async def act() -> None:
        async with approving.online("asha", "boris") as (asha, boris):
            assert await ask(asha, legacy_list(77)) == "result"
            assert await ask(boris, legacy_list(101)) == "result"
            for ident, jid, device in (("neither", boris_, 101), ("sender", asha_, 77)):
                asha.say_raw(sealed_message(boris_, ident))
                assert "approved" in (await asha.refusal(ident)).text
                await decide("approve", jid, device)
            asha.say_raw(sealed_message(boris_, "both"))
            while (await boris.next_message())["id"] != "both":
                pass  # what the gate has told him meanwhile
            await decide("revoke", boris_, 101)
            asha.say_raw(sealed_message(boris_, "revoked"))
            assert "approved" in (await asha.refusal("revoked")).text

    play(act)
