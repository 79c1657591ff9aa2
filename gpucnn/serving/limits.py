"""What a client may ask of a server at most."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on the size of what is sent, on the time that it takes, and on what waits.

    Attributes:
        body: bytes of a request's body.
        picture: pixels of a picture, once it is unpacked.
        head_seconds: for the head of a request, from the moment that the connection is open, or
            that its first byte is there.
        body_seconds: for the body.
        answer_seconds: for reading the image and computing, the wait for both included.
        unread_seconds: that an answer waits for the client to read it.
        idle_seconds: that a connection is kept between two requests.
        connections: that are open at a time, each of which may have sent a body.
        waiting: requests that wait for a model on a device; further ones are sent away.
        batch: images that are computed together.
    """

    body: int = 10_000_000
    picture: int = 25_000_000
    head_seconds: float = 10
    body_seconds: float = 20
    answer_seconds: float = 30
    unread_seconds: float = 20
    idle_seconds: int = 15
    connections: int = 100
    waiting: int = 128
    batch: int = 32
