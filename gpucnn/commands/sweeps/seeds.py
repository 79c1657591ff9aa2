"""The seeds of a sweep, as they are written."""

import re

from gpucnn.errors import InvalidValueError, printable
from gpucnn.utils import arguments

RANGE = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)

MOST_SEEDS = 10_000
"""The most seeds of a sweep."""


def parse_seeds(text: str) -> list[int]:
    """The seeds in a text such as "0-9" or "0,3,5-7", in its order.

    Raises:
        InvalidValueError: it is written in another way, a seed is out of range or there twice, or
            there are more than `MOST_SEEDS`.
    """
    seeds: dict[int, None] = {}
    for part in text.split(","):
        for seed in _parse_range(part.strip(), text):
            if seed in seeds:
                raise _wrong(text, f"{seed} is there twice")
            seeds[seed] = None
    if len(seeds) > MOST_SEEDS:
        raise _wrong(text, f"those are more than {MOST_SEEDS:,}")
    return list(seeds)


def _parse_range(part: str, text: str) -> range:
    found = RANGE.fullmatch(part)
    if not found:
        raise _wrong(text, "give numbers and ranges of them, such as 0-9 or 0,3,5-7")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise _wrong(text, f"{part} ends before it begins")
    if last - first >= MOST_SEEDS:
        raise _wrong(text, f"{part} are more than {MOST_SEEDS:,}")
    arguments.seed(last)
    return range(first, last + 1)


def _wrong(text: str, why: str) -> InvalidValueError:
    return InvalidValueError(f"seeds is {printable(repr(text))}: {why}")
