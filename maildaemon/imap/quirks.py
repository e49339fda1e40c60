"""What servers mean by their words: one place for texts and codes that decide whether trying again helps."""

from __future__ import annotations

import re
from enum import StrEnum

from maildaemon.core.errors import (
    AccessRefused,
    MaildaemonError,
    NotFound,
    PermanentError,
    Throttled,
    Unreachable,
)


class Cause(StrEnum):
    """Why a server said NO, BAD or BYE."""

    ACCESS = "access"
    EXPIRED = "expired"
    THROTTLED = "throttled"
    LATER = "later"
    ABSENT = "absent"
    FULL = "full"
    UNKNOWN = "unknown"


# RFC 5530, RFC 3501 7.1, RFC 9051 7.1.
_CODES = {
    "AUTHENTICATIONFAILED": Cause.ACCESS,
    "AUTHORIZATIONFAILED": Cause.ACCESS,
    "PRIVACYREQUIRED": Cause.ACCESS,
    "CONTACTADMIN": Cause.ACCESS,
    "NOPERM": Cause.ACCESS,
    "WEBALERT": Cause.ACCESS,
    "EXPIRED": Cause.EXPIRED,
    "UNAVAILABLE": Cause.LATER,
    "INUSE": Cause.LATER,
    "SERVERBUG": Cause.LATER,
    "LIMIT": Cause.THROTTLED,
    "THROTTLED": Cause.THROTTLED,
    "OVERQUOTA": Cause.FULL,
    "NONEXISTENT": Cause.ABSENT,
    "TRYCREATE": Cause.ABSENT,
}

# The first that is found counts, so the narrower ones stand first.
_TEXTS: tuple[tuple[Cause, tuple[str, ...]], ...] = (
    (
        Cause.THROTTLED,
        (
            r"too many (?:simultaneous |open |concurrent |recent |login |failed )*"
            r"(?:connections|logins?|sessions|attempts|commands|requests|authentication)",
            r"maximum (?:number of connections|connection limit)",  # Dovecot, Courier
            r"connection limit|mail_max_userip_connections|(?:bandwidth|rate) limit",
            r"exceeded (?:command|bandwidth)",  # Gmail
            r"throttl|\bslow down\b|connected too often",
            r"user is authenticated but not connected",  # Exchange Online, mostly a limit on connections
        ),
    ),
    (
        Cause.EXPIRED,
        (
            r"access ?token ?(?:has )?expired|token (?:has |is )?expired",  # Exchange Online
            r"session (?:has )?(?:invalidated|expired)",
        ),
    ),
    (
        Cause.LATER,
        (
            r"temporar|try again|later|unavailable|system error|backend error|server busy|in use|maintenance",
            r"internal (?:server )?error|server (?:error|shut|is shutting)|shutting down|restart",
            r"timed? ?out|timeout|inactiv",
        ),
    ),
    (
        Cause.ACCESS,
        (
            r"authenticat\w* fail|authenticate failed|login (?:failed|invalid|incorrect|denied)",
            r"invalid (?:authentication )?(?:credential|login|user|password)",
            r"(?:bad|incorrect|wrong) (?:user ?name|password|login|credential)|user unknown",
            r"not authori[sz]ed|access denied|permission denied|password (?:has )?expired",
            r"application-specific password|web browser|web login",  # Gmail
            r"basic authentication|imap (?:access )?(?:is )?disabled",  # Exchange Online
            r"account (?:is )?(?:disabled|locked|blocked|suspended)",
        ),
    ),
    (
        Cause.ABSENT,
        (
            r"(?:mailbox|folder)\b.{0,200}(?:not exist|not found|not known|nonexistent)",
            r"does ?n[o']t exist|no such (?:mailbox|folder)",
            r"(?:unknown|nonexistent|invalid|non-existent) (?:mailbox|folder|namespace)",
        ),
    ),
    (
        Cause.FULL,
        (r"over ?quota|quota (?:exceeded|full)|exceed\w* (?:the )?quota|mailbox (?:is )?full|disk full",),
    ),
)
_PATTERNS = tuple((found, re.compile("|".join(texts), re.IGNORECASE)) for found, texts in _TEXTS)


def cause(code: str, text: str) -> Cause:
    """Tell why a server refused, by its response code first, then by its words.

    Words win where a code is broader than they are: Dovecot says UNAVAILABLE for too many connections, and
    servers put a lack of patience and a wrong password both under AUTHENTICATIONFAILED.
    """
    by_code = _CODES.get(code.upper())
    by_text = next((found for found, pattern in _PATTERNS if pattern.search(text)), Cause.UNKNOWN)
    if by_text is Cause.THROTTLED:
        return by_text
    if by_code is Cause.ACCESS and by_text is Cause.EXPIRED:
        return by_text
    return by_code or by_text


def refusal(why: Cause, sentence: str) -> MaildaemonError:
    """Give the error for a refused command, with a sentence that is already complete."""
    if why in {Cause.ACCESS, Cause.EXPIRED}:
        return AccessRefused(sentence)
    if why is Cause.THROTTLED:
        return Throttled(sentence)
    if why in {Cause.LATER, Cause.FULL}:
        return Unreachable(sentence)
    if why is Cause.ABSENT:
        return NotFound(sentence)
    return PermanentError(sentence)


def goodbye(why: Cause, sentence: str) -> MaildaemonError:
    """Give the error for a connection that the server ended with BYE.

    An expired token is renewed by connecting again, so only a plain refusal of access is not worth another
    attempt.
    """
    if why is Cause.ACCESS:
        return AccessRefused(sentence)
    return Throttled(sentence) if why is Cause.THROTTLED else Unreachable(sentence)


def token_error(challenge: bytes) -> str:
    """Read the reason from the JSON with which a server refuses a token (RFC 7628 3.2.2); never raises."""
    text = challenge[:2000].decode("utf-8", "replace")
    found = re.findall(r'"(status|error|error_description|schemes)"\s*:\s*"([^"\\]{1,100})"', text)
    return ", ".join(f"{name} {value}" for name, value in found if value.isprintable()) or "no reason given"
