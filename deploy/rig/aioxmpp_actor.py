"""Knows how aioxmpp speaks XMPP, and says what it hears as one JSON object a line.

Run by a virtual environment of its own, because aioxmpp 0.13.3 needs OpenSSL bindings and an lxml that
nothing else should have to live with. It is told what to do on stdin, answers on stdout and leaves its log
on stderr. It refuses to know what the words mean: whoever started it (`aioxmpp_client`) judges.

    in   {"do":"say","to":J,"body":T,"type":"chat","id":I}   {"do":"join","room":J,"nick":N}
         {"do":"roster"}                                     {"do":"quit"}
    out  {"event":"online","jid":J}            {"event":"failed","reason":T}
         {"event":"message","from":J,"id":I,"type":T,"body":T,"children":[{"tag":"{ns}name","xml":X}]}
         {"event":"error","id":I,"from":J,"type":"cancel","condition":"not-allowed","text":T}
         {"event":"roster","items":{J:{"name":T,"groups":[T],"subscription":T}}}
         {"event":"joined","room":J}           {"event":"refused","do":D,"reason":T}

The password is the first line of stdin, so that it never shows in a process list.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from typing import Any

import aioxmpp  # type: ignore[import-not-found,import-untyped,unused-ignore]
import aioxmpp.connector  # type: ignore[import-not-found,import-untyped,unused-ignore]
import aioxmpp.errors  # type: ignore[import-not-found,import-untyped,unused-ignore]
import aioxmpp.node  # type: ignore[import-not-found,import-untyped,unused-ignore]
import aioxmpp.security_layer  # type: ignore[import-not-found,import-untyped,unused-ignore]
import aioxmpp.xml  # type: ignore[import-not-found,import-untyped,unused-ignore]
import aioxmpp.xso  # type: ignore[import-not-found,import-untyped,unused-ignore]
import OpenSSL.SSL  # type: ignore[import-not-found,import-untyped,unused-ignore]
from lxml import etree  # type: ignore[import-not-found,import-untyped,unused-ignore]

# aioxmpp drops every child that it has no class for; a witness has to see them all.
aioxmpp.Message.apostille_unknown = aioxmpp.xso.Collector()

Command = dict[str, Any]
REFUSED = (aioxmpp.errors.XMPPError, KeyError, TimeoutError, ValueError)  # a command can be wrong
LOG = logging.getLogger("actor")


async def nowhere_else(*_: Any, **__: Any) -> list[Any]:
    """When the given peer fails, aioxmpp would ask the DNS and try whatever host it names."""
    return []


aioxmpp.node.discover_connectors = nowhere_else


def tell(event: str, **facts: object) -> None:
    """One event, one line, at once."""
    print(json.dumps({"event": event, **facts}), flush=True)


def the_only_text(texts: Any) -> str:
    """Any language will do: aioxmpp keeps a body per xml:lang."""
    return str(texts.any()) if texts else ""


def children_of(message: Any) -> list[dict[str, str]]:
    """Every child element, understood by aioxmpp or not, as it would be written again."""
    root = etree.fromstring(aioxmpp.xml.serialize_single_xso(message).encode())
    return [
        {"tag": str(child.tag), "xml": etree.tostring(child, encoding="unicode", with_tail=False)}
        for child in root
    ]


def why(problem: BaseException) -> str:
    """The failure and what it covers: aioopenssl hides a bad certificate behind an InvalidStateError."""
    told = f"{type(problem).__name__}: {problem}"
    return f"{told} (while handling {why(problem.__context__)})" if problem.__context__ else told


def security(password: str, ca: str) -> Any:
    """TLS that trusts the given authority and no other, and SASL with the given password, tried once."""
    trusted = OpenSSL.SSL.Context(OpenSSL.SSL.TLS_CLIENT_METHOD)
    trusted.set_verify(OpenSSL.SSL.VERIFY_PEER, aioxmpp.security_layer.default_verify_callback)
    trusted.load_verify_locations(ca)

    class OnlyOurs(aioxmpp.security_layer.PKIXCertificateVerifier):  # type: ignore[misc,unused-ignore]
        """Checks the chain and the name as the parent does, without adding the system's authorities."""

        def setup_context(self, ctx: Any, transport: Any) -> None:
            aioxmpp.security_layer.CertificateVerifier.setup_context(self, ctx, transport)

    plain = aioxmpp.make_security_layer(password, ssl_context_factory=lambda: trusted)
    return plain._replace(certificate_verifier_factory=OnlyOurs)


class Actor:
    """One connected account and the commands that it obeys."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.roster = client.summon(aioxmpp.RosterClient)
        self.rooms = client.summon(aioxmpp.MUCClient)
        # A filter, not a dispatcher: those match by sender, and a room's messages never reach the catch-all.
        client.stream.app_inbound_message_filter.register(self.hear)

    def hear(self, message: Any) -> Any:
        """Report a message and let it pass on to whoever else in aioxmpp wants it."""
        sender, ident = str(message.from_ or ""), message.id_ or ""
        if message.type_ == aioxmpp.MessageType.ERROR:
            error = message.error
            tell(
                "error",
                id=ident,
                **{"from": sender},
                type=error.type_.value if error else "",
                condition=error.condition.value[1] if error else "",
                text=(error.text or "") if error else "",
            )
        else:
            body = the_only_text(message.body)
            facts = {"from": sender, "id": ident, "type": message.type_.value, "body": body}
            tell("message", **facts, children=children_of(message))
        return message

    async def obey(self, command: Command) -> bool:
        """Do one thing; False when it was the last one."""
        match command.get("do"):
            case "say":
                await self.say(command)
            case "roster":
                self.show_roster()
            case "join":
                room = aioxmpp.JID.fromstr(command["room"])
                _, joined = self.rooms.join(
                    room, command["nick"], history=aioxmpp.muc.xso.History(maxstanzas=0)
                )
                await asyncio.wait_for(joined, 15)
                tell("joined", room=str(room))
            case "quit":
                return False
            case other:
                raise ValueError(f"no such command: {other!r}")
        return True

    async def say(self, command: Command) -> None:
        """Enqueued, not awaited: the server's answer, if it is a refusal, arrives as an event."""
        message = aioxmpp.Message(
            type_=aioxmpp.MessageType(command.get("type", "chat")), to=aioxmpp.JID.fromstr(command["to"])
        )
        message.id_ = command["id"]
        message.body[None] = command["body"]
        self.client.enqueue(message)

    def show_roster(self) -> None:
        """The roster as aioxmpp holds it, pushes included."""
        items = {
            str(jid): {
                "name": item.name or "",
                "groups": sorted(item.groups),
                "subscription": item.subscription,
            }
            for jid, item in self.roster.items.items()
        }
        tell("roster", items=items)


async def standard_input() -> asyncio.StreamReader:
    """Stdin without a thread: a blocked one would keep the process alive after the connection has failed."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    return lines


async def act(jid: str, port: int, ca: str) -> int:
    """Come online, obey until told to quit or stdin ends, leave."""
    lines = await standard_input()
    password = (await lines.readline()).decode().rstrip("\n")
    peer = ("127.0.0.1", port, aioxmpp.connector.STARTTLSConnector())
    who = aioxmpp.JID.fromstr(jid)
    client = aioxmpp.PresenceManagedClient(
        who, security(password, ca), override_peer=[peer], max_initial_attempts=1
    )
    actor = Actor(client)
    have_roster = asyncio.Event()
    actor.roster.on_initial_roster_received.connect(have_roster.set)
    client.on_failure.connect(lines.set_exception)  # a lost connection ends the reading below
    async with client.connected():
        await asyncio.wait_for(have_roster.wait(), 10)
        tell("online", jid=str(client.local_jid))
        while line := await lines.readline():
            command: Command = json.loads(line)
            try:
                if not await actor.obey(command):
                    break
            except REFUSED as problem:  # one bad command must not take the others down
                tell("refused", do=command.get("do"), reason=f"{type(problem).__name__}: {problem}")
    return 0


def main() -> int:
    """Parse, run, and name whatever kept the actor from coming or staying online."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("jid")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca", required=True, help="PEM file of the only authority to trust")
    asked = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    try:
        return asyncio.run(act(asked.jid, asked.port, asked.ca))
    except Exception as problem:
        LOG.exception("the actor failed")
        tell("failed", reason=why(problem))
        return 1


if __name__ == "__main__":
    sys.exit(main())
