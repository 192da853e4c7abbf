"""A component and a server that closes its stream: who was replaced ends, who is turned away tries again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from apostille.vocabulary import Fault
from apostille.xmpp import Component

HEAD = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' "
    "id='s1' from='gate.gov.example'>"
)


def closing(condition: str) -> str:
    return f"<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"


def beside(says: list[str], act: Callable[[Component], Coroutine[Any, Any, None]]) -> None:
    """Let a component connect to a server that answers its stream, and then its handshake, with these words."""

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for expected, words in zip((b"<stream:stream", b"</handshake>"), says, strict=False):
            heard = b""
            while expected not in heard:
                more = await reader.read(4096)
                if not more:
                    return
                heard += more
            writer.write(words.encode())
            await writer.drain()

    async def run() -> None:
        server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
        async with server:
            await act(Component("gate.gov.example", "secret", "127.0.0.1", server.sockets[0].getsockname()[1]))

    asyncio.run(run())


def test_a_component_whose_place_another_has_taken_ends_and_says_so() -> None:
    async def act(component: Component) -> None:
        with pytest.raises(Fault, match=r"^gate\.gov\.example: another process has logged in as this component"):
            await asyncio.wait_for(component.serve(), 10)

    beside([HEAD, "<handshake/>" + closing("conflict")], act)


@pytest.mark.parametrize(
    "says", [[HEAD + closing("conflict")], [HEAD, closing("not-authorized")], [HEAD, "<handshake/>" + closing("reset")]]
)
def test_a_component_that_is_turned_away_or_whose_server_ends_goes_on_trying(says: list[str]) -> None:
    async def act(component: Component) -> None:
        closed = asyncio.Event()
        component.add_event_handler("stream_error", lambda _: closed.set())
        serving = asyncio.create_task(component.serve())
        await asyncio.wait_for(closed.wait(), 10)
        done, _ = await asyncio.wait([serving], timeout=0.2)
        assert not done
        component.stop()
        await asyncio.wait_for(serving, 10)

    beside(says, act)
