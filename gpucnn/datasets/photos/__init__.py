"""Folders of photographs: finding them, bringing them to one size, and keeping them decoded."""

from gpucnn.datasets.photos.folders import holds_photos
from gpucnn.datasets.photos.loading import TESTED, load_images
from gpucnn.datasets.photos.reading import photo_in, read_photo

__all__ = ["TESTED", "holds_photos", "load_images", "photo_in", "read_photo"]
