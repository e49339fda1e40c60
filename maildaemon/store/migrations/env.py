"""How alembic reaches our database: over the connection it is handed, never by a URL of its own."""

from alembic import context

from maildaemon.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite cannot alter a table in place: alembic makes a new one and copies.
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
