"""The rosters component: sends what is due, hears what became of it.

Knows the connection and its rhythm; refuses to know who belongs in a roster.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from slixmpp import Iq
from slixmpp.exceptions import IqError, IqTimeout

from apostille import xmpp
from apostille.rosters.rules import Item
from apostille.rosters.service import Result, Roster, Rosters
from apostille.vocabulary import Address, Refusal
from apostille_xep import rosters as wire

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

POLL = 0.5
"""Seconds between two looks at the tree: half of the second in which a transfer is to be seen."""
RETRY_EVERY = 20
"""Looks between two rounds of retries."""
RETRY = 20
"""Absent accounts tried in one round; one that logs in is announced by the server and does not wait for it."""
PAUSE = 5.0
"""Seconds to wait after the server refused or did not answer."""


class RostersComponent(xmpp.Component):
    """An external component that keeps the rosters of one domain as the service computes them."""

    def __init__(self, jid: str, secret: str, host: str, port: int, *, domain: str, service: Rosters) -> None:
        super().__init__(jid, secret, host, port)
        self._domain = domain
        self._service = service
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="rosters")  # one question after the other, over reconnects too
        self._unfilled: set[Address] = set()
        self._task: asyncio.Task[None] | None = None
        self.register_plugin("apostille_rosters", module="apostille_xep.rosters")
        self._wire: wire.ManagedRosters = cast("dict[str, Any]", self.plugin)["apostille_rosters"]
        self.add_event_handler("session_start", self._started)
        self.add_event_handler("disconnected", self._ended)
        self.add_event_handler("apostille_unfilled", self._noticed)

    def _started(self, _event: Any) -> None:
        self._ended(_event)
        self._task = asyncio.create_task(self._keep())

    def _ended(self, _event: Any) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _noticed(self, iq: Iq) -> None:
        if iq["from"] != self._domain:
            return
        try:
            self._unfilled.add(xmpp.address(iq["apostille_unfilled"]["jid"]))
        except Refusal as refusal:
            log.warning("A notice of %s was not understood: %s", self._domain, refusal)

    async def _ask(self, question: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._worker, partial(question, *args, **kwargs))

    async def _keep(self) -> None:
        """Look, send, and look again, as long as the connection lives."""
        look = 0
        await self._ask(self._service.recheck)
        while True:
            look += 1
            try:
                await self._look(RETRY if look % RETRY_EVERY == 0 else 0)
            except (IqError, IqTimeout, wire.Malformed) as error:
                log.error("The rosters could not be written, and will be tried again: %s", error)
                await asyncio.sleep(PAUSE)
            except Exception:
                log.exception("The rosters could not be computed, and will be tried again")
                await asyncio.sleep(PAUSE)
            await asyncio.sleep(POLL)

    async def _look(self, retry: int) -> None:
        unfilled = frozenset(self._unfilled)
        due = await self._ask(self._service.due, unfilled, retry)
        self._unfilled -= unfilled
        try:
            for fill in wire.pack(map(_outgoing, due)):
                outcome = await self._wire.fill(self._domain, fill)
                await self._ask(self._service.written, _incoming(outcome))
                if await self._ask(self._service.stale) or self._unfilled:
                    return  # what is newer goes first; the rest is still due
        except wire.TooLarge as error:
            log.error("%s", error)
            await self._ask(self._service.written, Result(failed=(xmpp.address(error.jid),)))


def _outgoing(roster: Roster) -> wire.Roster:
    return wire.Roster(str(roster.owner), tuple(map(_item, roster.items)))


def _item(item: Item) -> wire.Item:
    return wire.Item(str(item.address), item.subscription.value, item.name, item.groups)


def _incoming(outcome: wire.Outcome) -> Result:
    for change in outcome.written:
        log.info("Roster of %s: +%d ~%d -%d", change.jid, change.added, change.changed, change.removed)
    written = tuple(xmpp.address(change.jid) for change in outcome.written)
    return Result(written, *(tuple(map(xmpp.address, jids)) for jids in (outcome.absent, outcome.failed)))
