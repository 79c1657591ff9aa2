"""Figures that notebooks show; the only module that imports Matplotlib at once."""

from io import BytesIO

from matplotlib.figure import Figure


class Picture(Figure):
    """A figure of Matplotlib's that Jupyter shows, whether `pyplot` is imported or not."""

    def _repr_png_(self) -> bytes:
        """The picture as a PNG file."""
        file = BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()
