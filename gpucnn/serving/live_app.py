"""The application that tells browsers of a training."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gpucnn.serving.course import Course
from gpucnn.serving.responses import HANDLERS, page_routes

POLL = 0.25  # seconds between two looks at what has changed
BEAT = 15  # seconds after which something is sent, if nothing has changed, to see who is gone


def create_live_app(course: Course, page: Path) -> Starlette:
    """Make an application that tells of a training.

    Args:
        course: of the training.
        page: the folder with the files of the page.
    """

    async def tell(request: Request) -> Response:
        return Response(course.encode(), media_type="application/json")

    async def follow(request: Request) -> Response:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(_events(course), 200, headers, "text/event-stream")

    async def tell_health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    routes = [
        Route("/api/training", tell),
        Route("/api/training/events", follow),
        Route("/health", tell_health),
        *page_routes("live.html", ("/", "/live"), page),
    ]
    return Starlette(routes=routes, exception_handlers=HANDLERS)


async def _events(course: Course) -> AsyncIterator[str]:
    """Server-Sent Events: a snapshot at first, and whenever it is another, until all is over."""
    sent, quiet = "", 0.0
    while True:
        is_last = course.is_over or course.is_finished  # looked at before what is sent
        snapshot = course.encode()
        if snapshot != sent:
            yield f"data: {snapshot}\n\n"
            sent, quiet = snapshot, 0.0
        elif quiet >= BEAT:
            yield ": nothing new\n\n"
            quiet = 0.0
        if is_last:
            return
        await asyncio.sleep(POLL)
        quiet += POLL
