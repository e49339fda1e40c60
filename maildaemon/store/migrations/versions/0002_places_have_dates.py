"""Places know the date of their message, and the quarantine knows which bytes are a header alone."""

import sqlalchemy as sa
from alembic import op

from maildaemon.store.tables import UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step; the way back is the backup that was made before it."""
    op.add_column("places", sa.Column("received_at", UTCDateTime(timezone=True), nullable=True))
    op.add_column(
        "quarantine",
        sa.Column("is_header_only", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
