"""What `policy check` finds: rules that never decide, classes that match nobody, holes, and nothing in a sound policy."""

from __future__ import annotations

import inspect
import re
import tomllib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apostille.policy import lints
from apostille.policy.classes import InUnit, OnPost, Side, TheRoom
from apostille.policy.documents import read_policy
from apostille.policy.lints import CONTAINS, Cell, Finding, Places, Weight, cells, contains, line_of, lint, takes, within
from apostille.policy.rules import Case, Direction, Policy, Rule, Setting, direction_of
from apostille.policy.windows import ALWAYS, Window
from apostille.vocabulary import Party

TODAY = date(2026, 11, 22)
PLACES = Places(
    units={"mof": ("mof",), "mof/tax": ("mof/tax", "mof"), "health/ambulance": ("health/ambulance", "interior"), "interior": ("interior",)},
    posts={"tax.director": ("mof/tax", "mof"), "minister": ("mof",), "driver": ("health/ambulance", "interior")},
    held=frozenset(("tax.director",)),
    rooms=frozenset(("rooms.gov.example",)),
)


def rule(name: str = "r", /, **keys: object) -> str:
    keys = {"from": ["verified"], "to": ["verified"], **keys}
    lines = [f"{key.removesuffix('_')} = {value if isinstance(value, (list, int, date)) else repr(value)}" for key, value in keys.items()]
    return "\n".join(["[[rule]]", f"name = '{name}'", *lines, ""])


def policy(*rules: str) -> Policy:
    return read_policy(tomllib.loads("".join(rules)), "policy.toml")


def found(*rules: str, places: Places | None = None) -> list[tuple[str, str, int]]:
    return [(one.weight.value, one.lint, one.number) for one in lint(policy(*rules), TODAY, places)]


def only(*rules: str, places: Places | None = None) -> Finding:
    (one,) = lint(policy(*rules), TODAY, places)
    return one


STRICT = rule("strict")
OPEN = rule("open", require="nothing")


# ---- reach --------------------------------------------------------------------------------------------------------------


def test_a_sound_policy_has_no_findings() -> None:
    assert found(STRICT, rule("rooms", to=["room"], kinds=["groupchat", "private"])) == []


def test_an_empty_policy_refuses_everything_and_is_a_mistake() -> None:
    assert (only().weight, only().lint, only().number) == (Weight.ERROR, "empty", 0)


def test_a_rule_behind_one_that_fits_the_same_is_never_asked() -> None:
    one = only(STRICT, rule("second", to=["verified"], versions=["2"]))
    assert (one.lint, one.number, one.rule) == ("unreachable", 2, "second")
    assert "strict before it fits everything" in one.text
    assert one.mend == "remove it, or put it before strict"


def test_several_rules_together_take_everything_of_another() -> None:
    rules = rule("chat", kinds=["chat"]), rule("rest", kinds=["private", "component"], versions=["2"]), rule("third")
    assert found(*rules) == [("error", "unreachable", 3)]
    assert "chat, rest before it fit everything" in only(*rules).text


def test_a_rule_that_is_asked_for_something_is_not_unreachable() -> None:
    assert found(rule("chat", kinds=["chat"]), rule("all", versions=["2"])) == []


@pytest.mark.parametrize(
    "keys",
    [
        {"direction": ["incoming"]},
        {"to": ["remote"], "direction": ["local"]},
        {"kinds": ["groupchat"]},
        {"to": ["room"], "kinds": ["chat"]},
        {"to": []},
        {"from": []},
        {"kinds": []},
    ],
    ids=str,
)
def test_a_rule_whose_conditions_never_hold_together_fits_nothing(keys: dict[str, object]) -> None:
    assert found(rule(**keys)) == [("error", "fits-nothing", 1)]


@pytest.mark.parametrize(
    ("first", "second", "places"),
    [
        ({"from": ["verified"]}, {"from": ["unit:mof"]}, None),
        ({"from": ["verified"]}, {"from": ["post:minister"]}, None),
        ({"from": ["unit:mof/**"]}, {"from": ["unit:mof"]}, None),
        ({"from": ["unit:mof/**"]}, {"from": ["unit:mof/tax", "unit:mof/tax/**"]}, None),
        ({"from": ["unit:mof/tax"]}, {"from": ["post:tax.director"]}, PLACES),
        ({"from": ["unit:mof/**"]}, {"from": ["post:tax.director"]}, PLACES),
        ({"from": ["unit:interior/**"]}, {"from": ["unit:health/ambulance"]}, PLACES),
        ({"to": ["room"]}, {"to": ["room:board@rooms.gov.example"]}, None),
    ],
    ids=str,
)
def test_a_class_that_contains_another_takes_its_messages(
    first: dict[str, object], second: dict[str, object], places: Places | None
) -> None:
    kinds = {"kinds": ["private"]}
    assert ("error", "unreachable", 2) in found(rule("first", **first, **kinds), rule("second", **second, **kinds), places=places)
    assert ("error", "unreachable", 2) not in found(rule("first", **second, **kinds), rule("second", **first, **kinds), places=places)


def test_without_the_directory_a_post_is_in_no_unit_and_a_unit_lies_where_its_path_says() -> None:
    assert not contains(InUnit("mof/tax", below=True), OnPost("tax.director"))
    assert not contains(OnPost("tax.director"), InUnit("mof/tax"))
    assert contains(Party.VERIFIED, OnPost("tax.director"))
    assert contains(Party.ROOM, TheRoom("b@rooms"))
    assert not contains(Party.PUBLIC, OnPost("tax.director"))
    assert contains(OnPost("tax.director"), OnPost("tax.director"))
    assert contains(InUnit("health", below=True), InUnit("health/ambulance"))
    assert not contains(InUnit("health", below=True), InUnit("health/ambulance"), PLACES)
    assert not contains(InUnit("mof"), InUnit("mof", below=True))
    assert line_of("a/b/c") == ("a/b/c", "a/b", "a")
    assert line_of("nosuch", PLACES) == ()


def test_a_rule_that_the_next_one_makes_needless_is_a_remark() -> None:
    one = only(rule("tax", **{"from": ["unit:mof/tax"]}), STRICT)
    assert (one.weight, one.lint, one.number) == (Weight.REMARK, "needless", 1)
    assert "strict after it" in one.text
    assert found(rule("tax", **{"from": ["unit:mof/tax"], "versions": ["2"]}), STRICT) == []
    assert found(rule("rooms", to=["room"]), STRICT) == []


# ---- holes --------------------------------------------------------------------------------------------------------------


def test_plain_text_between_officials_is_a_mistake_unless_a_rule_before_it_asks_for_more() -> None:
    one = only(OPEN)
    assert (one.weight, one.lint, one.number) == (Weight.ERROR, "plaintext", 1)
    assert "verified to verified" in one.text
    assert found(STRICT, rule("rest", **{"from": ["verified", "public"]}, require="nothing")) == []
    assert found(rule("chat", kinds=["chat"]), OPEN) == [("error", "plaintext", 2)]
    assert found(rule("rooms", to=["room:b@rooms.gov.example"], require="nothing")) == [("error", "plaintext", 1)]
    assert found(rule("remote", to=["remote"], require="nothing")) == []


@pytest.mark.parametrize("stage", ["observe", "warn"])
def test_a_stage_that_refuses_nothing_is_a_remark(stage: str) -> None:
    assert found(rule(stage=stage)) == [("remark", "stage", 1)]


@pytest.mark.parametrize(
    ("extra", "weight"),
    [("links", "error"), ("unknown", "error"), ("xhtml", "error"), ("subject", "remark"), ("calls", "remark")],
)
def test_an_extra_lets_something_be_read(extra: str, weight: str) -> None:
    assert found(rule(extras=[extra])) == [(weight, "extras", 1)]
    assert extra in only(rule(extras=[extra])).mend


def test_a_rule_that_asks_for_devices_and_passes_where_none_are_known_is_a_remark() -> None:
    assert found(rule(devices="announced", unknown_devices="pass")) == [("remark", "devices", 1)]
    assert found(rule(devices="announced")) == found(rule(unknown_devices="pass")) == []


def test_an_outage_that_lets_messages_pass_is_a_remark() -> None:
    assert found(rule(**{"from": ["service"]}, to=["remote"], outage="pass")) == [("remark", "outage", 1)]


# ---- windows ------------------------------------------------------------------------------------------------------------


def test_a_window_none_of_whose_days_lies_between_its_dates_never_holds() -> None:
    monday, tuesday = date(2026, 11, 23), date(2026, 11, 24)
    assert found(rule(days=["wed"], from_date=monday, to_date=tuesday)) == [("error", "never", 1)]
    assert found(rule(days=["tue"], from_date=monday, to_date=tuesday)) == []
    assert found(rule(days=["sun"], from_date=monday, to_date=monday + timedelta(30))) == []


def test_a_window_that_is_over_is_a_remark_a_day_after_its_last() -> None:
    assert found(rule(to_date=TODAY - timedelta(1))) == []
    assert found(rule(to_date=TODAY - timedelta(2))) == [("remark", "over", 1)]
    assert found(rule(from_date=TODAY + timedelta(9))) == []


def test_a_rule_for_some_hours_takes_only_those_of_another() -> None:
    day, morning = rule("day", hours="08:00-18:00", versions=["2"]), rule("morning", hours="08:00-12:00")
    assert found(day, morning) == [("error", "unreachable", 2)]
    assert found(morning, day) == []
    assert found(day, rule("night", hours="22:00-06:00")) == []
    assert found(day, rule("local", hours="08:00-12:00", zone="Asia/Kolkata")) == []
    assert found(rule("all", zone="Asia/Kolkata", versions=["2"]), day) == [("error", "unreachable", 2)]


# ---- nobody -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "weight", "mend"),
    [
        ("unit:mof/tex", "error", "did you mean 'mof/tax'?"),
        ("unit:zzz/**", "error", "correct it, or import what is missing"),
        ("post:tax.directr", "error", "did you mean 'tax.director'?"),
        ("room:board@room.gov.example", "error", "did you mean 'rooms.gov.example'?"),
        ("post:minister", "remark", "nothing, if somebody will"),
        ("unit:interior/**", "remark", "nothing, if somebody will"),
        ("unit:mof", "remark", "nothing, if somebody will"),
    ],
)
def test_a_class_that_matches_nobody_is_named_with_the_nearest_that_would(word: str, weight: str, mend: str) -> None:
    one = only(rule(to=[word]), places=PLACES)
    assert (one.weight.value, one.lint, one.mend) == (weight, "nobody", mend)
    assert one.text.startswith(f"to names {word}, and ")
    assert found(rule(to=[word])) == []


@pytest.mark.parametrize("word", ["verified", "suspended", "unit:mof/**", "unit:mof/tax", "post:tax.director", "room:b@rooms.gov.example"])
def test_a_class_that_may_match_somebody_is_none_of_it(word: str) -> None:
    assert found(rule(to=[word]), places=PLACES) == []


def test_both_sides_of_a_rule_are_looked_up() -> None:
    findings = lint(policy(rule(**{"from": ["post:x"]}, to=["post:y"])), TODAY, PLACES)
    assert [one.text.partition(",")[0] for one in findings] == ["from names post:x", "to names post:y"]


# ---- the laws behind them -----------------------------------------------------------------------------------------------


def test_every_lint_is_documented_with_its_weight() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "change-the-policy.md").read_text(encoding="utf-8")
    source = inspect.getsource(lints)
    for weight, name in re.findall(r'Weight\.(ERROR|REMARK), "([a-z-]+)"', source):
        assert f"| `{name}` | {weight.lower()} |" in page, name


def test_the_lints_know_every_condition_of_a_rule() -> None:
    assert set(CONTAINS) == {one.key for one in Rule("r", frozenset(), frozenset()).conditions}


classes = st.sampled_from((*Party, InUnit("mof"), InUnit("mof", below=True), InUnit("mof/tax"), OnPost("minister"), TheRoom("b@rooms")))
hours = st.tuples(st.integers(0, 23), st.integers(1, 24)).filter(lambda one: one[0] != one[1]).map(lambda one: (one[0] * 60, one[1] * 60))
windows = st.builds(
    Window,
    hours=st.just(ALWAYS.hours) | hours,
    days=st.just(ALWAYS.days) | st.sets(st.integers(0, 6), min_size=1).map(frozenset),
    first=st.none() | st.dates(TODAY, TODAY + timedelta(9)),
    last=st.none() | st.dates(TODAY, TODAY + timedelta(9)),
)
rules = st.builds(
    Rule,
    st.just("r"),
    st.frozensets(classes, min_size=1, max_size=2),
    st.frozensets(classes, min_size=1, max_size=2),
    settings=st.frozensets(st.sampled_from(Setting), min_size=1),
    directions=st.just(frozenset(Direction)) | st.frozensets(st.sampled_from(Direction), min_size=1),
    window=windows,
)
wide_classes = st.sampled_from((Party.VERIFIED, Party.ROOM, Party.REMOTE, InUnit("mof", below=True)))
wide_rules = st.builds(
    Rule,
    st.just("w"),
    st.frozensets(wide_classes, min_size=2),
    st.frozensets(wide_classes, min_size=2),
    settings=st.just(frozenset(Setting)) | st.frozensets(st.sampled_from(Setting), min_size=2),
    window=st.just(ALWAYS) | windows,
)
OFFICIALS = (Side(Party.VERIFIED, "a@g", "tax.director", ("mof/tax", "mof")), Side(Party.VERIFIED, "b@g", "minister", ("mof",)))
SIDES = (*OFFICIALS, Side(Party.VERIFIED, "c@g"), Side(Party.ROOM, "b@rooms"), Side(Party.ROOM, "c@rooms"), Side(Party.REMOTE, "x@y"))
TIMES = st.datetimes(datetime(2026, 11, 21), datetime(2026, 12, 3), timezones=st.just(UTC))  # noqa: DTZ001 - the zone follows


@settings(max_examples=120, deadline=None)
@given(first=wide_rules, second=rules, now=TIMES)
def test_a_rule_that_is_called_unreachable_decides_nothing(first: Rule, second: Rule, now: datetime) -> None:
    every = [one for one in cells(second) if not takes(first, one)]
    if every:
        return
    for sender, recipient, setting in product(SIDES, SIDES, Setting):
        if (setting is Setting.CHAT) == (recipient.party is Party.ROOM) and setting in (Setting.CHAT, Setting.GROUPCHAT):
            continue  # said nowhere
        case = Case(sender, recipient, setting, direction_of(sender.party, recipient.party), now)
        assert first.fits(case) or not second.fits(case)


@settings(max_examples=300, deadline=None)
@given(outer=windows, inner=windows, now=TIMES)
def test_a_window_within_another_never_holds_alone(outer: Window, inner: Window, now: datetime) -> None:
    if within(outer, inner) and inner.holds(now):
        assert outer.holds(now)


@given(one=windows)
def test_a_window_lies_within_itself_and_always(one: Window) -> None:
    assert within(one, one)
    assert within(ALWAYS, one)
    cell = Cell(Party.VERIFIED, Party.VERIFIED, Setting.CHAT, Direction.LOCAL, one)
    strict = replace(policy(STRICT).rules[0], window=one)
    assert takes(strict, cell)
