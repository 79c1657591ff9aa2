"""The site of the documentation: its reference has all that users call. `.ci/run` builds it."""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest

import gpucnn
from gpucnn.callbacks import Callback
from gpucnn.losses import LOSSES
from gpucnn.metrics import METRICS

DOCS = Path(__file__).parents[1] / "docs"
REFERENCE = DOCS / "reference"

DIRECTIVE = re.compile(
    r"^\.\. (\w*module|autoclass|autofunction):: ([\w.]+).*\n( +:no-members:)?",
    re.MULTILINE,
)


def described(page: Path) -> set[Any]:
    """The classes and functions that the directives of a page describe."""
    module, found = gpucnn, set()
    for directive, name, without_members in DIRECTIVE.findall(page.read_text()):
        if directive in ("autoclass", "autofunction"):
            found.add(resolve_name(name) if "." in name else getattr(module, name))
            continue
        module = import_module(name)
        if directive == "automodule" and not without_members:
            found |= {each for each in vars(module).values() if is_of(module.__name__, each)}
    return found


def is_of(module: str, each: object) -> bool:
    return callable(each) and getattr(each, "__module__", "").startswith(module)


@pytest.fixture(scope="module")
def reference() -> set[Any]:
    pages = list(REFERENCE.glob("*.rst"))
    assert len(pages) > 10
    return set().union(*map(described, pages))


@pytest.mark.parametrize("room", ["gpucnn", "gpucnn.models", "gpucnn.notebook", "gpucnn.simulator"])
def test_the_reference_has_the_names_of_a_room(reference: set[Any], room: str) -> None:
    module = import_module(room)
    named = {name: getattr(module, name) for name in module.__all__}
    called = {name for name, each in named.items() if is_of("gpucnn", each)}
    assert not {name for name in called if named[name] not in reference}


def test_the_reference_has_what_models_are_compiled_and_trained_with(reference: set[Any]) -> None:
    callbacks = {each for each in vars(gpucnn.callbacks).values() if is_kind(each, Callback)}
    assert len(callbacks) > 5
    assert {*LOSSES.values(), *METRICS.values(), *callbacks} <= reference


def is_kind(each: object, kind: type) -> bool:
    return isinstance(each, type) and issubclass(each, kind)


def test_every_page_is_in_a_table_of_contents() -> None:
    tables = re.findall(r"^```{toctree}\n(.*?)^```$", (DOCS / "index.md").read_text(), re.M | re.S)
    listed = re.findall(r"^(?:.+ <)?([\w/]+)>?$", "".join(tables), re.M)
    assert sorted({page.stem for page in DOCS.glob("*.md")} - {"index"} - set(listed)) == []
