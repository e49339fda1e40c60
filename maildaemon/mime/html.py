"""HTML as the text a person sees, with the lines that a mail program marked as quoted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from maildaemon.mime import bounds

_SPACE = re.compile(r"[ \t\r\n\f\v]+")
# A blank between two words stays as it is, and so only longer or other white space need be found.
_WIDE_SPACE = re.compile(r"[ \t\r\n\f\v]{2,}|[\t\r\n\f\v]")
_HIDDEN = frozenset(
    {"head", "style", "script", "title", "template", "noscript", "object", "svg", "select", "textarea"}
)
_PARAGRAPHS = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "pre", "blockquote"}
)
_BLOCKS = _PARAGRAPHS | frozenset(
    {
        "address", "article", "aside", "body", "center", "dd", "div", "dt", "fieldset", "figure", "footer",
        "form",
        "header", "html", "li", "main", "nav", "section", "tr", "tbody", "thead", "caption", "hr",
    }
)  # fmt: skip
_CELLS = frozenset({"td", "th"})
_LINKS = ("http://", "https://", "mailto:")
_INVISIBLE = re.compile(r"display\s{0,5}:\s{0,5}none", re.IGNORECASE)
_TOP_BORDER = re.compile(
    r"border-top:\s{0,3}solid\s{1,3}(?:#[0-9a-f]{3,6}|windowtext)\s{1,3}[\d.]{1,5}pt", re.IGNORECASE
)
_DEEPEST = 20
"""Levels of quotation that are shown by marks; deeper ones look the same."""

_MOST_REGIONS = 100
"""Elements of a quoting class that are told apart; a thread quoted a hundred times is text enough."""

# What mail programs write round or above the message they answer.
_ALL_FROM_HERE_IDS = frozenset(
    {
        "appendonsend",
        "divrplyfwdmsg",
        "mail-editor-reference-message-container",
        "olk_src_body_section",
        "stopspelling",
        "includetail",
    }
)
_QUOTE_CLASSES = frozenset(
    {
        "gmail_quote",
        "gmail_quote_container",
        "yahoo_quoted",
        "protonmail_quote",
        "tutanota_quote",
        "zmail_extra",
        "ms-outlook-mobile-reference-message",
        "wordsection1_quoted",
    }
)
_ATTRIBUTION_CLASSES = frozenset({"gmail_attr", "moz-cite-prefix"})


@dataclass(frozen=True, slots=True)
class Shown:
    """The text of an HTML part, and the numbers of its lines that the sender's program marked as quoted."""

    text: str
    quoted: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Region:
    """Lines within an element whose class says that it holds the quoted message."""

    start: int
    end: int | None = None
    has_blockquote: bool = False


@dataclass(slots=True)
class _Element:
    tag: str
    is_hidden: bool = False
    is_quote: bool = False
    is_attribution: bool = False
    region: _Region | None = None
    link: str | None = None
    link_start: int = 0
    number: int | None = None


def _is_invisible(attributes: Mapping[str, str]) -> bool:
    return _INVISIBLE.search(attributes.get("style", "")) is not None


@dataclass(slots=True)
class _Walk:
    """Receives the events of lxml's parser and writes lines; every event costs constant time."""

    lines: list[str] = field(default_factory=list)
    stack: list[_Element] = field(default_factory=list)
    regions: list[_Region] = field(default_factory=list)
    open_regions: list[_Region] = field(default_factory=list)
    attributions: set[int] = field(default_factory=set)
    current: list[str] = field(default_factory=list)
    length: int = 0
    hidden: int = 0
    preformatted: int = 0
    depth: int = 0
    in_attribution: int = 0
    is_blank_due: bool = False
    is_after_space: bool = True
    quoted_from: int | None = None

    # What lxml calls.

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        element = _Element(tag)
        self.stack.append(element)
        if self.hidden or tag in _HIDDEN or (attributes and _is_invisible(attributes)):
            element.is_hidden = True
            self.hidden += 1
            return
        if tag in _BLOCKS:
            self._break(is_paragraph=tag in _PARAGRAPHS)
        self._mark(element, attributes)
        self._open(element, attributes)

    def end(self, tag: str) -> None:
        if not self.stack:
            return
        element = self.stack.pop()
        if element.is_hidden:
            self.hidden -= 1
            return
        self._close(element)
        if tag in _BLOCKS:
            self._break(is_paragraph=tag in _PARAGRAPHS)
        if element.is_quote:
            self.depth -= 1
        if element.is_attribution:
            self.in_attribution -= 1
        if element.region is not None:
            element.region.end = len(self.lines)
            self.open_regions.pop()

    def data(self, data: str) -> None:
        if self.hidden or self.length > bounds.TEXT_CHARACTERS:
            return
        self.length += len(data)
        if self.preformatted:
            self._preformatted(data)
            return
        text = _WIDE_SPACE.sub(" ", data)
        if self.is_after_space:
            text = text.lstrip(" ")
        if text:
            self.current.append(text)
            self.is_after_space = text.endswith(" ")

    def comment(self, text: str) -> None:
        """Comments are not shown."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Processing instructions are not shown."""

    def close(self) -> Shown:
        self._break(is_paragraph=False)
        return Shown("\n".join(self.lines), frozenset(self._quoted()))

    # How it is written.

    def _break(self, *, is_paragraph: bool) -> None:
        line = "".join(self.current).rstrip(" ") if not self.preformatted else "".join(self.current)
        self.current = []
        self.is_after_space = True
        if line.strip("\u00a0 \t") or (self.preformatted and line):
            if self.is_blank_due and self.lines:
                self._write("")
            self._write(line.replace("\u00a0", " ").rstrip())
            self.is_blank_due = is_paragraph
        elif self.lines and self.lines[-1].strip("> "):
            self.is_blank_due = self.is_blank_due or is_paragraph

    def _write(self, line: str) -> None:
        mark = "> " * min(self.depth, _DEEPEST)
        self.length += len(mark) + 1
        self.lines.append((mark + line).rstrip(" ") if mark else line)
        if self.in_attribution:
            self.attributions.add(len(self.lines) - 1)

    def _preformatted(self, data: str) -> None:
        first, *others = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self.current.append(first)
        for line in others:
            written = "".join(self.current)
            self.current = [line]
            if self.is_blank_due and self.lines:
                self._write("")
            self.is_blank_due = False
            self._write(written.replace("\u00a0", " "))

    def _open(self, element: _Element, attributes: Mapping[str, str]) -> None:
        tag = element.tag
        if tag == "br":
            self._line_break()
        elif tag == "blockquote":
            self._quote(element)
        elif tag == "pre":
            self.preformatted += 1
        elif tag == "li":
            self._item()
        elif tag == "ol":
            element.number = 0
        elif tag in _CELLS and "".join(self.current).strip():
            self.current.append("\t")
            self.is_after_space = True
        elif tag == "a":
            element.link = attributes.get("href")
            element.link_start = len(self.current)
        elif tag == "hr":
            self.lines.append("")

    def _line_break(self) -> None:
        line = "".join(self.current).rstrip(" ").replace("\u00a0", " ")
        self.current = []
        self.is_after_space = True
        if self.is_blank_due and self.lines and line:
            self._write("")
        self.is_blank_due = False
        self._write(line.rstrip())

    def _quote(self, element: _Element) -> None:
        if self.is_blank_due and self.lines:
            self._write("")
            self.is_blank_due = False
        element.is_quote = True
        self.depth += 1
        for region in self.open_regions[-_DEEPEST:]:
            region.has_blockquote = True

    def _item(self) -> None:
        for element in reversed(self.stack[-_DEEPEST:]):
            if element.tag == "ol" and element.number is not None:
                element.number += 1
                self.current.append(f"{element.number}. ")
                return
            if element.tag == "ul":
                break
        self.current.append("- ")

    def _close(self, element: _Element) -> None:
        if element.tag == "pre":
            self._break(is_paragraph=True)
            self.preformatted -= 1
        elif element.link:
            self._link(element)

    def _link(self, element: _Element) -> None:
        """Write the target of a link behind its text where the text does not show it."""
        href = (element.link or "").strip()[:2000]
        if not href.lower().startswith(_LINKS) or element.link_start > len(self.current):
            return
        shown = "".join(self.current[element.link_start :]).strip()
        bare = href.partition(":")[2].strip("/").removeprefix("www.").partition("?")[0]
        if shown and bare and bare.lower() not in shown.lower() and shown.lower() not in href.lower():
            self.current.append(f" <{_SPACE.sub('', href)}>")
            self.is_after_space = False

    # Which lines are quoted.

    def _mark(self, element: _Element, attributes: Mapping[str, str]) -> None:
        if not attributes:
            return
        identity = attributes.get("id", "").lower()
        if identity and identity.removeprefix("x_") in _ALL_FROM_HERE_IDS and self.quoted_from is None:
            self.quoted_from = len(self.lines)
        if _TOP_BORDER.search(attributes.get("style", "")[:500]) and "padding" in attributes["style"]:
            self.quoted_from = len(self.lines) if self.quoted_from is None else self.quoted_from
        classes = set(attributes.get("class", "")[:500].lower().split())
        if classes & _QUOTE_CLASSES and element.tag != "blockquote" and len(self.regions) < _MOST_REGIONS:
            element.region = _Region(len(self.lines))
            self.regions.append(element.region)
            self.open_regions.append(element.region)
        elif classes & _ATTRIBUTION_CLASSES and element.tag in _BLOCKS:
            element.is_attribution = True
            self.in_attribution += 1

    def _quoted(self) -> set[int]:
        quoted = set(self.attributions)
        for region in self.regions:
            if not region.has_blockquote:
                quoted.update(range(region.start, region.end if region.end is not None else len(self.lines)))
        if self.quoted_from is not None:
            quoted.update(range(self.quoted_from, len(self.lines)))
        return quoted


def shown(markup: str) -> Shown:
    """Give what an HTML part shows; never raises, never fetches anything, in time linear in its length."""
    walk = _Walk()
    parser = etree.HTMLParser(
        target=walk, encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    content = markup[: 2 * bounds.TEXT_CHARACTERS].encode("utf-8", "replace")
    try:
        parser.feed(content)
        result = parser.close()
    except (etree.LxmlError, AssertionError):
        return walk.close()
    return result if isinstance(result, Shown) else walk.close()
