"""The IMAP pillar: the only place that knows aioimaplib and what servers really send."""
