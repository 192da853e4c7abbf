"""The first acts: colleagues appear, what is readable is refused, what is encrypted arrives.

Every step is a real client over TLS. Knows what officials would do; refuses to look behind the server.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from slixmpp import Message

from rig.aioxmpp_client import AioxmppClient
from rig.omemo import OmemoClient
from scenario.stage import PASSWORD, Book, Stage

OMEMO_0_3 = "{eu.siacs.conversations.axolotl}encrypted"
SID = "{urn:xmpp:sid:0}stanza-id"
SILENCE = 0.7  # seconds in which a message that was refused would have arrived


class Cast(NamedTuple):
    """Who plays: an official on two devices, two colleagues, and one at another make of client."""

    boris_phone: OmemoClient
    boris_desk: OmemoClient
    clara: OmemoClient
    dmitri: OmemoClient
    meera: AioxmppClient


def drain(client: OmemoClient) -> None:
    """Forget what a client has heard so far."""
    for queue in (client.inbox, client.carbons, client.decrypted, client.subjects):
        while not queue.empty():
            queue.get_nowait()


async def nothing_heard(*clients: OmemoClient) -> bool:
    """Whether no message reached any of them for a while (errors to their own messages aside)."""
    await asyncio.sleep(SILENCE)
    heard = [client.inbox.get_nowait() for client in clients for _ in range(client.inbox.qsize())]
    return all(message["type"] == "error" for message in heard)


async def assemble(stage: Stage) -> Cast:
    """Log everybody in, each device with keys of its own."""
    prosody = stage.installation.prosody
    boris_phone = await stage.omemo("boris.volkov", "phone")
    boris_desk = await stage.omemo("boris.volkov", "desk")
    clara = await stage.omemo("clara.lindqvist", "phone")
    dmitri = await stage.omemo("dmitri.sokolov", "phone")
    meera = AioxmppClient(stage.aioxmpp_python, stage.jid("meera.iyer"), PASSWORD, prosody.c2s_port, prosody.ca)
    await meera.online()
    return Cast(boris_phone, boris_desk, clara, dmitri, meera)


async def rosters(book: Book, stage: Stage, cast: Cast) -> None:
    """Colleagues are there, and follow the directory."""
    installation = stage.installation

    async def arrives() -> tuple[bool, str]:
        wanted = {item["jid"] for item in installation.answer("rosters", "show", stage.jid("boris.volkov"))}
        found = await cast.boris_phone.contacts_until(lambda contacts: wanted <= set(contacts), 10)
        groups = sorted({group for jid in wanted for group in found[jid].groups})
        both = sum(found[jid].subscription == "both" for jid in wanted)
        return both == len(wanted) > 0, f"{len(wanted)} colleagues in {', '.join(groups)}; presence with {both} of them"

    await book.play("roster arrives", "Boris's colleagues and superiors, without a single request", arrives)

    async def elsewhere() -> tuple[bool, str]:
        wanted = {item["jid"] for item in installation.answer("rosters", "show", stage.jid("meera.iyer"))}
        roster = await cast.meera.roster()
        return wanted == set(roster), f"aioxmpp sees {len(roster)} contacts, the directory says {len(wanted)}"

    await book.play("roster in another client", "aioxmpp gets exactly the roster that the directory computes", elsewhere)


async def plaintext(book: Book, stage: Stage, cast: Cast) -> None:
    """What the server could read is refused, and the person is told why."""
    boris = stage.jid("boris.volkov")

    async def refused() -> tuple[bool, str]:
        drain(cast.boris_phone)
        drain(cast.boris_desk)
        refusal = await cast.meera.refusal(await cast.meera.say(boris, "Is the report ready?"))
        silent = await nothing_heard(cast.boris_phone, cast.boris_desk)
        return silent and refusal.condition == "policy-violation" and "OMEMO" in refusal.text, refusal.text

    await book.play("plaintext is refused", "a readable reason to the sender (aioxmpp), nothing to the recipient", refused)

    async def beside() -> tuple[bool, str]:
        encrypted = await cast.clara.encrypt("harmless", [boris], "0.3")
        id_ = await cast.clara.say(boris, "and the secret in clear", children=tuple(encrypted))
        refusal = await cast.clara.refusal(id_)
        return refusal.condition == "policy-violation" and "beside" in refusal.text, refusal.text

    await book.play("plaintext hidden beside <encrypted/>", "refused, although a real encrypted part is there", beside)

    async def label() -> tuple[bool, str]:
        eme = '<encryption xmlns="urn:xmpp:eme:0" namespace="eu.siacs.conversations.axolotl" name="OMEMO"/>'
        first = await cast.clara.refusal(await cast.clara.say(boris, "trust me, this is encrypted", children=(eme,)))
        shell = '<encrypted xmlns="eu.siacs.conversations.axolotl"><header sid="1"><iv>AAAAAAAAAAAAAAAA</iv></header></encrypted>'
        second = await cast.clara.refusal(await cast.clara.say(boris, None, children=(shell, eme)))
        ok = "must be encrypted" in first.text and "for no device" in second.text
        return ok, f"label alone: {first.text} / empty shell: {second.text}"

    await book.play("an encryption label proves nothing", "EME without encryption and <encrypted/> without keys are refused", label)


async def encrypted(book: Book, stage: Stage, cast: Cast) -> None:
    """Real OMEMO, both versions, several devices, absent recipients."""
    boris = stage.jid("boris.volkov")

    async def version(number: str) -> tuple[bool, str]:
        drain(cast.boris_phone)
        drain(cast.boris_desk)
        text = f"Отчёт готов. रिपोर्ट तैयार है। ({number})"
        await cast.clara.encrypt_to(boris, text, number)
        phone, desk = await cast.boris_phone.next_decrypted(15), await cast.boris_desk.next_decrypted(15)
        return phone.body == desk.body == text, f"phone reads {phone.body!r}, desk reads {desk.body!r} ({phone.namespace})"

    await book.play("OMEMO 0.3 arrives", "decrypted on both of Boris's devices", lambda: version("0.3"))
    await book.play("omemo:2 arrives", "decrypted on both of Boris's devices", lambda: version("2"))

    async def later() -> tuple[bool, str]:
        await cast.dmitri.offline()
        await cast.clara.encrypt_to(stage.jid("dmitri.sokolov"), "Read this when you are back")
        back = await stage.omemo("dmitri.sokolov", "phone")
        heard = await back.next_decrypted(15)
        await back.offline()
        return heard.body == "Read this when you are back", f"after logging in again Dmitri reads {heard.body!r}"

    await book.play("an absent recipient gets it later", "judged once, kept by the server, decrypted after the next login", later)


async def rooms(book: Book, stage: Stage, cast: Cast) -> None:
    """Group chat: encrypted to all, encrypted to one, and nothing else."""
    room = f"audit@{stage.installation.prosody.rooms}"
    clara, boris = cast.clara, cast.boris_phone

    async def group() -> tuple[bool, str]:
        await clara.join(room, "Clara")
        await clara.configure(room, membersonly="1", whois="anyone")
        await clara.admit(room, stage.jid("boris.volkov"))
        await boris.join(room, "Boris")
        drain(boris)
        await clara.encrypt_to(room, "Welcome to the audit", mtype="groupchat")
        heard = await boris.next_decrypted(15)
        return heard.body == "Welcome to the audit", f"Boris reads {heard.body!r} from {heard.sender}"

    await book.play("group chat", "an encrypted message reaches the members of the room", group)

    async def in_clear() -> tuple[bool, str]:
        drain(boris)
        to_all = await clara.refusal(await clara.say(room, "in clear to all", "groupchat"))
        to_one = await clara.refusal(await clara.say(f"{room}/Boris", "in clear to one"))
        silent = await nothing_heard(boris)
        return silent and to_all.condition == to_one.condition == "policy-violation", f"to all: {to_all.text}"

    await book.play("plaintext in a room", "refused, to all and in private", in_clear)

    async def private() -> tuple[bool, str]:
        drain(boris)
        parts = await clara.encrypt("for your eyes", [stage.jid("boris.volkov")], "0.3")
        await clara.say(f"{room}/Boris", None, children=tuple(parts))
        while True:
            message: Message = await boris.next_message(10)
            if message.xml.find(OMEMO_0_3) is not None:
                return message["from"].bare == room, f"Boris gets it from {message['from']}"

    await book.play("private message in a room", "an encrypted one passes", private)
