"""${message}."""

import sqlalchemy as sa
from alembic import op

from maildaemon.store.tables import UTCDateTime

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Apply the step; the way back is the backup that was made before it."""
    ${upgrades if upgrades else "pass"}
