"""What a table of officials (CSV) says, or what is wrong with it.

Knows the columns, how spreadsheets spoil them and how to say so; refuses to know how a JID is prepared (that
is handed in).
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from apostille.directory.rules import Flaw, Official, shown, wrong_with
from apostille.directory.units import LANGUAGE
from apostille.vocabulary import Address, Refusal, Standing

NEEDED = ("jid", "name", "post", "standing")
"""Columns that every table has, and that no row leaves empty."""
OPTIONAL = ("mail", "phone", "valid_from", "valid_until")
"""Columns that a table may have, and that a row may leave empty, like `name_ru`, `name_hi` and so on."""

_STANDINGS = {"verified": Standing.VERIFIED, "suspended": Standing.SUSPENDED}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]*( ?(x|ext\.?) ?[0-9]+)?")


@dataclass(slots=True)
class Table:
    """What was read: officials, and what is wrong."""

    officials: list[Official] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads tables of one directory.

    Attributes:
        domain: the served domain, prepared.
        address: prepares the text of a JID, or refuses it.
        posts: ids of the posts that officials may hold; None where nobody could read them, and nobody asks.
    """

    domain: str
    address: Callable[[str], Address]
    posts: Collection[str] | None

    def read(self, content: bytes, file: str) -> Table:
        """The officials of a CSV file, with every flaw of every row."""
        table = Table()
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            table.flaws.append(Flaw(file, "is UTF-16; save it as CSV UTF-8"))
            return table
        rows = _rows(content, file, table.flaws)
        first, cells = next(rows, (1, []))
        header = _header(cells, f"{file}, row {first}", table.flaws)
        if header is None:
            return table
        seen: dict[Address, tuple[int, str]] = {}
        empty = True
        for number, cells in rows:
            empty = False
            row = _Row(f"{file}, row {number}", {}, table.flaws)
            if len(cells) != len(header):
                mend = "put a cell that contains a comma in double quotes"
                row.flaw("", f"has {_cells(len(cells))}, the header has {len(header)}; {mend}")
                continue
            row.cells.update(zip(header, cells, strict=True))
            official = self._official(row, number, seen)
            if official:
                table.officials.append(official)
        if empty and not table.flaws:
            table.flaws.append(
                Flaw(file, "has a header and no officials; to leave the officials alone, leave out the file")
            )
        return table

    def _official(self, row: _Row, number: int, seen: dict[Address, tuple[int, str]]) -> Official | None:
        before = len(row.flaws)
        address = self._address(row)
        if address and address in seen:
            other, spelling = seen[address]
            same = "" if row.cells["jid"] == spelling else f" (as {shown(spelling)}, which is the same JID)"
            row.flaw("jid", f"{shown(row.cells['jid'])} is already in row {other}{same}; keep one of the two")
        elif address:
            seen[address] = (number, row.cells["jid"])
        name = row.text("name")
        names = {
            column[5:]: row.text(column)
            for column in row.cells
            if column.startswith("name_") and row.cells[column]
        }
        post = row.text("post")
        if post and self.posts is not None and post not in self.posts:
            row.flaw("post", f"{shown(post)} is no post; declare it in a [[post]] or correct the id")
        standing = _STANDINGS.get(row.text("standing"))
        if standing is None and row.cells["standing"]:
            row.flaw(
                "standing", f"{shown(row.cells['standing'])} is no standing; write verified or suspended"
            )
        since, until = row.day("valid_from"), row.day("valid_until")
        if since and until and until < since:
            row.flaw("valid_until", f"{until} is before valid_from ({since}); correct one of them")
        mail = row.formed("mail", _MAIL, "mail address; write one like anna@ministry.example")
        phone = row.formed("phone", _PHONE, "telephone number; write one like +7 495 0000000")
        if len(row.flaws) > before or address is None or standing is None:
            return None
        return Official(address, name, post, names, mail, phone, standing, since, until)

    def _address(self, row: _Row) -> Address | None:
        text = row.text("jid")
        if not text:
            return None
        try:
            address = self.address(text)
        except Refusal as refusal:
            row.flaw("jid", refusal.text)
            return None
        if not address.local:
            row.flaw("jid", f"{shown(text)} is a domain; write whose address it is, like anna@{self.domain}")
        elif address.domain != self.domain:
            row.flaw(
                "jid",
                f"{shown(text)} is not on {self.domain}, and the directory vouches for nobody elsewhere",
            )
        else:
            return address
        return None


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the table, and the list that takes its flaws."""

    where: str
    cells: dict[str, str]
    flaws: list[Flaw]

    def flaw(self, column: str, text: str) -> None:
        self.flaws.append(Flaw(f"{self.where}, {column}" if column else self.where, text))

    def text(self, column: str) -> str:
        """The cell, empty where it is flawed (and said to be)."""
        cell = self.cells.get(column, "")
        if not cell and column in NEEDED:
            self.flaw(column, f"is empty; every official needs a {column}")
        if complaint := wrong_with(cell):
            self.flaw(column, f"{shown(cell[:80])} {complaint}")
            self.cells[column] = ""
            return ""
        return cell

    def formed(self, column: str, form: re.Pattern[str], noun: str) -> str:
        cell = self.text(column)
        if cell and not form.fullmatch(cell):
            self.flaw(column, f"{shown(cell)} is no {noun}")
        return cell

    def day(self, column: str) -> date | None:
        cell = self.text(column)
        try:
            if cell and _DAY.fullmatch(cell):
                return date.fromisoformat(cell)
        except ValueError:
            pass  # a day that no calendar has: said below
        if cell:
            self.flaw(column, f"{shown(cell)} is no day; write year-month-day, like 2027-12-31")
        return None


def _rows(content: bytes, file: str, flaws: list[Flaw]) -> Iterator[tuple[int, list[str]]]:
    # surrogateescape: a broken byte is then a flaw of its cell, and the other rows are still read
    text = content.decode("utf-8-sig", errors="surrogateescape")
    number = 0
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for number, row in enumerate(reader, 1):
            cells = [unicodedata.normalize("NFC", cell.strip(" \u00a0")) for cell in row]
            if any(cells):
                yield number, cells
    except csv.Error as error:
        mend = 'every " that opens has to close, and a " inside a cell is written ""'
        flaws.append(Flaw(f"{file}, row {number + 1}", f"cannot be read on from here ({error}); {mend}"))


def _header(cells: list[str], where: str, flaws: list[Flaw]) -> list[str] | None:
    """The names of the columns, or None where the rows below cannot be told apart."""
    header = [cell.lower() for cell in cells]
    before = len(flaws)
    if not cells:
        flaws.append(Flaw(where, f"there is no header; write {','.join((*NEEDED, *OPTIONAL))}"))
        return None
    separator = next((mark for mark in ";\t|" if len(cells) == 1 and mark in cells[0]), "")
    if separator:
        flaws.append(Flaw(where, f"the columns are separated by {separator!r}; save the table with commas"))
        return None
    for number, column in enumerate(header):
        if column in header[:number]:
            flaws.append(Flaw(where, f"the column {shown(column)} is there twice; remove one"))
        elif column not in (*NEEDED, *OPTIONAL) and not _is_language(column):
            known = ", ".join((*NEEDED, *OPTIONAL))
            flaws.append(
                Flaw(
                    where,
                    f"unknown column {shown(column)}; the columns are {known}, name_ru, name_hi and so on",
                )
            )
    flaws.extend(Flaw(where, f"the column {column} is missing; add it") for column in _missing(header))
    return None if len(flaws) > before else header


def _missing(header: Collection[str]) -> Iterable[str]:
    return (column for column in NEEDED if column not in header)


def _is_language(column: str) -> bool:
    return column.startswith("name_") and LANGUAGE.fullmatch(column[5:]) is not None


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"
