"""Who signs: the closing words, the signature and the small print in what a person newly wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence

from maildaemon.core.zone import Zone

_DELIMITER = re.compile(r"--[ \t\u00a0]{0,3}$")
_RULE = re.compile(r"[ \t]{0,4}[_=*\-—–~+]{4,}[ \t]*$")
_CLOSING_WORDS = (
    r"(?:med )?(?:vänlig|vanlig|vennlig|venlig|bästa|hjärtlig|soliga|varma|många|allra bästa"
    r"|trevlig)[a-zåäö]{0,4} (?:hälsning|halsning|hilsen|hilsner|helg)[a-zåäö]{0,4}"
    r"|hälsningar|hälsar|vänligen|vänligt|högaktningsfullt|m\.?v\.?h\.?|mvh|vh|bh|hälsn(?:ing)?\.?"
    r"|hilsen|hilsner|mange hilsener|kram|tack på förhand|tack och hej|tackar"
    r"|tack(?: så mycket| för hjälpen| för hjälp| igen)?|ha det (?:bra|gott)|ha en (?:bra|fin"
    r"|trevlig) (?:dag|helg|kväll)|vi hörs|allt gott"
    r"|(?:with )?(?:best|kind|kindest|warm|warmest|many|sincere)(?: personal)? (?:regards|wishes"
    r"|greetings)|regards|best|cheers|sincerely(?: yours)?|yours(?: sincerely| faithfully| truly)?"
    r"|thanks(?: (?:again|a lot|so much|and regards|in advance|very much|much|for your help"
    r"|for the help|for everything|& regards))?|thank you(?: (?:again|very much|so much|in advance"
    r"|for your help|for your time|and regards))?|thx|tia|many thanks|rgds|br|kr|best,? thanks"
    r"|respectfully(?: yours)?|cordially|love|take care|ciao|talk to you (?:soon|later)"
    r"|(?:mit )?(?:freundlichen|besten|herzlichen|lieben|vielen|viele|liebe|beste|schöne) (?:grüßen?"
    r"|grüssen?|dank)|mfg|gruß|gruss|grüße|lg|vg"
    r"|cordialement|bien cordialement|salutations|ystävällisin terveisin|terveisin|parhain terveisin"
    r"|t\.|terv\.?|saludos|un saludo|cordiali saluti|saluti|met vriendelijke groet(?:en)?|groeten|groet"
)
_CLOSING = re.compile(
    rf"[ \t]{{0,8}}(?:(?P<words>{_CLOSING_WORDS})(?P<more>(?:(?:\s{{0,3}}(?:/|och|and|&|,"
    rf"|-)\s{{0,3}})(?:{_CLOSING_WORDS})){{0,2}})"
    r"(?P<end>\s{0,3}[,.!;:/–-]{0,3})(?P<name>\s{0,4}[/–-]?\s{0,3}[^\W\d_][\w.'’ -]{0,40})?"
    r"|[/~–—-]{1,2}\s{0,2}(?P<slash>[^\W\d_][\w.'’-]{1,20}(?: [^\W\d_][\w.'’-]{1,20}){0,2}))"
    r"[ \t,.!]{0,4}$",
    re.IGNORECASE,
)
_FOOTER = re.compile(
    r"[ \t*_>\"(\[]{0,6}(?:skickat från (?:min |mitt |outlook|yahoo|mail|e-post|gmail|samsung)|skickades från"
    r"|hämta outlook|skaffa outlook|sent from (?:my|outlook|mail|yahoo|samsung|a |the |an |gmail"
    r"|proton|i)|sent (?:via|using|with)"
    r"|get outlook for|sendt fra (?:min|outlook|mail)|hent outlook|få outlook|gesendet (?:von|mit)"
    r"|von meinem .{1,40} gesendet|von meinem|envoyé de(?:puis)? mon|lähetetty|verzonden vanaf"
    r"|inviato da|enviado desde|sent on the go"
    r"|do you yahoo!\?|do you yahoo|get your free|get free|yahoo! mail|__+ *do you|join the world|msn "
    r"|free email|send (?:instant|fast)|chat with friends|download msn)",
    re.IGNORECASE,
)
_DISCLAIMER = re.compile(
    r"(?:this|the information|information|any information|the contents?|the above|detta|denna"
    r"|innehållet|informationen|diese|this e-?mail|this message|ce message|note|notice|important"
    r"|viktigt|disclaimer|confidentiality|sekretess|please note|privileged|the preceding|\*+)"
    r".{0,200}?(?:confidential|privileged|intended (?:only |solely )?(?:recipient|for)"
    r"|e-?mail (?:message )?(?:and any|is|contains|may)|konfidentiel|sekretess|avsedd (?:endast )?för"
    r"|endast avsett|vertraulich|virus|disclaim|legally|unauthori[sz]ed"
    r"|behandla[rs]? (?:dina )?personuppgift|obehörig)",
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"(?:läs (?:mer )?om hur vi behandlar|så behandlar vi|vi behandlar"
    r"|information om hur).{0,80}personuppgift|read (?:more )?about how we (?:process|handle)"
    r"|personuppgiftspolicy|integritetspolicy|dataskyddspolicy|privacy policy|tänk på miljön"
    r"|tänk på naturen"
    r"|(?:please )?consider the environment|think before you print|behöver du (?:verkligen )?skriva ut"
    r"|unsubscribe|avregistrera|to unsubscribe|mailing list$|mailman/listinfo",
    re.IGNORECASE,
)
_PHONE = re.compile(
    r"(?:\+|\b0|\()[\d(][\d\s()/.\-–]{5,22}\d|\b\d{3}[-.\s/]\d{3}[-.\s]\d{3,4}\b"
    r"|\(\d{3}\)\s?\d{3}[-.\s]\d{4}|\b\d{3}-\d{4}\b"
)
_LINK = re.compile(
    r"\bhttps?://|\bwww\.|\bmailto:|[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{2,}"
    r"|^\s{0,4}[\w-]{1,60}(?:\.[\w-]{1,60}){0,3}\.(?:se|com|org|net|nu|example|eu|no|dk|fi|de"
    r"|uk)\s{0,3}$",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"^\W{0,3}(?:tel|tele|telefon|telephone|phone|ph|mobil|mobile|cell|fax|vxl|växel|direkt|direct|dir"
    r"|office|work|home|e-?post|e-?mail|mail|web|webb|www|adress|address|besöksadress|postadress|box"
    r"|org\.?\s?nr|org\.?nummer|m|t|p|f|e|w|o|c|skype|icq|aim|pager|linkedin|twitter|tlf|mob"
    r"|voice)\b\s{0,3}[.:)|+\d(]",
    re.IGNORECASE,
)
_TITLE = re.compile(
    r"\b(?:manager|director|engineer|developer|analyst|president|vice president|vp|ceo|cto|cfo|coo"
    r"|counsel|attorney|assistant|associate|administrator|consultant|officer|professor|prof|dr|ph\.?d"
    r"|msc|m\.sc|specialist|coordinator|architect|department|dept|university|institute|ab|inc|ltd|llc"
    r"|llp|gmbh|corp|corporation|hb|kommun|region|handläggare|chef|verksamhetschef|ansvarig"
    r"|it-ansvarig|systemförvaltare|servicetekniker|inköpare|förvaltning\w*|avdelning\w*|enheten"
    r"|ekonom|säljare|projektledare|utvecklare|tekniker|konsult|vd|platschef|rektor|administratör"
    r"|assistent|samordnare|controller|revisor|kundtjänst|support|sales|group|team)\b",
    re.IGNORECASE,
)
_POSTCODE = re.compile(r"\b\d{3} ?\d{2} [A-ZÅÄÖ]|\b[A-Z]{2} \d{5}\b|\bBox \d|\bSE-\d{3}|\bP\.?O\.? Box")
_NAME = re.compile(
    r"[ \t]{0,8}(?:[A-ZÅÄÖÉÜØÆ][\w.'’-]{0,20}|af|von|van|der|de|la"
    r"|den)(?: {1,2}(?:[A-ZÅÄÖÉÜØÆ][\w.'’()-]{0,25}|af|von|van|der|de|la|den)){0,4}[ \t,]{0,3}$"
)
_POSTSCRIPT = re.compile(r"[ \t]{0,4}(?:p\.? ?s\.?|ps)\b[ .:,-]", re.IGNORECASE)
_GREETING = re.compile(
    r"[ \t]{0,4}(?:hej|hi|hello|hallå|tjena|dear|hey|god(?:morgon|dag)|good (?:morning|afternoon)"
    r"|bästa|kära|all|team)\b",
    re.IGNORECASE,
)

_PARTICLES = frozenset({"af", "av", "von", "van", "de", "der", "den", "la", "och", "and", "&"})
_WINDOW = 40
"""Lines at the end of a passage in which a signature is looked for."""
_MOST_LINES = 20
"""Lines that are not blank which a signature has at most."""
_LONGEST = 110


def zones(lines: Sequence[str], *, author: str | None = None) -> list[Zone]:
    """Give the zone of each line of one passage that a person newly wrote.

    `author` is the display name of the sender: a line that repeats it signs.
    """
    found = [Zone.NEW if line.strip() else Zone.BLANK for line in lines]
    end = _small_print(lines, found)
    begin = max(0, end - _WINDOW)
    start = _delimited(lines, begin, end)
    if start is not None:
        _label(found, range(start, end), Zone.SIGNATURE)
        end = start
        begin = max(0, end - _WINDOW)
    if not _closed(lines, found, begin, end) and start is None:
        _unclosed(lines, found, begin, end, author)
    return found


def _label(found: list[Zone], numbers: range, zone: Zone) -> None:
    for number in numbers:
        if found[number] is not Zone.BLANK:
            found[number] = zone


def _small_print(lines: Sequence[str], found: list[Zone]) -> int:
    """Label footers and disclaimers at the end; give the line where they start."""
    end = len(lines)
    position = end - 1
    while position >= 0 and end - position <= _WINDOW:
        if not lines[position].strip():
            position -= 1
            continue
        top = position
        while top > 0 and lines[top - 1].strip() and position - top < _WINDOW:
            top -= 1
        cut = _footer(lines, top, position + 1)
        if cut is None:
            break
        end = cut
        if cut > top:
            break
        position = top - 1
    _label(found, range(end, len(lines)), Zone.DISCLAIMER)
    return end


def _footer(lines: Sequence[str], top: int, bottom: int) -> int | None:
    """Give the line of this paragraph from which on it is small print, or None."""
    paragraph = " ".join(line.strip() for line in lines[top:bottom])[:1500]
    first = lines[top][:500]
    if _FOOTER.match(first) or _DISCLAIMER.match(paragraph.lstrip("*_-= \t\"'(")):
        return top
    if bottom - top <= 4 and _POLICY.search(paragraph):
        return top
    for number in range(max(top, bottom - 3), bottom):
        if _FOOTER.match(lines[number][:500]):
            return number
    for number in range(top + 1, bottom):
        if _RULE.match(lines[number]) and _DISCLAIMER.match(
            " ".join(lines[number + 1 : bottom]).strip()[:1500]
        ):
            return number
    return None


def _delimited(lines: Sequence[str], begin: int, end: int) -> int | None:
    """Give the line of the delimiter (``-- ``, RFC 3676 4.3) of a signature, or None."""
    for number in range(begin, end):
        if _DELIMITER.match(lines[number]):
            below = sum(1 for line in lines[number + 1 : end] if line.strip())
            if below <= _MOST_LINES:
                return number
    return None


def _is_signing(line: str) -> bool:
    """Tell whether the line could stand in a signature: short, and no sentence."""
    text = line.strip()
    if len(text) > _LONGEST:
        return False
    blanks = text.count(" ")
    is_sentence = blanks > 9 or text.endswith(("?", "!")) or (blanks > 3 and text.endswith((".", ":", ";")))
    return not is_sentence or bool(
        _PHONE.search(text) or _LINK.search(text) or _FIELD.match(text) or _NAME.match(text)
    )


def _score(line: str) -> int:
    """Count what the line has of a signature's marks; two for what hardly stands in running text."""
    text = line.strip()
    if len(text) > _LONGEST:
        return 0
    score = 2 * bool(_FIELD.match(text)) + 2 * bool(_POSTCODE.search(text))
    is_short = text.count(" ") <= 8
    score += (2 if text.count(" ") <= 6 else 1) * bool(is_short and _PHONE.search(text))
    score += bool(is_short and _LINK.search(text))
    return score + bool(text.count(" ") <= 6 and _TITLE.search(text) and text[:1].isupper())


def _closed(lines: Sequence[str], found: list[Zone], begin: int, end: int) -> bool:
    """Label the closing words and what signs below them; tell whether there are any."""
    for number in range(begin, end):
        match = _CLOSING.match(lines[number]) if len(lines[number]) < 120 else None
        if match is None or not _ends_text(lines, number, begin):
            continue
        if match["slash"] and not _is_slashed_name(lines, number, end):
            continue
        if match["name"] and not _is_name(match["name"]):
            continue
        below = [position for position in range(number + 1, end) if lines[position].strip()]
        signed = _signed(lines, below)
        rest = below[len(signed) :]
        if rest and not _may_follow(lines, rest, match, signed):
            continue
        found[number] = Zone.CLOSING
        for position in signed:
            again = _CLOSING.match(lines[position]) if position - number <= 2 and not _name(match) else None
            found[position] = Zone.CLOSING if again and again["words"] else Zone.SIGNATURE
        return True
    return False


def _name(match: re.Match[str]) -> str:
    return match["name"] or match["slash"] or ""


def _is_name(words: str) -> bool:
    """Tell ``Mvh Anna`` from ``Tack, nu fungerar det``: a name is a few words that begin with capitals."""
    parts = words.strip("/–-,. ").split()
    return len(parts) <= 4 and all(part[:1].isupper() or part in _PARTICLES for part in parts)


def _is_slashed_name(lines: Sequence[str], number: int, end: int) -> bool:
    """Tell ``/Anna`` and ``- Rob`` at the end of a text from an item of a list."""
    line = lines[number].strip()
    if not line.lstrip("/~–—- ")[:1].isupper():
        return False
    if line.startswith(("/", "~")):
        return True
    is_last = not any(below.strip() for below in lines[number + 1 : end])
    return is_last and not lines[number - 1].lstrip().startswith(line[0])


def _ends_text(lines: Sequence[str], number: int, begin: int) -> bool:
    """A closing word opens no text: ``Tack`` in the first line is an answer."""
    return number > begin or begin > 0 or len([line for line in lines[number:] if line.strip()]) > 1


def _signed(lines: Sequence[str], below: Sequence[int]) -> list[int]:
    signed: list[int] = []
    for position in below:
        if (
            len(signed) >= _MOST_LINES
            or _POSTSCRIPT.match(lines[position])
            or _GREETING.match(lines[position])
        ):
            break
        if not _is_signing(lines[position]) and not _RULE.match(lines[position]):
            break
        signed.append(position)
    return signed


def _may_follow(
    lines: Sequence[str], rest: Sequence[int], match: re.Match[str], signed: Sequence[int]
) -> bool:
    """Tell whether the lines below a signature leave it one: a postscript does, running text does not."""
    if _POSTSCRIPT.match(lines[rest[0]]):
        return True
    is_signed = bool(_name(match)) or bool(signed and _NAME.match(lines[signed[0]]))
    gap = rest[0] - (signed[-1] if signed else rest[0] - 1)
    return is_signed and gap > 1 and len(signed) <= 8


def _unclosed(lines: Sequence[str], found: list[Zone], begin: int, end: int, author: str | None) -> None:
    """Label a signature that no closing word announces: a block at the end with names and numbers in it."""
    filled = [number for number in range(begin, end) if lines[number].strip()]
    if len(filled) < 2:
        return
    names = _names(author)
    start: int | None = None
    score = own = 0
    for count, number in enumerate(reversed(filled)):
        line = lines[number]
        if count >= _MOST_LINES or not _is_signing(line) or _GREETING.match(line):
            break
        is_top = number == 0 or not lines[number - 1].strip() or _RULE.match(lines[number - 1]) is not None
        marks = _score(line)
        own += marks
        score += marks
        if _signs(line, names):
            start = number
            break
        if is_top and count >= 1 and ((score >= 3 and _NAME.match(line)) or own >= 4):
            start = number
        own = 0 if is_top else own
    if start is None or start == filled[0]:
        return
    if _RULE.match(lines[start - 1]) and start - 1 > filled[0]:
        start -= 1
    _label(found, range(start, end), Zone.SIGNATURE)


def _names(author: str | None) -> frozenset[str]:
    return frozenset(word for word in re.findall(r"[^\W\d_]{2,}", (author or "").lower()))


def _signs(line: str, names: frozenset[str]) -> bool:
    """Tell whether a line is the sender's name, or begins with it and goes on with a title."""
    words = re.findall(r"[^\W\d_]{2,}", line.lower()[:_LONGEST])
    if "@" in line or not words or not names or not set(words[:1]) & names:
        return False
    return set(words) <= names or (len(set(words[:4]) & names) >= 2) or len(words) == 1
