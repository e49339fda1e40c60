"""The people of the demo, and the mail client that each of them uses."""

from __future__ import annotations

import email.policy
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, make_msgid

import aiosmtplib

from maildaemon.demo.servers import HOST, Servers


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that somebody wrote, as the others see it."""

    message_id: str
    references: tuple[str, ...]
    subject: str
    text: str
    sender: str


@dataclass(slots=True)
class Client:
    """An ordinary mail client: it sends by SMTP and keeps a copy in the Sent folder."""

    servers: Servers
    user: str
    name: str
    keeps_copy: bool = False
    sent: list[Letter] = field(default_factory=list)

    async def write(
        self, to: str, subject: str, text: str, *, at: datetime, answering: Letter | None = None
    ) -> Letter:
        """Send a message; an answer names its parent and quotes it, as clients do (RFC 5322 3.6.4)."""
        known = (*answering.references, answering.message_id) if answering is not None else ()
        quoted = _quoted(answering) if answering is not None else ""
        letter = Letter(make_msgid(domain=self.user.partition("@")[2]), known, subject, text, self.user)
        content = self._content(letter, to, text + quoted, at=at)
        await aiosmtplib.send(
            content, sender=self.user, recipients=[to], hostname=HOST, port=self.servers.ports.smtp,
            start_tls=False,
        )  # fmt: skip
        if self.keeps_copy:
            session = await self.servers.log_in(self.user)
            await session.append("Sent", content, flags=(r"\Seen",))
            await session.close()
        self.sent.append(letter)
        return letter

    def _content(self, letter: Letter, to: str, text: str, *, at: datetime) -> bytes:
        message = EmailMessage(policy=email.policy.SMTP)
        message["From"] = formataddr((self.name, self.user))
        message["To"] = to
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(at)
        message["Message-ID"] = letter.message_id
        if letter.references:
            message["In-Reply-To"] = letter.references[-1]
            message["References"] = " ".join(letter.references)
        message.set_content(text)
        return message.as_bytes()


def _quoted(letter: Letter) -> str:
    lines = "\n".join(f"> {line}" for line in letter.text.splitlines())
    return f"\n\n{letter.sender}:\n{lines}\n"
