"""Rolling out: what "warn" and "observe" let pass, what they tell, and what an auditor can prove of it later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from e2e.conftest import Government, govern, play

WARN = '[[rule]]\nname = "soon"\nfrom = ["verified"]\nto = ["verified", "room"]\nrequire = "omemo"\nstage = "warn"\n'


@pytest.fixture(scope="module")
def warning() -> Iterator[Government]:
    """OMEMO is asked for and not yet enforced."""
    yield from govern("warning", WARN)


def test_under_warn_a_plaintext_message_arrives_its_sender_is_told_once_and_its_text_can_be_proven(warning: Government) -> None:
    async def act() -> str:
        async with warning.online("asha", "boris") as (asha, boris):
            ident = await asha.say(warning.jid("boris"), "still in clear")
            assert (await boris.next_message())["body"] == "still in clear"
            notice = await asha.next_message()
            assert notice["from"] == "gate.gov.example"
            assert notice["body"].startswith("Delivered this time")
            assert "Turn on OMEMO encryption" in notice["body"]
            await asha.say(warning.jid("boris"), "and again")
            assert (await boris.next_message())["body"] == "and again"
            await asyncio.sleep(0.5)
            assert asha.inbox.empty(), "told twice within the hour"
            return ident

    ident = play(act)
    right = warning.installation.answer("audit", "trace", "--stanza-id", ident, "--text", "still in clear")["items"][0]
    wrong = warning.installation.answer("audit", "trace", "--stanza-id", ident, "--text", "something else")["items"][0]
    assert (right["level"], wrong["level"]) == ("E2p", "E0")


def test_both_rooms_connect_again_by_themselves_when_the_server_restarts(warning: Government) -> None:
    async def act() -> None:
        pid = warning.installation.pid
        connected = warning.installation.serve_log().count(": connected")
        await asyncio.to_thread(warning.prosody.restart)
        for _ in range(100):
            if warning.installation.serve_log().count(": connected") >= connected + 2:
                break
            await asyncio.sleep(0.1)
        async with warning.online("asha", "boris") as (asha, boris):
            await asha.say(warning.jid("boris"), "after the restart")
            assert (await boris.next_message())["body"] == "after the restart"
        assert warning.installation.pid == pid, "the same process"

    play(act)
