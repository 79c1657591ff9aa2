"""Kernels as shared libraries: compiling, loading, and launching them by the scheduler."""

import ctypes
import os
import re
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from threading import RLock

from gpucnn.simulator.cache import cached_library, cached_text
from gpucnn.simulator.compiler import Compiler, find_compiler
from gpucnn.simulator.errors import LaunchError, SimulatorError
from gpucnn.simulator.launches import DONE, INTERRUPTED, Launch, with_lines
from gpucnn.simulator.listing import Kernel, Listing, read_listing
from gpucnn.simulator.sanitizers import FLAGS, RUNTIME_FLAGS, chosen_sanitizer
from gpucnn.simulator.source import CUDA, LANGUAGE, preprocess, translate
from gpucnn.utils.cores import at_most_openmp, available_cores, is_one_of_several
from gpucnn.utils.storage.sealed import key_of

RUNTIME = Path(__file__).parent / "runtime"

# Semantics of device code: fused multiply-add only where it is called, no strict aliasing, no errno
# from mathematical functions, and a printf that is not the C library's. Large frames touch each
# page, so that none reaches over the inaccessible ones below a stack into another.
_CODE = (
    "-fPIC",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-fno-math-errno",
    "-fno-threadsafe-statics",
    "-fstack-clash-protection",
    "-fno-builtin-printf",
    "-ftls-model=initial-exec",
)

_INSTRUMENTED = (
    "-O1",
    "-g1",
    "-fno-exceptions",
    "-fsanitize=thread,bounds,alignment,integer-divide-by-zero,return,unreachable",
    "-fsanitize=float-cast-overflow,shift-exponent",
)
"""Compiler flags for kernels whose accesses are checked, or counted."""

_GCC = (
    "--param",
    "tsan-distinguish-volatile=1",
    "--param",
    "tsan-instrument-func-entry-exit=0",
)
_CLANG = (
    "-mllvm",
    "-tsan-distinguish-volatile=1",
    "-mllvm",
    "-tsan-instrument-func-entry-exit=0",
    "-mllvm",
    "-tsan-instrument-read-before-write=1",
)

_HOOKS = (
    (re.compile("__tsan_"), "gpucnn_access_"),
    (re.compile("__ubsan_"), "gpucnn_undefined_"),
    (
        re.compile(
            r"^(\s+(?:callq?|jmp|bl?)\s+_?)"
            r"(mem(?:cpy|move|set)|malloc|free|_Zn[wa]m|_Zd[la]Pvm?)\b",
            re.MULTILINE,
        ),
        r"\1gpucnn_access_\2",
    ),
)
"""Names of the sanitizers' and the C library's functions, and what becomes of them (hooks.hpp)."""


@dataclass(frozen=True)
class Library:
    """The compiled and loaded kernels of a source, and the scheduler that launches them."""

    text: str
    """The translated source."""

    options: tuple[str, ...]
    scheduler: ctypes.CDLL
    listing: Listing
    path: str
    """Of the compiled library."""

    is_instrumented: bool
    """Whether a call before each access to memory tells the scheduler of it."""

    def kernel(self, name: str) -> Kernel:
        """The kernel of that symbol or name expression.

        Raises:
            SimulatorError: there is none.
        """
        template = name.partition("<")[0]
        if name not in self.listing.kernels and _is_template(template, self.text):
            instance = name if "<" in name else f"{name}<float>"
            raise SimulatorError(
                f"{template} is a template, whose kernels are those of the name_expressions: give "
                f"{instance!r} among them, and ask for it as it is written there"
            )
        return self.listing.kernel(name)

    @cached_property
    def instrumented(self) -> "Library":
        """The same kernels, compiled so that their accesses to memory are seen."""
        if self.is_instrumented:
            return self
        return _load_instrumented(find_compiler(), self.text, self.options)

    def launch(self, launch: Launch) -> None:
        """Run a launch to its end; launches from several host threads run one after another.

        Raises:
            LaunchError: a thread of the kernel did what CUDA does not allow.
            KeyboardInterrupt: Ctrl-C was pressed, and no handler but Python's own is there for it.
        """
        message = ctypes.create_string_buffer(1500)
        launch.message = ctypes.cast(message, ctypes.c_char_p)
        launch.message_size = len(message)
        launch.is_checked = self.is_instrumented
        launch.is_interruptible = _is_interruptible()
        launch.worker_count = self._worker_count(launch.block_count)
        with _lock:
            outcome = self.scheduler.gpucnn_launch(ctypes.byref(launch))
        if outcome == DONE:
            return
        text = with_lines(message.value.decode(errors="replace"), self.path)
        raise KeyboardInterrupt(text) if outcome == INTERRUPTED else LaunchError(text)

    def _worker_count(self, blocks: int) -> int:
        """The threads of the host that run a launch, at most."""
        if self.is_instrumented or blocks == 1 or is_one_of_several():
            return 1
        return at_most_openmp(_cores())


_cores = cache(available_cores)


def _is_template(name: str, text: str) -> bool:
    """Whether a text has a template of a function that, as kernels, returns nothing."""
    function = re.escape(name.rpartition("::")[2].strip())
    return bool(re.search(rf"\btemplate\b[^;{{}}]*\bvoid\s+{function}\s*\(", text))


def _is_interruptible() -> bool:
    """Whether Ctrl-C is Python's to handle, and this thread the one that it interrupts."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler


# One thread at a time loads or launches, since the process has one scheduler. A fork waits for it,
# so that the child finds the scheduler idle and the lock free.
_lock = RLock()
if hasattr(os, "register_at_fork"):  # a POSIX system
    os.register_at_fork(
        before=_lock.acquire,
        after_in_parent=_lock.release,
        after_in_child=_lock.release,
    )


def load(
    source: str | Path,
    options: Sequence[str],
    name_expressions: Sequence[str] = (),
    *,
    is_checked: bool,
) -> Library:
    """Load the kernels of a CUDA C source or file, from the cache or else compiled.

    Under a sanitizer, that is what checks them.

    Raises:
        SimulatorError: the source does not compile, an option is unknown, or there is no compiler
            or sanitizer.
    """
    sanitizer = chosen_sanitizer()
    compiler = find_compiler()
    # A text that includes no files, which may change, is translated once, and kept.
    is_complete = isinstance(source, str) and "include" not in source
    translated = _kept_translation if is_complete else _translate
    text = translated(compiler, source, tuple(options), tuple(name_expressions))
    if is_checked and not sanitizer:
        return _load_instrumented(compiler, text, tuple(options))
    return _load(compiler, text, FLAGS[sanitizer], tuple(options), _build)


def _translate(
    compiler: Compiler,
    source: str | Path,
    options: tuple[str, ...],
    name_expressions: tuple[str, ...],
) -> str:
    return translate(preprocess(compiler, source, options), name_expressions)


@lru_cache(256)
def _kept_translation(
    compiler: Compiler, source: str, options: tuple[str, ...], name_expressions: tuple[str, ...]
) -> str:
    """A translation, from the cache or else made: to preprocess takes longer than to load."""
    contents = [source, *options, "", *name_expressions, "", *compiler.key, _translator()]
    return cached_text(contents, lambda: _translate(compiler, source, options, name_expressions))


@cache
def _translator() -> str:
    """A digest of what those that include no files depend on: the headers, and what translates."""
    here = Path(__file__).parent
    headers = (each for folder in (CUDA.parent, RUNTIME) for each in sorted(folder.rglob("*.hpp")))
    files = [*headers, here / "source.py", here / "declarations.py"]
    return key_of([each.read_text() for each in files]).hex()


def machine_code(source: str, options: Sequence[str], name_expressions: Sequence[str]) -> str:
    """The assembly of kernels whose accesses are checked, without what debuggers read.

    Raises:
        SimulatorError: as `load`.
    """
    compiler = find_compiler()
    text = _translate(compiler, source, tuple(options), tuple(name_expressions))
    flags = (*LANGUAGE, *_CODE, *_instrumented(compiler), "-g0", *options)
    return _assembly(compiler, text, flags)


def _load_instrumented(compiler: Compiler, text: str, options: tuple[str, ...]) -> Library:
    return _load(compiler, text, _instrumented(compiler), options, _build_instrumented)


def _instrumented(compiler: Compiler) -> tuple[str, ...]:
    return (*_INSTRUMENTED, *(_CLANG if compiler.is_clang else _GCC))


def _load(
    compiler: Compiler,
    text: str,
    flags: tuple[str, ...],
    options: tuple[str, ...],
    build: "_Build",
) -> Library:
    """Load a translated source, from the cache or else built by `build` with `flags`."""
    every = (*LANGUAGE, *_CODE, *flags, *options)
    contents = [text, *every, *compiler.key]
    with _lock:
        scheduler = _scheduler()  # first: the kernels' libraries link to it
        code = cached_library(
            "module.so", contents, lambda path: build(compiler, text, every, path)
        )
        is_instrumented = build is _build_instrumented
        return Library(text, options, scheduler, read_listing(code), code._name, is_instrumented)


_Build = Callable[[Compiler, str, tuple[str, ...], Path], None]
"""Compiles a text with flags, to a library of that path."""


def _build(compiler: Compiler, text: str, flags: tuple[str, ...], path: Path) -> None:
    compiler.run([*flags, "-shared", "-x", "c++-cpp-output", "-", "-o", path], text)


def _build_instrumented(compiler: Compiler, text: str, flags: tuple[str, ...], path: Path) -> None:
    """As assembly first, in which the calls for sanitizers become those of hooks.hpp."""
    assembly = _assembly(compiler, text, flags)
    for name, hook in _HOOKS:
        assembly = name.sub(hook, assembly)
    compiler.run(["-shared", "-x", "assembler", "-", "-o", path], assembly)


def _assembly(compiler: Compiler, text: str, flags: tuple[str, ...]) -> str:
    return compiler.run([*flags, "-S", "-x", "c++-cpp-output", "-", "-o", "-"], text)


@cache
def _scheduler() -> ctypes.CDLL:
    """The scheduler, one for all modules of the process, whichever compiler built them."""
    compiler = find_compiler()
    flags = (*LANGUAGE, *_CODE, *RUNTIME_FLAGS[chosen_sanitizer()])
    contents = [path.read_text() for path in sorted(RUNTIME.rglob("*.?pp"))]

    def build(path: Path) -> None:
        compiler.run([*flags, "-shared", RUNTIME / "runtime.cpp", "-o", path])

    return cached_library(
        "runtime.so", [*contents, *flags, *compiler.key], build, ctypes.RTLD_GLOBAL
    )
