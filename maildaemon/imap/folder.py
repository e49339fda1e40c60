r"""Which folder holds sent mail: the configured one, else ``\Sent`` (RFC 6154), else a well-known name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from maildaemon.imap.answer import ListedFolder

SENT_NAMES = (
    # English first, then Swedish, Norwegian, Danish, Finnish, German, French, Spanish, Portuguese, Dutch,
    # Italian, Polish and others: as Exchange, Outlook, Apple Mail, Thunderbird and the web mailers name it.
    "Sent", "Sent Items", "Sent Messages", "Sent Mail", "Sent-Mail", "sent_mail", "Outbox Sent",
    "Skickat", "Skickade objekt", "Skickat post", "Skickade", "Skickade meddelanden",
    "Skickade e-postmeddelanden", "Sendt", "Sendte elementer", "Sendte", "Sendt e-post", "Sendt post",
    "Sendte meldinger", "Sende element", "Sendte beskeder", "Sendt mail", "Sendte e-mails", "Lähetetyt",
    "Lähetetyt viestit", "Lähetetyt kohteet", "Lähetetty", "Gesendet", "Gesendete Elemente",
    "Gesendete Objekte", "Gesendete Nachrichten", "Postausgang gesendet", "Envoyés", "Éléments envoyés",
    "Messages envoyés", "Envoyé", "Objets envoyés", "Courrier envoyé", "Enviados", "Elementos enviados",
    "Mensajes enviados", "Correo enviado", "Enviado", "Itens enviados", "Mensagens enviadas",
    "E-mails enviados", "Enviadas", "Verzonden", "Verzonden items", "Verzonden berichten",
    "Verzonden objecten", "Inviati", "Posta inviata", "Inviata", "Messaggi inviati", "Elementi inviati",
    "Wysłane", "Elementy wysłane", "Wysłane wiadomości", "Wysłana poczta", "Odeslané", "Odeslaná pošta",
    "Odoslané", "Odoslaná pošta", "Elküldött", "Elküldött elemek", "Elküldött üzenetek", "Trimise",
    "Elemente trimise", "Mesaje trimise", "Изпратени", "Отправленные", "Надіслані", "Poslano",
    "Poslane stavke", "Απεσταλμένα", "Στοιχεία που έχουν αποσταλεί", "Saadetud", "Saadetud üksused",
    "Saadetud kirjad", "Nosūtītie", "Nosūtītās ziņas", "Išsiųsti", "Išsiųsti laiškai", "Sendir hlutir",
    "Sent póstur", "Gönderilmiş Öğeler", "Gönderilmiş Postalar",
    "送信済み", "送信済みアイテム", "送信済みメール",
    "已发送", "已发送邮件", "已傳送的郵件", "보낸편지함", "보낸 편지함",
)  # fmt: skip


class FoundBy(StrEnum):
    """By which rule the Sent folder was found."""

    CONFIGURED = "configured"
    SPECIAL_USE = "special-use"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class SentFolder:
    """The folder that holds copies of sent mail, and the rule that found it."""

    name: str
    found_by: FoundBy


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip()


_RANKS = {_plain(name): rank for rank, name in reversed(list(enumerate(SENT_NAMES)))}


def sent(folders: Sequence[ListedFolder], *, configured: str | None = None) -> SentFolder | None:
    r"""Choose the Sent folder; None when there is none.

    A configured name wins when it exists, as it is written or else without regard to case. Then ``\Sent``,
    then the well-known names by their last path component, so that ``INBOX.Sent`` and ``[Gmail]/Gesendet``
    are found too.
    """
    usable = [folder for folder in folders if folder.can_be_selected]
    if configured is not None:
        return _configured(usable, configured)
    for folder in _shallow_first(usable):
        if r"\sent" in folder.attributes:
            return SentFolder(folder.name, FoundBy.SPECIAL_USE)
    named = [folder for folder in _shallow_first(usable) if last_component(folder) in _RANKS]
    if not named:
        return None
    best = min(named, key=lambda folder: (_depth(folder), _RANKS[last_component(folder)]))
    return SentFolder(best.name, FoundBy.NAME)


def _configured(usable: Iterable[ListedFolder], name: str) -> SentFolder | None:
    candidates = [folder.name for folder in usable if _plain(folder.name) == _plain(name)]
    if not candidates:
        return None
    return SentFolder(name if name in candidates else candidates[0], FoundBy.CONFIGURED)


def last_component(folder: ListedFolder) -> str:
    """Give the part of a folder's name after its last delimiter, in the form in which names are compared."""
    name = folder.name.rpartition(folder.delimiter)[2] if folder.delimiter else folder.name
    return _plain(name)


def _depth(folder: ListedFolder) -> int:
    """Count the levels above a folder; ``INBOX`` and ``[Gmail]`` are prefixes, no levels."""
    if not folder.delimiter:
        return 0
    above = folder.name.split(folder.delimiter)[:-1]
    return len(above[1:] if above and _plain(above[0]) in {"inbox", "[gmail]", "[google mail]"} else above)


def _shallow_first(folders: Iterable[ListedFolder]) -> list[ListedFolder]:
    return sorted(folders, key=lambda folder: (_depth(folder), folder.name))
