"""Doing several requests at a time; the first error ends all and is raised itself, not in a group.

>>> async def double(n): return 2 * n
>>> asyncio.run(together(double(1), double(2)))
[2, 4]
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def together(*work: Coroutine[Any, Any, T]) -> list[T]:
    """All results in order. Unlike ``asyncio.gather`` nothing goes on after an error."""
    tasks: list[asyncio.Task[T]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks.extend(group.create_task(part) for part in work)
    except BaseExceptionGroup as error:
        raise _first(error) from None
    return [task.result() for task in tasks]


async def pool(items: Iterable[T], work: Callable[[T], Awaitable[None]], width: int) -> None:
    """``work`` for each item, at most ``width`` at a time: as few tasks as that, whatever the number."""
    shared = iter(items)

    async def worker() -> None:
        for item in shared:  # whoever is free takes the next
            await work(item)

    await together(*(worker() for _ in range(width)))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
