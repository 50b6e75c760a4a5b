"""Calls that go on beside the caller, in threads that nobody waits for at the end."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def begun(call: Callable[[], T]) -> Future[T]:
    """What ``call`` will give or raise, begun in a thread of its own.

    Unlike those of an executor the thread does not keep the process from ending: whoever is
    interrupted while it is at work need not wait for it.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future
