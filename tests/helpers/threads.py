"""Threads that work on the warehouse and the archive which their maker works on."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any


class Thread(threading.Thread):
    """A thread in a copy of its maker's context."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._context = copy_context()

    def run(self) -> None:
        self._context.run(super().run)


class Pool(ThreadPoolExecutor):
    """Threads, each call in a copy of its caller's context."""

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        return super().submit(copy_context().run, call, *arguments, **keywords)
