"""Prints the order in which twelve siblings see their cancellation; test_virtual runs it in fresh processes."""

import asyncio
import sys

from supervisor.clock import Clock
from supervisor.virtual import run_virtual


async def _sibling(number: int, order: list[int]) -> None:
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        order.append(number)


async def main(clock: Clock) -> list[int]:
    """Start twelve, let one of them fail, and write down who is cancelled when."""
    order: list[int] = []
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(12):
                group.create_task(_sibling(number, order))
            await clock.sleep(1)
            raise ValueError("one of us fails")
    except* ValueError:
        pass
    return order


if __name__ == "__main__":
    shuffle = int(sys.argv[1]) if len(sys.argv) > 1 else None
    print(run_virtual(main, 0, shuffle))
