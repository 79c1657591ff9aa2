"""Code in single backticks, of docstrings and pages: links where it names something."""

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PyXRefRole
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

NAME = re.compile(r"[A-Z]\w*|\w+(\.\w+)+")
"""What may name something in the text of a page: a class, or a name with dots."""


class Name(PyXRefRole):
    """The role of code in the single backticks of a docstring."""

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


def mark_names(app: Sphinx, doctree: nodes.document) -> None:
    """Give code of a page that may be a name that role, too."""
    for code in code_without_link(doctree):
        text, page = code.astext(), app.env.docname
        if NAME.fullmatch(text):
            target = {"refdomain": "py", "reftype": "name", "reftarget": text, "refdoc": page}
            code.replace_self(addnodes.pending_xref("", code.deepcopy(), **target))


def code_without_link(doctree: nodes.document) -> list[nodes.literal]:
    """The code in single backticks that is in no link."""
    linked = {
        code
        for kind in (nodes.reference, addnodes.pending_xref)
        for link in doctree.findall(kind)
        for code in link.findall(nodes.literal)
    }
    return [code for code in doctree.findall(nodes.literal) if code not in linked]


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


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx's hook."""
    app.add_role_to_domain("py", "name", Name())
    app.connect("doctree-read", mark_names)
    app.connect("missing-reference", find_by_end)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
