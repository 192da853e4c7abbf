"""The gate as an XMPP component: question in, verdicts out.

Knows `apostille:gate:0` and who may ask; refuses to judge. Only the served hosts may ask: a question writes to the ledger.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast
from xml.sax.saxutils import escape, quoteattr

from apostille.gate.rules import Outcome, uncovered
from apostille.gate.service import Gate
from apostille.vocabulary import Reason, Terms, Verdict
from apostille.xmpp import STANZA_ERRORS, Component
from apostille_xep.gate.plugin import Gate as WirePlugin
from apostille_xep.gate.stanza import (
    ASK,
    Archived,
    Change,
    Covered,
    Garbled,
    Limits,
    OutageRow,
    Passed,
    Question,
    Refused,
    Row,
    TextRow,
    Told,
    Unreadable,
    read_ask,
    write_terms,
)

log = logging.getLogger(__name__)

_HEARTBEAT = 30.0  # seconds between two terms
_SILENCE = 20  # seconds for their answer, before the connection counts as dead
_VALID = 100  # seconds that they hold without another: three heartbeats
_POLL = 1.0  # seconds between two looks at the policy
_PATIENCE = 1.0  # seconds that a question waits for the hosts' first report
_UNCOVERED = (
    "the gate is not loaded there, and messages could pass by it, so that no message is let through; add apostille_gate to the "
    "modules_enabled of that host and restart the server, or name it in server.unguarded"
)

_UNDECIDED = Refused("", "", "")
_ERROR_TYPES = {
    "sender-suspended": "cancel",
    "sender-expired": "cancel",
    "recipient-not-verified": "cancel",
    "no-rule": "cancel",
    "unreadable-facts": "cancel",
    "calls": "cancel",
    "device-unapproved": "auth",
    "device-foreign": "auth",
}


class GateComponent(Component):
    """Answers the served hosts, batch after batch, in the order of the questions.

    It judges in the loop's own thread: whoever asked waits, and nobody else is served meanwhile; a thread of its own cost each question
    0.6 ms (docs/explanation/performance.md).

    `hosts` may ask; `guarded` of them must have the gate in front of them, and `exempt` hosts of the same server need not. While
    a host is uncovered no question is answered with a verdict, since messages could pass by the gate there.
    """

    def __init__(
        self,
        jid: str,
        secret: str,
        address: tuple[str, int],
        gate: Gate,
        hosts: Collection[str],
        guarded: Collection[str] = (),
        exempt: Collection[str] = (),
    ) -> None:
        super().__init__(jid, secret, *address)
        self._gate = gate
        self._hosts = frozenset(hosts)
        self._guarded = tuple(guarded)
        self._exempt = frozenset(exempt)
        self._told: set[str] = set()
        self._heard = 0.0
        self._said: dict[str, Told] = {}  # by asking host: what it has said on this stream
        self._reports: dict[str, Covered | None] = {}
        self._uncovered: list[str] | None = None
        self._reported = asyncio.Event()
        self._waiting: set[asyncio.Task[None]] = set()
        self._beating: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()
        self.register_plugin("apostille_gate", module="apostille_xep.gate")
        self._wire: WirePlugin = cast("dict[str, Any]", self.plugin)["apostille_gate"]
        self.add_event_handler("apostille_gate_ask", self._on_ask)
        self.add_event_handler("apostille_gate_covered", self._on_covered)
        self.add_event_handler("session_start", self._on_session)

    # ---- terms and coverage ------------------------------------------------------------------------------------------

    def _on_session(self, _event: Any) -> None:
        self._heard = time.monotonic()
        self._said.clear()
        self._reports.clear()
        self._reported.clear()
        if self._beating is not None:
            self._beating.cancel()
        self._beating = asyncio.get_running_loop().create_task(self._beat())

    def refresh(self) -> None:
        """Read the policy again at once, whether or not its file has changed."""
        self._asked.set()

    async def _beat(self) -> None:
        """Tell every guarded host its terms: at once, when the policy changes, and as a heartbeat."""
        told = -_HEARTBEAT
        while True:
            now = time.monotonic()
            if self._guarded and self._heard < told and now - told > _SILENCE:
                log.warning("%s: the server has not answered for %d seconds; connecting again", self.boundjid, _SILENCE)
                self.abort()  # the other side of the connection is gone, and nobody has told
                return
            asked = self._asked.is_set()
            self._asked.clear()
            changed = self._gate.refresh(asked=asked)
            if changed or now - told >= _HEARTBEAT:
                told = now
                terms = _terms(self._gate.terms())
                for host in self._guarded:
                    self._wire.tell(host, terms)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), _POLL)

    def _on_covered(self, answer: tuple[str, Covered | None]) -> None:
        self._heard = time.monotonic()
        host, covered = answer
        if host not in self._guarded:
            return
        self._reports[host] = covered
        if len(self._reports) < len(self._guarded):
            return
        self._reported.set()
        found = uncovered(self._guarded, self._exempt, {name: one and one.hosts for name, one in self._reports.items()})
        if found != self._uncovered:
            self._uncovered = found
            if found:
                log.error("%s: %s", ", ".join(found), _UNCOVERED)
            else:
                log.info("covered: %s", ", ".join(sorted(self._guarded)))
        if len({one.modules for one in self._reports.values() if one}) > 1:
            self._tell_once("the hosts run different versions of mod_apostille_gate; restart the server")

    def _serves(self) -> bool | None:
        """Whether messages cannot pass by the gate; None right after connecting, until every host has answered."""
        if not self._guarded:
            return True
        return not self._uncovered if self._reported.is_set() else None

    # ---- questions ---------------------------------------------------------------------------------------------------

    def _on_ask(self, iq: Any) -> None:
        if iq.xml.get("from") not in self._hosts:
            log.warning("a question from %s, which is no served host, was refused", iq.xml.get("from"))
            self._wire.cannot_answer(iq, *STANZA_ERRORS[Reason.FORBIDDEN])
        elif self._serves() is None:
            self._waiting.add(task := asyncio.get_running_loop().create_task(self._answer_later(iq)))
            task.add_done_callback(self._waiting.discard)
        else:
            self._answer_now(iq)

    async def _answer_later(self, iq: Any) -> None:
        connection = self.transport
        with suppress(TimeoutError):
            await asyncio.wait_for(self._reported.wait(), _PATIENCE)
        if connection is self.transport:
            self._answer_now(iq)

    def _answer_now(self, iq: Any) -> None:
        if not self._serves():
            self._wire.cannot_answer(iq, *STANZA_ERRORS[Reason.UNAVAILABLE])
            return
        connection = self.transport
        reply = self._judge(iq)
        if connection is not None and connection is self.transport:  # an answer for a connection that is gone is nobody's
            reply()

    def _judge(self, iq: Any) -> Callable[[], None]:
        """Judge a batch; what comes back sends the answer."""
        try:
            verdicts, notices = self._answer(iq)
        except Unreadable as error:
            self._tell_once(f"a question could not be read: {error}")
            return partial(self._wire.cannot_answer, iq, *STANZA_ERRORS[Reason.MALFORMED])
        except Exception:  # whatever went wrong, the server must hear that nothing may go on
            log.exception("a batch could not be judged; its senders are told to try again")
            return partial(self._wire.cannot_answer, iq, *STANZA_ERRORS[Reason.UNAVAILABLE])
        return partial(self._send, iq, verdicts, notices)

    def _send(self, iq: Any, verdicts: Sequence[Passed | Refused], notices: Sequence[tuple[str, Verdict]]) -> None:
        self._wire.answer(iq, verdicts)
        for to, verdict in notices:
            addresses = f"from={quoteattr(str(self.boundjid))} to={quoteattr(to)} xml:lang={quoteattr(verdict.lang)}"
            self.send_raw(f'<message type="chat" {addresses}><body>{escape(verdict.text)}</body></message>')

    def _answer(self, iq: Any) -> tuple[list[Passed | Refused], list[tuple[str, Verdict]]]:
        told = self._said.setdefault(iq.xml.get("from"), Told())
        messages: list[Question] = []
        changes: list[Change] = []
        filed: list[tuple[int, str, str]] = []
        verdicts: dict[str, Passed | Refused] = {}  # in the order of the question
        for part in read_ask(iq.xml.find(ASK), told):
            if isinstance(part, Question):
                messages.append(part)
            elif isinstance(part, Archived):
                filed.append(part)
                continue
            elif isinstance(part, Change):
                changes.append(part)
            verdicts[part.ref] = self._refuse_garbled(part) if isinstance(part, Garbled) else _UNDECIDED
        outcomes = self._gate.judge(messages, filed, changes)
        _log_refusals(outcomes)
        refs = *(message.ref for message in messages), *(change.ref for change in changes)
        for ref, outcome in zip(refs, outcomes, strict=True):
            verdicts[ref] = _verdict(ref, outcome)
        return list(verdicts.values()), self._gate.notices(messages, outcomes[: len(messages)])

    def _refuse_garbled(self, part: Garbled) -> Passed | Refused:
        self._tell_once(f"facts that cannot be read: {part.why}")
        return _verdict(part.ref, Outcome(self._gate.unreadable(part.lang)))

    def _tell_once(self, text: str) -> None:
        if text not in self._told and len(self._told) < 1000:
            self._told.add(text)
            log.error("%s (said once)", text)


def _terms(terms: Terms) -> str:
    return write_terms(
        [Row(row.namespace, row.name, row.text, row.attributes, row.elements, row.type) for row in terms.free],
        terms.within,
        Limits(terms.id_limit, terms.aside_limit, terms.times),
        [OutageRow(one.sender, one.recipient, one.outage.value, one.seconds) for one in terms.outages],
        _VALID,
        [TextRow(one.code, one.lang, one.text) for one in terms.texts],
    )


def _log_refusals(outcomes: Sequence[Outcome]) -> None:
    """Say what was refused and by which rule; never to or from whom."""
    refused = Counter((one.verdict.code, one.verdict.rule) for one in outcomes if not one.verdict.passes)
    for (code, rule), count in refused.items():
        log.info("refused %d message%s: %s (%s)", count, "s" if count > 1 else "", code, f"rule {rule}" if rule else "no rule fits")


def _verdict(ref: str, outcome: Outcome) -> Passed | Refused:
    verdict = outcome.verdict
    if verdict.passes:
        return Passed(ref, outcome.record)
    return Refused(ref, verdict.code, verdict.text, _ERROR_TYPES.get(verdict.code, "modify"), verdict.lang)
