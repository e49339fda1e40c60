"""What servers mean by their refusals."""

from __future__ import annotations

import pytest

from maildaemon.core.errors import AccessRefused, NotFound, PermanentError, Throttled, Unreachable
from maildaemon.imap import quirks
from maildaemon.imap.quirks import Cause


@pytest.mark.parametrize(
    ("code", "text", "cause"),
    [
        ("AUTHENTICATIONFAILED", "Authentication failed.", Cause.ACCESS),
        ("", "LOGIN failed.", Cause.ACCESS),
        ("", "AUTHENTICATE failed.", Cause.ACCESS),
        ("", "Invalid credentials (Failure)", Cause.ACCESS),
        ("ALERT", "Application-specific password required: see the help", Cause.ACCESS),
        ("ALERT", "Please log in via your web browser", Cause.ACCESS),
        ("AUTHENTICATIONFAILED", "Invalid authentication credentials.", Cause.ACCESS),
        ("UNAVAILABLE", "Maximum number of connections from user+IP exceeded", Cause.THROTTLED),
        ("", "Too many simultaneous connections. (Failure)", Cause.THROTTLED),
        ("", "User is authenticated but not connected.", Cause.THROTTLED),
        ("ALERT", "Account exceeded command or bandwidth limits. (Failure)", Cause.THROTTLED),
        ("", "Maximum connection limit reached on this server.", Cause.THROTTLED),
        ("LIMIT", "slower please", Cause.THROTTLED),
        ("UNAVAILABLE", "Temporary authentication failure.", Cause.LATER),
        ("", "Temporary authentication failure", Cause.LATER),
        ("", "Server shutting down.", Cause.LATER),
        ("SERVERBUG", "Internal error occurred. Refer to server log for more information.", Cause.LATER),
        ("", "Session invalidated - AccessTokenExpired", Cause.EXPIRED),
        ("AUTHENTICATIONFAILED", "token expired", Cause.EXPIRED),
        ("OVERQUOTA", "Quota exceeded (mailbox for user is full)", Cause.FULL),
        ("NONEXISTENT", "Mailbox doesn't exist: x", Cause.ABSENT),
        ("", "Mailbox doesn't exist: x", Cause.ABSENT),
        ("", "Unknown Mailbox: x (Failure)", Cause.ABSENT),
        ("TRYCREATE", "no", Cause.ABSENT),
        ("", "no", Cause.UNKNOWN),
    ],
)
def test_what_servers_say_is_understood(code: str, text: str, cause: Cause) -> None:
    assert quirks.cause(code, text) is cause


@pytest.mark.parametrize(
    ("cause", "error"),
    [
        (Cause.ACCESS, AccessRefused),
        (Cause.EXPIRED, AccessRefused),
        (Cause.THROTTLED, Throttled),
        (Cause.LATER, Unreachable),
        (Cause.FULL, Unreachable),
        (Cause.ABSENT, NotFound),
        (Cause.UNKNOWN, PermanentError),
    ],
)
def test_each_cause_has_its_error(cause: Cause, error: type[Exception]) -> None:
    assert type(quirks.refusal(cause, "sentence")) is error


def test_an_expired_token_ends_a_session_but_not_the_attempts() -> None:
    assert type(quirks.goodbye(Cause.EXPIRED, "sentence")) is Unreachable
    assert type(quirks.goodbye(Cause.THROTTLED, "sentence")) is Throttled
    assert type(quirks.goodbye(Cause.ACCESS, "sentence")) is AccessRefused


def test_the_reason_of_a_refused_token_is_read() -> None:
    assert (
        quirks.token_error(b'{"status":"401","schemes":"bearer","scope":"mail"}')
        == "status 401, schemes bearer"
    )
    assert quirks.token_error(b"\xff{") == "no reason given"
