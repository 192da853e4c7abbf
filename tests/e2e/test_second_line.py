"""The firewall's rules with the gate away: readable messages come back, encrypted ones arrive.

With the gate in place they must change nothing: every other end-to-end test runs with them too.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from e2e.conftest import NAMES, PASSWORD, Government, govern, play
from rig.component import RawComponent
from rig.installation import Installation, in_folder

BOT, SECRET = "trace.gov.example", "a secret of its own"  # a name that the policy calls a service
LEGACY = "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'><key rid='2'>AAAA</key></header></encrypted>"
MODERN = "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/></encrypted>"
BODY = "<body>readable</body>"


@pytest.fixture(scope="module")
def ungated() -> Iterator[Government]:
    """A server without gate and without the guard of its logins, but with the second line."""
    folder = in_folder("ungated")
    installation = Installation(
        folder,
        host_modules=("apostille_rosters",),
        muc_modules=(),
        components={BOT: SECRET},
        authentication="internal_hashed",
        firewall=True,
    )
    installation.prosody.component_modules = ("firewall",)
    try:
        installation.prosody.register((one, PASSWORD) for one in NAMES)
        installation.prosody.start()
        yield Government(installation)
    finally:
        installation.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("kind", ["type='chat'", "type='normal'", "", "type='headline'", "type='something'"])
def test_without_the_gate_a_readable_message_comes_back_and_says_why(ungated: Government, kind: str) -> None:
    async def act() -> None:
        async with ungated.online("asha", "boris") as (asha, boris):
            for number, to in enumerate((ungated.jid("boris"), f"{ungated.jid('boris')}/here")):
                asha.say_raw(f"<message to='{to}' {kind} id='m{number}'>{BODY}</message>")
                refusal = await asha.refusal(f"m{number}")
                assert (refusal.type, refusal.condition) == ("wait", "recipient-unavailable")
                assert "is not running on this server" in refusal.text
            asha.say_raw(f"<message to='{ungated.jid('boris')}' type='chat' id='last'>{LEGACY}</message>")
            assert (await boris.next_message())["id"] == "last"
            assert boris.inbox.empty()

    play(act)


@pytest.mark.parametrize("inner", [LEGACY + BODY, BODY + MODERN, LEGACY, "<active xmlns='http://jabber.org/protocol/chatstates'/>"])
def test_without_the_gate_encrypted_messages_and_those_without_words_arrive(ungated: Government, inner: str) -> None:
    async def act() -> None:
        async with ungated.online("asha", "boris") as (asha, boris):
            asha.say_raw(f"<message to='{ungated.jid('boris')}' type='chat' id='m'>{inner}</message>")
            assert (await boris.next_message())["id"] == "m"

    play(act)


def test_without_the_gate_a_room_hears_only_what_is_encrypted(ungated: Government) -> None:
    room = f"second@{ungated.prosody.rooms}"

    async def act() -> None:
        async with ungated.online("asha", "boris") as (asha, boris):
            await asha.join(room, "A")
            await boris.join(room, "B")
            for to, kind in ((room, "groupchat"), (f"{room}/B", "chat")):
                asha.say_raw(f"<message to='{to}' type='{kind}' id='r-{kind}'>{BODY}</message>")
                assert (await asha.refusal(f"r-{kind}")).condition == "recipient-unavailable"
            asha.say_raw(f"<message to='{room}' type='groupchat' id='e'>{BODY}{LEGACY}</message>")
            assert (await boris.next_message())["id"] == "e"
            await boris.say(room, None, "groupchat", children=(LEGACY,), id="still-there")
            assert (await boris.next_message())["id"] == "still-there", "nobody was thrown out by an error"

    play(act)


def test_without_the_gate_a_component_cannot_write_readably_either(ungated: Government) -> None:
    async def act() -> None:
        async with ungated.online("boris") as (boris,):
            bot = RawComponent(BOT, SECRET, ungated.prosody.component_port)
            await bot.connect()
            for to in (ungated.jid("boris"), "somebody@elsewhere.example"):
                bot.say(f"<message from='{BOT}' to='{to}' type='chat' id='m'>{BODY}</message>")
                answer = await bot.next()
                assert answer.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}recipient-unavailable") is not None, answer
            bot.say(f"<message from='{BOT}' to='{ungated.jid('boris')}' type='chat' id='e'>{LEGACY}</message>")
            assert (await boris.next_message())["id"] == "e"
            assert boris.inbox.empty()
            await bot.close()

    play(act)


def test_with_the_gate_the_rules_let_pass_what_the_policy_lets_pass() -> None:
    stage = '[[rule]]\nname = "bots"\nfrom = ["service"]\nto = ["verified"]\nrequire = "nothing"\n'
    stage += '[[rule]]\nname = "officials"\nfrom = ["verified"]\nto = ["verified", "room", "service"]\nrequire = "omemo"\nstage = "warn"\n'
    for government in govern("second-line", stage, components={BOT: SECRET}):
        room = f"second@{government.prosody.rooms}"

        async def act(government: Government = government, room: str = room) -> None:
            async with government.online("asha", "boris") as (asha, boris):
                await asha.join(room, "A")
                await boris.join(room, "B")
                await asha.say(government.jid("boris"), "readable")
                assert (await boris.next_message())["body"] == "readable"
                assert (await asha.next_message())["from"] == "gate.gov.example", "the notice that warns is readable, too"
                await asha.say(room, "readable", "groupchat")
                assert (await boris.next_message())["type"] == "groupchat"
                history = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='5'/></x>"
                asha.say_raw(f"<presence to='{room}/A'>{history}</presence>")
                assert [(await asha.next_message())["body"] for _ in range(2)] == ["readable"] * 2, "said, and told again on joining anew"
                bot = RawComponent(BOT, SECRET, government.prosody.component_port)
                await bot.connect()
                bot.say(f"<message from='{BOT}' to='{government.jid('boris')}' type='chat' id='b'>{BODY}</message>")
                assert (await boris.next_message())["id"] == "b"
                await boris.say(BOT, "readable", id="to-bot")
                assert (await bot.next()).get("id") == "to-bot"
                await bot.close()
            assert "A readable message is sent back" not in government.prosody.log_text()

        play(act)
