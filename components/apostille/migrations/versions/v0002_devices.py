"""The register of devices, and what is still to be said about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, empty: the register fills itself from the ledger and from what is announced."""
    op.create_table(
        "devices",
        sa.Column("account", sa.String(length=2047), nullable=False),
        sa.Column("namespace", sa.String(length=255), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_used", sa.BigInteger(), nullable=False),
        sa.Column("session", sa.String(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("listed_at", sa.BigInteger(), nullable=False),
        sa.Column("keyed_at", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_means", sa.String(), nullable=True),
        sa.Column("decided_identity", sa.String(), nullable=True),
        sa.Column("decided_place", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "namespace", "number", name=op.f("pk_devices")),
    )
    op.create_index(op.f("ix_devices_revision"), "devices", ["revision"], unique=False)
    op.create_table(
        "devices_notices",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("recipient", sa.String(length=2047), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices_notices")),
    )
    revisions = op.create_table(
        "devices_revision",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("followed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices_revision")),
    )
    op.bulk_insert(revisions, [{"id": 1, "revision": 0, "followed": 0}])


def downgrade() -> None:
    """Drop them; the ledger keeps the entries."""
    op.drop_table("devices_revision")
    op.drop_table("devices_notices")
    op.drop_index(op.f("ix_devices_revision"), table_name="devices")
    op.drop_table("devices")
