"""A core's own cache, which the intermediate results of a tile have to fit into."""

from functools import cache
from pathlib import Path

CPUS = Path("/sys/devices/system/cpu")

USUAL = 2**20
"""The bytes that a core is taken to have where the system does not tell."""


@cache
def core_cache() -> int:
    """The bytes of a core's share of the second-level cache, as Linux tells it, else `USUAL`.

    Processors that share a cache, such as the two threads of a core, each run a worker, and have
    equal parts of it. Of different cores, the least counts: so every worker has the same tiles,
    and results do not depend on where it runs.
    """
    found = [_share(each) for each in CPUS.glob("cpu[0-9]*/cache/index2")]
    return min(filter(None, found), default=USUAL)


def _share(index: Path) -> int:
    """The bytes of a cache for each processor that shares it; 0 if it is not told."""
    try:
        level, size, sharing = (
            (index / name).read_text().strip() for name in ("level", "size", "shared_cpu_map")
        )
        processors = int(sharing.replace(",", ""), 16).bit_count()
        return int(size.removesuffix("K")) * 1024 // processors if level == "2" else 0
    except (OSError, ValueError, ZeroDivisionError):
        return 0
