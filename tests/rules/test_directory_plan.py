"""A plan turns one government into another, says so to a person, and forgets nobody."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from apostille.directory.plan import Added, Changed, Plan, Removed, plan
from apostille.directory.rules import Government, Official, Post, Unit
from apostille.vocabulary import Address, Standing
from doubles_directory import MemoryRegister

STANDINGS = st.sampled_from([Standing.VERIFIED, Standing.SUSPENDED])
UNITS = [Unit("mof", "Finance"), Unit("moh", "Health")]
POSTS = [Post("head", "mof", "Head", 1), Post("clerk", "mof", "Clerk", 2)]


def official(who: str, post: str = "head") -> Official:
    return Official(Address("gov.example", who), who.title(), post)


ANNA, BORIS = official("anna"), official("boris", "clerk")


@st.composite
def governments(draw: st.DrawFn, *, held: bool = True) -> Government:
    paths = draw(st.lists(st.sampled_from(["a", "b", "c"]), unique=True))
    units = [Unit(path, draw(st.sampled_from(["X", "Y"]))) for path in paths]
    ids = draw(st.lists(st.sampled_from(["p", "q", "r"]), unique=True)) if paths else []
    posts = [Post(one, draw(st.sampled_from(paths)), "T", draw(st.integers(1, 3))) for one in ids]
    names = draw(st.lists(st.sampled_from(["anna", "boris", "clara", "dmitri"]), unique=True)) if ids else []
    people = [
        replace(
            official(name, draw(st.sampled_from(ids))),
            standing=draw(STANDINGS),
            held=held and draw(st.booleans()),
            names=draw(st.sampled_from([{}, {"ru": "А"}])),
        )
        for name in names
    ]
    return Government.of(units, posts, people)


def after(current: Government, made: Plan) -> Government:
    register = MemoryRegister(current)
    register.apply(made.changes, register.revision())
    return register.government()[1]


@given(governments(), governments(held=False), st.booleans())
def test_the_same_files_a_second_time_change_nothing(
    current: Government, wanted: Government, prune: bool
) -> None:
    once = after(current, plan(current, wanted, prune=prune))
    assert plan(once, wanted, prune=prune).empty


@given(governments(), governments(held=False))
def test_a_plan_makes_what_the_files_want_and_leaves_the_rest(
    current: Government, wanted: Government
) -> None:
    once = after(current, plan(current, wanted))
    assert once.units == {**current.units, **wanted.units}
    assert once.posts == {**current.posts, **wanted.posts}
    assert once.officials.keys() == current.officials.keys() | wanted.officials.keys()


@given(governments(), governments(held=False))
def test_pruning_leaves_the_wanted_units_and_posts_and_only_the_wanted_officials_verified(
    current: Government, wanted: Government
) -> None:
    once = after(current, plan(current, wanted, prune=True))
    assert once.units == wanted.units
    assert once.posts == wanted.posts
    for address, one in once.officials.items():
        assert address in wanted.officials or one.standing is Standing.SUSPENDED
        assert one.post in wanted.posts or one.post == ""


@given(governments(), governments(held=False), st.booleans())
def test_nobody_is_forgotten_and_no_import_lifts_a_suspension_by_hand(
    current: Government, wanted: Government, prune: bool
) -> None:
    once = after(current, plan(current, wanted, prune=prune))
    for address, one in current.officials.items():
        assert once.officials[address].held == one.held


@given(governments(held=False), st.data())
def test_the_order_of_entries_means_nothing(wanted: Government, data: st.DataObject) -> None:
    other = Government.of(
        data.draw(st.permutations([*wanted.units.values()])),
        data.draw(st.permutations([*wanted.posts.values()])),
        data.draw(st.permutations([*wanted.officials.values()])),
    )
    assert plan(Government(), other) == plan(Government(), wanted)


def test_a_plan_says_what_it_does_in_lines_and_in_one_sentence() -> None:
    current = Government.of(UNITS, POSTS, [ANNA, BORIS])
    moved = replace(ANNA, post="clerk", valid_until=date(2027, 1, 1), names={"ru": "Анна"})
    wanted = Government.of([UNITS[0], Unit("moi", "Interior")], POSTS, [moved, official("clara")])
    made = plan(current, wanted)
    assert made.lines() == [
        "+ unit moi (Interior)",
        (
            "~ official anna@gov.example (Anna): post head -> clerk, "
            "names nothing -> ru `Анна`, valid_until nothing -> 2027-01-01"
        ),
        "+ official clara@gov.example (Clara)",
        "  unit moh (Health) is not in the files and stays as it is",
        "  official boris@gov.example (Boris) is not in the files and stays as it is",
        "units: 1 added; officials: 1 added, 1 changed",
    ]
    assert made.summary() == made.lines()[-1]


def test_pruning_removes_units_and_posts_and_suspends_officials() -> None:
    made = plan(
        Government.of(UNITS, POSTS, [ANNA, BORIS]), Government.of(UNITS[:1], POSTS[:1], [ANNA]), prune=True
    )
    gone = replace(BORIS, standing=Standing.SUSPENDED, post="")
    assert made.changes == (Removed(UNITS[1]), Removed(POSTS[1]), Changed(BORIS, gone))
    assert (
        made.lines()[2]
        == "~ official boris@gov.example (Boris): post clerk -> nothing, standing verified -> suspended"
    )
    assert made.summary() == "units: 1 removed; posts: 1 removed; officials: 1 changed"


def test_a_suspension_by_hand_is_told_and_kept() -> None:
    held = replace(ANNA, held=True)
    made = plan(Government.of(UNITS, POSTS, [held]), Government.of(UNITS, POSTS, [ANNA]))
    assert made.empty
    assert made.held == (held,)
    assert "stays suspended by hand" in made.lines()[0]


def test_a_long_plan_is_shortened_for_a_person_only() -> None:
    made = Plan(tuple(Added(official(f"a{number}")) for number in range(100)))
    assert len(made.lines(10)) == 12
    assert made.lines(10)[10] == "  … and 90 more"
    assert len(made.lines()) == 101


def test_a_plan_for_software_is_json() -> None:
    current = Government.of(UNITS, POSTS, [ANNA, replace(BORIS, held=True)])
    moved = replace(ANNA, standing=Standing.SUSPENDED, names={"ru": "Анна"}, valid_from=date(2027, 1, 1))
    told = json.loads(json.dumps(plan(current, Government.of([], [], [moved, BORIS])).as_dict()))
    assert told == {
        "revision": 0,
        "empty": False,
        "summary": "officials: 1 changed",
        "counts": {
            "unit": {"added": 0, "changed": 0, "removed": 0},
            "post": {"added": 0, "changed": 0, "removed": 0},
            "official": {"added": 0, "changed": 1, "removed": 0},
        },
        "changes": [
            {
                "change": "changed",
                "kind": "official",
                "key": "anna@gov.example",
                "fields": {
                    "names": [{}, {"ru": "Анна"}],
                    "standing": ["verified", "suspended"],
                    "valid_from": [None, "2027-01-01"],
                },
            }
        ],
        "left": [
            {"kind": "unit", "key": "mof"},
            {"kind": "unit", "key": "moh"},
            {"kind": "post", "key": "clerk"},
            {"kind": "post", "key": "head"},
        ],
        "held": ["boris@gov.example"],
    }
