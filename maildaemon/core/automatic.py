"""Mail that no person wrote for the occasion, told from its headers (RFC 3834, RFC 3464, RFC 2919)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from maildaemon.core.message import Automatic

HEADERS = (
    "auto-submitted",
    "x-autoreply",
    "x-autorespond",
    "x-auto-reply-from",
    "x-mail-autoreply",
    "x-failed-recipients",
    "precedence",
    "subject",
    "return-path",
    "list-id",
    "list-post",
    "list-help",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "mailing-list",
    "x-mailing-list",
    "x-beenthere",
    "feedback-id",
)
"""The headers that are looked at; all others may be left out.

X-Auto-Response-Suppress is not among them: Exchange puts it on what people write.
"""

_REPLIES = (
    r"automatiskt svar|autosvar|automatic reply|auto(?:matic)?[- ]?(?:reply|response)|automatisk svar"
    r"|automatische antwort"
    r"|abwesenheitsnotiz|réponse automatique|automaattinen vastaus|automatisch antwoord|respuesta automática"
    r"|risposta automatica|frånvaromeddelande|fraværsmelding|fraværsbesked|semestermeddelande"
    r"|poissaoloilmoitus"
)
_REPLY_SUBJECT = re.compile(
    rf"(?:{_REPLIES})\s{{0,3}}(?::|\(|-|$)|out of (?:the )?office(?:\s{{0,3}}(?::|-|\(|$)| (?:auto|re[: ]))"
    r"|(?:frånvarande|frånvaro|ikke på kontoret|ej på kontoret)\s{0,3}(?::|$)",
    re.IGNORECASE,
)
_BOUNCE_SUBJECT = re.compile(
    r"(?:undeliver(?:able|ed)|undelivered mail returned|mail delivery (?:failed|failure|subsystem"
    r"|system)|returned mail"
    r"|delivery (?:status notification|failure|has failed)|failure notice|mail system error"
    r"|message (?:delayed|not delivered)"
    r"|olevererbart|kunde inte levereras|ej levererat|ikke levert|kan ikke leveres|unzustellbar"
    r"|non remis|warning: could not send)",
    re.IGNORECASE,
)
_BOUNCERS = frozenset({"mailer-daemon", "postmaster", "mail-daemon", "maildaemon", "mailer_daemon"})
_NO_ANSWER = re.compile(
    r"\bno[-_.]?reply|do[-_.]?not[-_.]?reply|svara[-_.]?(?:ej|inte)|(?:ej|inte)[-_.]?svara?\b"
    r"|^(?:notifications?|notify|automailer)$"
)
_LIST_HEADERS = ("list-id", "list-post", "mailing-list", "x-mailing-list", "x-beenthere")


def recognise(
    headers: Mapping[str, Sequence[str]],
    *,
    content_type: str = "",
    report_type: str = "",
    sender: str | None = None,
) -> Automatic | None:
    """Tell which kind of automatic mail this is, or None for mail of a person.

    `headers` gives the decoded values by lower-case name. Whether a message is our own comes back as
    `Automatic.SELF` only where the mailbox is known, which is not here.
    """
    local = _local(sender)
    submitted = _first(headers, "auto-submitted").partition(";")[0].partition("(")[0].strip().lower()
    if _is_bounce(headers, content_type, report_type, local):
        return Automatic.BOUNCE
    if _is_reply(headers, submitted):
        return Automatic.REPLY
    if _is_list(headers):
        return Automatic.LIST
    if _is_notice(headers, submitted, local, is_report=content_type == "multipart/report"):
        return Automatic.NOTICE
    return None


def _first(headers: Mapping[str, Sequence[str]], name: str) -> str:
    values = headers.get(name) or ("",)
    return values[0]


def _local(sender: str | None) -> str:
    return (sender or "").strip().lower().strip("<>").partition("@")[0].strip()


def _is_bounce(headers: Mapping[str, Sequence[str]], content_type: str, report_type: str, local: str) -> bool:
    """RFC 3464: a report of delivery; and what servers older than it write."""
    if content_type == "message/delivery-status" or "x-failed-recipients" in headers:
        return True
    if content_type == "multipart/report":
        return report_type.lower() in ("delivery-status", "") or local in _BOUNCERS
    subject = _first(headers, "subject")
    has_empty_path = _first(headers, "return-path").strip() == "<>"
    if local.partition("+")[0] in _BOUNCERS or local in _BOUNCERS:
        return has_empty_path or local != "postmaster" or _BOUNCE_SUBJECT.match(subject) is not None
    return has_empty_path and _BOUNCE_SUBJECT.match(subject) is not None


def _is_reply(headers: Mapping[str, Sequence[str]], submitted: str) -> bool:
    """RFC 3834 5: auto-replied; before it came every program had its own header, and Outlook a subject."""
    if submitted == "auto-replied":
        return True
    if any(_first(headers, name).strip().lower() not in ("", "no") for name in _reply_headers(headers)):
        return True
    if _first(headers, "precedence").strip().lower() in ("auto_reply", "auto-reply"):
        return True
    return submitted != "no" and _REPLY_SUBJECT.match(_first(headers, "subject")) is not None


def _reply_headers(headers: Mapping[str, Sequence[str]]) -> list[str]:
    names = ("x-autoreply", "x-autorespond", "x-auto-reply-from", "x-mail-autoreply")
    return [name for name in names if name in headers]


def _is_list(headers: Mapping[str, Sequence[str]]) -> bool:
    """RFC 2919, RFC 2369; Precedence alone does not make a list: people's programs set it too."""
    if any(name in headers for name in _LIST_HEADERS):
        return True
    is_bulk = _first(headers, "precedence").strip().lower() in ("list", "bulk", "junk")
    return "list-unsubscribe" in headers and (
        is_bulk or "list-unsubscribe-post" in headers or "list-help" in headers
    )


def _is_notice(headers: Mapping[str, Sequence[str]], submitted: str, local: str, *, is_report: bool) -> bool:
    if submitted not in ("", "no") or is_report:
        return True
    return submitted != "no" and (_NO_ANSWER.search(local) is not None or "list-unsubscribe" in headers)
