import ast
import re
import subprocess
import sys
from collections.abc import Collection
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import gpucnn
from gpucnn.errors import GpucnnError

SLOW = [
    "PIL",
    "click",
    "concurrent.futures",
    "csv",
    "cupy",
    "gpucnn.backends.cuda.cupy_runtime",
    "gpucnn.backends.cuda.machine_code.nvrtc",
    "gpucnn.datasets.reading",
    "gpucnn.models.exchange.export",
    "gpucnn.models.exchange.keras.from_keras",
    "gpucnn.models.exchange.onnx.from_onnx",
    "gpucnn.models.exchange.torch.from_torch",
    "gpucnn.models.exchange.weights",
    "gpucnn.simulator",
    "difflib",
    "h5py",
    "importlib.metadata",
    "matplotlib",
    "onnx",
    "pooch",
    "prometheus_client",
    "requests",
    "rich",
    "scipy",
    "starlette",
    "tarfile",
    "torch",
    "typer",
    "uvicorn",
]


NAMES: list[str] = gpucnn.__all__  # type: ignore[attr-defined]  # computed when it is asked for


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """The modules imported by all names of `gpucnn`, in a fresh interpreter."""
    return imported_by_running("from gpucnn import *")


def imported_by_running(code: str) -> set[str]:
    folder = Path(gpucnn.__file__).parents[1]
    code = f"{code}; import sys; print(*sys.modules)"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", SLOW)
def test_import_leaves_out_what_is_slow(imported: set[str], module: str) -> None:
    assert module not in imported


@pytest.mark.parametrize("code", ["import gpucnn", "import gpucnn.commands.main"])
def test_what_comes_first_is_imported_alone(code: str) -> None:
    parts = {"gpucnn", "gpucnn.version", "gpucnn.commands", "gpucnn.commands.main"}
    assert {each for each in imported_by_running(code) if each.startswith("gpucnn")} <= parts
    assert "numpy" not in imported_by_running(code)


@pytest.mark.parametrize("name", ["layers", "errors", "applications"])
def test_submodules_are_there(name: str) -> None:
    code = f"import gpucnn; gpucnn.{name}.__doc__[0]"
    assert f"gpucnn.{name}" in imported_by_running(code)


@pytest.mark.parametrize("name", ["sequential_", "__main__", "_private"])
def test_other_names_are_not_there(name: str) -> None:
    with pytest.raises(AttributeError, match=f"^module 'gpucnn' has no attribute '{name}'$"):
        getattr(gpucnn, name)


def test_names_are_listed_before_they_are_imported() -> None:
    assert set(NAMES) <= set(dir(gpucnn))


def test_import_takes_numpy(imported: set[str]) -> None:
    assert "numpy" in imported


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there(name: str) -> None:
    assert hasattr(gpucnn, name)


def test_names_are_in_order_and_once() -> None:
    assert sorted(set(NAMES)) == NAMES


def test_names_that_users_type_stay() -> None:
    functions = {"available_devices", "get_backend", "load_mnist", "models", "__version__"}
    classes = {"GpucnnError", "History", "Layer", "Sequential"}
    layers = {"Conv2D", "Dense", "Dropout", "Flatten", "MaxPool2D", "ReLU"}
    optimizers = {"SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Lion", "Muon"}
    schedules = {"Constant", "CosineDecay", "ExponentialDecay", "OneCycle"}
    schedules |= {"PiecewiseConstantDecay", "PolynomialDecay"}
    assert functions | classes | layers | optimizers | schedules <= set(NAMES)


def test_star_imports_what_is_listed() -> None:
    names: dict[str, object] = {}
    exec("from gpucnn import *", names)
    assert names.keys() - {"__builtins__"} == set(NAMES)


@pytest.mark.parametrize(
    "kinds", [gpucnn.layers.LAYERS, gpucnn.optimizers.OPTIMIZERS, gpucnn.optimizers.SCHEDULES]
)
def test_every_kind_that_can_be_loaded_can_be_made(kinds: tuple[type, ...]) -> None:
    assert {kind.__name__ for kind in kinds} <= set(NAMES)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("InvalidValueError", ValueError),
        ("InvalidTypeError", TypeError),
        ("InvalidFileError", ValueError),
        ("TrainingError", RuntimeError),
    ],
)
def test_errors_are_of_the_package_and_built_in(name: str, builtin: type[Exception]) -> None:
    error = getattr(gpucnn.errors, name)
    assert issubclass(error, GpucnnError)
    assert issubclass(error, builtin)


# A file imports only from its own room, and from those above that here.
ORDER = [
    "errors",
    "version",
    "utils",
    "regularizers",
    "simulator",
    "backends",
    "layers",
    "losses",
    "optimizers",
    "datasets",
    "metrics",
    "callbacks",
    "models",
    "applications",
    "verification",
    "serving",
    "benchmark",
    "notebook",
    "commands",
]

BACKENDS = [
    "window",
    "communicator",
    "memory",
    "calls",
    "replay",
    "fused",
    "ranks",
    "workers",
    "cpu",
    "cuda",
    "ops",
    "backend",
    "devices",
]
"""The same within `gpucnn.backends`."""

ROOT = Path(gpucnn.__file__).parent


def imported_parts(file: Path, package: str = "gpucnn") -> set[str]:
    """The modules and packages directly in a package that a file imports from."""
    names = [name for node in ast.walk(ast.parse(file.read_text())) for name in imported_by(node)]
    inside = [name.removeprefix(f"{package}.") for name in names if name.startswith(f"{package}.")]
    return {name.split(".")[0] for name in inside}


def imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "a relative import"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def test_imports_of_each_form_are_seen(tmp_path: Path) -> None:
    file = tmp_path / "file.py"
    file.write_text("import gpucnn.a\nfrom gpucnn import b\nfrom gpucnn.c.d import e\nimport os\n")
    assert imported_parts(file) == {"a", "b", "c"}


def files_of(place: Path) -> list[Path]:
    """The files of a package, or the file of a module."""
    return list(place.rglob("*.py")) or [place.with_suffix(".py")]


@pytest.mark.parametrize("part", ORDER)
def test_imports_run_one_way(part: str) -> None:
    for file in files_of(ROOT / part):
        assert imported_parts(file) <= set(ORDER[: ORDER.index(part) + 1]), file


@pytest.mark.parametrize("part", BACKENDS)
def test_imports_of_backends_run_one_way(part: str) -> None:
    for file in files_of(ROOT / "backends" / part):
        imported = imported_parts(file, "gpucnn.backends")
        assert imported <= set(BACKENDS[: BACKENDS.index(part) + 1]), file


def test_no_modules_import_each_other_in_a_circle() -> None:
    modules = {module_of(file): file for file in ROOT.rglob("*.py")}
    graph = {name: imported_modules(file, modules) - {name} for name, file in modules.items()}
    assert list(TopologicalSorter(graph).static_order())  # else a CycleError names the circle


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(file: Path, modules: Collection[str]) -> set[str]:
    """The modules that a file names in its imports, those for types alone included."""
    names = {name for node in ast.walk(ast.parse(file.read_text())) for name in imported_by(node)}
    return {name if name in modules else name.rpartition(".")[0] for name in names} & set(modules)


def test_every_part_has_its_place_in_the_order() -> None:
    others = {"__init__", "__main__", "__pycache__", "py"}
    assert {each.stem for each in ROOT.iterdir()} - others == set(ORDER)
    assert {each.stem for each in (ROOT / "backends").iterdir()} - others == set(BACKENDS)


def test_all_folders_are_packages_that_are_installed() -> None:
    """The list is written out, since the kernels lie in a folder of another name."""
    root = ROOT.parent
    installed = (root / "pyproject.toml").read_text().partition("packages = [")[2]
    listed = set(re.findall(r'"([\w.]+)"', installed.partition("]")[0]))
    folders = {each.parent.relative_to(root) for each in ROOT.rglob("*.py")}
    assert listed == {".".join(each.parts) for each in folders} | {"gpucnn.kernels"}
