import re
from typing import Any

import numpy as np
import pytest

from gpucnn.simulator import LaunchError, Order
from simulator.sources import FOLDER, kernel, line

PLANTED = (FOLDER / "planted.cu").read_text()

# The sizes of the grid, of `y`, and of dynamic shared memory, and the number `n`, of those that are
# not as the rest: of 1 block, of 128 elements, without any, and 5.
LAUNCHES: dict[str, dict[str, Any]] = {
    "sum_of_blocks": {"grid": 2},
    "count_of_blocks": {"grid": 2},
    "blocks_overlap": {"grid": 2},
    "halo_of_another_block": {"grid": 2},
    "last_block_without_fence": {"grid": 2},
    "counter_without_atomic": {"grid": 2},
    "atomic_and_plain": {"grid": 2},
    "flag_between_blocks": {"grid": 2},
    "no_bounds_check": {"grid": 2},
    "one_too_many": {"n": 128},
    "read_beyond": {"n": 128},
    "rows_and_columns_swapped": {"y": 100},
    "wider_type": {"grid": 2},
    "beyond_a_view": {"y": slice(32, 96)},
    "before_a_view": {"y": slice(32, 96)},
    "atomic_beyond": {"n": 100},
    "too_little_shared_mem": {"shared_mem": 128},
    "shared_mem_in_elements": {"shared_mem": 64},
    "kept_from_another_block": {"grid": 2},
    "null_array": {"x": None},
    "null_output": {"y": None},
}


def launch(name: str, order: Order = "forward") -> None:
    changes = LAUNCHES.get(name, {})
    declared = re.search(rf"^KERNEL {name}\((.*)\)$", PLANTED, re.MULTILINE)
    assert declared is not None
    size = changes.get("y", 128)
    part = size if isinstance(size, slice) else slice(None)
    arguments = {
        "const float* x": changes.get("x", np.arange(1, 129, dtype=np.float32)),
        "float* y": None if size is None else np.zeros(96 if size == part else size, "f4")[part],
        "int* i": np.zeros(128, np.int32),
        "unsigned char* bytes": np.zeros(128, np.uint8),
        "int n": np.int32(changes.get("n", 5)),
    }
    chosen = [arguments[each] for each in declared[1].split(", ")]
    shared_mem = changes.get("shared_mem", 0)
    grid = (changes.get("grid", 1),)
    kernel("planted", name, order)(grid, (64,), chosen, shared_mem=shared_mem)


@pytest.mark.parametrize("name", re.findall(r"^KERNEL (\w+)", PLANTED, re.MULTILINE))
def test_planted_fault_is_reported_with_its_line(name: str) -> None:
    with pytest.raises(LaunchError) as caught:
        launch(name)
    assert str(caught.value).startswith(f"{name}, block (")
    assert line("planted", name) in str(caught.value)
