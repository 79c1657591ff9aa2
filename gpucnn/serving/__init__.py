"""Models behind HTTP: a page to draw on, and answers to programs; needs the extra `serve`.

`import gpucnn` does not import it. Without the extra, importing it raises an error of one line.
"""

from gpucnn.errors import MissingExtraError

try:
    import PIL  # noqa: F401 - these are looked for here, once for the whole room
    import prometheus_client  # noqa: F401
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    raise MissingExtraError("gpucnn.serving", error.name, "serve") from error

from gpucnn.serving.app import create_app as create_app
from gpucnn.serving.limits import Limits as Limits
from gpucnn.serving.live import LivePage as LivePage
