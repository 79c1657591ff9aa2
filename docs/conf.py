"""The site of the documentation: `sphinx-build -W -n docs build/site`, which needs no network."""

import sys
from pathlib import Path

from gpucnn import __version__

sys.path.insert(0, str(Path(__file__).parent))  # for `sphinxext`

project = "gpucnn"
version = release = __version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinxext.docstrings",
    "sphinxext.files",
    "sphinxext.formulas",
    "sphinxext.names",
]

html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"gpucnn {release}"
html_show_copyright = False
html_copy_source = False
smartquotes_action = "D"  # dashes alone: "auto" is code

# Pages

exclude_patterns = ["notebook/*.md"]  # the texts of notebooks, which lie beside them

myst_enable_extensions = [
    "colon_fence",  # a file is included within colons
    "dollarmath",
]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks are committed with what they print

# Docstrings

autoclass_content = "both"
autodoc_default_options = {"members": True}
autodoc_inherit_docstrings = False  # what only overrides is described where it is introduced
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = napoleon_numpy_docstring = False  # sphinxext/docstrings.py reads them
napoleon_use_ivar = True
toc_object_entries_show_parents = "hide"

default_role = "py:name"
nitpick_ignore_regex = [
    ("py:name", ".*"),  # code that is no name of the reference
    ("py:.*", r"(abc|collections|dataclasses|matplotlib|numpy|os|pathlib|typing)\..*"),
    # What types name, and users do not.
    (
        "py:class",
        r"(.*\.)?(Figure|NDArray|Name|OptimizerState|Own|Owner|Parameter|Tap|Trainable|Trained|Variable)",
    ),
]
