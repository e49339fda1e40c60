"""Address headers as persons: mail-parser reads the structure, we decode the names and mend the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from mailparser.utils import get_addresses

from maildaemon.core import address as rules
from maildaemon.core.address import Person
from maildaemon.mime import bounds, charset, headers

_SIMPLE = re.compile(
    r'\s*(?:"([^"\\<>@]*)"|([^"<>@,;:()\\\[\]]*))\s*<([A-Za-z0-9._+=/&\'-]+@[A-Za-z0-9.-]+)>\s*'
)
_BARE = re.compile(r"\s*([A-Za-z0-9._+=/&'-]+@[A-Za-z0-9.-]+)\s*")
_ATOM = r"[A-Za-z0-9_+=/&'-]+"
_ADDRESS = rf"{_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"
_WORD = r"[^\s\x00-\x1f\x7f\ud800-\udfff\"(),:;<>@\[\]\\]+"
# One address of a list that every reader takes alike: no comment, group, route or escape, single blanks.
# Neighbouring parts share no character, and so the pattern takes time linear in the value.
_LISTED = re.compile(
    r'[ ,]*(?:(?:"([^"\\<>@\x00-\x1f\x7f\ud800-\udfff]*)" ?'
    rf"|({_WORD}(?: {_WORD})*) ?)?<({_ADDRESS})>|({_ADDRESS})) *(?:,|\Z)"
)
_QUOTED = re.compile(r'"[^"]*"')
_ENCODED = re.compile(r"=\?[^?\s]*\?[bBqQ]\?[^?]*\?=")
_IN_ANGLES = re.compile(r"<\s*([^<>@\s]{1,64}@[^<>@\s]{1,255})\s*>")
_ANYWHERE = re.compile(r"(?<![^\s<(\[;,:\"'])[^\s<>()\[\]\",;:@]{1,64}@[^\s<>()\[\]\",;:@]{1,255}")
_ADDRESS_IN_NAME = re.compile(r"[^\s<>()\",;:@]{1,64}@[^\s<>()\",;:@]{1,255}\.[^\s<>()\",;:@.]{2,63}")


def read(values: Iterable[bytes], header: str) -> tuple[tuple[Person, ...], tuple[str, ...]]:
    """Give the persons of an address header in order, and what was wrong; never raises.

    An address inside a display name, a comment or an encoded word is never taken for the mailbox.
    """
    persons: list[Person] = []
    defects: list[str] = []
    for value in values:
        if len(persons) >= bounds.ADDRESSES:
            break
        persons.extend(_one(_bounded(value, header, defects), header, defects))
    if len(persons) > bounds.ADDRESSES:
        defects.append(f"{header} holds more than {bounds.ADDRESSES} addresses")
    kept = tuple(persons[: bounds.ADDRESSES])
    if header == "From" and kept and is_disguised(kept[0]):
        defects.append("the name in From is another address")
    return kept, tuple(dict.fromkeys(defects))


def _bounded(value: bytes, header: str, defects: list[str]) -> str:
    limit = bounds.ADDRESSES * 100
    if len(value) > limit:
        defects.append(f"{header} is longer than {limit} bytes")
        value = value[:limit].rpartition(b",")[0]
    return charset.scalar(charset.decode(headers.unfold(value))[0])


def is_disguised(person: Person) -> bool:
    """Tell whether the name shows an address that is not the mailbox."""
    shown = _ADDRESS_IN_NAME.search(person.name or "")
    return shown is not None and rules.normalise(shown[0].strip("'")) != rules.normalise(person.address)


def _person(name: str, address: str) -> Person | None:
    address = headers.clean(address).replace(" ", "")
    if "@" not in address or len(address) > bounds.ADDRESS_CHARACTERS:
        return None
    if "=?" in name or "\\" in name:
        name = headers.decoded(name.replace("\\", "").encode("utf-8", "replace"))
    name = headers.clean(name).strip("\"' ")[: bounds.VALUE_CHARACTERS]
    return Person(name if name and name != address else None, address)


def _one(value: str, header: str, defects: list[str]) -> list[Person]:
    simple = _SIMPLE.fullmatch(value) or _BARE.fullmatch(value)
    if simple:
        address = simple[simple.re.groups]
        name = (simple[1] or simple[2] or "") if simple.re is _SIMPLE else ""
        person = _person(name, address)
        return [person] if person else []
    listed = plain_list(value)
    return any_list(value, header, defects) if listed is None else listed


def plain_list(value: str) -> list[Person] | None:
    """Give the persons of a list in which every address is of the common form, or None for any other.

    What it gives is what `any_list` gives, in a tenth of the time: that counts where To names thousands.
    """
    persons: list[Person] = []
    position = 0
    while match := _LISTED.match(value, position):
        quoted, name, address, bare = match.groups()
        person = _person(quoted or name or "", address or bare)
        if person:
            persons.append(person)
        position = match.end()
    return None if value[position:].strip(" ,") else persons


def any_list(value: str, header: str, defects: list[str]) -> list[Person]:
    """Give the persons of any address list, and add what was wrong to `defects`; never raises."""
    value = _joined(value)
    diagnostics: list[dict[str, Any]] = []
    try:
        found = get_addresses(value, defects=diagnostics)
    except Exception:  # the library raises what the header provokes; nothing of it must stop a message
        defects.append(f"{header} is not well formed")
        return _mended(value)
    persons = [person for name, address in found if (person := _person(name, address))]
    for diagnostic in diagnostics[: bounds.ADDRESSES]:
        if not diagnostic["recovered"]:
            defects.append(f"{header} holds what is no address")
            persons.extend(_mended(diagnostic["raw"]) if "@" in diagnostic["raw"] else ())
    return persons


def _joined(value: str) -> str:
    """Quote a name that a comma cuts in two: ``Svensson, Anna <a@b>``."""
    if "," not in value or '"' in value or "(" in value or ":" in value:
        return value
    pieces = value.split(",")
    joined: list[str] = []
    for piece in pieces:
        name, angle, rest = piece.partition("<")
        previous = joined[-1] if joined else ""
        if (
            angle
            and name.strip()
            and "@" not in name
            and previous.strip()
            and not set("@<>;=") & set(previous)
        ):
            joined[-1] = f'"{previous.strip()}, {name.strip()}" <{rest}'
        else:
            joined.append(piece)
    return ",".join(joined)


def _mended(raw: str) -> list[Person]:
    """Find the mailbox in what is no address list, outside quoted names, comments and encoded words."""
    angles = _IN_ANGLES.findall(raw)
    if angles:
        # The last pair of brackets is where a mailbox stands; those before it belong to the shown name.
        name = raw[: raw.find("<")]
        person = _person("" if "@" in name else name, angles[-1])
        return [person] if person else []
    bare = _ENCODED.sub(" ", _QUOTED.sub(" ", raw))
    opened = bare.rpartition("<")[2]
    found = _ANYWHERE.findall(opened) or ([] if "<" in bare else _ANYWHERE.findall(bare))
    return [person for address in found[: bounds.ADDRESSES] if (person := _person("", address.strip(".'")))]
