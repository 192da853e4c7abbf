"""Unmodified clients of other makes: what a person at Profanity sees, and what aioxmpp reads."""

from __future__ import annotations

import asyncio
from pathlib import Path

from e2e.conftest import PASSWORD, Government, play
from rig.aioxmpp_client import AioxmppClient
from rig.installation import REPOSITORY
from rig.omemo import OmemoClient
from rig.profanity import Profanity

AIOXMPP = REPOSITORY / ".venv-aioxmpp" / "bin" / "python"


def omemo(government: Government, name: str, resource: str = "omemo") -> OmemoClient:
    prosody = government.prosody
    return OmemoClient(f"{government.jid(name)}/{resource}", PASSWORD, port=prosody.c2s_port, ca=prosody.ca)


def test_profanity_shows_colleagues_and_the_reason_of_a_refusal_and_talks_omemo(strict: Government, tmp_path: Path) -> None:
    asha = Profanity(tmp_path, strict.jid("asha"), PASSWORD, strict.prosody.c2s_port)

    async def act() -> None:
        boris = omemo(strict, "boris")
        await boris.online()
        await asyncio.to_thread(asha.start)
        try:
            await asyncio.to_thread(asha.type, "/roster")
            assert "Boris, Clerk" in await asyncio.to_thread(asha.wait_for, "Boris, Clerk")
            await asyncio.to_thread(asha.type, f"/msg {strict.jid('boris')} is this readable?")
            screen = await asyncio.to_thread(asha.wait_for, "Error from .*Not delivered: messages between officials must be")
            assert "Turn on OMEMO encryption" in " ".join(screen.split())
            await asyncio.to_thread(asha.announce_omemo)
            await asyncio.to_thread(asha.start_omemo, strict.jid("boris"))
            await asyncio.to_thread(asha.type, "только для тебя")
            assert (await boris.next_decrypted(15)).body == "только для тебя"
            await boris.encrypt_to(strict.jid("asha"), "answer from Boris")
            await asyncio.to_thread(asha.wait_for, "answer from Boris")
            assert boris.inbox.qsize() >= 1
        finally:
            await asyncio.to_thread(asha.stop)
            await boris.retire()
            await boris.offline()

    play(act)


def test_aioxmpp_reads_the_roster_the_refusal_and_the_error_condition(strict: Government) -> None:
    async def act() -> None:
        client = AioxmppClient(AIOXMPP, strict.jid("clara"), PASSWORD, strict.prosody.c2s_port, strict.prosody.ca)
        await client.online()
        try:
            roster = await client.roster()
            assert set(roster) == {strict.jid(name) for name in ("asha", "boris", "dmitri")}
            assert {contact.subscription for contact in roster.values()} == {"both"}
            refusal = await client.refusal(await client.say(strict.jid("boris"), "readable"))
            assert (refusal.type, refusal.condition) == ("modify", "policy-violation")
            assert refusal.text.startswith("Not delivered: messages between officials must be encrypted.")
        finally:
            await client.quit()

    play(act)


def test_one_stanza_with_both_versions_of_omemo_passes_as_converse_sends_it(strict: Government) -> None:
    async def act() -> None:
        prosody = strict.prosody
        asha = omemo(strict, "asha")
        old = OmemoClient(f"{strict.jid('boris')}/old", PASSWORD, port=prosody.c2s_port, ca=prosody.ca, speaks=("0.3",))
        new = OmemoClient(f"{strict.jid('boris')}/new", PASSWORD, port=prosody.c2s_port, ca=prosody.ca, speaks=("2",))
        for client in (asha, old, new):
            await client.online()
        try:
            await asha.encrypt_to(strict.jid("boris"), "to both", "mixed")
            assert (await old.next_decrypted(10)).body == (await new.next_decrypted(10)).body == "to both"
        finally:
            for client in (asha, old, new):
                await client.retire()
                await client.offline()

    play(act)
