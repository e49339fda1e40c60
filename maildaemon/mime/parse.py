"""Raw bytes to a message, whatever the bytes are: what cannot be read is told, never raised."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from maildaemon.core import automatic, body, sender
from maildaemon.core.address import Person
from maildaemon.core.message import Attachment, Author, Automatic, Message
from maildaemon.mime import addresses, bounds, charset, date, flowed, headers, html, structure
from maildaemon.mime.headers import Headers
from maildaemon.mime.structure import Part, TooComplex

_SHOWN_TYPES = frozenset({"text/plain", "text/html", "text/enriched", "text/markdown", "text/x-markdown"})
_LETTERS = frozenset({"message/rfc822", "message/global"})
_ONCE = (
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
)
_META_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}[\"']?\s{0,5}([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff]")
_BREAKS = re.compile("\r\n?|[\u2028\u2029\x85\x0c]")
_NO_HTML = re.compile(
    r"(?:support|view|display|requires?|capable|visa|st(?:ö|oe)d(?:er|jer)?).{0,60}HTML"
    r"|HTML.{0,60}(?:support|view|display|capable|visa|st(?:ö|oe)d)",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"<[^<>]{0,200}>")
_NAME_OF_PATH = re.compile(r"[\\/:]")


def read(content: bytes) -> Message:
    """Read a message. Never raises.

    Over a bound of structure, or where reading fails in a way we did not foresee, the result is the
    header-only record of `header_only`, with the reason among its defects.
    """
    try:
        return _read(content)
    except TooComplex as reason:
        return header_only(content, str(reason))
    except (Exception, RecursionError) as failure:  # a message must never stop the mailbox it came to
        return header_only(content, f"reading failed with {type(failure).__name__}")


def header_only(content: bytes, reason: str) -> Message:
    """Read no more than the beginning of the header, in little time and memory. Never raises."""
    try:
        found, _ = headers.split(content[: bounds.VALUE_BYTES])
        message = _envelope(found)
        return replace(
            message,
            is_header_only=True,
            defects=(reason, *message.defects)[: bounds.DEFECTS],
            automatic=_automatic(found, *_declared(found), message.sender),
            author=_author(found, message, (), None),
        )
    except (Exception, RecursionError):  # the last net: the raw bytes are kept, so nothing is lost
        return Message(is_header_only=True, defects=(reason, "the header could not be read"))


def _read(content: bytes) -> Message:
    root = structure.read(content)
    message = _envelope(root.headers)
    contents = _Contents()
    contents.gather(root)
    text, quoted = contents.text()
    name = message.sender.name if message.sender else None
    is_forward = sender.is_forward_subject(message.subject)
    lines = body.split(text, quoted=quoted, author=name, is_forward=is_forward)
    kind = _automatic(root.headers, root.content_type, root.parameters, message.sender)
    attached = contents.letter_from() if kind is not Automatic.BOUNCE else None
    return replace(
        message,
        text=text,
        lines=lines,
        attachments=tuple(contents.attachments),
        defects=tuple(dict.fromkeys((*message.defects, *contents.defects)))[: bounds.DEFECTS],
        automatic=kind,
        author=_author(root.headers, message, lines, attached),
    )


def _envelope(found: Headers) -> Message:
    """Give what single fields of the header tell; `automatic` and `author` follow from several of them."""
    defects = list(found.defects)
    defects.extend(f"the header has {name} more than once" for name in _ONCE if len(found.all(name)) > 1)
    senders, problems = addresses.read(found.all("from")[:1], "From")
    defects.extend(problems)
    if len(senders) > 1:
        defects.append("From names more than one author")
    if not senders:
        defects.append("From holds no address")
    to, problems = addresses.read(found.all("to"), "To")
    defects.extend(problems)
    cc, problems = addresses.read(found.all("cc"), "Cc")
    defects.extend(problems)
    reply_to, _ = addresses.read(found.all("reply-to")[:1], "Reply-To")
    sent_at = date.read(found.text("date"))
    if sent_at is None and found.first("date") is not None:
        defects.append("Date cannot be read")
    return Message(
        message_id=headers.message_id(found.first("message-id") or b""),
        in_reply_to=headers.parent_id(found.first("in-reply-to") or b""),
        references=headers.ids(found.first("references") or b""),
        subject=found.text("subject"),
        sender=senders[0] if senders else None,
        to=to,
        cc=cc,
        reply_to=reply_to,
        sent_at=sent_at,
        # RFC 5321 4.4: each server puts its line on top, and the time behind the last semicolon.
        relayed_at=date.read(found.text("received").rpartition(";")[2]),
        defects=tuple(dict.fromkeys(defects)),
    )


def _declared(found: Headers) -> tuple[str, dict[str, str]]:
    value = found.first("content-type")
    return structure.parameters(value) if value is not None else ("", {})


def _automatic(
    found: Headers, content_type: str, parameters: dict[str, str], person: Person | None
) -> Automatic | None:
    values = {
        name: tuple(map(headers.text, given[:5])) for name in automatic.HEADERS if (given := found.all(name))
    }
    return automatic.recognise(
        values,
        content_type=content_type,
        report_type=parameters.get("report-type", ""),
        sender=person.address if person else found.text("from"),
    )


def _author(
    found: Headers, message: Message, lines: Sequence[body.Line], attached: Person | None
) -> Author | None:
    original: Person | None = None
    for name in ("x-original-from", "x-original-sender"):
        persons, _ = addresses.read(found.all(name)[:1], name)
        original = original or (persons[0] if len(persons) == 1 else None)
    return sender.author(
        message.sender,
        message.subject,
        lines=lines,
        reply_to=message.reply_to,
        original=original,
        attached=attached,
    )


@dataclass(slots=True)
class _Text:
    """The text of one part, and the numbers of its lines that are marked as quoted."""

    text: str
    quoted: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Contents:
    """The parts of a message told apart: what is its text, what is attached."""

    chosen: list[Part] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    _decoded: dict[int, str] = field(default_factory=dict)
    _known: dict[int, _Text] = field(default_factory=dict)

    def gather(self, root: Part) -> None:
        """Walk the parts once; multiparts of alternatives give one of their versions."""
        for part in root.walk():
            self.defects.extend(part.defects)
        shown = [part for part in root.walk() if not part.is_multipart and _is_shown(part)]
        if not shown:
            shown = _sole_named(root)
        kept = set(map(id, shown))
        rejected = self._rejected(root, kept)
        self.chosen = [part for part in shown if id(part) not in rejected]
        for part in root.walk():
            if not part.is_multipart and id(part) not in kept:
                self._attach(part)

    def _rejected(self, root: Part, kept: set[int]) -> set[int]:
        """Give the texts that are another version of a chosen one (RFC 2046 5.1.4)."""
        rejected: set[int] = set()
        for part in root.walk():
            if part.content_type != "multipart/alternative" or not part.parts:
                continue
            branches = [[leaf for leaf in branch.walk() if id(leaf) in kept] for branch in part.parts]
            best = self._best([branch for branch in branches if branch])
            rejected.update(id(leaf) for branch in branches if branch is not best for leaf in branch)
        return rejected

    def _best(self, branches: list[list[Part]]) -> list[Part] | None:
        plain = [b for b in branches if all(leaf.content_type != "text/html" for leaf in b)]
        rich = [b for b in branches if b not in plain]
        for leaf in chain.from_iterable(rich):
            self._characters(leaf)  # the defects of a version that is not shown are told, too
        for branch in plain:
            text = "\n".join(self._text(leaf).text for leaf in branch).strip()
            if text and not self._is_excuse(text, rich):
                return branch
        return next((b for b in rich if any(self._text(leaf).text.strip() for leaf in b)), None) or (
            branches[0] if branches else None
        )

    def _is_excuse(self, text: str, rich: list[list[Part]]) -> bool:
        """Tell whether a plain text only says that the program shows no HTML, which says much more.

        What HTML shows is found out last: that is the costliest part of reading a message.
        """
        if len(text) >= 300 or not _NO_HTML.search(text):
            return False
        return any(sum(len(self._text(leaf).text) for leaf in branch) > 3 * len(text) for branch in rich)

    def letter_from(self) -> Person | None:
        """Give From of the only attached letter, or None."""
        senders = [part.sender for part in self.attachments if part.content_type in _LETTERS]
        return senders[0] if len(senders) == 1 else None

    def text(self) -> tuple[str, frozenset[int]]:
        """Give the texts joined, a blank line between them, and the numbers of their marked lines."""
        texts: list[str] = []
        quoted: set[int] = set()
        count = 0
        for part in self.chosen:
            known = self._text(part)
            text = known.text.strip("\n") if texts else known.text.rstrip("\n")
            is_repeated = part.content_type == "text/html" and text in texts
            if not text.strip() or is_repeated:
                continue
            skipped = len(known.text) - len(known.text.lstrip("\n")) if texts else 0
            quoted.update(number - skipped + count for number in known.quoted)
            texts.append(text)
            count += text.count("\n") + 2
        whole = "\n\n".join(texts)
        if len(whole) > bounds.TEXT_CHARACTERS:
            self.defects.append(
                f"the text is longer than {bounds.TEXT_CHARACTERS} characters; the rest was left out"
            )
            whole = whole[: bounds.TEXT_CHARACTERS]
        return whole, frozenset(quoted)

    def _text(self, part: Part) -> _Text:
        known = self._known.get(id(part))
        if known is None:
            known = self._known[id(part)] = _shown(part, self._characters(part))
        return known

    def _characters(self, part: Part) -> str:
        """Give the content of a text part as it was written, mark-up included."""
        known = self._decoded.get(id(part))
        if known is None:
            content = part.decoded()
            label = part.charset
            if part.content_type == "text/html" and not label:
                meta = _META_CHARSET.search(content[:2048])
                label = meta[1].decode("ascii") if meta else None
            text, defect = charset.decode(content, label)
            if defect:
                self.defects.append(defect)
            known = self._decoded[id(part)] = text
        return known

    def _attach(self, part: Part) -> None:
        name, person = part.name, None
        if part.content_type in _LETTERS:
            found, _ = headers.split(part.decoded(bounds.VALUE_BYTES).lstrip(b"\r\n"))
            persons, _ = addresses.read(found.all("from")[:1], "From")
            person = persons[0] if persons else None
            name = name or (found.text("subject") or None)
        self.attachments.append(
            Attachment(
                filename=file_name(name),
                content_type=part.content_type,
                size=part.size(),
                inline=part.disposition == "inline"
                or (part.disposition != "attachment" and _is_embedded(part)),
                sender=person,
            )
        )


def _shown(part: Part, text: str) -> _Text:
    """Give what a person sees of a text part."""
    text = _lines(text)
    if part.content_type == "text/html":
        shown = html.shown(text)
        return _Text(_lines(shown.text), shown.quoted)
    if part.content_type == "text/enriched":
        return _Text(_TAG.sub("", text))
    if part.parameters.get("format", "").lower() == "flowed":
        text = flowed.joined(text, without_space=part.parameters.get("delsp", "").lower() == "yes")
    return _Text(text)


def _is_embedded(part: Part) -> bool:
    return part.headers.first("content-id") is not None or (
        part.name is None and part.content_type.startswith("image/")
    )


def _is_shown(part: Part) -> bool:
    return part.content_type in _SHOWN_TYPES and part.disposition != "attachment" and part.name is None


def _sole_named(root: Part) -> list[Part]:
    """Give the named text that is the body because the message has no other text."""
    named = [
        part for part in root.walk() if part.content_type in _SHOWN_TYPES and part.disposition != "attachment"
    ]
    return named[:1]


def _lines(text: str) -> str:
    """Give the text with plain line ends and without control characters, tabs kept."""
    plain = text.replace("\r\n", "\n")
    if plain.replace("\n", "").replace("\t", "").replace("\u00a0", "").isprintable():
        return plain  # nothing is left that the patterns could find; they cost twenty times as much
    if "\r" in text or not text.isascii() or "\x0c" in text:
        text = _BREAKS.sub("\n", text)
    return charset.scalar(_CONTROLS.sub("", text))


def file_name(name: str | None) -> str | None:
    """Give the last step of a file's name without anything that leads out of a folder, or None."""
    if name is None:
        return None
    last = _NAME_OF_PATH.split(headers.clean(name))[-1].strip(". ")
    return last[:255] or None
