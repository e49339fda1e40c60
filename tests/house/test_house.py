"""The repository itself: what every file of it has, and what none may have."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_LINES = 450
GENERATED = {".git", "build", "dist", "__pycache__"}
TEXTS = {".py", ".md", ".toml", ".txt", ".sh", ".yml", ".yaml", ".json", ".service", ".socket", ".timer", ""}


def sources(*folders: str) -> Iterator[tuple[str, str]]:
    """Give name and text of the Python files of some folders; an empty one only marks a package."""
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            text = file.read_text(encoding="utf-8")
            if text and not GENERATED & set(file.parts):
                yield str(file.relative_to(ROOT)), text


def texts() -> Iterator[Path]:
    """Give every text file of the repository."""
    for file in sorted(ROOT.rglob("*")):
        parts = file.relative_to(ROOT).parts
        is_ours = not any(
            part in GENERATED or part.startswith((".venv", ".hypothesis")) or part.endswith("_cache")
            for part in parts
        )
        if is_ours and file.suffix in TEXTS and file.is_file():
            yield file


def test_every_file_says_in_one_sentence_what_it_is() -> None:
    wrong = []
    for name, text in sources("maildaemon", "tests", "benchmarks"):
        docstring = ast.get_docstring(ast.parse(text)) or ""
        sentence = " ".join(docstring.partition("\n\n")[0].split())
        is_one = not re.search(r"[.!?] [A-ZÅÄÖ]", re.sub(r"``.*?``", "", sentence))
        if not sentence.endswith((".", "!", "?")) or not is_one:
            wrong.append((name, sentence))
    assert wrong == []


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    lengths = {name: len(text.splitlines()) for name, text in sources("maildaemon")}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_file_is_named_after_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
    assert [name for name, _ in sources("maildaemon") if empty & set(re.split(r"[/.]", name))] == []


def test_no_text_speaks_of_the_machine_on_which_it_was_written() -> None:
    words = re.compile("|".join(["/wor" + "k/", "/tmp/" + r"lab\b", "/root/" + r"\."]))
    assert [found for file in texts() for found in matches(file, words)] == []


def test_nothing_is_left_to_be_done_later() -> None:
    left = re.compile("|".join(r"\b" + word + r"\b" for word in ("TO" + "DO", "FIX" + "ME", "XX" + "X")))
    assert [name for name, text in sources("maildaemon", "tests") if left.search(text)] == []


def test_no_check_is_silenced_without_a_reason() -> None:
    bare = re.compile(r"#\s*(?:noqa(?::\s*[A-Z0-9, ]+)?|type:\s*ignore(?:\[[^\]]*\])?)[ \t]*$", re.MULTILINE)
    # An argument that a protocol asks for and nobody uses explains itself.
    explained = re.compile(r"# noqa: ARG\d+$")
    found = [
        (name, comment)
        for name, text in sources("maildaemon")
        for comment in bare.findall(text)
        if not explained.match(comment)
    ]
    assert found == []


def matches(file: Path, words: re.Pattern[str]) -> Iterator[str]:
    """Give the lines of a file in which one of the words stands."""
    text = file.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if words.search(line):
            yield f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
