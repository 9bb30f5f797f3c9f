"""Make the table of readings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "weather_station__readings",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("temperature", sa.Double(), nullable=False),
        sa.Column("humidity", sa.Double(), nullable=False),
    )
    op.create_index("weather_station__ix_readings_at", "weather_station__readings", ["at"])


def downgrade() -> None:
    op.drop_table("weather_station__readings")
