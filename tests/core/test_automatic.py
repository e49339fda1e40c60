"""Automatic mail is known from its headers, and a person's mail is not taken for it."""

from __future__ import annotations

import pytest

from maildaemon.core import automatic
from maildaemon.core.message import Automatic


def kind(
    sender: str = "anna@kund.example", content_type: str = "text/plain", **headers: str
) -> Automatic | None:
    values = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return automatic.recognise(values, content_type=content_type, sender=sender)


@pytest.mark.parametrize(
    "headers",
    [
        {"auto_submitted": "auto-replied"},
        {"auto_submitted": "auto-replied (vacation)"},
        {"auto_submitted": "Auto-Replied; owner-email=x"},
        {"x_autoreply": "yes"},
        {"x_autorespond": "Frånvaro"},
        {"precedence": "auto_reply"},
        {"subject": "Automatiskt svar: Skrivaren"},
        {"subject": "Autosvar: Skrivaren"},
        {"subject": "Automatic reply: printer"},
        {"subject": "Out of Office: printer"},
        {"subject": "Out of office"},
        {"subject": "Frånvarande: Anna Lind"},
        {"subject": "Automatische Antwort: Drucker"},
    ],
)
def test_an_automatic_answer_is_known(headers: dict[str, str]) -> None:
    assert kind(**headers) is Automatic.REPLY


@pytest.mark.parametrize(
    "headers",
    [
        {"subject": "Re: Automatiskt svar fungerar inte"},
        {"subject": "Automatiskt svar fungerar inte"},
        {"subject": "SV: Out of office"},
        {"precedence": "bulk"},
        {"x_auto_response_suppress": "All"},
        {"auto_submitted": "no"},
        {"return_path": "<>"},
        {"subject": "Skrivaren"},
    ],
)
def test_mail_of_a_person_is_not_automatic(headers: dict[str, str]) -> None:
    assert kind(**headers) is None


def test_a_report_of_delivery_is_a_bounce() -> None:
    assert (
        automatic.recognise(
            {}, content_type="multipart/report", report_type="delivery-status", sender="x@y.example"
        )
        is Automatic.BOUNCE
    )
    assert kind("MAILER-DAEMON@mx.example", return_path="<>") is Automatic.BOUNCE
    assert kind("MAILER-DAEMON", subject="Undelivered Mail Returned to Sender") is Automatic.BOUNCE
    assert kind(x_failed_recipients="x@y.example") is Automatic.BOUNCE
    assert kind("postmaster@kund.example", subject="Fråga om SPF") is None
    assert kind("postmaster@kund.example", subject="Olevererbart: Svar") is Automatic.BOUNCE


def test_a_bounce_that_calls_itself_automatic_is_still_a_bounce() -> None:
    assert (
        kind("MAILER-DAEMON@mx.example", return_path="<>", auto_submitted="auto-replied") is Automatic.BOUNCE
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"list_id": "<l.example>"},
        {"list_post": "<mailto:l@x.example>"},
        {"list_unsubscribe": "<u>", "precedence": "bulk"},
    ],
)
def test_a_list_is_known_by_its_own_headers(headers: dict[str, str]) -> None:
    assert kind(**headers) is Automatic.LIST


@pytest.mark.parametrize(
    "address",
    [
        "noreply@x.example",
        "no-reply@x.example",
        "do-not-reply@x.example",
        "svara-ej@x.example",
        "order-noreply@x.example",
    ],
)
def test_an_address_that_takes_no_answer_sends_notices(address: str) -> None:
    assert kind(address) is Automatic.NOTICE


def test_generated_mail_and_receipts_are_notices() -> None:
    assert kind(auto_submitted="auto-generated") is Automatic.NOTICE
    receipt = automatic.recognise({}, content_type="multipart/report", report_type="disposition-notification")
    assert receipt is Automatic.NOTICE
