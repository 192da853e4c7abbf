"""`apostille:gate:0`: what the gate tells a server, as it travels.

Knows how to write `<verdicts/>` and `<terms/>` and to read the `<covered/>` that answers the latter (spec.md beside this file);
refuses to know what a verdict should be.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from apostille_xep.gate.question import NAMESPACE, Unreadable

COVERED = f"{{{NAMESPACE}}}covered"


class Passed(NamedTuple):
    """Let it through, and the `span` - 1 messages that the question holds after it.

    `record` is its place in the ledger, the next one's is one more, and so on; None for what is not kept.
    """

    ref: str
    record: int | None = None
    span: int = 1


class Refused(NamedTuple):
    """Do not: `text` tells the person why and what to do, `code` tells software; `kind` is the error type of RFC 6120 8.3.2.

    `lang` is the language of `text`, empty if it is not known.
    """

    ref: str
    code: str
    text: str
    kind: str = "modify"
    lang: str = ""


def _in_runs(verdicts: Iterable[Passed | Refused]) -> list[Passed | Refused]:
    """The same verdicts, those that can be told in one joined: passes in a row whose records follow one another."""
    runs: list[Passed | Refused] = []
    last: Passed | None = None
    span = 0
    for verdict in verdicts:
        passed = verdict if isinstance(verdict, Passed) and verdict.span == 1 else None
        if last is not None and passed is not None and passed.record == (None if last.record is None else last.record + span):
            span += 1
            continue
        if last is not None:
            runs.append(last._replace(span=span))
        last, span = passed, 1
        if passed is None:
            runs.append(verdict)
    if last is not None:
        runs.append(last._replace(span=span))
    return runs


def write_verdicts(verdicts: Iterable[Passed | Refused]) -> str:
    """The `<verdicts/>` element, serialised. The verdicts are those of all messages of one question, in its order."""
    parts = [f'<verdicts xmlns="{NAMESPACE}">']
    for verdict in _in_runs(verdicts):
        if isinstance(verdict, Passed):
            record = "" if verdict.record is None else f' record="{verdict.record}"'
            count = "" if verdict.span == 1 else f' count="{verdict.span}"'
            parts.append(f"<pass ref={quoteattr(verdict.ref)}{count}{record}/>")
        else:
            lang = f" xml:lang={quoteattr(verdict.lang)}" if verdict.lang else ""
            parts.append(
                f"<refuse ref={quoteattr(verdict.ref)} code={quoteattr(verdict.code)} type={quoteattr(verdict.kind)}{lang}>"
                f"{escape(verdict.text)}</refuse>"
            )
    parts.append("</verdicts>")
    return "".join(parts)


class Row(NamedTuple):
    """One element that may stand in a message that is not asked about, and how much of it: bytes of text and markup, descendants."""

    namespace: str
    name: str
    text: int
    attributes: int
    elements: int
    type: str = ""


class OutageRow(NamedTuple):
    """What an outage means for messages between two hosts ("*": any other); `mode` is `hold` or `pass`, for `seconds`."""

    sender: str
    recipient: str
    mode: str
    seconds: int


class Limits(NamedTuple):
    """Of a message that is not asked about: bytes of its id, bytes of all elements together, how often one may stand there."""

    id: int
    aside: int
    times: int


class TextRow(NamedTuple):
    """What the server tells a sender under a code of its own, in a language."""

    code: str
    lang: str
    text: str


def write_terms(
    rows: Iterable[Row],
    within: Iterable[str],
    limits: Limits,
    outages: Iterable[OutageRow],
    valid: int,
    texts: Iterable[TextRow] = (),
) -> str:
    """The `<terms/>` element, serialised; they hold for `valid` seconds."""
    free = "".join(map(_row, rows))
    hosts = "".join(
        f'<outage from={quoteattr(one.sender)} to={quoteattr(one.recipient)} mode={quoteattr(one.mode)} seconds="{one.seconds}"/>'
        for one in outages
    )
    words = "".join(f"<text code={quoteattr(one.code)} xml:lang={quoteattr(one.lang)}>{escape(one.text)}</text>" for one in texts)
    bounds = f'id="{limits.id}" aside="{limits.aside}" times="{limits.times}"'
    inner = f"<free within={quoteattr(' '.join(within))} {bounds}>{free}</free>{hosts}{words}"
    return f'<terms xmlns="{NAMESPACE}" valid="{valid}">{inner}</terms>'


def _row(row: Row) -> str:
    name = f"ns={quoteattr(row.namespace)} name={quoteattr(row.name)}"
    kind = f" type={quoteattr(row.type)}" if row.type else ""
    return f'<child {name} t="{row.text}" a="{row.attributes}" e="{row.elements}"{kind}/>'


class Covered(NamedTuple):
    """A server's answer to `<terms/>`: which of its hosts the gate stands before, and the digest of the module's own files there."""

    modules: str
    hosts: dict[str, bool]


def read_covered(element: ET.Element) -> Covered:
    """The contents of one `<covered/>`.

    Raises:
        Unreadable: a host without a name, or neither covered nor not.
    """
    hosts = {}
    for host in element.iterfind(f"{{{NAMESPACE}}}host"):
        jid, covered = host.get("jid"), host.get("covered")
        if not jid or covered not in ("true", "false"):
            raise Unreadable("covered: a host without a name, or neither covered nor not")
        hosts[jid] = covered == "true"
    return Covered(element.get("modules", ""), hosts)
