"""The database as a process finds it that writes all day."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine, create_mock_engine, inspect, text

from apostille.database import grow_log, open_database
from apostille.vocabulary import Fault


def test_the_log_has_its_whole_length_before_the_first_commit_and_keeps_it(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/a.sqlite")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (word TEXT)"))
    before = (tmp_path / "a.sqlite").stat().st_size

    grow_log(engine)

    log = tmp_path / "a.sqlite-wal"
    length = log.stat().st_size
    assert length >= 10_000 * 4096
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO kept VALUES ('x')"))
    assert log.stat().st_size == length  # a commit overwrites
    assert (tmp_path / "a.sqlite").stat().st_size == before
    assert inspect(engine).get_table_names() == ["kept"]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT word FROM kept")).scalars().all() == ["x"]
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"


def test_what_was_written_before_survives_a_log_that_grows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.sqlite"
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (word TEXT)"))
    for number in range(3):
        grow_log(engine)
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO kept VALUES (:word)"), {"word": str(number)})
    engine.dispose()

    with open_database(url).connect() as connection:
        assert connection.execute(text("SELECT word FROM kept ORDER BY word")).scalars().all() == ["0", "1", "2"]


def test_a_database_without_such_a_log_is_left_alone() -> None:
    said: list[object] = []
    grow_log(cast("Engine", create_mock_engine("postgresql+psycopg://", lambda sql, *_: said.append(sql))))
    assert said == []


def test_a_database_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(Fault, match="database: "):
        grow_log(open_database(f"sqlite:///{tmp_path}/a.sqlite"))
