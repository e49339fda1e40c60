"""Measure how well and how fast messages are read, on the corpus of labelled mail."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from maildaemon.core import body
from maildaemon.core.zone import Zone
from maildaemon.mime import parse

SKIPPED = frozenset({"SOURCE.txt", "cases.jsonl", "zones.jsonl", "README.md"})
FIXTURES = (".json", ".xml", ".out", "_decoded", ".html", ".py", ".rb")


def corpus() -> Path | None:
    """Give the folder of the corpus, or None where there is none."""
    folder = Path(os.environ.get("MAILDAEMON_CORPUS", Path(__file__).parents[2] / "shared" / "corpus"))
    return folder if folder.is_dir() else None


def records(path: Path) -> Iterator[dict]:
    """Give the records of a file of one JSON object a line."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def letters(folder: Path) -> Iterator[bytes]:
    """Give every file of the MIME sets that is a message, in a fixed order."""
    for path in sorted(folder.rglob("*")):
        is_letter = path.name not in SKIPPED and not any(part in path.name for part in FIXTURES)
        if path.is_file() and is_letter and ("mime-" in str(path) or path.suffix == ".eml"):
            yield path.read_bytes()


def zones(path: Path, *, show: str = "") -> None:
    """Print shares of mails split exactly, with words lost, with quoted lines kept; and signatures' F1."""
    count = exact = lost = leak = hit = wrong = missed = harmed = without = 0
    spent = 0.0
    for record in records(path):
        truth = [label for label, _ in record["lines"]]
        text = "\n".join(line for _, line in record["lines"])
        name = record.get("xfrom") or record.get("from") or ""
        begin = time.process_time()
        found = body.split(text, author=name.partition("<")[0].strip())
        spent += time.process_time() - begin
        count += 1
        pairs = list(zip(truth, found, strict=True)) if truth else []
        is_lost = any(label == "N" and line.zone is Zone.QUOTED for label, line in pairs)
        is_leak = any(label == "Q" and line.zone not in (Zone.QUOTED, Zone.BLANK) for label, line in pairs)
        lost, leak, exact = lost + is_lost, leak + is_leak, exact + (not is_lost and not is_leak)
        hits = sum(label == "S" and line.zone is Zone.SIGNATURE for label, line in pairs)
        wrongs = sum(label in "NDQ" and line.zone is Zone.SIGNATURE for label, line in pairs)
        hit, wrong = hit + hits, wrong + wrongs
        missed += sum(label == "S" and line.zone not in (Zone.SIGNATURE, Zone.BLANK) for label, line in pairs)
        if "S" not in truth:
            without, harmed = without + 1, harmed + (wrongs > 0)
        signature = hits < truth.count("S") or wrongs
        wanted = {"split": is_lost or is_leak, "signature": bool(signature)}
        if wanted.get(show):
            print(f"=== {record['id']} {name}")
            for label, line in pairs:
                print(label, line.zone[:2], line.text[:110])
    f1 = 2 * hit / max(1, 2 * hit + wrong + missed)
    print(
        f"{path.parent.name:20} {count:5} exact {exact / count:.3f} lost {lost / count:.3f}"
        f" leak {leak / count:.3f}"
        f"  signature F1 {f1:.3f} P {hit / max(1, hit + wrong):.2f} R {hit / max(1, hit + missed):.2f}"
        f" given without {harmed / max(1, without):.3f}  {count / max(spent, 1e-9):.0f}/s"
    )


def replies(path: Path, *, show: str = "") -> None:
    """Print the share of replies whose kept text is the expected one, with or without signature."""
    count = equal = 0
    for record in records(path):
        if record.get("expected") is None or record.get("kind", "text") != "text":
            continue
        count += 1
        found = body.split(record["text"].replace("\r\n", "\n"))
        kept = " ".join(" ".join(line.text for line in found if line.zone is Zone.NEW).split())
        signed = " ".join(" ".join(line.text for line in found if line.zone is not Zone.QUOTED).split())
        closed = (line.text for line in found if line.zone in (Zone.NEW, Zone.CLOSING))
        unclosed = " ".join(" ".join(closed).split())
        expected = " ".join(record["expected"].split())
        is_equal = expected in (kept, signed, unclosed)
        equal += is_equal
        if show == "replies" and not is_equal:
            print(f"=== {record['id']}")
            print("\n".join(f"{line.zone[:2]} {line.text[:110]}" for line in found))
            print("--- expected\n" + record["expected"][:1500])
    print(f"{path.parent.name:20} {count:5} equal {equal / count:.3f}")


def forwards(path: Path, *, show: str = "") -> None:
    """Print the share of forwards whose original sender was found, and of false hits."""
    from maildaemon.core import sender
    from maildaemon.core.address import Person

    found = wanted = false = 0
    for record in records(path):
        lines = body.split(
            record["text"].replace("\r\n", "\n"),
            is_forward=sender.is_forward_subject(record["subject"] or ""),
        )
        author = sender.author(Person(None, "us@example.org"), record["subject"] or "", lines=lines)
        proposed = author.person.address.lower() if author and author.because == "forward" else None
        expected = (
            record["expected_from"].lower()
            if record["expected_forwarded"] and record["expected_from"]
            else None
        )
        wanted += expected is not None
        found += expected is not None and proposed == expected
        false += proposed is not None and proposed != expected
        if show == "forwards" and proposed != expected:
            print(f"=== {record['id']} {proposed} != {expected} {record['subject']!r}")
            print("\n".join(f"{line.zone[:2]} {line.text[:100]}" for line in lines[:16]))
    print(f"{path.parent.name:20} {wanted:5} found {found / max(1, wanted):.3f} false {false}")


def speed(contents: Iterable[bytes]) -> None:
    """Print messages per CPU second, header-only records and how many strings were not sound."""
    count = header_only = size = unsound = 0
    slowest = 0.0
    begin = time.process_time()
    for content in contents:
        before = time.process_time()
        message = parse.read(content)
        slowest = max(slowest, time.process_time() - before)
        count, size = count + 1, size + len(content)
        header_only += message.is_header_only
        unsound += "\n".join(line.text for line in message.lines) != message.text or "\0" in message.text
    spent = time.process_time() - begin
    print(
        f"{count} messages, {count / spent:.0f} a CPU second, {size / spent / 1e6:.1f} MB/s,"
        f" slowest {slowest:.2f} s,"
        f" header only {header_only}, unsound {unsound}"
    )


def main() -> int:
    """Measure what was asked for; 0, or 1 where there is no corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", choices=["split", "signature", "replies", "forwards"], default="")
    parser.add_argument("--held-out", action="store_true", help="also the set that rules are not tuned to")
    parser.add_argument("--only", default="", help="name of one set")
    chosen = parser.parse_args()
    folder = corpus()
    if folder is None:
        print("no corpus: set MAILDAEMON_CORPUS to its folder", file=sys.stderr)
        return 1
    for path in sorted(folder.glob("*/zones.jsonl")):
        if chosen.only in path.parent.name and ("forge" not in path.parent.name or chosen.held_out):
            zones(path, show=chosen.show)
    for path in sorted(folder.glob("reply-*/cases.jsonl")):
        if chosen.only in path.parent.name:
            replies(path, show=chosen.show)
    if chosen.only in "forward-crisp":
        forwards(folder / "forward-crisp" / "cases.jsonl", show=chosen.show)
    if not chosen.only:
        speed(list(letters(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
