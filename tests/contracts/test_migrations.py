"""The schema over time: what the migrations make is what the stores expect, and no other schema is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

import apostille.devices.store
import apostille.directory.store
import apostille.ledger.store
import apostille.rosters.store  # noqa: F401 - all put their tables into the metadata
from apostille.database import metadata, open_database
from apostille.migrations import current, expect_current, newest, upgrade
from apostille.vocabulary import Fault


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/apostille.sqlite")
    yield engine
    engine.dispose()


def schema(engine: Engine) -> dict[str, list[str]]:
    found = inspect(engine)
    return {table: [str(column) for column in found.get_columns(table)] for table in found.get_table_names()}


def stamp(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_an_empty_database_becomes_exactly_what_the_stores_expect(engine: Engine) -> None:
    upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    assert set(schema(engine)) == {*metadata.tables, "alembic_version"}


def test_a_second_upgrade_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    before = schema(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO directory_revision VALUES (1, 7)"))
    upgrade(engine)
    assert schema(engine) == before
    with engine.begin() as connection:
        assert connection.execute(text("SELECT revision FROM directory_revision")).scalar() == 7


def test_a_database_of_the_newest_schema_is_worked_on(engine: Engine) -> None:
    assert current(engine) == ""
    upgrade(engine)
    assert current(engine) == newest() != ""
    expect_current(engine)


def test_a_database_without_schema_is_refused_with_the_mend(engine: Engine) -> None:
    with pytest.raises(Fault, match=f"has no schema, this version needs {newest()}; run `apostille upgrade`"):
        expect_current(engine)


def test_a_database_of_a_newer_schema_is_refused_and_left_alone(engine: Engine) -> None:
    upgrade(engine)
    stamp(engine, "9999")
    for work in (expect_current, upgrade):
        with pytest.raises(Fault, match="has schema 9999, which a newer version of this program made; this one knows"):
            work(engine)
    assert current(engine) == "9999"


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE posts (x INTEGER)"))
    with pytest.raises(Fault, match="could not be brought up to date"):
        upgrade(engine)
    assert set(schema(engine)) == {"posts"}
    assert current(engine) == ""


@pytest.mark.parametrize("content", [b"this is no database, and long enough to be looked at" * 100, None])
def test_a_file_that_is_no_database_is_the_fault_of_the_environment(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "apostille.sqlite"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    for work in (current, expect_current, upgrade):
        engine = open_database(f"sqlite:///{path}")
        with pytest.raises(Fault, match="database: "):
            work(engine)
        engine.dispose()


def test_a_database_in_a_folder_that_is_none_is_named() -> None:
    engine = open_database("sqlite:////nowhere/apostille.sqlite")
    with pytest.raises(Fault, match=r"/nowhere/apostille\.sqlite does not answer: unable to open"):
        current(engine)


@pytest.mark.parametrize("url", ["nonsense", "nosuch://x", "sqlite+nosuch:///x", "", "postgresql+psycopg://gov:s3cret@host:port/x"])
def test_a_url_that_cannot_be_used_is_the_fault_of_the_environment(url: str) -> None:
    with pytest.raises(Fault, match="database: cannot use") as fault:
        open_database(url)
    assert "s3cret" not in str(fault.value)
