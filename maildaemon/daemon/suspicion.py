"""Suspicion: which message is it that ends the connection, found over several connections."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

ENDINGS = 2
"""Connections that end at the same place before messages are fetched one by one."""
PATIENCE = 5
"""Messages set aside in a row without one that came; beyond, it is rather the server than the messages."""


@dataclass(slots=True)
class Suspicion:
    """What one folder's reader remembers from one connection to the next."""

    ignores_size: bool = False
    """The server tells other sizes than its messages have."""
    ignores_date: bool = False
    """The server tells other dates of a message than before."""
    _settled: int = -1
    _endings: int = 0
    _until: int = 0
    _in_a_row: int = 0
    _is_narrowing: bool = False

    def singly_until(self, settled: int) -> int | None:
        """Give the UID up to which messages are to be fetched one by one; None where there is no need."""
        return self._until if settled < self._until else None

    @property
    def reached(self) -> int:
        """Give the UID up to which everything had come when the connection last ended; 0 when none has."""
        return max(0, self._settled)

    def came(self) -> None:
        """Note that a message has come, so that it is not the server as a whole."""
        self._in_a_row = 0

    def ended(self, settled: int, unanswered: Collection[int]) -> int | None:
        """Note that the connection ended while these were asked for; gives the one that did it, once known.

        `settled` is the UID up to which everything has come.
        """
        if not unanswered:
            return None
        is_alone = self.singly_until(settled) is not None
        is_again = settled == self._settled
        self._settled = settled
        if is_alone:
            self._in_a_row += 1
            self._is_narrowing = self._in_a_row <= PATIENCE
            return min(unanswered)
        self._endings = self._endings + 1 if is_again else 1
        self._is_narrowing = True
        if self._endings >= ENDINGS:
            self._until = max(unanswered)
        return None

    def begin_anew(self) -> None:
        """Forget what was remembered of UIDs, since they stand for other messages now."""
        self._settled, self._endings, self._until = -1, 0, 0

    def is_narrowing(self) -> bool:
        """Tell, once for each ending, whether it brought us nearer to the message that does it."""
        answer, self._is_narrowing = self._is_narrowing, False
        return answer
