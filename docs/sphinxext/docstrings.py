"""Docstrings as this project writes them: Google's form, without types, which annotations give."""

from dataclasses import InitVar
from typing import Any, Generic, TypeVar

import numpy.typing
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject
from sphinx.ext.napoleon import GoogleDocstring

# Text


class Docstring(GoogleDocstring):
    """One in Google's form, whose "Returns:" is a sentence, without a type before a colon."""

    def _consume_returns_section(
        self, preprocess_types: bool = False
    ) -> list[tuple[str, str, list[str]]]:
        return [("", "", self._dedent(self._consume_to_next_section()))]


def read_docstring(
    app: Sphinx, kind: str, name: str, described: Any, options: Any, lines: list[str]
) -> None:
    """Turn a docstring into reStructuredText, also where an attribute's has sections."""
    if kind in ("attribute", "data", "property"):
        kind = "method"
    lines[:] = Docstring(lines, app.config, app, kind, name, described, options).lines()


# Types

Scalar = TypeVar("Scalar")


class NDArray(Generic[Scalar]):
    """Stands for NumPy's alias, which would be shown as what it is short for.

    It does for modules that are imported from here on, thus for all of gpucnn's with annotations.
    """

    __module__ = "numpy.typing"


numpy.typing.NDArray = NDArray  # type: ignore[assignment]


def show_init_variables(
    app: Sphinx, kind: str, name: str, described: Any, options: Any, *signature: str | None
) -> None:
    """Have a dataclass's `InitVar` shown as an argument of its type."""
    if kind == "class":
        annotations = described.__annotations__
        for field, annotation in annotations.items():
            if isinstance(annotation, InitVar):
                annotations[field] = annotation.type


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx's hook."""
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("autodoc-process-signature", show_init_variables, priority=400)  # before autodoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
