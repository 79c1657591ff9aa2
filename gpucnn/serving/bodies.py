"""The bodies of requests: read within limits, and understood as an image."""

import asyncio
import json
from io import BytesIO
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from gpucnn.backends import Shape
from gpucnn.errors import InvalidFileError, printable
from gpucnn.models.pictures.files import picture_in
from gpucnn.serving.limits import Limits

JSON, PICTURE = "application/json", "application/octet-stream"
LONGEST, MARGIN = 64, 1024  # bytes of JSON for a number with the spaces around it, and besides
SCAN, MOST_SCANS = b"\xff\xda", 500  # of a JPEG; real ones have up to ten or so
CLOSE = {"Connection": "close"}  # what the client still sends is not wanted


async def read_body(request: Request, limits: Limits) -> bytes:
    """Read the body of a request.

    Raises:
        HTTPException: it is too large, takes too long, or the client has gone.
    """
    try:
        return await asyncio.wait_for(_read(request, limits.body), limits.body_seconds)
    except asyncio.TimeoutError:
        text = f"the body took longer than {limits.body_seconds:g} s: send it faster"
        raise HTTPException(408, text, CLOSE) from None
    except ClientDisconnect:
        raise HTTPException(400, "the client has gone", CLOSE) from None


async def _read(request: Request, most: int) -> bytes:
    """The body; of one that is too large some more is read, for which some clients wait."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > 2 * most:
            break
        chunks.append(chunk if size <= most else b"")
    if size > most:
        text = f"the body has more than {most:,} bytes: send a smaller picture"
        raise HTTPException(413, text, CLOSE)
    return b"".join(chunks)


def kind_of_body(request: Request) -> str:
    """What the head of a request says of its body: `JSON` or `PICTURE`.

    Raises:
        HTTPException: neither.
    """
    given = request.headers.get("content-type", PICTURE)
    kind = given.partition(";")[0].strip().lower()
    if kind == JSON:
        return JSON
    if kind == PICTURE or kind.startswith("image/"):
        return PICTURE
    raise HTTPException(
        415,
        f"the Content-Type is {printable(given, 50)}: send a PNG or JPEG file as image/png, "
        f'image/jpeg or {PICTURE}, or {{"pixels": [[0, 255, ...], ...]}} as {JSON}',
    )


def image_in(
    body: bytes, kind: str, shape: Shape, limits: Limits, *, is_photograph: bool = False
) -> NDArray[np.uint8]:
    """The image in a body.

    Args:
        body: see above.
        kind: of it.
        shape: (height, width, channels) of the model's images.
        limits: on the size of a picture.
        is_photograph: what a picture is to the model, see `takes_photographs`.

    Raises:
        HTTPException: there is none that the model takes.
    """
    if kind == JSON:
        return _image_in_json(body, shape)
    return _image_in_picture(body, shape, limits, is_photograph=is_photograph)


# Pictures


def _image_in_picture(
    body: bytes, shape: Shape, limits: Limits, *, is_photograph: bool
) -> NDArray[np.uint8]:
    """The image in a picture, prepared as `gpucnn predict` does."""
    height, width, channels = shape
    if channels not in (1, 3):
        raise HTTPException(
            422,
            f"the model takes images of the shape {shape}: pictures are for (height, width, 1) or "
            f'(height, width, 3), so send {{"pixels": ...}} as {JSON}',
        )
    if not body:
        raise HTTPException(400, "the body is empty: send a PNG or JPEG file")
    if body.startswith(b"\xff\xd8") and body.count(SCAN) > MOST_SCANS:
        # Each scan, of a few bytes, may take a pass over all pixels.
        raise HTTPException(422, f"the picture has more than {MOST_SCANS} scans: save it anew")
    try:
        return picture_in(
            BytesIO(body),
            "the picture",
            (height, width, channels),
            is_photograph=is_photograph,
            most_pixels=limits.picture,
        )
    except InvalidFileError as error:
        raise HTTPException(422, str(error)) from error


# Numbers


def _image_in_json(body: bytes, shape: Shape) -> NDArray[np.uint8]:
    most = MARGIN + LONGEST * prod(shape)
    if len(body) > most:  # which could take many times its size in memory
        text = f"the JSON has {len(body):,} bytes, but an image of {shape} takes at most {most:,}"
        raise HTTPException(413, f"{text}: send it without so many spaces")
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        text = f'the body is not JSON ({printable(error, 100)}): send {{"pixels": [[0, ...], ...]}}'
        raise HTTPException(400, text) from error
    if not isinstance(given, dict) or given.keys() != {"pixels"}:
        text = f'the body is {_told(given)}: send {{"pixels": [[0, ...], ...]}}, and nothing else'
        raise HTTPException(422, text)
    return _checked(given["pixels"], shape)


def _told(given: Any) -> str:
    if isinstance(given, dict):
        return f"an object with {printable(', '.join(map(repr, given)) or 'nothing', 100)}"
    return f"a {type(given).__name__}"


def _checked(given: Any, shape: Shape) -> NDArray[np.uint8]:
    allowed = f"give whole numbers from 0 to 255, of the shape {shape}"
    allowed += f" or {shape[:2]}" if shape[2] == 1 else ""
    try:
        pixels = np.array(given)
    except (ValueError, OverflowError, RecursionError) as error:
        raise HTTPException(422, f"pixels are not rows of one length: {allowed}") from error
    if pixels.dtype.kind not in "iu":
        raise HTTPException(422, f"pixels are not whole numbers: {allowed}")
    if pixels.shape != shape and (pixels.shape, 1) != (shape[:2], shape[2]):
        raise HTTPException(422, f"pixels have the shape {pixels.shape}: {allowed}")
    if pixels.min() < 0 or pixels.max() > 255:
        low, high = pixels.min(), pixels.max()
        raise HTTPException(422, f"pixels are from {low} to {high}: {allowed}")
    return pixels.astype(np.uint8).reshape(shape)
