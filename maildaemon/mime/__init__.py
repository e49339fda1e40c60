"""The MIME pillar: from raw bytes to values, whatever the bytes are."""
