"""Which features of CUDA a kernel uses, by its text and that of the functions that it calls."""

import re

from corpora.repositories import bare_code
from gpucnn.simulator.declarations import function_bodies

GRIDS = "grids and clusters"
_FEATURES = {
    "templates": r"\btemplate\b",
    "static shared memory": r"(?<!extern )__shared__",
    "dynamic shared memory": r"\bextern\b[^;]*__shared__",
    "barriers": r"\b__syncthreads\w*",
    "shuffles and votes": r"\b__(?:shfl|ballot|any|all|activemask|match|reduce)\w*\(",
    "cooperative groups": r"\bcooperative_groups\b|\bcg::|\bthis_thread_block|\btiled_partition",
    GRIDS: r"\bthis_grid\b|\bthis_cluster\b|\bgrid_group\b|\b__cluster_dims__",
    "atomics": r"\batomic[A-Z]\w+|\bcuda::atomic",
    "fences and volatile": r"\b__threadfence\w*|\bvolatile\b",
    "half and bfloat16": r"\b(?:__)?half2?\b|\b__nv_bfloat16\w*|\bfloat16\b",
    "double": r"\bdouble\b",
    "vectors": r"\b(?:float|double|u?int|u?char|u?short)[234]\b",
    "structures": r"\bstruct\b|\bclass\b",
    "intrinsics of mathematics": r"\b__(?:f|d|exp|log|sin|cos|pow|mul|umul|tan|sat)\w*\(",
    "loads with hints": r"\b__ld\w+\(|\b__st\w+\(",
    "constant memory": r"__constant__",
    "textures and surfaces": r"\btex[123]D\w*|\bsurf[123]D\w*|TextureObject_t|SurfaceObject_t",
    "asynchronous copies, pipelines": r"memcpy_async|\bcuda::(?:pipeline|barrier)|__pipeline_",
    "matrices of warps (wmma)": r"\bwmma\b",
    "curand": r"\bcurand\w*",
    "cub": r"\bcub::",
    "cuda::std": r"\bcuda::std::|\bstd::",
    "printf and assert": r"\bprintf\s*\(|\bassert\s*\(",
    "malloc and new": r"\bmalloc\s*\(|\bnew\b",
    "PTX": r"\basm\b",
    "launches from kernels": r"<<<",
}
_FUNCTION = re.compile(r"\b(?!__launch_bounds__|__cluster_dims__|decltype)(\w+)\s*\(")
NAMES = tuple(_FEATURES)


def features(code: str, name: str) -> tuple[str, ...]:
    """The features of a kernel, by its name."""
    reached = _reached(code, name)
    return tuple(each for each, pattern in _FEATURES.items() if re.search(pattern, reached))


def _reached(code: str, name: str) -> str:
    """The functions that are reached from one, and the declarations of variables that they name."""
    bare = bare_code(code)
    texts: dict[str, str] = {}
    end = 0
    for body in function_bodies(bare):
        head = code[
            max(end, bare.rfind(";", 0, body.start), bare.rfind("}", 0, body.start)) : body.start
        ]
        if named := _FUNCTION.search(bare_code(head)):
            texts[named[1]] = texts.get(named[1], "") + head + code[body.start : body.stop]
        end = body.stop
    for found in re.finditer(r"__constant__[^;]*?(\w+)\s*(?:\[[^;]*)?;", bare):
        texts[found[1]] = found[0]
    waiting, seen = [name], set()
    while waiting:
        current = waiting.pop()
        seen.add(current)
        calls = set(re.findall(r"\w+", texts.get(current, "")))
        waiting += (calls & texts.keys()) - seen
    return "\n".join(texts.get(each, "") for each in sorted(seen))
