"""aioxmpp says what its classes can say. `record.py serve FOLDER aioxmpp aioxmpp2` runs; the interpreter is that of deploy/rig/aioxmpp.txt.

drive_aioxmpp.py FOLDER
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "deploy" / "rig")]  # not the package: that wants slixmpp

import aioxmpp  # noqa: E402
import aioxmpp.chatstates  # noqa: E402
import aioxmpp.connector  # noqa: E402
import aioxmpp.mdr  # noqa: E402
import aioxmpp.misc  # noqa: E402
import aioxmpp.muc  # noqa: E402
from aioxmpp_actor import security  # type: ignore[import-not-found]  # noqa: E402

DOMAIN, PASSWORD = "office.example", "corpus"


async def main(folder: Path) -> None:
    """One person who writes, one who answers."""
    journal = folder / "journal.jsonl"

    def write(**facts: str) -> None:
        with journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")

    def client(name: str) -> Any:
        write(name=name, program="aioxmpp", version=aioxmpp.__version__)
        write(name=name, situation="after login")
        peer = ("127.0.0.1", 5222, aioxmpp.connector.STARTTLSConnector())
        ca = str(folder / "server" / "certificates" / "ca.pem")
        jid = aioxmpp.JID.fromstr(f"{name}@{DOMAIN}/aioxmpp")
        return aioxmpp.PresenceManagedClient(jid, security(PASSWORD, ca), override_peer=[peer], max_initial_attempts=1)

    one, two = client("aioxmpp"), client("aioxmpp2")
    to, full = aioxmpp.JID.fromstr(f"aioxmpp2@{DOMAIN}"), aioxmpp.JID.fromstr(f"aioxmpp2@{DOMAIN}/aioxmpp")

    async def now(situation: str) -> None:
        await asyncio.sleep(0.5)
        write(name="aioxmpp", situation=situation)

    def message(body: str = "", kind: str = "chat", mto: Any = to) -> Any:
        made = aioxmpp.Message(type_=aioxmpp.MessageType(kind), to=mto)
        if body:
            made.body[None] = body
        return made

    p2p, rooms = one.summon(aioxmpp.im.p2p.Service), one.summon(aioxmpp.MUCClient)
    receipts = two.summon(aioxmpp.DeliveryReceiptsService)
    async with one.connected(), two.connected():
        await now("first message")
        said = message("good morning")
        await one.send(said)
        await now("message of a conversation")
        talk = p2p.get_conversation(to)
        await talk.send_message(message("good morning"))
        await now("receipt wanted")
        asked = message("did it arrive?", mto=full)
        asked.xep0184_request_receipt = True
        asked.autoset_id()
        await one.send(asked)
        write(name="aioxmpp2", situation="receipt")
        arrived = message("did it arrive?", mto=full)
        arrived.from_, arrived.id_, arrived.xep0184_request_receipt = one.local_jid, asked.id_, True
        await two.send(aioxmpp.mdr.compose_receipt(arrived))
        for state in aioxmpp.chatstates.ChatState:
            await now(f"chat state {state.name.lower()}")
            quiet = message()
            quiet.xep0085_chatstate = state
            await one.send(quiet)
        await now("message with chat state")
        loud = message("and a state")
        loud.xep0085_chatstate = aioxmpp.chatstates.ChatState.ACTIVE
        await one.send(loud)
        await now("correction")
        corrected = message("good evening")
        corrected.xep0308_replace = aioxmpp.misc.Replace()
        corrected.xep0308_replace.id_ = said.id_
        await one.send(corrected)
        await now("file link")
        link = message("https://files.example/a.txt")
        link.xep0066_oob = aioxmpp.misc.OOBExtension()
        link.xep0066_oob.url = "https://files.example/a.txt"
        await one.send(link)
        await now("thread")
        threaded = message("in a thread")
        threaded.thread = aioxmpp.stanza.Thread()
        threaded.thread.identifier = "t1"
        await one.send(threaded)
        await now("letter with a subject")
        letter = message("dear friend", "normal")
        letter.subject[None] = "a letter"
        await one.send(letter)
        await now("message in two languages")
        both = message("good morning")
        both.body[aioxmpp.structs.LanguageTag.fromstr("de")] = "guten Morgen"
        await one.send(both)
        await now("headline")
        await one.send(message("news", "headline"))
        await now("error reply")
        await one.send(arrived.make_error(aioxmpp.stanza.Error(condition=aioxmpp.errors.ErrorCondition.SERVICE_UNAVAILABLE)))
        room, joined = rooms.join(aioxmpp.JID.fromstr(f"balcony@rooms.{DOMAIN}"), "asha")
        await asyncio.wait_for(joined, 15)
        await now("room message")
        await room.send_message(message("hello all", "groupchat"))
        await now("room subject")
        await room.set_topic({None: "Monday"})
        for mode in (aioxmpp.im.InviteMode.DIRECT, aioxmpp.im.InviteMode.MEDIATED):
            await now(f"{mode.name.lower()} invitation")
            await room.invite(to, text="come", mode=mode)
            await now(f"{mode.name.lower()} invitation without a word")
            await room.invite(to, mode=mode)
        await asyncio.sleep(1)
    del receipts


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).resolve()))
