"""The modules of `cupy.cuda`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gpucnn.simulator.cupy import errors, memory, textures
from gpucnn.simulator.cupy.cuda import device, runtime, streams
from gpucnn.simulator.cupy.namespace import Namespace


@contextmanager
def using_allocator(allocator: Any = None) -> Iterator[None]:
    """Allocate by a function of one's own: arrays are NumPy's here, whoever allocates them."""
    yield


def set_allocator(allocator: Any = None) -> None:
    """As `using_allocator`, for good."""


def alloc_pinned_memory(size: int) -> memory.PinnedMemory:
    """Memory of the host that the device could copy from."""
    return memory.PinnedMemory(size)


def _compile(source: str, *_: Any, **__: Any) -> Any:
    raise errors.missing("cupy.cuda.compiler.compile_with_cache: use cupy.RawModule")


_RUNTIME = {
    name: value
    for name, value in vars(runtime).items()
    if callable(value) and getattr(value, "__module__", "") == runtime.__name__
}


def cuda_modules() -> dict[str, Namespace]:
    """All modules from `cupy.cuda` down, by name."""
    pools = {
        "MemoryPool": memory.MemoryPool,
        "MemoryPointer": memory.MemoryPointer,
        "Memory": memory.Memory,
        "UnownedMemory": memory.UnownedMemory,
        "PinnedMemoryPool": memory.PinnedMemoryPool,
        "PinnedMemoryPointer": memory.PinnedMemory,
        "alloc": memory.alloc,
        "alloc_pinned_memory": alloc_pinned_memory,
        "set_allocator": set_allocator,
        "set_pinned_memory_allocator": set_allocator,
        "using_allocator": using_allocator,
    }
    ours = {
        "Stream": streams.Stream,
        "ExternalStream": streams.ExternalStream,
        "Event": streams.Event,
        "get_current_stream": streams.get_current_stream,
        "get_elapsed_time": streams.get_elapsed_time,
    }
    devices = {
        "Device": device.Device,
        "get_device_id": device.get_device_id,
        "get_compute_capability": device.get_compute_capability,
    }
    parts = {
        "runtime": runtime.CONSTANTS
        | textures.CONSTANTS
        | _RUNTIME
        | {"CUDARuntimeError": errors.CUDARuntimeError},
        "driver": {
            "CUDADriverError": errors.CUDADriverError,
            "get_build_version": runtime.runtimeGetVersion,
        },
        "compiler": {"CompileException": errors.CompileException, "compile_with_cache": _compile},
        "memory": pools | {"OutOfMemoryError": errors.OutOfMemoryError},
        "pinned_memory": {
            "PinnedMemoryPool": memory.PinnedMemoryPool,
            "alloc_pinned_memory": alloc_pinned_memory,
        },
        "stream": ours,
        "device": devices,
        "texture": {
            each.__name__: each
            for each in (
                textures.ChannelFormatDescriptor,
                textures.CUDAarray,
                textures.ResourceDescriptor,
                textures.SurfaceObject,
                textures.TextureDescriptor,
                textures.TextureObject,
            )
        },
        "graph": {"Graph": streams.Graph},
        "nvtx": dict.fromkeys(("RangePush", "RangePop", "Mark", "RangePushC"), _nothing),
        "profiler": {"start": _nothing, "stop": _nothing},
        "nccl": {"available": False},
        "cub": {"available": False},
        "thrust": {"available": False},
    }
    modules = {
        f"cupy.cuda.{name}": Namespace(f"cupy.cuda.{name}", "A part of cupy.cuda.", content)
        for name, content in parts.items()
    }
    content = pools | ours | devices
    content |= {name.rpartition(".")[2]: module for name, module in modules.items()}
    content |= {"is_available": _is_available, "Graph": streams.Graph}
    return {"cupy.cuda": Namespace("cupy.cuda", "The simulated device.", content), **modules}


def _is_available() -> bool:
    """Whether there is a device: there is."""
    return True


def _nothing(*_: Any, **__: Any) -> None:
    """What a profiler would see."""
