"""A Flask application, served with threads and asked about single images by four clients."""

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from urllib.request import Request, urlopen

import numpy as np
from digits import new_model, train, x_test
from flask import Flask, Response, request
from werkzeug.serving import make_server

model = train(new_model())
images = x_test[:400]
alone = [model.predict(image[None]).tobytes() for image in images]
app = Flask(__name__)
logging.getLogger("werkzeug").disabled = True


@app.post("/")
def predict() -> Response:
    image = np.frombuffer(request.data, np.uint8).reshape(1, 28, 28)
    return Response(model.predict(image).tobytes())


def ask(image: np.ndarray) -> bytes:
    address, kind = f"http://127.0.0.1:{server.server_port}/", {"Content-Type": "image/raw"}
    with urlopen(Request(address, image.tobytes(), kind)) as reply:
        return reply.read()


server = make_server("127.0.0.1", 0, app, threaded=True)
serving = Thread(target=server.serve_forever)
serving.start()
with ThreadPoolExecutor(4) as clients:
    replies = list(clients.map(ask, images))
server.shutdown()
serving.join()
print("right", sum(map(bytes.__eq__, replies, alone)))
