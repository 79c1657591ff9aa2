"""A model as one HTML file, which runs it in a browser by itself, without a server."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from gpucnn.models.exchange.exported import Exported
from gpucnn.models.exchange.page.operations import describe
from gpucnn.models.pixels import Encoding

BROWSER = Path(__file__).parent / "browser"
"""The files of the page, which a server sends as they are."""

ENTRY = "local.js"
"""The module that starts the page in one file; `remote.js` starts that of a server."""

IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./([\w.]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:class|const|function) (\w+))", re.MULTILINE)
"""The forms in which the modules of the page import and export."""


def to_page(exported: Exported, encoding: Encoding | None) -> bytes:
    """A model as a page to draw on, which asks for nothing else.

    It computes of bytes what `predict` does, by weights in float32.

    Arguments and errors are those of `describe`.
    """
    text = json.dumps(describe(exported, encoding))
    network = text.replace("<", r"\u003c")  # or a name could end the element
    script, style = _bundle(ENTRY), _read("style.css")
    sources = f"script-src {_hash(script)}; style-src {_hash(style)}; img-src data: blob:"
    inlined = {
        "default-src 'self'; img-src 'self' data: blob:": f"default-src 'none'; {sources}",
        '<link rel="stylesheet" href="page/style.css" />': f"<style>{style}</style>",
        '<script type="module" src="page/remote.js"></script>': (
            f'<script type="application/json" id="network">{network}</script>\n'
            f'    <script type="module">{script}</script>'
        ),
    }
    page = _read("index.html")
    for outside, inside in inlined.items():
        assert page.count(outside) == 1
        page = page.replace(outside, inside)
    return page.encode()


def _read(name: str) -> str:
    return (BROWSER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The source of a policy that allows a script or a style of this text, and no other."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _bundle(entry: str) -> str:
    """A script of a module and of those that it imports.

    Each becomes a function that returns what it exports, so that their names stay apart.
    """
    bodies: dict[str, str] = {}

    def add(name: str) -> None:
        text = _read(name)
        for each in IMPORT.finditer(text):
            if each[2] not in bodies:
                add(each[2])
        exported = ", ".join(each[1] for each in EXPORT.finditer(text))
        body = EXPORT.sub("", IMPORT.sub(r'const \1 = modules["\2"];', text))
        bodies[name] = f'modules["{name}"] = (() => {{\n{body}return {{ {exported} }};\n}})();\n'

    add(entry)
    return "\nconst modules = {};\n" + "\n".join(bodies.values())
