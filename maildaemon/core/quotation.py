"""Which lines of a text repeat an earlier message: marks, the line that announces them, header blocks."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

# The words by which mail programs say "wrote", in the languages of our mail.
_WROTE = re.compile(
    r"\b(?:wrote|writes|skrev|skriver|skrevet|schrieb|a écrit|kirjoitti|escribió|ha scritto|scrive"
    r"|schreef|geschreven|escreveu|пише|napsal\(a\)"
    r"|napisał(?:\(a\)|a)?|napsala?|napísala?|írta|пишет|написал(?:а|\(а\))?|yazdı|quoting|citerar"
    r"|zitat von)\b",
    re.IGNORECASE,
)
_START = re.compile(
    r"(?:on|at|den|am|le|el|il|op|em|dne|w dniu|på|pe|pvm|kl)\b|d\. |\d"
    r"|(?:mon|tue|wed|thu|fri|sat|sun|mån|tis|ons|tor|fre|lör|sön|man|tir|tor|lør|søn|mo|di|mi|do|fr"
    r"|sa|so|ma|ti|ke|to|pe|la|su"
    r"|lun|mar|mer|jeu|ven|sam|dim|quoting|citerar|zitat)\w{0,8}[.,]?\s",
    re.IGNORECASE,
)
_DATED = re.compile(
    r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\b\d{1,2}[:.]\d\d\b|\b(?:19|20)\d\d\b|<[^<>@\s]{1,64}@|@[\w-]{1,63}\."
)
_DATE_AND_ADDRESS = re.compile(
    r"\d{1,4}[-./]\d\d?[-./]\d{1,4}.{1,200}<[^<>\s]{1,320}>:$|\b(?:19|20)\d\d\b.{1,200}<[^<>\s]{1,320}>:$"
)
_MARK = re.compile(r"[ \t]{0,3}(?:>|&gt;)")
_MARKS = re.compile(r"(?:[ \t]{0,3}(?:>|&gt;))* ?")
_EDGE = " \t*\u00a0\ufeff"
_TRAIL = " \t\r*_\u00a0\ufeff"
_FRAMES = ("--", "__", "==", "~~", "**", "—", "##")
_FRAME = " \t*_-=~>#—–|\u00a0\ufeff"

_LABELS: dict[str, str] = {}
for _kind, _words in {
    "from": "from|från|fra|von|nadawca|de|da|van|lähettäjä|od|от|expéditeur|feladó|mittente|remitente"
    "|afzender|author|šalje|saatja|de la"
    "|expeditorul|отправитель|від|від кого|kimden|gönderen|送信元|差出人|发件人|寄件者",
    "date": "sent|date|skickat|datum|sendt|dato|gesendet|envoyé|date d'envoi|lähetetty|päivä|päiväys"
    "|päivämäärä|inviato|data"
    "|fecha|enviado|enviado el|verzonden|odesláno|wysłano|дата|отправлено|sent on|skickad|envoyé le"
    "|gesendet am|dátum|dată"
    "|tarih|日付|poslano|gönderildi|elküldve|trimis|надіслано|odoslané|enviada em|saadetud|送信日時",
    "to": "to|till|til|an|pour|adresat|à|a|para|per|vastaanottaja|komu|do|кому|aan|tillagd|címzett"
    "|prima|către|destinatarul|pre|kime"
    "|送信先|宛先|saaja|za|destinatário|收件人|pentru|alıcı",
    "cc": "cc|kopia|copie à|kopi|kopie|copie|copia|kopio|cópia|копия|копія|dw|bcc|c c|másolat|bilgi"
    "|kópia|koopia",
    "subject": "subject|ämne|emne|betreff|objet|aihe|oggetto|asunto|onderwerp|předmět|temat|тема"
    "|assunto|tárgy|re|predmet"
    "|sujet|subiectul|subiect|konu|件名|teema|主题|título",
    "other": "reply-to|reply to|svara till|importance|prioritet|vikt|attachments|bifogade filer"
    "|organization|sensitivity"
    "|received|bilagor|bilaga|antwort an|message-id|x-mailer|list-id|newsgroups|lines|organisation"
    "|follow-up|follow up"
    "|priority|flag|categories|sent by",
}.items():
    _LABELS.update(dict.fromkeys(_words.split("|"), _kind))

_ORIGINAL = frozenset(
    (
        "original message|ursprungligt meddelande|originalmeddelande|ursprungligt brev|ursprungligt mejl"
        "|opprinnelig melding|oprindelig meddelelse|den oprindelige meddelelse|alkuperäinen viesti"
        "|ursprüngliche nachricht|originalnachricht|original-nachricht|ursprüngliche mail"
        "|message d'origine|message original|mensaje original|messaggio originale|oorspronkelijk bericht"
        "|mensagem original|original appointment|reply message|reply to message|původní zpráva"
        "|wiadomość oryginalna|reply separator|forward header|forward separator"
        "|forwarded message separator|исходное сообщение|original email|tidigare meddelande"
        "|původní e-mail"
    ).split("|")
)
# Beginnings of the words for "forwarded" in what mail programs write above a forwarded message.
_FORWARDED = re.compile(
    r"forward|vidarebef|videres|weitergel|transfér|réexpéd|doorgest|przek|przes|přepos|prepos|proslij"
    r"|továbbít|reencaminh"
    r"|encaminh|inoltrat|reenvia|redirec|пересыл|перенапр|переадрес|пересил|välite|edelleenl|ileti"
    r"|iletil|転送|edastat|转发"
)
_RULE = re.compile(r"[ \t]{0,8}[_=*\-—–]{5,}[ \t]*$")
_LONGEST_LINE = 2_000
_MOST_LINES = 50_000
"""Lines that are judged one by one; what lies beyond is judged by its marks alone."""
_COLONS = (":", "：")
_ATTRIBUTION_LINES = 4
_BLOCK_LINES = 40


@dataclass(frozen=True, slots=True)
class Block:
    """A block of header lines within a text: where it starts, where the text after it starts, its fields."""

    start: int
    end: int
    fields: tuple[tuple[str, str], ...]

    def value(self, kind: str) -> str | None:
        """Give the first value of that kind (from, date, to, cc, subject), or None."""
        return next((value for known, value in self.fields if known == kind), None)


def is_marked(line: str) -> bool:
    """Tell whether the line carries a quotation mark (``>``)."""
    return _MARK.match(line) is not None


def unmarked(line: str) -> str:
    """Give the line without the quotation marks before it."""
    marks = _MARKS.match(line)
    return line[marks.end() :] if marks else line


def label(line: str) -> tuple[str, str] | None:
    """Give kind and value of a line such as ``Från: Anna <a@b>`` or ``*Sent:* Monday``, or None."""
    line = line[:_LONGEST_LINE].lstrip(_EDGE)
    head, colon, value = line.replace("：", ":", 1).partition(":")
    if not colon or len(head) > 20:
        return None
    kind = _LABELS.get(head.rstrip(" *\t\u00a0").lower())
    return (kind, value.strip(_EDGE)) if kind else None


def is_forward_marker(line: str) -> bool:
    """Tell whether the line announces a forwarded message."""
    return _is_forward(_announcement(line))


@dataclass(frozen=True, slots=True)
class _Announcement:
    """The words of a short line that stands in a frame of dashes or ends with a colon, in lower case."""

    text: str
    is_framed: bool


def _announcement(line: str) -> _Announcement | None:
    if len(line) > 400:
        return None
    is_framed = line.lstrip(" \t>*").startswith(_FRAMES)
    bare = line.strip(_FRAME)
    if not is_framed and not bare.endswith(":"):
        return None
    text = bare.rstrip(" :").lower().replace("\u0307", "")
    return _Announcement(text, is_framed) if text and len(text) <= 160 else None


def _is_forward(found: _Announcement | None) -> bool:
    if found is None or not _FORWARDED.search(found.text):
        return False
    return found.is_framed or (found.text.count(" ") <= 4 and "." not in found.text)


def _is_original(found: _Announcement | None) -> bool:
    return found is not None and found.is_framed and found.text in _ORIGINAL


def block(lines: Sequence[str], start: int) -> Block | None:
    """Give the header block that begins at this line, or None.

    From and one more field are a block, and so are three fields without From, below a line that names
    a person or a date (as Notes writes it).
    """
    first = label(lines[start])
    if first is None or first[0] == "other":
        return None
    fields, end = _fields(lines, start)
    kinds = {kind for kind, _ in fields if kind != "other"}
    if "from" in kinds and len(kinds) >= 2 and _is_header(fields, kinds):
        return Block(start, end, fields)
    if {"to", "subject"} <= kinds and ("cc" in kinds or "date" in kinds):
        return Block(_lifted(lines, start), end, fields)
    if "to" in kinds and len(kinds) >= 2 and _lifted(lines, start) < start:
        return Block(_lifted(lines, start), end, fields)
    return None


def _is_header(fields: tuple[tuple[str, str], ...], kinds: set[str]) -> bool:
    return len(kinds) >= 3 or any(
        kind == "from" and ("@" in value or _DATED.search(value)) for kind, value in fields
    )


def _fields(lines: Sequence[str], start: int) -> tuple[tuple[tuple[str, str], ...], int]:
    """Collect label lines and what continues them, up to the blank line below the block."""
    fields: list[tuple[str, str]] = []
    position, end, blanks = start, start, 0
    while position < min(len(lines), start + _BLOCK_LINES):
        line = lines[position]
        found = label(line)
        if found:
            if (
                blanks
                and len(fields) > 1
                and "subject" in {kind for kind, _ in fields}
                and found[0] != "subject"
            ):
                break
            fields.append(found)
            end, blanks = position + 1, 0
        elif not line.strip():
            blanks += 1
            if blanks > 1 or {"from", "subject"} <= {kind for kind, _ in fields}:
                break
        elif blanks or not fields or (fields[-1][0] == "subject" and not line.startswith((" ", "\t"))):
            break
        else:
            fields[-1] = (fields[-1][0], f"{fields[-1][1]} {line.strip()}"[:_LONGEST_LINE])
            end = position + 1
        position += 1
    return tuple(fields), end


def _lifted(lines: Sequence[str], start: int) -> int:
    """Give the line where a name and a date stand above a block without From, at most four lines up."""
    lifted, dated, position = start, False, start - 1
    while position >= max(0, start - 5):
        line = lines[position].strip()
        if line.startswith("Sent by:"):
            position -= 1
            continue
        if line and len(line) > 120:
            break
        if line and _DATED.search(line):
            dated, lifted = True, position
            if len(line) > 24:  # the name stands in the same line
                break
        elif line and dated:
            lifted = position if lines[position + 1].strip() else lifted
            break
        elif line:
            break
        position -= 1
    return lifted


def _attribution(lines: Sequence[str], start: int) -> int | None:
    """Give the line below an announcement such as ``On ... X wrote:`` that starts here, or None.

    It may be wrapped over a few lines, and ends with a colon.
    """
    announced = _to_colon(lines, start)
    first = lines[start][:_LONGEST_LINE].lstrip(_EDGE)
    if not announced or not (_opens(first) or _WROTE.search(first)):
        return None
    is_said = any(map(_WROTE.search, announced)) or _DATE_AND_ADDRESS.search(announced[-1][-500:])
    return start + len(announced) if is_said else None


def _opens(first: str) -> bool:
    return _START.match(first) is not None and any(map(str.isdigit, first))


def _to_colon(lines: Sequence[str], start: int) -> list[str]:
    """Give the trimmed lines from this one to one that ends with a colon; none where it is not near."""
    announced: list[str] = []
    for position in range(start, min(len(lines), start + _ATTRIBUTION_LINES)):
        line = lines[position].strip(_TRAIL)
        if not line or len(line) > _LONGEST_LINE or (announced and not _continues(line)):
            break
        announced.append(line)
        if line.endswith(_COLONS):
            return announced
    return []


def _near_colon(lines: Sequence[str]) -> frozenset[int]:
    """Give the numbers of the lines in which an announcement could start: it ends with a colon.

    In most texts there is none, so that the costly patterns of `_attribution` are never tried.
    """
    ends = (
        number
        for number, line in enumerate(lines[: _MOST_LINES + _ATTRIBUTION_LINES])
        if (":" in line or "：" in line) and line.strip(_TRAIL).endswith(_COLONS)
    )
    return frozenset(start for end in ends for start in range(end - _ATTRIBUTION_LINES + 1, end + 1))


def _continues(line: str) -> bool:
    """Tell whether an announcement may go on in this line: a mark ends it, unless it is a bracket."""
    if not is_marked(line):
        return True
    rest = unmarked(line)
    return rest.endswith(":") and (len(rest) < 4 or (len(rest) < 30 and _WROTE.search(rest) is not None))


def _is_running(line: str) -> bool:
    """Tell at little cost that a line is no mark, rule, frame, title or label, as nearly all lines are.

    Titles and labels hold a colon; the others begin with a sign or with white space.
    """
    return line[:1].isalnum() and ":" not in line and "：" not in line


def is_announcement(lines: Sequence[str], start: int) -> bool:
    """Tell whether a line such as ``On ... X wrote:`` starts here."""
    return _attribution(lines, start) is not None


@dataclass(slots=True)
class _Reading:
    """The text while it is read from the top; every line is looked at a bounded number of times."""

    lines: Sequence[str]
    quoted: list[bool]
    following: list[int]
    """For each line the number of the first line from it on that is not blank."""
    near_colon: frozenset[int]
    """The lines in which an announcement could start."""
    has_new: bool = False
    is_forward: bool = False
    no_block_before: int = 0
    """Up to here the labels were read already and made no header block."""

    def step(self, position: int) -> int:
        """Judge the line; give the next to judge."""
        line = self.lines[position]
        if self.quoted[position]:
            return position + 1
        if not _is_running(line):
            if is_marked(line):
                self.quoted[position] = True
                return position + 1
            opened = self._opened(position)
            if opened is not None:
                return self._below(*opened)
        ending = _attribution(self.lines, position) if position in self.near_colon else None
        if ending is not None:
            return self._attributed(position, ending)
        self.has_new = True
        return position + 1

    def _opened(self, position: int) -> tuple[int, int] | None:
        """Give where the separator or header block at this line starts, and the line below it, or None."""
        ending = self._announced(position)
        if ending is not None:
            return position, ending
        found = self._block(position)
        return (found.start, found.end) if found else None

    def _block(self, position: int) -> Block | None:
        """Look for a header block; labels are read once, however many of them follow each other."""
        first = label(self.lines[position]) if position >= self.no_block_before else None
        if first is None:
            return None
        found = block(self.lines, position)
        if found is None and first[0] != "other":
            self.no_block_before = _fields(self.lines, position)[1] - 1
        return found

    def _announced(self, position: int) -> int | None:
        """Give the line below a separator and the header block under it, or None where there is none."""
        line = self.lines[position]
        below = self.following[position + 1]
        is_near = below - position <= 3 and below < len(self.lines)
        if _RULE.match(line):
            found = block(self.lines, below) if is_near else None
            return found.end if found else None
        announcement = _announcement(line)
        is_forward, is_original = _is_forward(announcement), _is_original(announcement)
        is_framed = line.strip(" \t>*").startswith("----") and line.rstrip().endswith("----")
        if not is_forward and not is_framed and not is_original:
            return None
        found = block(self.lines, below) if is_near else None
        if found is None and not is_forward and not is_original:
            return None
        if found is None and is_forward and not line.lstrip().startswith(("--", "__", "==", "~~", "**")):
            is_apart = below < len(self.lines) and is_marked(self.lines[below])
            return position + 1 if is_apart else None
        return found.end if found else position + 1

    def _below(self, start: int, end: int) -> int:
        """Quote an announcement; what follows without marks is quoted to the end of the text."""
        below = self.following[end]
        is_marked_below = below < len(self.lines) and is_marked(self.lines[below])
        stop = end if is_marked_below else len(self.lines)
        self.quoted[start:stop] = [True] * (stop - start)
        return stop

    def _attributed(self, start: int, end: int) -> int:
        below = self.following[end]
        has_marks = below < len(self.lines) and (is_marked(self.lines[below]) or self.quoted[below])
        words = " ".join(self.lines[start:end])
        if has_marks or (not self.has_new and not self.is_forward and _DATED.search(words)):
            self.quoted[start:end] = [True] * (end - start)
            return end
        if _DATED.search(words) or below >= len(self.lines):
            self.quoted[start:] = [True] * (len(self.lines) - start)
            return len(self.lines)
        self.has_new = True
        return start + 1


def quoted(
    lines: Sequence[str], marked: Collection[int] = frozenset(), *, is_forward: bool = False
) -> list[bool]:
    """Tell for each line whether it repeats an earlier message; time is linear in the text.

    `marked` holds the numbers of lines that are known to be quoted from the mark-up they had. Where the
    message `is_forward`, an announcement that opens the text announces all that follows.
    """
    following = [len(lines)] * (len(lines) + 2)
    for number in range(len(lines) - 1, -1, -1):
        following[number] = number if lines[number].strip() else following[number + 1]
    is_quoted = [False] * len(lines)
    for number in marked:
        if 0 <= number < len(lines):
            is_quoted[number] = True
    reading = _Reading(lines, is_quoted, following, _near_colon(lines), is_forward=is_forward)
    position = following[0]
    while position < min(len(lines), _MOST_LINES):
        position = following[reading.step(position)]
    for number in range(_MOST_LINES, len(lines)):
        is_quoted[number] = is_quoted[number] or is_marked(lines[number])
    if True in is_quoted:
        _mend_wrapped(lines[:_MOST_LINES], is_quoted)
    return is_quoted


def _mend_wrapped(lines: Sequence[str], quoted: list[bool]) -> None:
    """Quote the short rest of a quoted line that a program broke without repeating the mark."""
    for number in range(1, len(lines) - 1):
        line, before = lines[number], lines[number - 1]
        if quoted[number] or len(line) > 40 or len(before) < 60 or not is_marked(before):
            continue
        if line[:1].islower() and before.rstrip()[-1:] not in ".?!:" and is_marked(lines[number + 1]):
            quoted[number] = True
