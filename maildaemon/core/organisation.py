"""Organisations: for whom a person speaks, as far as the domain of the address tells."""

from __future__ import annotations

import ipaddress
from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList

from maildaemon.core.free_mail import FREE_MAIL_DOMAINS

RESERVED = frozenset({"example", "test", "invalid", "localhost", "local", "internal"})
"""Top-level names unknown to the public suffix list (RFC 2606, RFC 6762): the last two labels count."""


def registrable_domain(domain: str) -> str | None:
    """Give the part of a domain that somebody can register: ``mail.a.co.uk`` gives ``a.co.uk``.

    None for a public suffix alone, an IP literal, and a name without a dot.
    """
    host = domain.strip().rstrip(".").lower()
    if not host or "." not in host or _is_address_literal(host):
        return None
    if host.rpartition(".")[2] in RESERVED:
        return ".".join(host.split(".")[-2:])
    found: str | None = _suffixes().privatesuffix(host)
    return found


@lru_cache(maxsize=4096)
def of_domain(domain: str) -> str | None:
    """Give the registrable domain that stands for an organisation; None when it tells nothing.

    Domains of free mail and of internet providers hold people who have nothing else in common.
    """
    registrable = registrable_domain(domain)
    host = domain.strip().rstrip(".").lower()
    if registrable is None or registrable in FREE_MAIL_DOMAINS or host in FREE_MAIL_DOMAINS:
        return None
    return registrable


def _is_address_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]").removeprefix("ipv6:"))
    except ValueError:
        return host.startswith("[")
    return True


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
