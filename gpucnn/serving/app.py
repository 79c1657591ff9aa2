"""The application that answers for models, to be run by `gpucnn serve` or mounted in another."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gpucnn.backends import available_devices, get_backend
from gpucnn.errors import InvalidTypeError, InvalidValueError, printable
from gpucnn.models.exchange.page.to_page import BROWSER
from gpucnn.models.model import Model
from gpucnn.serving.bodies import image_in, kind_of_body, read_body
from gpucnn.serving.limits import Limits
from gpucnn.serving.metrics import Measured, Metrics
from gpucnn.serving.responses import HANDLERS, page_routes
from gpucnn.serving.served import Asked, Served

PATHS = ("/", "/page/", "/api/models", "/predict", "/explain", "/health", "/metrics")
READERS = 2  # threads that read bodies, which may be pictures of many pixels


def create_app(
    models: Mapping[str, Model] | Model,
    devices: Sequence[str] | None = None,
    limits: Limits = Limits(),  # noqa: B008 - it is immutable
    page: Path = BROWSER,
) -> Starlette:
    """Make an application that answers for models; see docs/serve.md for what it is asked.

    It shares nothing with others in the process, needs no lifespan, and can be mounted. A thread
    for each model and device computes, while the event loop goes on; threads start with the first
    request, so that a process which is to fork does so before.

    Args:
        models: by name, or one, of its own name. What becomes of them later is not served.
        devices: by name, the default first; None for all that can be used.
        limits: on what clients ask.
        page: the folder with the files of the page.

    Raises:
        InvalidTypeError: what is given is not a model.
        InvalidValueError: there is no model, one takes no images, is not built, or does not tell
            one class of several, or there is no such device.
        DeviceError: a device cannot be used.
    """
    by_name = {models.name: models} if isinstance(models, Model) else models
    if not isinstance(by_name, Mapping):
        raise InvalidTypeError(f"models are {by_name!r}: give a Model, or several by name")
    service = _Service(by_name, _usable(devices), limits)
    routes = [
        Route("/api/models", service.list_models),
        Route("/predict", partial(service.answer, is_explained=False), methods=["POST"]),
        Route("/explain", partial(service.answer, is_explained=True), methods=["POST"]),
        Route("/health", service.tell_health),
        Route("/metrics", service.tell_metrics),
        *page_routes("index.html", ("/",), page),
    ]
    measured = Middleware(Measured, metrics=service.metrics, paths=PATHS)
    return Starlette(routes=routes, middleware=[measured], exception_handlers=HANDLERS)


def _usable(devices: Sequence[str] | None) -> list[str]:
    """The devices, each under the name of its backend, and once."""
    names = available_devices() if devices is None else devices
    if not names:
        raise InvalidValueError("devices is empty: give at least one, such as cpu")
    return list(dict.fromkeys(get_backend(each).device for each in names))


class _Service:
    """What is behind the routes."""

    def __init__(self, models: Mapping[str, Model], devices: Sequence[str], limits: Limits) -> None:
        if not models:
            raise InvalidValueError("there is no model to serve: give at least one")
        self.metrics, self._devices, self._limits = Metrics(), devices, limits
        self._models = {
            name: Served(name, model, devices, limits, self.metrics)
            for name, model in models.items()
        }
        self._readers = ThreadPoolExecutor(READERS, "gpucnn-reading")

    async def list_models(self, request: Request) -> Response:
        described = [each.description for each in self._models.values()]
        return JSONResponse({"models": described, "devices": list(self._devices)})

    async def tell_health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "models": list(self._models)})

    async def tell_metrics(self, request: Request) -> Response:
        return Response(self.metrics.encode(), media_type="text/plain; version=0.0.4")

    async def answer(self, request: Request, *, is_explained: bool) -> Response:
        # The body first: a client that is refused while it sends does not read why.
        body = await read_body(request, self._limits)
        model = self._models[_chosen(request, "model", list(self._models))]
        batcher = model.on(_chosen(request, "device", self._devices))
        read = partial(
            image_in,
            body,
            kind_of_body(request),
            model.input_shape,
            self._limits,
            is_photograph=model.takes_photographs,
        )

        async def compute() -> bytes:
            pixels = await asyncio.get_running_loop().run_in_executor(self._readers, read)
            return await asyncio.wrap_future(batcher.submit(Asked(pixels, is_explained)))

        seconds = self._limits.answer_seconds
        try:
            found = await asyncio.wait_for(compute(), seconds)
        except asyncio.TimeoutError:
            text = f"no answer within {seconds:g} s: ask again later"
            raise HTTPException(503, text, {"Retry-After": "1"}) from None
        return Response(found, media_type="application/json")


def _chosen(request: Request, what: str, names: Sequence[str]) -> str:
    """The model or device that a query names, or else the first.

    Raises:
        HTTPException: there is none of that name.
    """
    name = request.query_params.get(what, names[0])
    if name not in names:
        text = f"there is no {what} {printable(repr(name), 100)}: choose one of {', '.join(names)}"
        raise HTTPException(404, text)
    return name
