"""The port `Applied`: the double and the SQL store keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from apostille.database import metadata, open_database
from apostille.rosters.rules import digest
from apostille.rosters.service import Applied
from apostille.rosters.store import SqlApplied
from apostille.vocabulary import Address
from doubles_rosters import MemoryApplied

AIGUL, BOLOT = Address("gov.example", "aigul"), Address("gov.example", "bolot")


@pytest.fixture(params=["memory", "sqlite"])
def applied(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Applied]:
    if request.param == "memory":
        yield MemoryApplied()
        return
    engine = open_database(f"sqlite:///{tmp_path}/apostille.sqlite")
    metadata.create_all(engine)
    yield SqlApplied(engine)
    engine.dispose()


def test_nothing_was_written_at_first(applied: Applied) -> None:
    assert applied.digests() == {}
    assert applied.marks([AIGUL]) == {}


def test_what_was_recorded_is_told_with_its_digest(applied: Applied) -> None:
    applied.record({AIGUL: b"a", BOLOT: b""})
    assert applied.digests() == {AIGUL: digest(b"a"), BOLOT: digest(b"")}
    assert applied.marks([AIGUL]) == {AIGUL: b"a"}


def test_what_is_recorded_again_replaces_and_none_forgets(applied: Applied) -> None:
    applied.record({AIGUL: b"a", BOLOT: b"b"})
    applied.record({AIGUL: b"c", BOLOT: None})
    assert applied.marks([AIGUL, BOLOT]) == {AIGUL: b"c"}


def test_recording_nothing_is_no_error(applied: Applied) -> None:
    applied.record({})
    applied.record({AIGUL: None})
    assert applied.digests() == {}


def test_a_whole_government_at_once(applied: Applied) -> None:
    everyone = {Address("gov.example", f"m{number}"): b"x" * 16 for number in range(3000)}
    applied.record(everyone)
    assert applied.marks(everyone.keys()) == everyone
    assert len(applied.digests()) == 3000
