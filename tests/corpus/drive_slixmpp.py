"""slixmpp with its own plugins, slixmpp-omemo, and the rig's OMEMO 2. `record.py serve FOLDER slixmpp slixmpp2 extra extra2` runs.

drive_slixmpp.py FOLDER
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in ("deploy", "tests")]

from slixmpp import JID  # noqa: E402

from corpus.record import DOMAIN, PASSWORD, write  # noqa: E402
from rig.omemo import OmemoClient  # noqa: E402

ROOM = f"library@rooms.{DOMAIN}"
Now = Callable[[str], Awaitable[None]]
PLUGINS = (
    "0004", "0030", "0045", "0066", "0071", "0085", "0172", "0184", "0224", "0249", "0308", "0333",
    "0334", "0353", "0359", "0372", "0380", "0394", "0424", "0428", "0444", "0447", "0461", "0482",
)


async def person(folder: Path, name: str, **options: Any) -> Any:
    ca = folder / "server" / "certificates" / "ca.pem"
    client: Any = OmemoClient(f"{name}@{DOMAIN}/slixmpp", PASSWORD, port=5222, ca=ca, **options)
    for number in PLUGINS:
        client.register_plugin(f"xep_{number}")
    await client.online()
    return client


def doing(folder: Path, name: str) -> Now:
    """Note what comes next, once what came before is on its way."""

    async def now(told: str) -> None:
        await asyncio.sleep(0.4)
        write(folder, name=name, situation=told)

    return now


async def plain(one: Any, two: Any, now: Now) -> None:
    """Everything that the plugins can say in the clear."""
    to, full = JID(two.boundjid.bare), two.boundjid.full
    plug = one.plugin

    def message(body: str = "", mtype: str = "chat", mto: Any = to) -> Any:
        return one.make_message(mto=mto, mbody=body or None, mtype=mtype)

    await now("first message")
    first = message("good morning")
    first.send()
    await now("message without a type")
    one.send_message(mto=to, mbody="good morning", mtype="normal", msubject="a letter")
    await now("correction")
    plug["xep_0308"].build_correction(first["id"], to, mbody="good evening").send()
    await now("receipt wanted")
    plug["xep_0184"].auto_request = True
    message("did it arrive?").send()
    plug["xep_0184"].auto_request = False
    await asyncio.sleep(1)
    await now("receipt")
    asked = message("x")
    asked["from"] = full
    plug["xep_0184"].ack(asked)
    for marker in ("received", "displayed", "acknowledged"):
        await now(f"chat marker {marker}")
        plug["xep_0333"].send_marker(to, first["id"], marker)
    await now("message to be marked")
    marked = message("please read")
    marked.enable("markable")
    marked.send()
    for state in ("active", "composing", "paused", "inactive", "gone"):
        await now(f"chat state {state}")
        quiet = message()
        quiet["chat_state"] = state
        quiet.send()
    await now("message with a chat state")
    loud = message("and a state")
    loud["chat_state"] = "active"
    loud.send()
    await now("retraction")
    plug["xep_0424"].send_retraction(to, first["id"], include_fallback=True)
    await now("retraction without a fallback")
    plug["xep_0424"].send_retraction(to, first["id"], include_fallback=False)
    await now("reaction")
    plug["xep_0444"].send_reactions(to, first["id"], ["👍"])
    await now("reply")
    plug["xep_0461"].send_reply(two.boundjid.bare, first["id"], "a reply", mto=to, mtype="chat")
    plug["xep_0461"].make_reply(two.boundjid.bare, first["id"], "good morning", mto=to, mbody="a reply that quotes", mtype="chat").send()
    await now("attention")
    plug["xep_0224"].request_attention(to)
    await now("file link")
    link = message("https://files.example/a.txt")
    link["oob"]["url"] = "https://files.example/a.txt"
    link.send()
    await now("name")
    named = message("this is me")
    named["nick"]["nick"] = "Extra"
    named.send()
    await now("thread")
    threaded = message("in a thread")
    threaded["thread"] = "t1"
    threaded["parent_thread"] = "t0"
    threaded.send()
    await now("formatted text")
    html = message("bold")
    html["html"]["body"] = "<p><strong>bold</strong></p>"
    html.send()
    for hint in ("no-store", "no-permanent-store", "no-copy", "store"):
        await now(f"hint {hint}")
        hinted = message("with a hint")
        hinted.enable(hint)
        hinted.send()
    await now("call")
    plug["xep_0353"].propose(to, "s1", [("urn:xmpp:jingle:apps:rtp:1", "audio")])
    plug["xep_0353"].accept(to, "s1")
    plug["xep_0353"].proceed(JID(full), "s1")
    plug["xep_0353"].reject(to, "s1")
    plug["xep_0353"].retract(to, "s1")
    await now("message to self")
    message("a note", mto=JID(one.boundjid.bare)).send()
    await now("offline message")
    message("are you there?", mto=JID(f"nobody@{DOMAIN}")).send()
    await now("error reply")
    wrong = message("x")
    wrong["from"] = full
    reply = wrong.reply()
    reply["type"] = "error"
    reply["error"]["condition"] = "service-unavailable"
    reply["error"]["type"] = "cancel"
    del reply["body"]
    reply.send()
    await now("direct invitation")
    plug["xep_0249"].send_invitation(to, JID(ROOM), reason="come")
    plug["xep_0249"].send_invitation(to, JID(ROOM))
    await now("room")
    for client in (one, two):
        await client.plugin["xep_0045"].join_muc_wait(JID(ROOM), client.boundjid.user, timeout=15)
        await one.plugin["xep_0045"].set_affiliation(JID(ROOM), "member", jid=to)
    await now("mediated invitation")
    plug["xep_0045"].invite(JID(ROOM), JID(f"nobody@{DOMAIN}"), reason="come")
    plug["xep_0045"].invite(JID(ROOM), JID(f"nobody@{DOMAIN}"))
    await now("declined invitation")
    plug["xep_0045"].decline(JID(ROOM), to, reason="no time")
    await now("voice request")
    plug["xep_0045"].request_voice(JID(ROOM), "participant")
    await now("room subject")
    plug["xep_0045"].set_subject(JID(ROOM), "Monday")
    await now("room message")
    said = message("hello all", "groupchat", JID(ROOM))
    said.send()
    await now("room correction")
    plug["xep_0308"].build_correction(said["id"], JID(ROOM), mbody="hello everybody", mtype="groupchat").send()
    await now("room retraction")
    plug["xep_0424"].send_retraction(JID(ROOM), said["id"], mtype="groupchat")
    await now("private message")
    aside = message("a word aside", "chat", JID(f"{ROOM}/{two.boundjid.user}"))
    aside.send()
    await asyncio.sleep(1)


async def omemo(one: Any, two: Any, now: Now) -> None:
    """slixmpp-omemo as its documentation uses it; what it leaves out of its stanza is added as its users do."""
    to = JID(two.boundjid.bare)
    plug = one.plugin["xep_0384"]

    async def say(body: str, mtype: str = "chat", mto: Any = to, recipients: Any = None, eme: bool = True, **parts: str) -> None:
        draft = one.make_message(mto=mto, mbody=body, mtype=mtype)
        sealed, _errors = await plug.encrypt_message(draft, recipients or {to})
        if eme:
            sealed["eme"]["namespace"] = "eu.siacs.conversations.axolotl"
            sealed["eme"]["name"] = "OMEMO"
        if "replace" in parts:
            sealed["replace"]["id"] = parts["replace"]
        if "state" in parts:
            sealed["chat_state"] = parts["state"]
        if "reply" in parts:
            sealed["reply"]["to"], sealed["reply"]["id"] = two.boundjid.bare, parts["reply"]
        if "thread" in parts:
            sealed["thread"] = parts["thread"]
        if "marked" in parts:
            sealed.enable("markable")
        if "receipt" in parts:
            sealed["request_receipt"] = True
        if "origin" in parts:
            sealed["origin_id"]["id"] = sealed["id"]
        sealed.send()
        await asyncio.sleep(0.7)

    await now("OMEMO first message without EME")
    await say("sealed", eme=False)
    await now("OMEMO first message")
    await say("sealed again")
    await now("OMEMO to self")
    await two.plugin["xep_0384"].refresh_device_lists({JID(one.boundjid.bare)})
    answer = two.make_message(mto=JID(one.boundjid.bare), mbody="sealed answer", mtype="chat")
    sealed, _ = await two.plugin["xep_0384"].encrypt_message(answer, {JID(one.boundjid.bare)})
    sealed.send()
    await asyncio.sleep(1.5)
    await now("OMEMO message that follows")
    await say("third", eme=False)
    await say("fourth")
    await now("OMEMO correction")
    await say("corrected", replace="m1")
    await now("OMEMO with chat state")
    await say("active", state="active")
    await now("OMEMO reply")
    await say("reply", reply="m1")
    await now("OMEMO in a thread")
    await say("thread", thread="t1")
    await now("OMEMO to be marked")
    await say("marked", marked="1")
    await now("OMEMO receipt wanted")
    await say("receipt", receipt="1")
    await now("OMEMO room message")
    await say("in the room", "groupchat", JID(ROOM), {to})
    await now("OMEMO room correction")
    await say("in the room again", "groupchat", JID(ROOM), {to}, replace="m2", origin="1")
    await now("OMEMO private message")
    await say("aside", "chat", JID(f"{ROOM}/{two.boundjid.user}"), {to})


async def sce(one: Any, two: Any, now: Now) -> None:
    """OMEMO 2 and both at once by the rig's client, encrypted by twomemo and oldmemo."""
    to = two.boundjid.bare
    for client in (one, two):
        await client.plugin["xep_0045"].join_muc_wait(JID(ROOM), client.boundjid.user, timeout=15)
    for version_ in ("2", "mixed", "0.3"):
        await now(f"OMEMO {version_} first message")
        await one.encrypt_to(to, "sealed", version_)
        await asyncio.sleep(0.7)
        await now(f"OMEMO {version_} answered")
        await two.encrypt_to(one.boundjid.bare, "answer", version_)
        await asyncio.sleep(1.5)
        await now(f"OMEMO {version_} message that follows")
        await one.encrypt_to(to, "sealed", version_)
        await now(f"OMEMO {version_} room message")
        await one.encrypt_to(ROOM, "sealed", version_, mtype="groupchat", recipients={to})
        await now(f"OMEMO {version_} private message")
        await one.encrypt_to(f"{ROOM}/{two.boundjid.user}", "sealed", version_, recipients={to})
        await asyncio.sleep(0.7)


async def main(folder: Path) -> None:
    """Two people on slixmpp, and two whose clients speak OMEMO 2."""
    for name in ("slixmpp", "slixmpp2"):
        write(folder, name=name, program="slixmpp with slixmpp-omemo", version=f"{version('slixmpp')}, {version('slixmpp-omemo')}")
        write(folder, name=name, situation="OMEMO key transport")
    one, two = await person(folder, "slixmpp", speaks=("0.3",)), await person(folder, "slixmpp2", speaks=("0.3",))

    await plain(one, two, doing(folder, "slixmpp"))
    write(folder, name="slixmpp2", situation="OMEMO answer and key transport")
    await omemo(one, two, doing(folder, "slixmpp"))
    for name in ("extra", "extra2"):
        write(folder, name=name, program="slixmpp with twomemo", version=f"{version('slixmpp')}, {version('twomemo')}")
        write(folder, name=name, situation="OMEMO key transport")
    three, four = await person(folder, "extra"), await person(folder, "extra2")
    for client in (three, four):
        await one.plugin["xep_0045"].set_affiliation(JID(ROOM), "member", jid=client.boundjid.bare)
    await sce(three, four, doing(folder, "extra"))
    await asyncio.sleep(2)
    for client in (one, two, three, four):
        await client.offline()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).resolve()))
