"""The corpora of messages: files of cases, and the facts of each as the server tells them.

Knows the form of the files (tests/corpus/README.md); refuses to judge. A message is kept as it is written, since comments, sections
and prefixes are a part of the trick.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from apostille.policy.classes import Side
from apostille.policy.rules import Policy
from apostille.vocabulary import Party, bare
from apostille_xep.gate.stanza import Question

CORPUS = Path(__file__).parents[2] / "tests" / "corpus"
PERSON = "clara@gov.example"
"""Who is behind the nickname in a private message of a room."""
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
_CASE = re.compile(r"<(case|entry)\s+([^>]*)>\s*(.*?)\s*</\1>", re.DOTALL)
_ATTRIBUTE = re.compile(r"""([\w-]+)=(?:"([^"]*)"|'([^']*)')""")
SETTINGS = frozenset(("chat", "groupchat", "private"))


@dataclass(frozen=True, slots=True)
class Case:
    """One message of a corpus: `words` are the attributes of its `<case/>`, `xml` is the stanza as written."""

    file: str
    words: dict[str, str]
    xml: str

    @property
    def name(self) -> str:
        """What it is called in a report."""
        return f"{self.file}: {self.words.get('name') or self.words.get('situation', '')}"

    @property
    def sent(self) -> str:
        """The stanza with an address: without one it is for the sender's own account (RFC 6120 section 10.3.1)."""
        head, end, rest = self.xml.partition(">")
        if re.search(r"\sto=", head):
            return self.xml
        sender = re.search(r"""\sfrom=["']([^"'/]+)""", head)
        assert sender, "a message of a corpus says who sent it"
        return f"{head} to='{sender[1]}'{end}{rest}"

    def asked(self, question: Question) -> Question:
        """The facts as the server tells them in this setting: it knows rooms, and who is behind a nickname."""
        setting = self.words["setting"]
        if setting == "chat":
            return question
        room = bare(question.recipient)
        in_private = setting == "private" and "/" in question.recipient
        return question._replace(room=room, recipient=PERSON if in_private else question.recipient)


def cases(folder: str) -> Iterator[Case]:
    """The cases of one corpus, file by file; not those that announce devices, which are judged by them."""
    for path in sorted((CORPUS / folder).glob("*.xml")):
        if "<account " in path.read_text(encoding="utf-8"):
            continue
        for _, attributes, xml in _CASE.findall(path.read_text(encoding="utf-8")):
            words = {name: html.unescape(one or other) for name, one, other in _ATTRIBUTE.findall(attributes)}
            yield Case(path.stem, words, xml)


def code_of(policy: Policy, case: Case, question: object) -> str:
    """What an official is told who sends this to another, or into a room: the code of the refusal, or nothing if it passes."""
    if not isinstance(question, Question):
        return "unreadable-facts"  # as the gate says of what it cannot read
    asked = case.asked(question)
    recipient = bare(asked.recipient)
    sides = Side(Party.VERIFIED, bare(asked.sender)), Side(Party.ROOM if recipient == asked.room else Party.VERIFIED, recipient)
    verdict = policy.judge(asked, *sides, NOON)
    return "" if verdict.passes else verdict.code
