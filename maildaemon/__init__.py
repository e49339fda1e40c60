"""maildaemon: shared support mailboxes become cases, and personal data leaves on time."""

__version__ = "0.1.0"
