"""What a kernel consists of: the loop with its multiply-adds, and its accesses to memory.

Loops are the natural ones of the flow graph: the instructions from which a branch back is reached
without passing its target, which is on every path to it. So code that the compiler has put out of
the way, from where it branches back, is no loop.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

from gpucnn.backends.cuda.machine_code.nvdisasm import Instruction

ENDS = ("EXIT", "RET")
"""The operations after which a thread does not go on in the function."""

MULTIPLY_ADDS = {"FFMA": 1, "DFMA": 1, "FFMA2": 2}
"""The operations that count as multiply-adds of reals, and how many a thread computes in each."""


def multiply_adds(instructions: Iterable[Instruction]) -> int:
    """The multiply-adds of reals that a thread computes in instructions."""
    return sum(MULTIPLY_ADDS.get(each.operation, 0) for each in instructions)


def accesses(instructions: Iterable[Instruction], operation: str) -> tuple[int, int]:
    """The accesses to memory of an operation, such as "LDG": of 16 bytes a thread, and of fewer."""
    widths = ["128" in each.modifiers for each in instructions if each.operation == operation]
    return widths.count(True), widths.count(False)


def hot_loop(instructions: Sequence[Instruction]) -> list[Instruction]:
    """The innermost loop with the most multiply-adds, in order; nothing, if no loop has any.

    Loops in it that have none do not count, and are left out.

    Args:
        instructions: a function.
    """
    loops = sorted(_loops(instructions), key=len)  # inner ones before those around them
    hottest: list[Instruction] = []
    within: set[int] = set()  # smaller loops
    has_any: set[int] = set()  # those with multiply-adds
    for loop in loops:
        own = [instructions[index] for index in sorted(loop - within)]
        if loop.isdisjoint(has_any) and multiply_adds(own) > multiply_adds(hottest):
            hottest = own
        within |= loop
        if multiply_adds(own):
            has_any |= loop
    return hottest


def _loops(instructions: Sequence[Instruction]) -> list[set[int]]:
    """The indices of the instructions of each loop; loops back to one instruction are one."""
    following = [_following(index, each) for index, each in enumerate(instructions)]
    order = _reverse_postorder(following)
    preceding: dict[int, list[int]] = {index: [] for index in order}
    for index in order:
        for successor in following[index]:
            preceding[successor].append(index)
    dominators = _immediate_dominators(order, preceding)
    loops: dict[int, set[int]] = {}
    for index in order:
        for target in following[index]:
            if _dominates(target, index, dominators):
                loops.setdefault(target, {target}).update(_reaching(index, target, preceding))
    return list(loops.values())


def _following(index: int, instruction: Instruction) -> list[int]:
    """The instructions that may come after one."""
    targets = [] if instruction.target is None else [instruction.target]
    is_end = instruction.operation in ENDS or bool(targets)
    return targets if is_end and not instruction.is_conditional else [*targets, index + 1]


def _reverse_postorder(following: Sequence[Sequence[int]]) -> list[int]:
    """What is reached from instruction 0, each after all that lead to it but for branches back."""
    finished: list[int] = []
    seen, path = {0}, [(0, iter(following[0]))]
    while path:
        index, successors = path[-1]
        successor = next((each for each in successors if each not in seen), None)
        if successor is None:
            finished.append(index)
            path.pop()
        else:
            seen.add(successor)
            path.append((successor, iter(following[successor])))
    return finished[::-1]


def _immediate_dominators(
    order: Sequence[int], preceding: Mapping[int, Sequence[int]]
) -> dict[int, int]:
    """The last instruction before each that is on every path to it; of the first, itself.

    Cooper, Harvey and Kennedy: A Simple, Fast Dominance Algorithm, 2001.
    """
    rank = {index: number for number, index in enumerate(order)}
    dominators = {order[0]: order[0]}

    def common(a: int, b: int) -> int:
        while a != b:
            if rank[a] > rank[b]:
                a = dominators[a]
            else:
                b = dominators[b]
        return a

    before: dict[int, int] = {}
    while before != dominators:
        before = dict(dominators)
        for index in order[1:]:
            dominators[index] = reduce(common, (e for e in preceding[index] if e in dominators))
    return dominators


def _dominates(index: int, other: int, dominators: Mapping[int, int]) -> bool:
    """Whether `index` is on every path to `other`."""
    while other != index and dominators[other] != other:
        other = dominators[other]
    return other == index


def _reaching(index: int, header: int, preceding: Mapping[int, Sequence[int]]) -> set[int]:
    """The instructions from which `index` is reached without passing `header`."""
    found: set[int] = set()
    left = [index]
    while left:
        each = left.pop()
        if each not in found and each != header:
            found.add(each)
            left.extend(preceding[each])
    return found
