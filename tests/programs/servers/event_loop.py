"""Coroutines train and predict in the threads of an event loop, which goes on meanwhile."""

import asyncio

from digits import answers, new_model, train, weights, x_test


async def tick() -> None:
    while True:
        await asyncio.sleep(0.001)


async def main() -> None:
    ticking = asyncio.create_task(tick())
    loop = asyncio.get_running_loop()
    first, second = await asyncio.gather(
        asyncio.to_thread(train, new_model()),
        loop.run_in_executor(None, train, new_model()),
    )
    many = await asyncio.gather(*(asyncio.to_thread(first.predict, x_test) for _ in range(8)))
    ticking.cancel()
    for model in (first, second):
        print("trained", weights(model))
    for probabilities in many:
        print("predicted", answers(probabilities))


asyncio.run(main())
