"""Docstrings as this project writes them: Google's form, and code in single backticks."""

from dataclasses import InitVar
from typing import Any, Generic, TypeVar

import numpy.typing
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject, PyXRefRole
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import GoogleDocstring
from sphinx.util.nodes import make_refnode

# Names


class Name(PyXRefRole):
    """Code in single backticks: a link where it is a name of the reference."""

    def process_link(
        self,
        env: BuildEnvironment,
        refnode: nodes.Element,
        has_explicit_title: bool,
        title: str,
        target: str,
    ) -> tuple[str, str]:
        """As for other names, but a dot or a tilde that the code begins with stays."""
        super().process_link(env, refnode, has_explicit_title, title, target)
        return title, target


def find_by_end(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, shown: nodes.TextElement
) -> nodes.reference | None:
    """The link of a class, or of a name with dots, by the end of its full name, if one has it."""
    target = node["reftarget"].removeprefix("gpucnn.")
    if node.get("refdomain") != "py" or not (target[:1].isupper() or "." in target):
        return None
    found = env.get_domain("py").find_obj(env, "", "", target, None, searchmode=1)
    places = {(entry.docname, entry.node_id) for _, entry in found}
    if len(places) != 1:
        return None
    page, anchor = places.pop()
    return make_refnode(app.builder, node["refdoc"], page, anchor, shown, target)


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
    """Stands for NumPy's alias, which would be shown as what it is short for."""

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
    app.add_role_to_domain("py", "name", Name())
    app.connect("missing-reference", find_by_end)
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("autodoc-process-signature", show_init_variables, priority=400)  # before autodoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
