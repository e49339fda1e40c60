"""What was measured, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import letters
from benchmarks.idle import Idle
from benchmarks.plot import Bar
from benchmarks.row import Row

OURS = "maildaemon"

_HEAD = (
    "| way | does | messages | messages/s | × maildaemon, SQLite | CPU µs a message "
    "| servers' CPU µs | peak MB | first after s | others' cores |",
    "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
)

_HOW = """\
Every way is a process of its own, started from nothing; its time runs from the start of the process to its
end, so that starting, connecting and logging in count. All read over IMAP without TLS from the same Dovecot
on the loopback, which has seen the mailbox before. Processor time and memory are those of all processes of a
way together; memory that they share counts once. What Dovecot and PostgreSQL spent for it stands apart.
"First after" is the time until the first message lay in the store (for clients that only fetch: until it had
come), to about 50 ms. "Others' cores" tells how many cores everything else on the machine kept busy: where
that is more than a little, trust the processor time and not the messages a second.

Stores keep what they acknowledged over a power cut: SQLite with `synchronous = FULL`, PostgreSQL with its own
defaults, mbsync and getmail with fsync. getmail6 gets at most 3,000 messages, django-helpdesk and Roundup at
most 400: they take as long for each of more. These two remove from the server what they took, and both end at
a charset that they do not know, so their speed is that with letters that name their charsets rightly."""


def document(
    *,
    command: str,
    date: str,
    remark: str,
    machine: Sequence[str],
    sections: Sequence[str],
) -> str:
    """Give the whole page."""
    return "\n\n".join(
        [
            "# Intake: how fast a full mailbox is taken in",
            f"Measured on {date} by `{command}`." + (f" {remark}" if remark else ""),
            "\n".join(f"- {line}" for line in machine),
            *sections,
            "",
        ]
    ).rstrip("\n") + "\n"  # fmt: skip


def ways(rows: Sequence[Row], *, has_plot: bool) -> str:
    """Give the table of all ways on the same mailbox, and how it came about."""
    account = rows[0].account
    words = (
        f"{account.messages:,} invented letters, {account.size / account.messages / 1000:.1f} kB in the "
        f"mean, in {account.threads:,} threads: {letters.ATTACHMENTS:.0%} with a file of 100 kB to 1 MB, "
        f"{letters.ALTERNATIVES:.0%} with HTML beside the text, {letters.ANSWERS:.0%} answers, "
        f"{letters.UNNAMED:.0%} without a Message-ID, "
        f"{letters.UNKNOWN_CHARSETS:.0%} in a charset that there is not."
    )
    picture = ["![Messages a second](intake.svg)"] if has_plot else []
    return "\n\n".join(["## The same mailbox, every way", words, *picture, table(rows), _remarks(rows), _HOW])


def table(rows: Sequence[Row]) -> str:
    """Give one line for each way."""
    ours = next((row.rate for row in rows if row.name.startswith(OURS) and row.rate), None)
    return "\n".join([*_HEAD, *(_line(row, ours) for row in rows)])


def _line(row: Row, ours: float | None) -> str:
    cost = row.cost
    if cost is None or row.rate is None:
        return f"| {row.name} | {row.deeds} | {row.account.messages:,} | – | – | – | – | – | – | – |"
    ratio = f"{row.rate / ours:.2f}" if ours else "–"
    first = f"{cost.first_seconds:.2f}" if cost.first_seconds is not None else "–"
    return (
        f"| {row.name} | {row.deeds} | {row.done:,} | {row.rate:,.0f} | {ratio} "
        f"| {cost.cpu_seconds / row.done * 1e6:,.0f} | {cost.server_cpu_seconds / row.done * 1e6:,.0f} "
        f"| {cost.peak_bytes / 1e6:,.0f} | {first} "
        f"| {cost.others_cores:.1f} |"
    )


def _remarks(rows: Sequence[Row]) -> str:
    told = [f"- {row.name}: {row.remark}." for row in rows if row.remark]
    return "What became of the messages:\n\n" + "\n".join(told)


def growth(rows: Sequence[Row]) -> str:
    """Give maildaemon with mailboxes of different sizes."""
    return "\n\n".join(["## Larger mailboxes, maildaemon into SQLite", table(rows), _remarks(rows)])


def latency(rows: Sequence[Row], *, round_trip: float) -> str:
    """Give what is left of the speed when the server is far away."""
    title = f"## A server {round_trip * 1000:.0f} ms away (round trip)"
    return "\n\n".join([title, table(rows), _remarks(rows)])


def idle(found: Idle) -> str:
    """Give what many quiet mailboxes cost."""
    lines = [
        f"- delivered until filed, over {len(found.filed_seconds)} deliveries: {found.median * 1000:,.0f} ms "
        f"in the median, {found.percentile(0.95) * 1000:,.0f} ms at the 95th percentile. Dovecot itself "
        "tells of new mail 500 ms after it came.",
        f"- waiting: {found.cpu_share:.2%} of a core, {found.bytes / 1e6:,.0f} MB in all processes together "
        f"({found.bytes / 1e3 / found.mailboxes:,.0f} kB for each mailbox, everything counted).",
        f"- one pass over all of them with nothing new (`run --once`): {found.poll_seconds * 1000:,.0f} ms; "
        f"with the start and the end of the process {found.poll_wall_seconds * 1000:,.0f} ms, and "
        f"{found.poll_cpu_seconds * 1000:,.0f} ms of processor time.",
    ]
    if found.is_push_hampered:
        lines.append(
            "- **the delays say nothing**: Dovecot ran out of `fs.inotify.max_user_instances`, and looks for "
            "new mail every 30 s only where it has none."
        )
    title = f"## {found.mailboxes} mailboxes, watched by the daemon (INBOX and Sent of each)"
    return title + "\n\n" + "\n".join(lines)


def bars(rows: Sequence[Row]) -> list[Bar]:
    """Give the rates that are to be drawn."""
    return [Bar(row.name, row.rate, row.name.startswith(OURS)) for row in rows if row.rate]
