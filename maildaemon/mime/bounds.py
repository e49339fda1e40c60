"""The bounds of reading: how much of a hostile message is looked at."""

from __future__ import annotations

HEADER_BYTES = 1024 * 1024
"""A header block above this makes the message a header-only record of its beginning."""

HEADER_FIELDS = 5_000
"""Fields of one header block that are kept; mail that went a long way has about a hundred."""

VALUE_BYTES = 128 * 1024
"""Bytes of one header value that are decoded."""

VALUE_CHARACTERS = 4_000
"""Characters of a subject or a name that are kept."""

PARAMETER_BYTES = 8 * 1024
"""Bytes of a Content-Type or Content-Disposition that are decoded."""

ADDRESSES = 1_000
"""Addresses of one header that are kept."""

ADDRESS_CHARACTERS = 320
"""RFC 5321 4.5.3.1: 64 for the local part, 255 for the domain, and the sign between them."""

REFERENCES = 100
"""Ids of References that are kept beside the first: the nearest ancestors stand last."""

ID_CHARACTERS = 998
"""RFC 5322 2.1.1: the longest line there may be, and so the longest id."""

PARTS = 1_000
"""Parts of one message; more make it a header-only record."""

NESTING = 100
"""Multiparts within multiparts; deeper makes the message a header-only record."""

TEXT_BYTES = 4 * 1024 * 1024
"""Bytes of one text part, transfer encoding taken off, that are decoded."""

TEXT_CHARACTERS = 1_000_000
"""Characters of text that are kept; the raw message keeps the rest."""

DEFECTS = 50
"""Defects that are told of one message."""
