"""Running workers side by side, with plain errors instead of groups."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


async def together(workers: Iterable[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    """Run all `workers` to their end; the first error cancels the others and is raised as it is."""
    failed: BaseException | None = None
    try:
        async with anyio.create_task_group() as group:
            for worker in workers:
                group.start_soon(worker)
    except BaseExceptionGroup as errors:
        failed = next(_leaves(errors))
    if failed is not None:
        raise failed from None  # not above: IPython prints an error that has a group in its context as plain text


async def finish_if_soon(work: Awaitable[T], grace: float) -> T:
    """Await `work`; when cancelled meanwhile, give it `grace` seconds more.

    A request that is on the wire when the user interrupts is better known than cut: the answer is usually only
    milliseconds away. The cancellation is felt at the caller's next await.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task], timeout=grace)
        if task.done() and not task.cancelled():
            return task.result()
        task.cancel()
        raise


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
