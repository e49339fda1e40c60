"""Text of format=flowed with its paragraphs made whole again (RFC 3676)."""

from __future__ import annotations


def joined(text: str, *, without_space: bool) -> str:
    """Join the soft-broken lines of a flowed text; `without_space` is its DelSp parameter."""
    written: list[str] = []
    paragraph: list[str] = []
    depth_before = 0
    for line in text.split("\n"):
        rest = line.lstrip(">")
        depth = len(line) - len(rest)
        rest = rest.removeprefix(" ")
        is_soft = rest.endswith(" ") and rest != "-- "
        if paragraph and (depth != depth_before or rest == "-- "):
            written.append(_marked("".join(paragraph), depth_before))
            paragraph = []
        depth_before = depth
        paragraph.append(rest[:-1] if is_soft and without_space else rest)
        if not is_soft:
            written.append(_marked("".join(paragraph), depth))
            paragraph = []
    if paragraph:
        written.append(_marked("".join(paragraph), depth_before))
    return "\n".join(written)


def _marked(line: str, depth: int) -> str:
    if not depth:
        return line
    return ">" * depth + (f" {line}" if line else "")
