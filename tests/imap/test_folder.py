"""Which folder holds sent mail."""

from __future__ import annotations

import pytest

from maildaemon.imap import folder
from maildaemon.imap.answer import ListedFolder
from maildaemon.imap.folder import FoundBy, SentFolder


def listed(name: str, *attributes: str, delimiter: str | None = "/") -> ListedFolder:
    return ListedFolder(name, delimiter, frozenset(attributes))


INBOX = listed("INBOX")


def test_the_configured_folder_wins() -> None:
    folders = [INBOX, listed("Sent", r"\sent"), listed("Out")]
    assert folder.sent(folders, configured="Out") == SentFolder("Out", FoundBy.CONFIGURED)
    assert folder.sent(folders, configured="out") == SentFolder("Out", FoundBy.CONFIGURED)


def test_a_configured_folder_that_is_not_there_is_not_replaced_by_a_guess() -> None:
    assert folder.sent([INBOX, listed("Sent", r"\sent")], configured="Utkorg") is None


def test_special_use_wins_over_a_name() -> None:
    folders = [INBOX, listed("Sent"), listed("Postausgang", r"\sent")]
    assert folder.sent(folders) == SentFolder("Postausgang", FoundBy.SPECIAL_USE)


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [
        ("Sent", "/"),
        ("SENT ITEMS", "/"),
        ("INBOX.Sent", "."),
        ("INBOX/Skickat", "/"),
        ("Skickade objekt", "/"),
        ("Sendte elementer", "/"),
        ("Sendt", "/"),
        ("Lähetetyt", "/"),
        ("[Gmail]/Gesendet", "/"),
        ("Gesendete Elemente", "/"),
        ("E\u0301le\u0301ments envoye\u0301s", "/"),
        ("Enviados", "/"),
        ("Verzonden items", "/"),
        ("Posta inviata", "/"),
        ("Elementy wysłane", "/"),
        ("Sent", None),
    ],
)
def test_well_known_names_are_found(name: str, delimiter: str | None) -> None:
    folders = [INBOX, listed("Drafts"), listed(name, delimiter=delimiter)]
    assert folder.sent(folders) == SentFolder(name, FoundBy.NAME)


def test_a_folder_deep_in_an_archive_does_not_win() -> None:
    folders = [listed("Archive/2019/Sent"), listed("INBOX/Skickat"), INBOX]
    assert folder.sent(folders) == SentFolder("INBOX/Skickat", FoundBy.NAME)


def test_a_folder_that_holds_no_messages_is_not_chosen() -> None:
    folders = [listed("Sent", r"\noselect", r"\sent"), listed("Sent Items")]
    assert folder.sent(folders) == SentFolder("Sent Items", FoundBy.NAME)


def test_no_sent_folder_is_none() -> None:
    assert folder.sent([INBOX, listed("Presents")]) is None
