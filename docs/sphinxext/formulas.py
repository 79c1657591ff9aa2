"""Formulas of pages as MathML, which browsers show by themselves, without a script."""

from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator


def write_in_line(writer: HTML5Translator, node: nodes.math) -> None:
    """Write a formula that is part of a sentence."""
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def write_by_itself(writer: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula in lines of its own; one that is wider than the page can be scrolled."""
    formula = tex2mathml(node.astext(), as_block=True)
    writer.body.append(f'<p style="overflow-x: auto">{formula}</p>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx's hook."""
    app.add_html_math_renderer("mathml", (write_in_line, None), (write_by_itself, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
