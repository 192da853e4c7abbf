"""The database's schema over time, by Alembic; the only way in which it changes.

Knows how to bring a database to the newest schema and how to tell that it is there; refuses to work on any other.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from apostille.vocabulary import Fault


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def newest() -> str:
    """The revision that this version of the program knows."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def current(engine: Engine) -> str:
    """The revision of a database, empty for one without a schema.

    Raises:
        Fault: the database does not answer.
    """
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() or ""
    except SQLAlchemyError as error:
        raise Fault(f"database: {engine.url.render_as_string()} does not answer: {getattr(error, 'orig', error)}") from None


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest schema, in one transaction.

    Raises:
        Fault: the database refused; it is as it was.
    """
    config = _config()
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError:  # Alembic does not know where the database is, so it lies ahead of this program
        raise Fault(_newer(engine, current(engine))) from None
    except SQLAlchemyError as error:
        raise Fault(f"database: the schema could not be brought up to date: {getattr(error, 'orig', error)}") from None


def _newer(engine: Engine, found: str) -> str:
    where = engine.url.render_as_string()
    return f"database: {where} has schema {found}, which a newer version of this program made; this one knows {newest()} at most"


def _known(revision: str) -> bool:
    return any(one.revision == revision for one in ScriptDirectory.from_config(_config()).walk_revisions())


def expect_current(engine: Engine) -> None:
    """Go on only with a database of the newest schema.

    Raises:
        Fault: it has another one; the text says what to run.
    """
    found, wanted = current(engine), newest()
    if found and not _known(found):
        raise Fault(_newer(engine, found))
    if found != wanted:
        state = f"has schema {found}" if found else "has no schema"
        raise Fault(f"database: {engine.url.render_as_string()} {state}, this version needs {wanted}; run `apostille upgrade`")
