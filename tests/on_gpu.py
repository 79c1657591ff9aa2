"""Checks gpucnn on a machine with a GPU, and writes a report: `tests/on_gpu.sh` starts it.

What is right is checked side by side: the contract suite, two devices held against each other, a
training under compute-sanitizer. What takes how long comes after that, one after the other: whole
trainings, steps beside PyTorch's, kernels. A step replayed as a graph has to train to the same
bytes as its operations launched one by one.

Each check is a command with a time limit. The report is written anew after each, so that it is
there whatever happens to a later one.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib import metadata
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from small_mnist import write_small_mnist

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"

PYTHON = [sys.executable]
GPUCNN = [*PYTHON, "-m", "gpucnn"]
PYTEST = [*PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark"]

MODELS = ("notebook", "lenet")
BATCH_SIZES = (64, 1024)
KINDS = ("graph", "eager")  # of a training
NO_GRAPH = "--no-graph"
SANITIZERS = ("memcheck", "racecheck", "initcheck", "synccheck")
PACKAGES = ("numpy", "torch", "cupy-cuda12x", "cupy-cuda13x", "nvidia-cuda-nvrtc", "triton")

PASSED, FAILED, TIMED_OUT = "passed", "failed", "timed out"
NOT_THERE, NO_TIME = "not there", "no time was left"

TAIL = 40  # lines of the log of a check that failed
LONGEST_LOG = 200_000  # bytes that are kept


@dataclass(frozen=True)
class Check:
    """A command to run.

    Attributes:
        name: of the check and its log.
        command: and its arguments; a check passes if it exits with 0.
        limit: seconds that it may take.
        optional: whether it is no failure that the command is not installed.
    """

    name: str
    command: Sequence[str]
    limit: int
    optional: bool = False


@dataclass(frozen=True)
class Result:
    """What became of a check.

    Attributes:
        name: of the check.
        status: "passed", "failed", "timed out", "not there" or "no time was left".
        passed: whether it passed; None if it is optional and was not run.
        seconds: that it took.
        command: that was run.
        log: the last lines where it did not pass.
    """

    name: str
    status: str
    passed: bool | None
    seconds: float
    command: str
    log: list[str]


@dataclass
class Report:
    """The report of all checks so far, which is written anew after each.

    Attributes:
        folder: in which it is written.
        device: on which the checks run.
        machine: the GPU, and the versions of what runs on it.
        deadline: after which nothing runs, see `time.monotonic`.
        checks: the results in the order in which the checks ended.
        is_complete: whether all checks have run.
    """

    folder: Path
    device: str
    machine: dict[str, str]
    deadline: float
    began: float = field(default_factory=time.monotonic)
    checks: list[Result] = field(default_factory=list)
    is_complete: bool = False

    def __post_init__(self) -> None:
        self._lock = Lock()

    def run(self, check: Check) -> None:
        """Run a check, and write the report."""
        left = self.deadline - time.monotonic()
        try:
            result = run(check, self.folder, left)
        except Exception as error:  # the other checks go on
            command = " ".join(check.command)
            result = Result(check.name, FAILED, False, 0, command, [f"{error!r}"])
        with self._lock:
            self.checks.append(result)
            self.write()
            print(f"{result.status:<10} {result.seconds:6.1f} s  {result.name}", flush=True)

    def has_passed(self, name: str) -> bool:
        """Whether the check of that name passed."""
        return any(each.name == name and each.passed for each in self.checks)

    @property
    def failures(self) -> list[Result]:
        """The checks that did not pass."""
        return [each for each in self.checks if each.passed is False]

    def write(self) -> None:
        """Write report.json and report.txt."""
        content = self.content()
        _replace(self.folder / "report.json", json.dumps(content, indent=1) + "\n")
        _replace(self.folder / "report.txt", text_of(content))

    def content(self) -> dict[str, Any]:
        """The report as it is in the JSON file."""
        return {
            "device": self.device,
            "passed": self.is_complete and not self.failures,
            "complete": self.is_complete,
            "failed": [each.name for each in self.failures],
            "seconds": round(time.monotonic() - self.began, 1),
            "machine": self.machine,
            "checks": [asdict(each) for each in self.checks],
            "trainings": self._trainings(),
            "timings": [
                json.loads(p.read_text()) for p in sorted(self.folder.glob("timing_*.json"))
            ],
        }

    def _trainings(self) -> dict[str, str]:
        """What each training printed of its result, by the name of the check."""
        logs = {
            path.stem: path.read_text(errors="replace") for path in self.folder.glob("train_*.log")
        }
        lines = {name: log.splitlines() for name, log in sorted(logs.items())}
        return {
            name: line
            for name, each in lines.items()
            for line in each
            if line.startswith("test accuracy")
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default="on_gpu", type=Path, help="of the report")
    parser.add_argument("--device", default="cuda", choices=("cuda", "simulator"))
    parser.add_argument("--minutes", default=8.0, type=float, help="that all may take (default: 8)")
    given = parser.parse_args()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.log"), *folder.glob("*.json"), *folder.glob("*.txt")):
        old.unlink()
    deadline = time.monotonic() + 60 * given.minutes
    report = Report(folder, given.device, machine(), deadline)
    with TemporaryDirectory() as scratch:
        # What is compiled for PyTorch is there for the timings; nothing else of it is kept.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = f"{scratch}/inductor"
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "4"  # of each of four processes
        run_all(report, Path(scratch))
    report.is_complete = True
    report.write()
    print(f"\n{(folder / 'report.txt').read_text()}")
    sys.exit(bool(report.failures))


def run_all(report: Report, scratch: Path) -> None:
    """Run all checks of a device: what is right side by side, then what takes how long."""
    is_gpu = report.device == "cuda"
    side_by_side = on_gpu(scratch) if is_gpu else on_simulator(scratch)
    with ThreadPoolExecutor(len(side_by_side) if is_gpu else os.cpu_count()) as pool:
        list(pool.map(report.run, side_by_side))
    alone = timed_on_gpu if is_gpu else timed_on_simulator
    for check in alone(report, scratch):
        report.run(check)


# The checks of a GPU


def on_gpu(scratch: Path) -> list[Check]:
    """The checks of what is right, which share the GPU; those that take longest come first."""
    contract = [*PYTEST, "-n", "8", f"{TESTS}/backends/test_contract.py"]
    training = [*PYTHON, f"{TESTS}/on_gpu_training.py"]
    return [
        *(
            Check(
                tool,
                [found("compute-sanitizer"), "--tool", tool, "--error-exitcode", "9", *training],
                150,
            )
            for tool in SANITIZERS
        ),
        Check("contract", [*contract, "-k", "cuda and not simulator"], 170),
        Check("devices", [*GPUCNN, "devices"], 60),
        Check("verify", [*GPUCNN, "verify", "cpu", "cuda", "--steps", "20"], 150),
        Check(
            "verify_lenet",
            [*GPUCNN, "verify", "cpu", "cuda", "--model", "lenet", "--steps", "5"],
            150,
        ),
        Check(
            "verify_float64",
            [*GPUCNN, "verify", "cpu", "cuda", "--dtype", "float64", "--steps", "10"],
            150,
        ),
        *(
            Check(f"train_{model}_eager", [*train("cuda", model, scratch, "eager"), NO_GRAPH], 150)
            for model in MODELS
        ),
        *(
            Check(compiling(model, size), [*timing(model, size), "--compile"], 120)
            for model, size in product(MODELS, BATCH_SIZES)
        ),
    ]


def timed_on_gpu(report: Report, scratch: Path) -> Iterator[Check]:
    """The checks that time something; each is asked for when the one before is done."""
    for model in MODELS:
        yield Check(f"train_{model}", train("cuda", model, scratch, "graph"), 60)
        yield same_bytes(model, scratch)
    for model, size in product(MODELS, BATCH_SIZES):
        yield timed(report, model, size)
    gpus = len(_printed(found("nvidia-smi"), "--list-gpus").splitlines())
    if gpus > 1:
        yield ranks(gpus, "cuda")
    bench = [*GPUCNN, "bench", "--device", "cuda", "--peer", "torch", "--batch-size", "64"]
    yield Check("bench", [*bench, "--json", f"{report.folder}/bench.json"], 90)
    training = [*PYTHON, f"{TESTS}/on_gpu_training.py"]
    ncu = [found("ncu"), "--launch-skip", "40", "--launch-count", "40", "--csv", *training]
    yield Check("ncu", ncu, 60, optional=True)


def timed(report: Report, model: str, size: int) -> Check:
    """Time steps beside PyTorch's, without the compiled one if that could not be compiled."""
    command = [*timing(model, size), "--json", f"{report.folder}/timing_{model}_{size}.json"]
    if not report.has_passed(compiling(model, size)):
        command += ["--without", "torch on cuda, compiled"]
    return Check(f"timing_{model}_{size}", command, 75)


def compiling(model: str, size: int) -> str:
    """The name of the check in which PyTorch compiles its step, before that is timed."""
    return f"compile_{model}_{size}"


# The same in small, on the simulator


def on_simulator(scratch: Path) -> list[Check]:
    """A few of the checks, each as short as it can be."""
    contract = [*PYTEST, f"{TESTS}/backends/test_contract.py", "-k", "simulator and softmax"]
    verify = [*GPUCNN, "verify", "cpu", "simulator", "--steps", "2", "--batch-size", "4"]
    return [
        Check("contract", contract, 120),
        Check("devices", [*GPUCNN, "devices"], 60),
        Check("verify", verify, 120),
    ]


def timed_on_simulator(report: Report, scratch: Path) -> Iterator[Check]:
    """A training of both kinds, on few images, and a timing."""
    small = scratch / "mnist"
    small.mkdir()
    write_small_mnist(small, 80, 16)
    few = ["--data", str(small), "--epochs", "1", "--batch-size", "8"]
    for model in MODELS:
        eagerly = [*train("simulator", model, scratch, "eager"), *few, NO_GRAPH]
        yield Check(f"train_{model}_eager", eagerly, 120)
        yield Check(f"train_{model}", [*train("simulator", model, scratch, "graph"), *few], 120)
        yield same_bytes(model, scratch)
    yield ranks(2, "simulator")
    steps = [
        *timing("notebook", 4, "simulator"),
        "--json",
        f"{report.folder}/timing_notebook_4.json",
    ]
    yield Check("timing_notebook_4", steps, 120)


# Commands


def train(device: str, model: str, scratch: Path, kind: str) -> list[str]:
    """Train a preset in a run folder of its own."""
    run_folder = scratch / f"{model}_{kind}"
    return [*GPUCNN, "train", "--device", device, "--model", model, "--output", str(run_folder)]


def same_bytes(model: str, scratch: Path) -> Check:
    """The graph and the eager training have to leave the same checkpoint."""
    files = [str(scratch / f"{model}_{kind}" / "checkpoint.safetensors") for kind in KINDS]
    return Check(f"graph_is_eager_{model}", ["cmp", *files], 10)


def ranks(count: int, device: str) -> Check:
    """Train a network on several ranks, of a GPU each; all have to have the same in the end."""
    mpiexec = str(Path(sys.executable).with_name("mpiexec"))
    script = [*PYTHON, f"{TESTS}/ranks_scripts/train.py", "plain", device, "1"]
    return Check("ranks", [mpiexec, "-n", str(count), *script], 120, optional=True)


def timing(model: str, size: int, device: str = "cuda") -> list[str]:
    return [*PYTHON, f"{TESTS}/on_gpu_timing.py", model, str(size), "--device", device]


def found(tool: str) -> str:
    """The path of a tool of CUDA, which may not be on the PATH; its name if it is not found."""
    folders = [os.environ.get("CUDA_HOME", "/usr/local/cuda"), "/usr/local/cuda"]
    places = [os.environ.get("PATH", ""), *(f"{folder}/bin" for folder in folders)]
    return shutil.which(tool, path=os.pathsep.join(places)) or tool


def run(check: Check, folder: Path, left: float) -> Result:
    """Run a check for at most `left` seconds; its log is in `folder`."""
    command, limit = " ".join(check.command), min(check.limit, left)
    not_run = None if check.optional else False
    if shutil.which(check.command[0]) is None:
        return Result(check.name, NOT_THERE, not_run, 0, command, [])
    if limit <= 0:
        return Result(check.name, NO_TIME, not_run, 0, command, [])
    log, began = folder / f"{check.name}.log", time.monotonic()
    with log.open("wb") as out:
        status = _status(check.command, limit, out)
    seconds = round(time.monotonic() - began, 1)
    _shorten(log)
    has_passed = status == PASSED
    lines = [] if has_passed else log.read_text(errors="replace").splitlines()[-TAIL:]
    return Result(check.name, status, has_passed, seconds, command, lines)


def _status(command: Sequence[str], limit: float, out: Any) -> str:
    """Run a command, and end it with all that it started if it takes longer than its limit."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return FAILED if process.wait(limit) else PASSED
    except subprocess.TimeoutExpired:
        return TIMED_OUT
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


# The machine


def machine() -> dict[str, str]:
    """The GPU, its driver, and the versions of what is used, without importing any of it."""
    query = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    installed = {name: _version(name) for name in PACKAGES}
    return {
        "commit": _printed("git", "-C", str(ROOT), "rev-parse", "HEAD"),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "gpu": _printed(found("nvidia-smi"), *query),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
    } | {name: version for name, version in installed.items() if version}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _printed(*command: str) -> str:
    """What a short command prints, or "unknown"."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip() or "unknown"


# The report as text


def text_of(content: dict[str, Any]) -> str:
    """The report to be read: first what failed."""
    return "\n".join(
        [
            *_verdict(content),
            "",
            *(f"{name}: {value}" for name, value in content["machine"].items()),
            "",
            *(
                f"{each['status']:<16} {each['seconds']:6.1f} s  {each['name']}"
                for each in content["checks"]
            ),
            "",
            *(f"{name}: {line}" for name, line in content["trainings"].items()),
            *(line for each in content["timings"] for line in _timing(each)),
            *(line for each in content["checks"] if each["passed"] is False for line in _log(each)),
            "",
        ]
    )


def _verdict(content: dict[str, Any]) -> list[str]:
    failed, count = content["failed"], len(content["checks"])
    so_far = "" if content["complete"] else ", so far"
    first = f"{len(failed)} of {count} checks failed{so_far}, in {content['seconds']:.0f} s"
    return [f"{first}: {', '.join(failed)}" if failed else first]


def _timing(result: dict[str, Any]) -> list[str]:
    """A training step of each contender, and the launches of gpucnn's."""
    lines = ["", f"{result['model']}, batches of {result['batch_size']:,}, microseconds of a step:"]
    lines += [
        f"{each['microseconds']:>12,.1f} {each['images_per_second']:>14,} images/s  {name}"
        for name, each in result["steps"].items()
    ]
    lines += [f"{ratio:>12.2f} {name}" for name, ratio in result["ratios"].items()]
    lines += [f"      failed {name}: {error}" for name, error in result["errors"].items()]
    launches = result["launches"]
    total = sum(each["microseconds"] for each in launches)
    lines += [f"{total:>12,.2f} sum of {len(launches)} launches, each timed by itself:"]
    lines += [
        f"{each['microseconds']:>12,.2f} {each['kernel']:<28} {each['grid']:>16} blocks of "
        f"{each['threads']:>4}  {each['part']}"
        for each in launches
    ]
    return lines + list(_rates(launches))


def _rates(launches: list[dict[str, Any]]) -> Iterable[str]:
    """GFLOP/s and GB/s of each part of a step, by the operations and bytes it needs at least."""
    for part in dict.fromkeys(each["part"] for each in launches if each["part"]):
        mine = [each for each in launches if each["part"] == part]
        us = sum(each["microseconds"] for each in mine)
        flops, moved = (mine[0][what] / us / 1e3 for what in ("operations", "bytes"))
        yield f"{flops:>12,.1f} GFLOP/s {moved:>10,.1f} GB/s  {part} ({us:,.2f} us)"


def _log(check: dict[str, Any]) -> list[str]:
    return ["", f"--- {check['name']} ({check['status']}): {check['command']}", *check["log"]]


# Files


def _replace(path: Path, text: str) -> None:
    """Write a file that is never there in part."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def _shorten(log: Path) -> None:
    """Keep the end of a log that is too long."""
    content = log.read_bytes()
    if len(content) > LONGEST_LOG:
        log.write_bytes(content[-LONGEST_LOG:])


if __name__ == "__main__":
    main()
