"""Answers that are no results: errors as JSON, and the files of the page."""

from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from gpucnn.errors import DeviceError, GpucnnError, printable
from gpucnn.serving.batching import BusyError

HEADERS = {
    "Cache-Control": "no-cache",  # ask each time, by the ETag
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' data: blob:",
    "X-Content-Type-Options": "nosniff",
}


# Errors


def refusal(request: Request, error: Exception) -> Response:
    """The answer to a request that is refused, or that fails."""
    assert isinstance(error, HTTPException)
    text = error.detail
    if error.status_code == 404 and text == "Not Found":
        text = f"there is nothing at {printable(request.url.path, 100)}: see docs/serve.md"
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow")
        text = f"{request.url.path} does not take {request.method}: use {allowed}"
    return JSONResponse({"error": text}, error.status_code, error.headers)


def failure(request: Request, error: Exception) -> Response:
    """The answer to a request that fails by an error of the package's."""
    status = 503 if isinstance(error, (BusyError, DeviceError)) else 422
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({"error": str(error)}, status, headers)


def defect(request: Request, error: Exception) -> Response:
    """The answer to a request that fails by a defect, of which the server's log has the trace."""
    return JSONResponse(
        {"error": f"an unexpected {type(error).__name__}: see the server's log"}, 500
    )


HANDLERS: Any = {HTTPException: refusal, GpucnnError: failure, Exception: defect}


# Files


class _Files(StaticFiles):
    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers.update(HEADERS)
        return response

    async def get_response(self, path: str, scope: Scope) -> Response:
        if "\0" in path:
            raise HTTPException(404)
        return await super().get_response(path, scope)


def page_routes(first: str, paths: tuple[str, ...], folder: Path) -> list[BaseRoute]:
    """Routes to a page of a folder, and to the other files there, at page/.

    Args:
        first: the name of the page.
        paths: where it is served.
        folder: of the files.
    """

    async def show(request: Request) -> Response:
        if not (folder / first).is_file():
            raise HTTPException(404, f"the page {first} is not part of this installation")
        return await files.get_response(first, request.scope)

    files = _Files(directory=folder, check_dir=False)
    return [*(Route(path, show) for path in paths), Mount("/page", files)]
