"""What a TOML document of units and posts may say, and what is said about one that may not."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.directory.rules import Post, Unit
from apostille.directory.units import Structure, read_structure


def read(text: str, remaining: Mapping[str, Unit] | None = None) -> Structure:
    return read_structure(tomllib.loads(text), "g.toml", remaining or {})


def flaws(text: str, remaining: Mapping[str, Unit] | None = None) -> list[str]:
    return [str(flaw) for flaw in read(text, remaining).flaws]


def unit(path: str, rest: str = "") -> str:
    return f'[[unit]]\npath = "{path}"\nname = "Some"\n{rest}\n'


def test_a_unit_stands_under_the_parent_of_its_path_unless_it_says_otherwise() -> None:
    structure = read(
        unit("mof") + unit("mof/tax") + unit("mof/audit", 'parent = "mof/tax"') + unit("x/y", 'parent = ""')
    )
    assert not structure.flaws
    assert [one.parent for one in structure.units] == ["", "mof", "mof/tax", ""]


def test_names_and_posts_are_read_whole() -> None:
    structure = read(
        '[[unit]]\npath = "mof"\nname = "Finance"\nnames = { ru = "Финансы", sr-Latn = "Finansije" }\n'
        '[[post]]\nid = "mof.head"\nunit = "mof"\ntitle = "Minister"\nrank = 1\norder = 2\n'
    )
    assert structure.units == [Unit("mof", "Finance", "", {"ru": "Финансы", "sr-latn": "Finansije"})]
    assert structure.posts == [Post("mof.head", "mof", "Minister", 1, 2)]


def test_a_post_may_stand_in_a_unit_that_remains_in_the_directory() -> None:
    post = '[[post]]\nid = "head"\nunit = "moh"\ntitle = "Head"\nrank = 1\n'
    assert not flaws(post, {"moh": Unit("moh", "Health")})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "g.toml: names no unit and no post"),
        ("[[units]]\n", "g.toml: unknown table `units`; write [[unit]] and [[post]]"),
        ('[unit]\npath = "a"\n', "g.toml, unit: is no list of tables"),
        ("unit = [1]\n", "g.toml, unit 1: `1` is no table"),
        ('[[unit]]\nname = "A"\n', 'g.toml, unit 1, path: is missing; write path = "…"'),
        ("[[unit]]\npath = 7\nname = 'A'\n", "g.toml, unit 1, path: `7` is no text"),
        (unit("Mof"), "g.toml, unit 1 (Mof), path: `Mof` is no path"),
        (unit("mof//tax"), "`mof//tax` is no path"),
        (unit("mof/tax"), "g.toml, unit 1 (mof/tax), parent: `mof` is no unit"),
        (unit("mof", 'parent = "moh"'), "g.toml, unit 1 (mof), parent: `moh` is no unit"),
        (
            unit("a") + unit("b") + unit("a"),
            "g.toml, unit 3 (a), path: is already the path of g.toml, unit 1 (a)",
        ),
        (
            unit("a", "titel = 1"),
            "g.toml, unit 1 (a), titel: unknown key; a unit has path, name, parent, names",
        ),
        (unit("a", "names = 1"), "g.toml, unit 1 (a), names: `1` is no table"),
        (unit("a", 'names = { russian = "А" }'), "names: `russian` is no language tag"),
        (unit("a", 'names = { ru = "" }'), "g.toml, unit 1 (a), names, ru: `` is empty"),
        ('[[unit]]\npath = "a"\nname = "Tax :: Audit"\n', "contains ::"),
        (
            '[[unit]]\npath = "a"\nname = "Tax\\u202eeciffO"\n',
            "contains U+202E, which turns the direction of writing",
        ),
        ('[[unit]]\npath = "a"\nname = "Tax\\u200bOffice"\n', "contains U+200B, which cannot be seen"),
        ('[[unit]]\npath = "a"\nname = "Tax\\nOffice"\n', "contains the control character U+000A"),
        (unit("a", 'parent = "a"'), "the units form a circle (a -> a)"),
        (
            unit("a", 'parent = "c"')
            + unit("b", 'parent = "a"')
            + unit("c", 'parent = "b"')
            + unit("d", 'parent = "c"'),
            "g.toml, unit 1 (a), parent: the units form a circle (a -> c -> b -> a); give one",
        ),
        (
            "[[post]]\nid = 'a'\nunit = 'u'\ntitle = 'A'\nrank = 1\n",
            "g.toml, post 1 (a), unit: `u` is no unit",
        ),
        (
            "[[post]]\nid = 'A b'\nunit = 'u'\ntitle = 'A'\nrank = 1\n",
            "g.toml, post 1 (A b), id: `A b` is no id",
        ),
        (
            "[[post]]\nid = 'a'\nunit = 'u'\ntitle = 'A'\n",
            "g.toml, post 1 (a), rank: is missing; write rank = 1",
        ),
        (
            "[[post]]\nid = 'a'\nunit = 'u'\ntitle = 'A'\nrank = true\n",
            "rank: `True` is no whole number from 0 to 9999",
        ),
        ("[[post]]\nid = 'a'\nunit = 'u'\ntitle = 'A'\nrank = -1\n", "rank: `-1` is no whole number"),
        (
            unit("u") + 2 * "[[post]]\nid = 'a'\nunit = 'u'\ntitle = 'A'\nrank = 1\n",
            "g.toml, post 2 (a), id: is already the id of g.toml, post 1 (a); give each post its own",
        ),
    ],
)
def test_every_flaw_is_told_with_its_place_and_its_mend(text: str, said: str) -> None:
    assert said in "\n".join(flaws(text))


def test_a_circle_through_units_that_remain_is_seen() -> None:
    remaining = {"a": Unit("a", "A"), "b": Unit("b", "B", "a")}
    assert flaws(unit("a", 'parent = "b"'), remaining) == [
        "g.toml, unit 1 (a), parent: the units form a circle (a -> b -> a); give one of them another parent"
    ]


def test_all_flaws_are_told_at_once_and_each_only_once() -> None:
    text = unit("Mof") + unit("a", 'parent = "b"') + unit("b", 'parent = "a"')
    text += "[[post]]\nid = 'x'\nunit = 'zz'\ntitle = ''\nrank = 1\n"
    assert [flaw.split(":")[0] for flaw in flaws(text)] == [
        "g.toml, unit 1 (Mof), path",
        "g.toml, post 1 (x), title",
        "g.toml, post 1 (x), unit",
        "g.toml, unit 2 (a), parent",
    ]


def test_a_post_is_not_blamed_for_the_flaws_of_its_unit() -> None:
    text = '[[unit]]\npath = "a"\nname = ""\n[[post]]\nid = "x"\nunit = "a"\ntitle = "X"\nrank = 1\n'
    assert flaws(text) == ["g.toml, unit 1 (a), name: `` is empty; write the name"]


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["", *"abcdef"]), min_size=1))
def test_a_circle_is_told_if_and_only_if_some_unit_never_reaches_the_top(parents: dict[str, str]) -> None:
    text = "".join(unit(path, f'parent = "{parent}"') for path, parent in parents.items())

    def reaches_the_top(path: str) -> bool:
        for _ in parents:
            path = parents.get(path, "")
        return path not in parents

    circles = [flaw for flaw in flaws(text) if "circle" in flaw]
    assert bool(circles) == (not all(reaches_the_top(path) for path in parents))
