"""Alembic's entry: runs the migrations on the connection that `apostille.migrations.upgrade` opened."""

from __future__ import annotations

from alembic import context

import apostille.devices.store
import apostille.directory.store
import apostille.ledger.store
import apostille.rosters.store  # noqa: F401 - all put their tables into the metadata
from apostille.database import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
