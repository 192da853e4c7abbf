"""What a table of officials may say, and what is said about one that may not."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apostille.directory.officials import Reader, Table
from apostille.directory.rules import Official, wrong_with
from apostille.vocabulary import Address, Standing
from apostille.xmpp import address

HEADER = "jid,name,name_ru,post,mail,phone,standing,valid_from,valid_until"


def read(*rows: str, header: str = HEADER) -> Table:
    return read_bytes("\n".join((header, *rows, "")).encode())


def read_bytes(content: bytes) -> Table:
    return Reader("gov.example", address, {"head", "clerk"}).read(content, "o.csv")


def flaws(*rows: str, header: str = HEADER) -> list[str]:
    return [str(flaw) for flaw in read(*rows, header=header).flaws]


def row(
    jid: str = "anna@gov.example",
    name: str = "Anna",
    ru: str = "",
    post: str = "head",
    rest: str = ",,verified,,",
) -> str:
    return f"{jid},{name},{ru},{post},{rest}"


def test_a_row_is_read_whole() -> None:
    table = read(
        "Anna@Gov.Example,Anna P.,Анна П.,head,a@m.example,+1 202 555 01,suspended,2025-01-01,2027-12-31"
    )
    assert not table.flaws
    assert table.officials == [
        Official(
            Address("gov.example", "anna"), "Anna P.", "head", {"ru": "Анна П."}, "a@m.example",
            "+1 202 555 01", Standing.SUSPENDED, date(2025, 1, 1), date(2027, 12, 31),
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            row(jid="o'neil@gov.example"),
            r"o.csv, row 2, jid: o'neil@gov.example contains a character that no localpart may",
        ),
        (row(jid="o'neil@gov.example"), r"write o\27neil@gov.example"),
        (row(jid="a@gov.example@evil.example"), "o.csv, row 2, jid: a@gov.example@evil.example has two @"),
        (
            row(jid="a@gov.example/desk"),
            "o.csv, row 2, jid: a@gov.example/desk names one session of 'a@gov.example'",
        ),
        (row(jid="a@evil.example"), "o.csv, row 2, jid: `a@evil.example` is not on gov.example"),
        (row(jid="a@sub.gov.example"), "is not on gov.example"),
        (row(jid="gov.example"), "o.csv, row 2, jid: `gov.example` is a domain"),
        (row(jid="@gov.example"), "has nothing before the @"),
        (row(jid="an\u200bna@gov.example"), "contains U+200B, which cannot be seen"),
        (row(jid=""), "o.csv, row 2, jid: is empty; every official needs a jid"),
        (row(name=""), "o.csv, row 2, name: is empty; every official needs a name"),
        (row(post=""), "o.csv, row 2, post: is empty; every official needs a post"),
        (
            row(post="chief"),
            "o.csv, row 2, post: `chief` is no post; declare it in a [[post]] or correct the id",
        ),
        (row(rest=",,,,"), "o.csv, row 2, standing: is empty"),
        (
            row(rest=",,Verified,,"),
            "o.csv, row 2, standing: `Verified` is no standing; write verified or suspended",
        ),
        (
            row(rest=",,verified,,31.12.2027"),
            "o.csv, row 2, valid_until: `31.12.2027` is no day; write year-month-day",
        ),
        (row(rest=",,verified,,2027-02-29"), "o.csv, row 2, valid_until: `2027-02-29` is no day"),
        (row(rest=",,verified,20270101,"), "o.csv, row 2, valid_from: `20270101` is no day"),
        (
            row(rest=",,verified,2027-01-02,2027-01-01"),
            "valid_until: 2027-01-01 is before valid_from (2027-01-02)",
        ),
        (row(rest="nowhere,,verified,,"), "o.csv, row 2, mail: `nowhere` is no mail address"),
        (row(rest=",call me,verified,,"), "o.csv, row 2, phone: `call me` is no telephone number"),
        (
            row(name="Anna\u202eavon"),
            "o.csv, row 2, name: `'Anna\\u202eavon'` contains U+202E, which turns the direction",
        ),
        (row(name="Anna\u2066x"), "turns the direction of writing"),
        (row(name="Anna\x1b[31m"), "contains the control character U+001B"),
        (row(name='"Anna\nPetrova"'), "contains the control character U+000A"),
        (row(name="An\0na"), "contains a NUL byte"),
        (row(ru="Анна\u200f"), "o.csv, row 2, name_ru: "),
        (row(name="A" * 256), "is longer than 255 characters"),
        (row(name="Anna\ue000"), "contains U+E000, which is no character of any script"),
        (
            row() + ",",
            "o.csv, row 2: has 10 cells, the header has 9; put a cell that contains a comma in double quotes",
        ),
        ("anna@gov.example", "o.csv, row 2: has 1 cell, the header has 9"),
        (
            '"anna@gov.example' + row(),
            'o.csv, row 2: cannot be read on from here (unexpected end of data); every "',
        ),
        ('"an"na,x', "o.csv, row 2: cannot be read on from here"),
    ],
)
def test_every_flaw_of_a_row_is_told_with_its_column_and_its_mend(text: str, said: str) -> None:
    table = read(text)
    assert said in "\n".join(map(str, table.flaws))
    assert not table.officials


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("jid,name,post", "o.csv, row 1: the column standing is missing; add it"),
        (
            "jid,name,post,standing,boss",
            "o.csv, row 1: unknown column `boss`; the columns are jid, name, post, standing",
        ),
        ("jid,name,name_,post,standing", "unknown column `name_`"),
        ("jid,name,post,standing,name", "o.csv, row 1: the column `name` is there twice; remove one"),
        (
            "jid;name;post;standing",
            "o.csv, row 1: the columns are separated by ';'; save the table with commas",
        ),
        ("jid\tname\tpost\tstanding", "save the table with commas"),
        ("", "there is no header; write jid,name,post,standing"),
    ],
)
def test_every_flaw_of_the_header_is_told(header: str, said: str) -> None:
    assert said in "\n".join(flaws(header=header))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER.encode("utf-16"), "o.csv: is UTF-16; save it as CSV UTF-8"),
        (f"{HEADER}\n{row(ru='Анна')}\n".encode("cp1251"), "o.csv, row 2, name_ru: "),
        (
            f"{HEADER}\n{row(ru='Анна')}\n".encode("cp1251"),
            "contains bytes that are not UTF-8; save the file as CSV UTF-8",
        ),
        (b"", "o.csv, row 1: there is no header"),
        (HEADER.encode(), "o.csv: has a header and no officials"),
        (b"\0" * 30, "unknown column"),
        (
            f"{HEADER}\n{row(name='A' * 200_000)}\n".encode(),
            "cannot be read on from here (field larger than field limit",
        ),
    ],
)
def test_every_flaw_of_the_file_is_told(content: bytes, said: str) -> None:
    assert said in "\n".join(map(str, read_bytes(content).flaws))


def test_two_spellings_of_one_jid_are_the_same_and_both_rows_are_named() -> None:
    assert flaws(row("Boris@Gov.Example"), row("anna@gov.example"), row("boris@gov.example")) == [
        (
            "o.csv, row 4, jid: `boris@gov.example` is already in row 2 (as `Boris@Gov.Example`, "
            "which is the same JID); keep one of the two"
        )
    ]


def test_all_flaws_are_told_at_once() -> None:
    told = flaws(
        row(jid="a@b@c", post="chief"), row(), row(name=""), "x", row(jid="olga@gov.example", rest=",,no,,")
    )
    assert [flaw.split(":")[0] for flaw in told] == [
        "o.csv, row 2, jid",
        "o.csv, row 2, post",
        "o.csv, row 4, jid",
        "o.csv, row 4, name",
        "o.csv, row 5",
        "o.csv, row 6, standing",
    ]


def test_what_spreadsheets_add_does_no_harm() -> None:
    anna = row(jid=" anna@gov.example ", name='"Petrova, Anna"')
    content = f"{HEADER.upper()}\r\n\r\n{anna}\r\n,,,,,,,,\r\n"
    table = read_bytes(b"\xef\xbb\xbf" + content.encode())
    assert not table.flaws
    assert [official.name for official in table.officials] == ["Petrova, Anna"]


def test_two_officials_may_share_a_post() -> None:
    assert not flaws(row("anna@gov.example"), row("boris@gov.example"))


@pytest.mark.parametrize(
    "name",
    [
        "राजेश शर्मा",
        "श्\u200dरीमान",
        "क्\u200dष",
        "می\u200cخواهم",
        "Илья Фёдоров",
        "O'Neil-Żak",
        "李明",
        "José 𠮷",
    ],
)
def test_names_of_every_script_are_fine(name: str) -> None:
    name = name.replace("श्\u200dरीमान", "श्\u200dरीमान")
    assert wrong_with(name) == ""


@given(st.binary(max_size=200))
def test_no_bytes_upset_the_reader(content: bytes) -> None:
    read_bytes(content)
    read_bytes(f"{HEADER}\n".encode() + content)


@given(st.permutations([row(f"{name}@gov.example") for name in ("anna", "boris", "clara", "dmitri")]))
def test_the_order_of_rows_means_nothing(rows: list[str]) -> None:
    assert sorted(one.address.local for one in read(*rows).officials) == ["anna", "boris", "clara", "dmitri"]
