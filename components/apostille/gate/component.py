"""The gate as an XMPP component: question in, verdicts out.

Knows `apostille:gate:0` and who may ask; refuses to judge. Only the served hosts may ask: a question writes to the ledger.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, cast
from xml.sax.saxutils import escape, quoteattr

from apostille.gate.rules import UNREADABLE, Outcome
from apostille.gate.service import Gate
from apostille.vocabulary import Reason
from apostille.xmpp import STANZA_ERRORS, Component
from apostille_xep.gate.plugin import Gate as WirePlugin
from apostille_xep.gate.stanza import ASK, Archived, Garbled, Passed, Question, Refused, Unreadable, read_ask

log = logging.getLogger(__name__)

_ERROR_TYPES = {"sender-suspended": "cancel", "sender-expired": "cancel", "recipient-not-verified": "cancel", "no-rule": "cancel"}


class GateComponent(Component):
    """Answers the served hosts. One worker thread judges batch after batch, in the order of the questions."""

    def __init__(self, jid: str, secret: str, address: tuple[str, int], gate: Gate, hosts: Collection[str]) -> None:
        super().__init__(jid, secret, *address)
        self._gate = gate
        self._hosts = frozenset(hosts)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="gate")
        self._told: set[str] = set()
        self.register_plugin("apostille_gate", module="apostille_xep.gate")
        self._wire: WirePlugin = cast("dict[str, Any]", self.plugin)["apostille_gate"]
        self.add_event_handler("apostille_gate_ask", self._on_ask)

    async def _on_ask(self, iq: Any) -> None:
        connection = self.transport
        if iq.xml.get("from") not in self._hosts:
            log.warning("a question from %s, which is no served host, was refused", iq.xml.get("from"))
            self._wire.cannot_answer(iq, *STANZA_ERRORS[Reason.FORBIDDEN])
            return
        reply = await asyncio.get_running_loop().run_in_executor(self._worker, self._judge, iq)
        if connection is not None and connection is self.transport:  # an answer for a connection that is gone is nobody's
            reply()

    def _judge(self, iq: Any) -> Callable[[], None]:
        """Judge a batch in the worker thread; what comes back is to be called on the connection's own."""
        try:
            verdicts, notices = self._answer(iq)
        except Unreadable as error:
            self._tell_once(f"a question could not be read: {error}")
            return partial(self._wire.cannot_answer, iq, *STANZA_ERRORS[Reason.MALFORMED])
        except Exception:  # whatever went wrong, the server must hear that nothing may go on
            log.exception("a batch could not be judged; its senders are told to try again")
            return partial(self._wire.cannot_answer, iq, *STANZA_ERRORS[Reason.UNAVAILABLE])
        return partial(self._send, iq, verdicts, notices)

    def _send(self, iq: Any, verdicts: Sequence[Passed | Refused], notices: Sequence[tuple[str, str]]) -> None:
        self._wire.answer(iq, verdicts)
        for to, text in notices:
            sender, recipient = quoteattr(str(self.boundjid)), quoteattr(to)
            self.send_raw(f'<message type="chat" from={sender} to={recipient}><body>{escape(text)}</body></message>')

    def _answer(self, iq: Any) -> tuple[list[Passed | Refused], list[tuple[str, str]]]:
        parts = list(read_ask(iq.xml.find(ASK)))
        questions = [part for part in parts if isinstance(part, Question)]
        filed = [(part.record, part.ids) for part in parts if isinstance(part, Archived)]
        outcomes = self._gate.judge(questions, filed)
        _log_refusals(outcomes)
        judged = iter(zip(questions, outcomes, strict=True))
        verdicts = [
            self._refuse_garbled(part) if isinstance(part, Garbled) else _verdict(*next(judged))
            for part in parts
            if not isinstance(part, Archived)
        ]
        return verdicts, self._gate.notices(questions, outcomes)

    def _refuse_garbled(self, part: Garbled) -> Refused:
        self._tell_once(f"facts that cannot be read: {part.why}")
        return Refused(part.ref, "unreadable-facts", UNREADABLE, "cancel")

    def _tell_once(self, text: str) -> None:
        if text not in self._told and len(self._told) < 1000:
            self._told.add(text)
            log.error("%s (said once)", text)


def _log_refusals(outcomes: Sequence[Outcome]) -> None:
    """Say what was refused and by which rule; never to or from whom."""
    refused = Counter((one.verdict.code, one.verdict.rule) for one in outcomes if not one.verdict.passes)
    for (code, rule), count in refused.items():
        log.info("refused %d message%s: %s (%s)", count, "s" if count > 1 else "", code, f"rule {rule}" if rule else "no rule fits")


def _verdict(question: Question, outcome: Outcome) -> Passed | Refused:
    verdict = outcome.verdict
    if verdict.passes:
        return Passed(question.ref, outcome.record)
    return Refused(question.ref, verdict.code, verdict.text, _ERROR_TYPES.get(verdict.code, "modify"))
