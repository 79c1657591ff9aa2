import time
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

import small
from expect import refusal
from gpucnn import Conv2D, Dense, Flatten, Sequential, models
from gpucnn.errors import DeviceError, InvalidTypeError
from gpucnn.losses import MeanSquaredError
from gpucnn.models.pictures.passes import feature_maps, saliency
from gpucnn.serving import Limits, create_app
from gpucnn.serving.answers import as_bytes
from gpucnn.serving.served import Placed
from serving.conftest import Pixels, as_json, as_png

PNG = {"Content-Type": "image/png"}


def said(answer: Any) -> list[float]:
    """The probabilities of an answer, in the order of the classes."""
    probabilities = answer["probabilities"]
    assert list(probabilities) == [str(each) for each in range(len(probabilities))]
    return list(probabilities.values())


# Answers


def test_it_says_what_predict_says(client: TestClient, model: Sequential, digits: Pixels) -> None:
    for digit in digits[:8]:
        answer = client.post("/predict", json=as_json(digit)).json()
        alone = model.predict(digit[None])[0]
        assert_allclose(said(answer), alone, rtol=1e-5, atol=1e-7)
        assert answer["class"] == str(alone.argmax())


def test_pixels_may_have_the_axis_of_the_channel(client: TestClient, digits: Pixels) -> None:
    answers = [
        client.post("/predict", json=as_json(each)) for each in (digits[0], digits[0, ..., None])
    ]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "application/octet-stream", None])
def test_pictures_are_prepared_as_by_the_command(
    kind: str | None, client: TestClient, digits: Pixels
) -> None:
    """Of whatever kind they are said to be; a photograph of a 7 is a 7."""
    photograph = Image.fromarray(255 - digits[0]).resize((200, 200))
    file = BytesIO()
    photograph.save(file, "JPEG" if kind == "image/jpeg" else "PNG")
    headers = {} if kind is None else {"Content-Type": kind}
    answer = client.post("/predict", content=file.getvalue(), headers=headers)
    assert answer.json()["class"] == "7"


def test_a_prepared_picture_is_taken_as_it_is(client: TestClient, digits: Pixels) -> None:
    of_picture = client.post("/predict", content=as_png(digits[0]), headers=PNG)
    assert of_picture.content == client.post("/predict", json=as_json(digits[0])).content


def test_an_explanation_is_of_the_same_answer(
    client: TestClient, model: Sequential, digits: Pixels
) -> None:
    answer = client.post("/explain", json=as_json(digits[1])).json()
    predicted = client.post("/predict", json=as_json(digits[1])).json()
    assert {name: answer[name] for name in predicted} == predicted
    assert_array_equal(image_of(answer["pixels"])[0], digits[1])
    maps = feature_maps(model, digits[1].reshape(1, 28, 28, 1))
    assert [each["name"] for each in answer["layers"]] == list(maps)
    for layer, expected in zip(answer["layers"], maps.values(), strict=True):
        assert_array_equal(image_of(layer), as_bytes(np.moveaxis(expected, 2, 0)))
    sizes = np.abs(saliency(model, digits[1].reshape(1, 28, 28, 1)).gradients[0, ..., 0])
    assert_allclose(image_of(answer["saliency"])[0], 255 * sizes / sizes.max(), atol=0.51)


def image_of(told: dict[str, Any]) -> Pixels:
    shape = told["channels"], told["rows"], told["columns"]
    return np.frombuffer(b64decode(told["data"]), np.uint8).reshape(shape)


def test_a_model_is_chosen_by_its_name(client: TestClient, digits: Pixels) -> None:
    answers = [
        client.post(f"/predict?{query}", json=as_json(digits[0])).content
        for query in ("", "model=digits", "model=untrained", "device=cpu")
    ]
    assert answers[0] == answers[1] == answers[3] != answers[2]


def test_models_are_described(client: TestClient) -> None:
    told = client.get("/api/models").json()
    assert told["devices"] == ["cpu"]
    assert [each["name"] for each in told["models"]] == ["digits", "untrained"]
    assert told["models"][0] == {
        "name": "digits",
        "input_shape": [28, 28, 1],
        "classes": [str(digit) for digit in range(10)],
        "photographs": False,
        "layers": [
            {"name": "conv2d", "shape": [26, 26, 8]},
            {"name": "relu", "shape": [26, 26, 8]},
            {"name": "maxpool2d", "shape": [13, 13, 8]},
        ],
    }


def test_a_device_is_chosen_by_its_name() -> None:
    """Each computes the same to rounding."""
    model, image = small.model(device="cpu", threads=1), small.images(1)[0]
    with TestClient(create_app({"small": model}, ["cpu", "simulator"])) as client:
        assert client.get("/api/models").json()["devices"] == ["cpu", "simulator"]
        by_device = [
            client.post(f"/explain?device={each}", json=as_json(image)).json()
            for each in ("cpu", "simulator")
        ]
    assert_allclose(said(by_device[0]), said(by_device[1]), rtol=1e-5)
    for name in ("layers", "saliency"):
        of_each = [each[name] if name == "layers" else [each[name]] for each in by_device]
        for on_cpu, simulated in zip(*of_each, strict=True):
            difference = image_of(on_cpu).astype(int) - image_of(simulated)
            assert np.abs(difference).max() <= 1


def test_a_device_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with TestClient(create_app(small.model(threads=1), ["cpu"])) as client:

        def fail(*_: object) -> None:
            raise DeviceError("cuda:0 fell off the bus: restart")

        monkeypatch.setattr(Placed, "answer", fail)
        answer = client.post("/predict", json=as_json(small.images(1)[0]))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json() == {"error": "cuda:0 fell off the bus: restart"}


def test_a_defect_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(small.model(threads=1), ["cpu"])

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Placed, "answer", fail)
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.post("/predict", json=as_json(small.images(1)[0]))
    assert answer.status_code == 500
    assert answer.json() == {"error": "an unexpected ZeroDivisionError: see the server's log"}


def test_an_answer_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(small.model(threads=1), ["cpu"], Limits(answer_seconds=0.1))
    monkeypatch.setattr(Placed, "answer", lambda *_: time.sleep(0.5))
    with TestClient(app) as client:
        answer = client.post("/predict", json=as_json(small.images(1)[0]))
    assert answer.status_code == 503
    assert answer.json() == {"error": "no answer within 0.1 s: ask again later"}


def test_what_becomes_of_a_model_later_is_not_served() -> None:
    model, image = small.model(threads=1), small.images(1)[0]
    before = model.predict(image[None])[0]
    with TestClient(create_app(model, ["cpu"])) as client:
        model.set_weights([np.zeros_like(each) for each in model.get_weights()])
        answer = client.post("/explain", json=as_json(image)).json()
    assert_allclose(said(answer), before, rtol=1e-5)


# Refusals


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("model=%1bx", r"there is no model '\x1bx': choose one of digits, untrained"),
        ("device=cuda", "there is no device 'cuda': choose one of cpu"),
    ],
)
def test_unknown_models_and_devices_are_named(
    query: str, text: str, client: TestClient, digits: Pixels
) -> None:
    answer = client.post(f"/predict?{query}", json=as_json(digits[0]))
    assert (answer.status_code, answer.json()) == (404, {"error": text})


def test_other_paths_and_methods_are_refused(client: TestClient) -> None:
    answers = client.get("/nothing"), client.get("/predict"), client.post("/health")
    assert [each.status_code for each in answers] == [404, 405, 405]
    assert answers[0].json() == {"error": "there is nothing at /nothing: see docs/serve.md"}
    assert answers[1].json() == {"error": "/predict does not take GET: use POST"}


@pytest.mark.parametrize(
    ("model", "text"),
    [
        pytest.param(
            Sequential([Dense(2)], (5,)),
            "the model takes inputs of the shape (5,), which cannot be shown: pictures need "
            "images, (height, width, channels)",
            id="vectors",
        ),
        pytest.param(
            Sequential([Flatten(), Dense(2)]),
            "it is not built: give it an input_shape, or fit it first",
            id="not built",
        ),
    ],
)
def test_models_that_cannot_be_served(model: Sequential, text: str) -> None:
    with refusal(text):
        create_app({"it": model}, ["cpu"])


def test_a_model_without_classes_cannot_be_served() -> None:
    model = small.model(threads=1)
    model.compile(loss=MeanSquaredError())
    text = (
        "the model does not tell one class of several, so there are none to show: look at what "
        "predict returns"
    )
    with refusal(text):
        create_app({"it": model}, ["cpu"])


def test_a_model_of_other_numbers_than_pixels_cannot_be_served() -> None:
    """No answer to a drawing would mean anything."""
    model = small.model(threads=1)
    model.fit(small.images(8) / 40 - 1.7, small.labels(8), verbose=0)
    with pytest.raises(ValueError, match=r"the images are bytes .* normalise them"):
        create_app({"it": model}, ["cpu"])


def test_what_is_no_model() -> None:
    with refusal("it is 3: give a Model", InvalidTypeError):
        create_app({"it": 3}, ["cpu"])  # type: ignore[dict-item]
    with refusal("models are 3: give a Model, or several by name", InvalidTypeError):
        create_app(3, ["cpu"])  # type: ignore[arg-type]
    with refusal("there is no model to serve: give at least one"):
        create_app({}, ["cpu"])
    with refusal("devices is empty: give at least one, such as cpu"):
        create_app(small.model(threads=1), [])


def test_models_of_one_output_tell_two_classes() -> None:
    layers = [Conv2D(2, 3), Flatten(), Dense(1, activation="sigmoid")]
    model = Sequential(layers, small.SHAPE, device="cpu", threads=1)
    model.compile(loss="binary_crossentropy")
    image = small.images(1)
    with TestClient(create_app(model, ["cpu"])) as client:
        answer = client.post("/predict", json=as_json(image[0])).json()
    (second,) = model.predict(image)[0]
    assert_allclose(said(answer), [1 - second, second], rtol=1e-5)


# Beside answers


def test_health_and_metrics(model: Sequential, digits: Pixels, page: Path) -> None:
    with TestClient(create_app({"digits": model}, ["cpu"], page=page)) as client:
        assert client.get("/health").json() == {"status": "ok", "models": ["digits"]}
        for path in ("/predict", "/explain"):
            client.post(path, json=as_json(digits[0]))
        client.post("/predict", content=b"[")
        client.get("/page/page.js")
        client.get("/page/nothing.js")
        client.get("/nothing")
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    for line in (
        'gpucnn_requests_total{path="/predict",status="200"} 1.0',
        'gpucnn_requests_total{path="/predict",status="422"} 1.0',
        'gpucnn_requests_total{path="/page/",status="200"} 1.0',
        'gpucnn_requests_total{path="/page/",status="404"} 1.0',
        'gpucnn_requests_total{path="other",status="404"} 1.0',
        'gpucnn_request_seconds_count{path="/predict"} 2.0',
        'gpucnn_batch_images_bucket{device="cpu",le="1.0",model="digits"} 2.0',
        'gpucnn_waiting_requests{device="cpu",model="digits"} 0.0',
    ):
        assert line in lines


def test_two_servers_know_nothing_of_each_other(client: TestClient, page: Path) -> None:
    with TestClient(create_app(small.model(threads=1), ["cpu"], page=page)) as other:
        assert other.get("/metrics").text != client.get("/metrics").text
        assert [each["name"] for each in other.get("/api/models").json()["models"]] == [
            "sequential"
        ]


def test_it_can_be_mounted(model: Sequential, digits: Pixels, page: Path) -> None:
    """In another application, which does not tell it when it starts."""
    app = Starlette(routes=[Mount("/digits", create_app(model, ["cpu"], page=page))])
    client = TestClient(app)
    assert client.post("/digits/predict", json=as_json(digits[0])).json()["class"] == "7"
    assert "draw" in client.get("/digits/").text
    assert client.get("/digits/page/page.js").text == "let a = 1"
    assert 'path="/predict",status="200"' in client.get("/digits/metrics").text


# Files


def test_the_page_and_its_files(client: TestClient) -> None:
    shown, script = client.get("/"), client.get("/page/page.js")
    assert "draw" in shown.text
    assert shown.headers["content-type"].startswith("text/html")
    assert "javascript" in script.headers["content-type"]
    for answer in (shown, script):
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        again = client.get(answer.url.path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "../secret.py",
        "%2e%2e/secret.py",
        "..%2fsecret.py",
        "..%5csecret.py",
        "%00",
        "a%00.js",
        "",
        "%2fetc%2fpasswd",
        "x" * 300,
    ],
)
def test_nothing_else_is_served(path: str, client: TestClient) -> None:
    answer = client.get(f"/page/{path}")
    assert answer.status_code == 404
    assert "error" in answer.json()


def test_without_its_page_a_server_answers_programs(tmp_path: Path) -> None:
    with TestClient(create_app(small.model(threads=1), ["cpu"], page=tmp_path)) as client:
        answer = client.get("/")
        assert client.get("/health").status_code == 200
    assert answer.status_code == 404
    assert answer.json() == {"error": "the page index.html is not part of this installation"}


def test_presets_answer_for_what_they_are() -> None:
    lenet = models.lenet(device="cpu", threads=1)
    with TestClient(create_app(lenet, ["cpu"])) as client:
        layers = client.get("/api/models").json()["models"][0]["layers"]
        told = client.post("/explain", json=as_json(np.zeros((28, 28), np.uint8))).json()["layers"]
    shapes = [[each["rows"], each["columns"], each["channels"]] for each in told]
    assert [each["shape"] for each in layers] == shapes
