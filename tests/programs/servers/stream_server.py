"""An asynchronous server that predicts in threads, asked by four clients while it trains."""

import asyncio

import numpy as np
from digits import new_model, train, weights, x_test

model = train(new_model())
images = x_test[:200]
alone = [model.predict(image[None]).tobytes() for image in images]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    image = np.frombuffer(await reader.readexactly(28 * 28), np.uint8).reshape(1, 28, 28)
    probabilities = await asyncio.to_thread(model.predict, image)
    writer.write(probabilities.tobytes())
    await writer.drain()
    writer.close()


async def ask(port: int, image: np.ndarray, turn: asyncio.Semaphore) -> bytes:
    async with turn:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(image.tobytes())
        reply = await reader.read()
        writer.close()
        await writer.wait_closed()
        return reply


async def main() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port, turn = server.sockets[0].getsockname()[1], asyncio.Semaphore(4)
    async with server:
        training = asyncio.create_task(asyncio.to_thread(train, new_model()))
        replies = await asyncio.gather(*(ask(port, image, turn) for image in images))
        print("trained", weights(await training))
    print("right", sum(map(bytes.__eq__, replies, alone)))


asyncio.run(main())
