"""What a TOML document says of units and posts, or what is wrong with it.

Knows the keys of `[[unit]]` and `[[post]]` and every way to get them wrong; refuses to know files and
TOML's own grammar.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from apostille.directory.rules import Flaw, Post, Unit, shown, wrong_with

_PATH = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)*")
_POST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
"""A language tag (RFC 5646) in lower case, as far as a directory needs one."""
_HIGHEST = 9999
_KEYS = {"unit": ("path", "name", "parent", "names"), "post": ("id", "unit", "title", "rank", "order")}


@dataclass(slots=True)
class Structure:
    """What was read: units and posts, what is wrong, and which names were declared at all.

    A declared unit may be flawed; posts that name it are not blamed for that. Of an illegible document
    nothing is known.
    """

    units: list[Unit] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    declared_units: dict[str, str] = field(default_factory=dict)
    declared_posts: dict[str, str] = field(default_factory=dict)
    legible: bool = True


def read_structure(document: Mapping[str, object], file: str, remaining: Mapping[str, Unit]) -> Structure:
    """The units and posts of a parsed document.

    Args:
        document: the TOML document.
        file: how flaws call it.
        remaining: units that will stand beside those of the document, by path.
    """
    structure = Structure()
    for key in document:
        if key not in _KEYS:
            structure.flaws.append(Flaw(file, f"unknown table {shown(key)}; write [[unit]] and [[post]]"))
    if not document.get("unit") and not document.get("post"):
        structure.flaws.append(Flaw(file, "names no unit and no post; write [[unit]] and [[post]]"))
    for entry in _entries(document, "unit", file, structure.flaws):
        _read_unit(entry, structure)
    for entry in _entries(document, "post", file, structure.flaws):
        _read_post(entry, structure, remaining)
    structure.flaws.extend(_misplaced(structure, remaining))
    return structure


@dataclass(frozen=True, slots=True)
class _Entry:
    """One table of the document, and the list that takes its flaws."""

    table: Mapping[str, object]
    where: str
    flaws: list[Flaw]

    def flaw(self, key: str, text: str) -> None:
        self.flaws.append(Flaw(f"{self.where}, {key}", text))

    def text(self, key: str, form: Callable[[str], str], *, default: str | None = None) -> str:
        """The text under this key, empty where it is flawed (and said to be)."""
        value = self.table.get(key, default)
        if value is None:
            self.flaw(key, f'is missing; write {key} = "…"')
        elif not isinstance(value, str):
            self.flaw(key, f"{shown(value)} is no text; put it in quotes")
        elif complaint := form(value):
            self.flaw(key, f"{shown(value)} {complaint}")
        else:
            return unicodedata.normalize("NFC", value)
        return ""

    def number(self, key: str, *, default: int | None = None) -> int:
        value = self.table.get(key, default)
        if value is None:
            self.flaw(key, f"is missing; write {key} = 1 for the most senior, 2 for the next, and so on")
        elif isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _HIGHEST:
            self.flaw(key, f"{shown(value)} is no whole number from 0 to {_HIGHEST}")
        else:
            return value
        return 0

    def names(self) -> dict[str, str]:
        value = self.table.get("names", {})
        if not isinstance(value, dict):
            self.flaw("names", f'{shown(value)} is no table; write names = {{ ru = "…" }}')
            return {}
        found: dict[str, str] = {}
        for language, name in value.items():
            if not LANGUAGE.fullmatch(language.lower()):
                self.flaw("names", f"{shown(language)} is no language tag; write one like ru, hi or sr-latn")
            else:
                inner = _Entry({language: name}, f"{self.where}, names", self.flaws)
                found[language.lower()] = inner.text(language, _name).strip()
        return found


def _entries(document: Mapping[str, object], kind: str, file: str, flaws: list[Flaw]) -> Iterator[_Entry]:
    tables = document.get(kind, [])
    if not isinstance(tables, list):
        flaws.append(Flaw(f"{file}, {kind}", f"is no list of tables; write [[{kind}]] with two brackets"))
        return
    for number, table in enumerate(tables, 1):
        where = f"{file}, {kind} {number}"
        if not isinstance(table, dict):
            flaws.append(Flaw(where, f"{shown(table)} is no table; write [[{kind}]] and its keys below"))
            continue
        name = table.get(_KEYS[kind][0])
        entry = _Entry(
            table, f"{where} ({name})" if isinstance(name, str) and name.isprintable() else where, flaws
        )
        for key in table:
            if key not in _KEYS[kind]:
                entry.flaw(key, f"unknown key; a {kind} has {', '.join(_KEYS[kind])}")
        yield entry


def _read_unit(entry: _Entry, structure: Structure) -> None:
    before = len(structure.flaws)
    path = entry.text("path", _path)
    name = entry.text("name", _unit_name).strip()
    names = entry.names()
    parent = entry.text("parent", lambda text: _path(text) if text else "", default=path.rpartition("/")[0])
    if path and path in structure.declared_units:
        entry.flaw("path", f"is already the path of {structure.declared_units[path]}; give each unit its own")
    elif path:
        structure.declared_units[path] = entry.where
    if len(structure.flaws) == before:
        structure.units.append(Unit(path, name, parent, names))


def _read_post(entry: _Entry, structure: Structure, remaining: Collection[str]) -> None:
    before = len(structure.flaws)
    post = entry.text("id", _id)
    unit = entry.text("unit", _path)
    title = entry.text("title", _name).strip()
    rank, order = entry.number("rank"), entry.number("order", default=0)
    if unit and unit not in structure.declared_units and unit not in remaining:
        entry.flaw("unit", f"{shown(unit)} is no unit; declare it in a [[unit]] or correct the path")
    if post and post in structure.declared_posts:
        entry.flaw("id", f"is already the id of {structure.declared_posts[post]}; give each post its own")
    elif post:
        structure.declared_posts[post] = entry.where
    if len(structure.flaws) == before:
        structure.posts.append(Post(post, unit, title, rank, order))


def _misplaced(structure: Structure, remaining: Mapping[str, Unit]) -> Iterator[Flaw]:
    """Units whose parent is nowhere, and circles of units, each told once."""
    parents = {path: unit.parent for path, unit in remaining.items() if path not in structure.declared_units}
    for unit in structure.units:
        parents[unit.path] = unit.parent
        if unit.parent and unit.parent not in structure.declared_units and unit.parent not in remaining:
            mend = 'declare it in a [[unit]], or write parent = "" for an organisation'
            yield Flaw(
                f"{structure.declared_units[unit.path]}, parent", f"{shown(unit.parent)} is no unit; {mend}"
            )
    settled: set[str] = set()
    for start in sorted(parents):
        line: dict[str, None] = {}
        path = start
        while path in parents and path not in settled and path not in line:
            line[path] = None
            path = parents[path]
        if path in line:
            walked = list(line)
            circle = walked[walked.index(path) :]
            first = next((one for one in circle if one in structure.declared_units), path)
            text = (
                f"the units form a circle ({' -> '.join([*circle, path])}); give one of them another parent"
            )
            yield Flaw(f"{structure.declared_units.get(first, first)}, parent", text)
        settled.update(line)


def _path(text: str) -> str:
    if len(text) > 255 or not _PATH.fullmatch(text):
        return "is no path; write small letters, digits and hyphens, / between the levels, like mof/tax/audit"
    return ""


def _id(text: str) -> str:
    if len(text) > 255 or not _POST.fullmatch(text):
        return "is no id; write small letters, digits and hyphens, with dots between, like tax.audit.head"
    return ""


def _name(text: str) -> str:
    return wrong_with(text) if text.strip() else "is empty; write the name"


def _unit_name(text: str) -> str:
    if "::" in text:
        return "contains ::, which stands between the names of units in clients (XEP-0083); write it without"
    return _name(text)
