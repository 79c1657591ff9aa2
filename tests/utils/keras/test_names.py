"""Names of Keras's that are not there."""

import re
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest

import gpucnn
from expect import refusal
from gpucnn import layers, metrics
from gpucnn.errors import MissingImportError, MissingModuleError, MissingNameError
from gpucnn.utils.keras.names import ABSENT, advice_on

NAMES = {module: " ".join(advices).split() for module, advices in ABSENT.items()}

each_module = pytest.mark.parametrize("module", NAMES)


def of(module: str) -> ModuleType:
    return import_module(f"gpucnn.{module}" if module else "gpucnn")


def line_on(place: ModuleType, name: str) -> str:
    """What is said of a name that a module has not."""
    with pytest.raises(MissingNameError) as caught:
        getattr(place, name)
    return str(caught.value)


@each_module
def test_they_are_not_there_and_a_line_says_so(module: str) -> None:
    place = of(module)
    assert not {*NAMES[module]} & {*dir(place)}
    for name in NAMES[module]:
        assert not hasattr(place, name)
        (line,) = line_on(place, name).splitlines()
        assert line.startswith(f"{place.__name__} has no {name}: ")
        assert "{" not in line


@each_module
def test_the_import_of_one_says_the_same(module: str) -> None:
    place = of(module)
    for name in NAMES[module]:
        with pytest.raises(MissingImportError) as caught:
            exec(f"from {place.__name__} import {name}")
        assert str(caught.value) == line_on(place, name)


@pytest.mark.parametrize("module", [each for each in NAMES if hasattr(of(each), "__path__")])
def test_the_import_of_one_as_a_module_says_the_same(module: str) -> None:
    place = of(module)
    for name in NAMES[module]:
        with pytest.raises(MissingModuleError) as caught:
            import_module(f"{place.__name__}.{name}")
        assert caught.value.name == f"{place.__name__}.{name}"
        assert str(caught.value) == line_on(place, name)


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (
            "from gpucnn.initializers import HeNormal",
            "gpucnn has no initializers: give initializers by name, such as "
            'kernel_initializer="he_normal"',
        ),
        (
            "from gpucnn.preprocessing.image import ImageDataGenerator",
            "gpucnn has no preprocessing: prepare the data before, with NumPy",
        ),
        (
            "import gpucnn.backend as K",
            "gpucnn has no backend: give a model its device, as in Sequential(layers, device=...)",
        ),
        (
            "from gpucnn.applications.vgg16 import VGG16",
            "gpucnn.applications has no vgg16: there are no pretrained networks; build it of "
            "layers, or begin with gpucnn.models.lenet",
        ),
    ],
)
def test_modules_of_keras_in_scripts(code: str, line: str) -> None:
    with refusal(line, MissingModuleError):
        exec(code)


@pytest.mark.parametrize("name", ["gpucnn.nothing", "gpucnn.datasets.nothing", "nothing_at_all"])
def test_other_modules_are_not_found_as_python_says(name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=f"^No module named '{name}'$") as caught:
        import_module(name)
    assert caught.type is ModuleNotFoundError
    assert find_spec(name) is None


@each_module
def test_what_to_use_instead_is_there(module: str) -> None:
    """What an advice calls by its place, or a class of the same module."""
    for name in NAMES[module]:
        advice = advice_on(of(module).__name__, name)
        assert advice is not None, name
        for path in re.findall(r"gpucnn(?:\.\w+)+", advice):
            found: Any = gpucnn
            for part in path.split(".")[1:]:
                found = getattr(found, part)
        for word in re.findall(r"\b[A-Z]\w*[a-z]\w*(?:2D)?\b", advice):
            if word not in ("NumPy", "Pillow", "Keras", "True"):
                assert hasattr(of(module), word) or hasattr(gpucnn, word), (name, word)


@each_module
def test_names_are_there_once(module: str) -> None:
    assert len({*NAMES[module]}) == len(NAMES[module])


@pytest.mark.parametrize(
    ("module", "name", "line"),
    [
        (
            layers,
            "LSTM",
            "gpucnn.layers has no LSTM: gpucnn is for images, not for sequences; use Keras",
        ),
        (
            layers,
            "Conv3D",
            "gpucnn.layers has no Conv3D: images have two dimensions; use Conv2D, with slices as "
            "channels",
        ),
        (
            gpucnn,
            "Function",
            "gpucnn has no Function: use Model(inputs, outputs)",
        ),
        (
            gpucnn.callbacks,
            "BackupAndRestore",
            "gpucnn.callbacks has no BackupAndRestore: use ModelCheckpoint; a model that is loaded "
            "trains on as if nothing had happened",
        ),
        (
            gpucnn.losses,
            "mean_squared_error",
            "gpucnn.losses has no mean_squared_error: give compile the name as a text, such as "
            'loss="mean_squared_error"',
        ),
    ],
)
def test_lines(module: ModuleType, name: str, line: str) -> None:
    with refusal(line, MissingNameError):
        getattr(module, name)


def test_a_name_that_keras_has_not_either() -> None:
    with pytest.raises(AttributeError, match=r"^module 'gpucnn\.layers' has no attribute 'Foo'$"):
        _ = layers.Foo  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match=r"^cannot import name 'Foo' from 'gpucnn\.metrics'"):
        exec("from gpucnn.metrics import Foo")


def test_what_asks_for_a_default_gets_it() -> None:
    assert getattr(metrics, "AUC", None) is None


def test_a_submodule_of_the_same_name_is_imported() -> None:
    exec("from gpucnn.layers import affine, dense; assert dense.Dense")
