"""Links of the pages to files of the repository, which are read on a forge as well.

The site includes README.md, CHANGELOG.md and CONTRIBUTING.md. Any other file that a page links to,
and each source that it names, gets a page with its text.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from sphinxext.names import code_without_link

ROOT = Path(__file__).parents[2]

INCLUDED = {
    "README": "index",
    "CHANGELOG": "project/changelog",
    "CONTRIBUTING": "project/contributing",
}
"""The pages that include files which lie beside `docs/`, by the names of these."""

LANGUAGES = {".py": "python", ".cu": "cuda", ".cuh": "cuda"}


def link_from_root(app: Sphinx, path: Path, page: str, text: list[str]) -> None:
    """Have the links of an included file, which lies beside `docs/`, begin there."""
    text[0] = re.sub(r"\]\((?!https:|#)", "](/../", text[0])


def link_to_pages(app: Sphinx, doctree: nodes.document) -> None:
    """Turn links out of `docs/`, and names of sources, into links to pages of the site."""
    for link in doctree.findall(addnodes.pending_xref):
        target = Path(link["reftarget"])
        if target.parent == ROOT and target.name in INCLUDED:
            link["reftarget"] = INCLUDED[target.name]
    for link in list(doctree.findall(addnodes.download_reference)):
        _, path = app.env.relfn2path(link["reftarget"], link["refdoc"])
        link.replace_self(link_to(app, Path(path).resolve(), *link.children))
    for code in code_without_link(doctree):
        if file := source(code.astext()):
            code.replace_self(link_to(app, file, code.deepcopy()))


def source(name: str) -> Path | None:
    """The source that code in a text names, in full or, of a kernel, by its name, if it is one."""
    files = (folder / name for folder in (ROOT, ROOT / "kernels"))
    return next((file for file in files if file.suffix in LANGUAGES and file.is_file()), None)


def link_to(app: Sphinx, file: Path, *shown: nodes.Node) -> nodes.reference:
    """A link to the page of a file, which will be made."""
    name, page = file.relative_to(ROOT).as_posix(), app.env.docname
    linked_files(app).setdefault(page, set()).add(name)
    uri = app.builder.get_relative_uri(page, f"files/{name}")
    return nodes.reference("", "", *shown, internal=True, refuri=uri)


def linked_files(app: Sphinx) -> dict[str, set[str]]:
    """The files that pages link to, by page; kept from build to build."""
    files: dict[str, set[str]] = app.env.__dict__.setdefault("linked_files", {})
    return files


def pages_of_files(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each file that is linked to: its name, what fills the template, the template."""
    for file in sorted(set().union(*linked_files(app).values())):
        language = LANGUAGES.get(Path(file).suffix, "text")
        text = app.builder.highlighter.highlight_block((ROOT / file).read_text(), language)
        yield f"files/{file}", {"title": file, "body": f"<h1>{file}</h1>\n{text}"}, "page.html"


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx's hook."""
    app.connect("include-read", link_from_root)
    app.connect("doctree-read", link_to_pages, priority=400)  # before downloads are collected
    app.connect("html-collect-pages", pages_of_files)
    return {"parallel_read_safe": False}
