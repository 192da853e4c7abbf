"""What a decision costs, and what the corpora come to: hostile messages that pass, messages of real clients that are refused.

Knows a government of 10,000 officials and a policy of 200 rules; refuses to count what sending and recording cost. A decision is what
the gate asks for each message: who both sides are, which rule is the first that fits, what the message holds.
"""

from __future__ import annotations

import random
import shutil
import statistics
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from apostille.bootstrap import _DirectoryOfPolicy
from apostille.database import metadata, open_database
from apostille.directory.plan import Added
from apostille.directory.rules import Official, Post, Unit
from apostille.directory.service import Directory
from apostille.directory.store import SqlRegister
from apostille.policy.documents import read_policy
from apostille.policy.service import Hosts, Judge
from apostille.vocabulary import Address
from apostille.xmpp import address
from apostille_xep.gate.stanza import Child, Envelope, Key, Question
from benchmark.figures import Figure
from rig.corpus import cases, code_of

DOMAIN, ROOMS = "gov.example", "rooms.gov.example"
OFFICIALS, FEW, RULES, UNITS = 10_000, 100, 200, 180
MESSAGES = 2_000
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday
STRICT = """
[[rule]]
name = "officials"
from = ["verified"]
to = ["verified", "room"]
require = "omemo"
stage = "enforce"
"""
INITIAL = STRICT + 'extras = ["invitations"]\n'
"""As `apostille init` writes it."""
_LEGACY = "eu.siacs.conversations.axolotl"


def policy_text(rules: int) -> str:
    """A policy of so many rules, of every sort that there is; the last ones are for everybody, and decide most messages."""
    found = []
    for number in range(rules - 2):
        unit = f"ministry{number % UNITS:03}"
        who = (f"unit:{unit}", f"unit:{unit}/**", f"post:{unit}.clerk", f"unit:{unit}/**")[number % 4]
        to = ("post:ministry001.clerk", f"room:hall{number}@{ROOMS}", "remote", "service")[number % 4]
        more = ('hours = "22:00-06:00"', 'kinds = ["chat"]', 'direction = ["outgoing"]', 'stage = "observe"')[number % 4]
        found.append(f'[[rule]]\nname = "rule {number}"\nfrom = ["{who}"]\nto = ["{to}"]\n{more}\n')
    found.append(f'[[rule]]\nname = "halls"\nfrom = ["verified"]\nto = ["room:hall@{ROOMS}"]\nextras = ["subject"]\n')
    return "".join(found) + INITIAL


def _directory(folder: Path, officials: int) -> Directory:
    """So many officials, each on a post of a unit, in a database as the product has it."""
    engine = open_database(f"sqlite:///{folder / f'{officials}.sqlite'}")
    metadata.create_all(engine)
    register = SqlRegister(engine)
    units = [Unit(f"ministry{number:03}", f"Ministry {number}") for number in range(UNITS)]
    posts = [Post(f"{unit.path}.clerk", unit.path, "Clerk", 1) for unit in units]
    people = [Official(Address(DOMAIN, f"official{number}"), f"Official {number}", posts[number % UNITS].id) for number in range(officials)]
    register.apply([*map(Added, units), *map(Added, posts), *map(Added, people)], register.revision())
    return Directory(register, DOMAIN, address)


def _message(number: int, people: int, chance: random.Random) -> Question:
    """One message of a busy day: encrypted chats and rooms mostly, marks without content, and now and then a readable one."""
    sender, recipient = (f"official{chance.randrange(people)}@{DOMAIN}" for _ in range(2))
    keys = tuple(Key(rid, 99, "", False) for rid in range(1000 + number % 50, 1003 + number % 50))
    envelope = Envelope(77, 12, 40 + chance.randrange(400), keys, f"{number:064x}", 0)
    sealed = Child(_LEGACY, "encrypted", 0, 0, 0, "", envelope)
    marks = (Child("urn:xmpp:hints", "store", 0, 0, 0, "", None), Child("urn:xmpp:eme:0", "encryption", 0, 48, 0, "", None))
    body = Child("jabber:client", "body", 40, 0, 0, f"{number:064x}", None)
    ask = partial(Question, str(number), f"{sender}/desk", flow="local", id=f"m{number}", origin_id="", text=0)
    kind = number % 10
    if kind < 6:
        return ask(recipient, "chat", room="", children=(sealed, *marks))
    if kind < 8:
        return ask(f"hall@{ROOMS}", "groupchat", room=f"hall@{ROOMS}", children=(sealed, *marks))
    return ask(recipient, "chat", room="", children=(body,) if kind == 8 else (Child("urn:xmpp:receipts", "received", 0, 38, 0, "", None),))


def _decisions(judge: Judge, messages: Sequence[Question]) -> list[float]:
    """Microseconds that each took; what stands in memory after some minutes of work stands there."""
    for message in messages:
        judge.judge(message)
    found = []
    for message in messages:
        began = time.perf_counter_ns()
        judge.judge(message)
        found.append((time.perf_counter_ns() - began) / 1000)
    return found


def _decide(rounds: int) -> dict[str, Figure]:
    folder = Path(tempfile.mkdtemp(prefix="apostille-bench-"))
    try:
        many, few = _directory(folder, OFFICIALS), _directory(folder, FEW)
        policy = read_policy(tomllib.loads(policy_text(RULES)), "bench")
        assert len(policy.rules) == RULES
        hosts = Hosts(DOMAIN, frozenset((ROOMS,)), frozenset())
        judges = {people: Judge(policy, _DirectoryOfPolicy(one), hosts, lambda: NOON) for people, one in ((OFFICIALS, many), (FEW, few))}
        chance = random.Random(1)  # noqa: S311
        messages = {people: [_message(number, people, chance) for number in range(MESSAGES)] for people in judges}
        taken: dict[int, list[float]] = {people: [] for people in judges}
        for number in range(rounds):
            for people in (OFFICIALS, FEW) if number % 2 else (FEW, OFFICIALS):
                taken[people].append(statistics.median(_decisions(judges[people], messages[people])))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    middle = {people: statistics.median(one) for people, one in taken.items()}
    with_few = f"{FEW} officials: {middle[FEW]:.1f} us; {RULES} rules, {OFFICIALS} officials"
    ratios = [one / other for one, other in zip(taken[OFFICIALS], taken[FEW], strict=True)]
    spread = min(taken[OFFICIALS]), max(taken[OFFICIALS])
    return {
        "policy.decide_us": Figure(middle[OFFICIALS], "us", with_few, rounds, spread),
        "policy.decide_ratio_officials": Figure(statistics.median(ratios), "1", f"{FEW} officials, same run", rounds),
    }


def _corpora() -> dict[str, Figure]:
    sys.path.append(str(Path(__file__).parents[2] / "tests"))
    from lua import Lua, in_ask  # the server's own facts; the tests have the way to them

    strict, initial = (read_policy(tomllib.loads(text), "bench") for text in (STRICT, INITIAL))
    lua = Lua()
    try:
        hostile = [case for case in cases("hostile") if case.words["code"] != "stream"]
        legitimate = [case for case in cases("legitimate") if not case.words["refused"]]
        passed = [case for case in hostile if not code_of(strict, case, in_ask(lua.facts(case.sent))[0])]
        refused = [case for case in legitimate if code_of(initial, case, in_ask(lua.facts(case.sent))[0])]
    finally:
        lua.close()
    by_hostile, by_real = "the strict policy of officials", "the policy of apostille init, less what its table refuses"
    return {
        "policy.bypass_cases": Figure(len(hostile), "messages", by_hostile, 1),
        "policy.bypass_passed": Figure(len(passed), "messages", by_hostile, 1),
        "policy.legitimate_cases": Figure(len(legitimate), "messages", by_real, 1),
        "policy.legitimate_refused": Figure(len(refused), "messages", by_real, 1),
    }


def measure(full: bool) -> dict[str, Figure]:
    """The figures of the policy."""
    return _decide(21 if full else 7) | _corpora()
