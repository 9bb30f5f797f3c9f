"""Make the tables of orders."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shop__orders",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("customer", sa.String(100), nullable=False),
        sa.Column("placed", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("shop__ix_orders_customer", "shop__orders", ["customer"])
    op.create_table(
        "shop__lines",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("order_id", sa.Integer(), sa.ForeignKey("shop__orders.id"), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("price", sa.Numeric(10, 2), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("shop__lines")
    op.drop_table("shop__orders")
