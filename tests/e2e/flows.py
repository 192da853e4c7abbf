"""A message that a policy lets through and one that it refuses, told apart by nothing else; and where each is to be found after.

Both are text for a stream, so that every kind of sender can say them; `sender` is for those on whom no server stamps one.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree import ElementTree as ET

from apostille import record as records_
from e2e.conftest import Government
from e2e.test_flows import judged
from rig.client import CLIENT, Client

MAM = "urn:xmpp:mam:2"
KEY = "MwAA" + "A" * 236


def envelope(inner: str, to: str, ident: str, kind: str, sender: str) -> str:
    by = f" from='{sender}'" if sender else ""
    return f"<message{by} to='{to}' type='{kind}' id='{ident}'>{inner}</message>"


def sealed_message(to: str, ident: str, kind: str = "chat", sender: str = "") -> str:
    """OMEMO 0.3 to a server, random bytes to a recipient."""
    header = f"<header sid='77'><key rid='101'>{KEY}</key><iv>{'A' * 16}</iv></header><payload>{'A' * 80}</payload>"
    encrypted = f"<encrypted xmlns='eu.siacs.conversations.axolotl'>{header}</encrypted>"
    return envelope(f"{encrypted}<store xmlns='urn:xmpp:hints'/>", to, ident, kind, sender)  # archives skip what has no body


def readable(to: str, ident: str, kind: str = "chat", sender: str = "") -> str:
    """A body in clear."""
    return envelope("<body>readable</body>", to, ident, kind, sender)


Told = tuple[str, str, str, str]


def records(government: Government, ident: str) -> list[Told]:
    """All that the ledger has judged under that id: (sender, recipient, room, flow)."""
    found: list[records_.Judged] = [record for record in judged(government) if record.id == ident]
    return [(record.sender, record.recipient, record.room, record.flow) for record in found]


async def archive(client: Client, of: str = "") -> list[str]:
    """The ids of the last messages in one's own archive, or in that of a room (XEP-0313)."""
    query = client.make_iq_set(ito=of or None)
    page = "<set xmlns='http://jabber.org/protocol/rsm'><max>50</max><before/></set>"
    query.append(ET.fromstring(f"<query xmlns='{MAM}'>{page}</query>"))
    await query.send(timeout=10)  # type: ignore[no-untyped-call]  # the results come before its answer
    found = [client.inbox.get_nowait() for _ in range(client.inbox.qsize())]
    forwarded = f"{{{MAM}}}result/{{urn:xmpp:forward:0}}forwarded/{CLIENT}message"
    results = [(message, message.xml.find(forwarded)) for message in found]
    for message, inner in results:
        if inner is None:
            client.inbox.put_nowait(message)
    return [inner.get("id", "") for _, inner in results if inner is not None]


async def heard(client: Client, ident: str, within: float = 10.0) -> None:
    """Wait for the message of that id; what came before it stays unread."""
    before = []
    async with asyncio.timeout(within):
        while (message := await client.inbox.get())["id"] != ident:
            before.append(message)
    for message in before:
        client.inbox.put_nowait(message)


@contextmanager
def asleep(government: Government) -> Iterator[None]:
    """The gate hears questions and answers none until it is woken; its ledger is the real one."""
    pid = government.installation.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
