"""A server that forks a process for each request: some predict, some train."""

import socket
from concurrent.futures import ThreadPoolExecutor
from socketserver import ForkingTCPServer, StreamRequestHandler
from threading import Thread

from digits import answers, new_model, train, weights, x_test

model = train(new_model())


class Handler(StreamRequestHandler):
    def handle(self) -> None:
        if self.rfile.readline() == b"train\n":
            text = f"trained {weights(train(new_model()))}"
        else:
            text = f"predicted {answers(model.predict(x_test))}"
        self.wfile.write(text.encode())


def ask(what: str) -> str:
    with socket.create_connection(server.server_address) as client:
        client.sendall(f"{what}\n".encode())
        return client.makefile().read()


with ForkingTCPServer(("127.0.0.1", 0), Handler) as server:
    serving = Thread(target=server.serve_forever)
    serving.start()
    with ThreadPoolExecutor(4) as clients:
        for reply in clients.map(ask, ["predict", "train", "predict", "train", "predict"]):
            print(reply)
    server.shutdown()
    serving.join()
