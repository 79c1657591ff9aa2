"""Sums arrays over ranks, and holds them to the sum in the order of the ranks."""

import sys

import numpy as np

from gpucnn.backends.ranks.world import check_equal, world

ranks = world()
sizes = 1, 5, 1000, 100_003  # whole, and in slices that are not all as long
for size in sizes:
    for dtype in ("float32", "float64"):
        of_all = np.random.default_rng(size).standard_normal((ranks.size, size)).astype(dtype)
        for contributors in range(1, ranks.size + 1):
            expected = of_all[0].copy()
            for row in of_all[1:contributors]:
                expected += row
            found = of_all[ranks.rank].copy()
            ranks.communicator.all_reduce(found, contributors)
            assert found.tobytes() == expected.tobytes(), (size, dtype, contributors)
        found = of_all[ranks.rank][::2].copy()
        ranks.communicator.broadcast(found)
        assert found.tobytes() == of_all[0][::2].tobytes()
apart = np.zeros((4, 6))[:, ::2]
apart += ranks.rank
ranks.communicator.broadcast(apart)
assert not apart.any()
ranks.communicator.barrier()
assert ranks.gather({"rank": ranks.rank, "text": "x" * ranks.rank}) == [
    {"rank": rank, "text": "x" * rank} for rank in range(ranks.size)
]
assert ranks.any(ranks.rank == 1) == (ranks.size > 1)
check_equal(ranks, {"colour": "red"})
told = ""
try:
    check_equal(ranks, {"colour": "red", "size": min(ranks.rank, 1)})
except ValueError as error:
    told = str(error)
# At once, unlike print: other ranks write at the same time.
sys.stdout.write(f"{ranks.place.local_size}: {told}\n")
