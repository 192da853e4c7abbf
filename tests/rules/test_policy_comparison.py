"""Two policies side by side, and what a record tells of a message; and what the records of a time say of a policy."""

from __future__ import annotations

import tomllib
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

from apostille.policy.classes import Side
from apostille.policy.comparison import Change, built_in, compare, recorded, remade
from apostille.policy.documents import read_policy
from apostille.policy.lints import Places
from apostille.policy.rules import Policy
from apostille.policy.shapes import SHAPES
from apostille.policy.tallies import LONGEST_BY_DAY, Row, Tally
from apostille.record import Body, Encrypted, Judged
from apostille.vocabulary import Party
from apostille_xep.gate.facts import read_message
from messages import ANNA, BORIS, DIGEST, LEGACY, MODERN

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
AT = int(NOON.timestamp() * 1000)
BODY = (Body("c" * 64, 5),)


def policy(**keys: object) -> Policy:
    keys = {"name": "r", "from": ["verified"], "to": ["verified"], **keys}
    lines = "".join(f"{key} = {value if isinstance(value, list) else repr(value)}\n" for key, value in keys.items())
    return read_policy(tomllib.loads(f"[[rule]]\n{lines}"), "policy.toml")


def encrypted(*namespaces: str) -> tuple[Encrypted, ...]:
    return tuple(Encrypted(one, DIGEST, 7, 25, (11, 12)) for one in namespaces)


def record(code: str = "", *namespaces: str, bodies: tuple[Body, ...] = (), at: int = AT, sender: str = BORIS, **keys: str) -> Judged:
    words = {"recipient": ANNA, "resource": "", "type": "chat", "flow": "local", "policy": "r", **keys}
    return Judged(at, sender, **words, code=code, bodies=bodies, encrypted=encrypted(*namespaces))


def seat(jid: str, at: datetime) -> Side:
    assert at == NOON
    return Side(Party.VERIFIED if jid in (ANNA, BORIS) else Party.ROOM, jid)


# ---- what was kept of a message -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "shape"),
    [
        (record("", LEGACY), "omemo"),
        (record("", MODERN), "omemo-2"),
        (record("version", MODERN), "omemo-2"),
        (record("", LEGACY, MODERN), "omemo-both"),
        (record("", "urn:xmpp:openpgp:0"), "ox"),
        (record("", LEGACY, bodies=BODY), "omemo-fallback"),
        (record("", LEGACY, bodies=BODY, policy="lax"), None),
        (record("", MODERN, bodies=BODY), None),
        (record("", bodies=BODY), "plaintext"),
        (record("plaintext", bodies=BODY), "plaintext"),
        (record("plaintext-beside", LEGACY, bodies=BODY), "plaintext-beside"),
        (record("no-keys", LEGACY), "no-keys"),
        (record("encrypted-malformed", LEGACY), "malformed"),
        (record("hidden-text", LEGACY), "loose-text"),
        (record("subject"), "subject"),
        (record("unknown-element", LEGACY), "unknown"),
        (record("reactions"), "reaction"),
        (record("calls"), "call"),
        (record("links", LEGACY), "link"),
        (record("xhtml", LEGACY), "xhtml"),
        (record("too-much", LEGACY), None),
        (record("ghost", LEGACY), None),
        (record(""), None),
        (record("", "urn:x"), None),
        (record("", LEGACY, "urn:x"), None),
    ],
)
def test_a_record_tells_of_most_messages_what_shape_they_had(one: Judged, shape: str | None) -> None:
    assert remade(one, {"r"}) == shape
    assert shape is None or shape in SHAPES


def test_recorded_messages_are_judged_as_they_were_said_and_what_cannot_be_is_counted() -> None:
    missed: Counter[str] = Counter()
    room = "hall@rooms.gov.example"
    records = [
        record("", LEGACY),
        record("", LEGACY, recipient=room, room=room, type="groupchat"),
        record("", MODERN, room=room),
        record("plaintext", bodies=BODY, flow="component"),
        record("too-much", LEGACY),
        record(""),
    ]
    shapes = list(recorded(records, policy(), read_message, seat, missed))
    assert [one.label for one in shapes] == [
        "omemo, verified to verified (chat)",
        "omemo, verified to room (groupchat)",
        "omemo-2, verified to verified (private)",
        "plaintext, verified to verified (component)",
    ]
    assert [(one.message.room, one.message.flow) for one in shapes] == [("", "local"), (room, "local"), (room, "local"), ("", "component")]
    assert missed == {"too-much": 1, "readable": 1}


# ---- comparing ----------------------------------------------------------------------------------------------------------


def test_what_fares_otherwise_is_counted_by_what_changes_with_both_rules() -> None:
    records = [record("", LEGACY), record("plaintext", bodies=BODY), record("plaintext", bodies=BODY)]
    shapes = list(recorded(records, policy(), read_message, seat, Counter()))
    found = compare(policy(stage="observe"), policy(name="new"), shapes)
    change = Change("passes, observed (plaintext)", "refused (plaintext)", "r", "new", opens=False, closes=True)
    assert (found.tried, found.changes) == (3, {change: 2})
    assert found.examples[change] == {"plaintext, verified to verified (chat)": 2}
    (back,) = compare(policy(name="new"), policy(stage="warn"), shapes).changes
    assert (back.opens, back.closes, back.after) == (True, False, "passes with a warning (plaintext)")
    (quiet,) = compare(policy(stage="warn"), policy(stage="observe"), shapes).changes
    assert (quiet.opens, quiet.closes) == (False, False)


def test_another_rule_that_decides_the_same_is_no_change() -> None:
    shapes = built_in((policy(),), read_message, NOON)
    assert compare(policy(), policy(name="other"), shapes).changes == {}


def test_what_is_built_in_has_every_shape_between_all_who_can_write_and_the_classes_of_the_rules() -> None:
    places = Places({"mof": ("mof",)}, {})
    other = policy(**{"from": ["unit:mof", "post:minister"], "to": ["room:b@rooms"]})
    shapes = list(built_in((policy(), other), read_message, NOON, places))
    labels = [one.label for one in shapes]
    assert len(labels) == len(set(labels))
    assert "omemo, unit:mof to room:b@rooms (groupchat)" in labels
    assert "omemo, post:minister to room:b@rooms (groupchat)" in labels
    assert "plaintext, verified to suspended (private)" in labels
    assert "plaintext, service to verified (component)" in labels
    for absent in ("remote to remote", "verified to room (chat)", "public to verified (groupchat)", "public to verified (component)"):
        assert not [label for label in labels if absent in label]
    assert {label.partition(",")[0] for label in labels} == set(SHAPES)


# ---- tallies ------------------------------------------------------------------------------------------------------------


def test_what_would_have_been_refused_is_counted_by_unit_rule_and_code() -> None:
    tally = Tally({BORIS: "mof/tax", ANNA: "mof"}.__getitem__)
    for one in (record("plaintext", bodies=BODY), record("plaintext"), record("plaintext", sender=ANNA), record("", LEGACY)):
        tally.add(one)
    counts = {row: (count.messages, len(count.senders)) for row, count in tally.rows.items()}
    assert counts == {Row("mof/tax", "r", "plaintext"): (2, 1), Row("mof", "r", "plaintext"): (1, 1)}
    assert tally.messages == 4


def test_the_share_of_encrypted_messages_leaves_out_those_that_said_something_beside() -> None:
    tally = Tally(str)
    codes = ("", "version", "ghost", "unknown-element", "plaintext-beside")
    for one in (*(record(code, LEGACY) for code in codes), record("plaintext")):
        tally.add(one)
    by, (span,) = tally.coverage()
    assert (by, span.first, span.messages, span.encrypted, span.share) == ("day", date(2026, 11, 22), 6, 3, 0.5)


def test_a_long_time_is_told_by_weeks_that_begin_on_monday() -> None:
    day = 86_400_000
    assert Tally(str).coverage() == ("day", [])
    short, long = Tally(str), Tally(str)
    for tally, days in ((short, LONGEST_BY_DAY - 1), (long, LONGEST_BY_DAY)):
        tally.add(record("", LEGACY))
        tally.add(record("", LEGACY, at=AT + day * days))
        tally.add(record("plaintext", at=AT + day))
    assert [one.first for one in short.coverage()[1]] == [date(2026, 11, 22) + timedelta(one) for one in (0, 1, LONGEST_BY_DAY - 1)]
    by, weeks = long.coverage()
    assert (by, [(one.first, one.messages) for one in weeks]) == (
        "week",
        [(date(2026, 11, 16), 1), (date(2026, 11, 23), 1), (date(2027, 1, 4), 1)],
    )
