"""Downloading a file in a process of its own, watched from here.

`mnist.download_file` downloads. It has no time limit and takes its address from a global variable:
in a process of its own that variable is nobody else's, and the process is ended when nothing more
arrives.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TypeAlias

from gpucnn.errors import InvalidFileError

STALL_LIMIT = 30.0  # seconds without a new byte
TIME_LIMIT = 3600.0  # seconds for a file
POLL_INTERVAL = 0.1  # seconds between two looks at a file that grows

# Writes to the folder it starts in. Its arguments: the address, the name of the file, and the path
# on which the caller finds modules.
SCRIPT = """
import sys
address, name, *sys.path = sys.argv[1:]
try:
    import mnist
    mnist.datasets_url = address
    mnist.download_file(name, ".")
except Exception as error:
    sys.exit(str(error))
"""

Report: TypeAlias = Callable[[int], None]  # is told how many bytes have arrived


def download(address: str, target: Path) -> None:
    """Download the file named like `target` from an address, and show progress.

    Args:
        address: of a folder, with the slash at its end.
        target: the file to write, in a folder that has no such file. It may be left half-written if
            the download fails.

    Raises:
        InvalidFileError: the file cannot be had, or does not arrive in time.
    """
    url = address + target.name
    with _start(address, target) as process, _show_progress(url) as report:
        try:
            failure = _watch(process, target, report)
        finally:
            process.kill()
            process.wait()
    if failure:
        raise InvalidFileError(
            f"{url} cannot be downloaded ({failure}): check the address and the connection"
        )


def _start(address: str, target: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, address, target.name, *sys.path],
        cwd=target.parent,  # where the file goes, and no mnist.py of the caller's is
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def _watch(process: subprocess.Popen[str], target: Path, report: Report) -> str:
    """Wait until a download ends or passes a limit; what failed, or nothing if it is done."""
    started = grew = monotonic()
    size = 0
    while monotonic() - started < TIME_LIMIT:
        try:
            _, errors = process.communicate(timeout=POLL_INTERVAL)
            return _reason(process.returncode, errors)
        except subprocess.TimeoutExpired:
            arrived = target.stat().st_size if target.exists() else 0
        if arrived > size:
            size, grew = arrived, monotonic()
            report(size)
        elif monotonic() - grew > STALL_LIMIT:
            return f"nothing more came for {STALL_LIMIT:g} s after {size} bytes"
    return f"not done in {TIME_LIMIT:g} s, with {size} bytes"


def _reason(status: int, errors: str) -> str:
    if status == 0:
        return ""
    line = " ".join(errors.split())
    return line.removeprefix("<urlopen error ").removesuffix(">") or f"exit status {status}"


@contextmanager
def _show_progress(url: str) -> Iterator[Report]:
    """Show that a file is downloaded: a bar on a terminal, a line elsewhere, on standard error."""
    if sys.stderr.isatty():
        with _bar(url) as report:
            yield report
    else:
        print(f"downloading {url}", file=sys.stderr, flush=True)
        yield lambda size: None


@contextmanager
def _bar(url: str) -> Iterator[Report]:
    from rich import progress  # imported here: `import gpucnn` stays light
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.FileSizeColumn(),
        progress.TransferSpeedColumn(),
    )
    console = Console(stderr=True)
    with progress.Progress(*columns, console=console, transient=True) as display:
        _, _, name = url.rpartition("/")
        task = display.add_task(f"downloading {name}", total=None)
        yield lambda size: display.update(task, completed=size)
