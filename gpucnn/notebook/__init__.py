"""The notebook's functions, under their own names, and its figures."""

from gpucnn.notebook.functions import *  # noqa: F403
from gpucnn.notebook.functions import __all__ as __all__
