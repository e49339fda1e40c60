"""Threads for calls that only block: host names, secrets; they hold up neither each other nor the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


class SlowCalls(ThreadPoolExecutor):
    """A thread for each call, for an event loop to use as its default executor.

    The loop's own choice has six threads on two cores: as many names that are slow to resolve, or commands
    that are slow to print a password, would hold up every other mailbox. And it waits for all of them at the
    end, however long they take; these are left behind.
    """

    def submit(
        self, fn: Callable[Given, Result], /, *args: Given.args, **kwargs: Given.kwargs
    ) -> Future[Result]:
        """Begin a call at once; raises RuntimeError when no further thread can be started."""
        future: Future[Result] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # whoever waits for the result is told, as with any executor
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=call, name="slow-call", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002  # the signature of its class
        """Return at once: what still runs ends with the process."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
