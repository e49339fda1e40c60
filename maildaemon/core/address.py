"""Addresses: ``local@domain`` as people and servers write them (RFC 5322 3.4.1)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """A name and an address as a header gives them; the address is kept as it was written."""

    name: str | None
    address: str


def normalise(address: str) -> str:
    """Give the form under which addresses are compared: trimmed and lower case.

    RFC 5321 2.4 lets a local part be case sensitive; no server in use today makes the difference,
    and people write their own address both ways.
    """
    return address.strip().lower()


def domain(address: str) -> str:
    """Give the part after the last ``@`` in lower case, or an empty string."""
    _, at, host = address.rpartition("@")
    return host.strip().rstrip(".").lower() if at else ""


def base(address: str) -> str:
    """Give the normalised address without its plus tag: ``support+x@a`` is ``support@a`` (RFC 5233)."""
    local, at, host = normalise(address).rpartition("@")
    return f"{local.partition('+')[0]}@{host}" if at and not local.startswith("+") else normalise(address)
