from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import small
from expect import refusal
from gpucnn import get_backend
from gpucnn.backends import Array
from gpucnn.datasets.device_dataset import DeviceDataset, check_images
from gpucnn.errors import InvalidTypeError

IMAGE = (2, 3, 1)
FLOAT32: "np.dtype[np.floating]" = np.dtype(np.float32)


def dataset(
    x: Array, y: Array | None = None, dtype: type[np.floating] = np.float64
) -> DeviceDataset:
    return DeviceDataset(get_backend("cpu"), np.dtype(dtype), x, y)


def pixels(count: int, dtype: Any = np.float64) -> Array:
    """Images whose pixels are all different."""
    return np.arange(count * 6, dtype=dtype).reshape(count, *IMAGE)


def images_of(
    data: DeviceDataset, indices: list[int], dtype: type[np.floating] = np.float64
) -> Array:
    """The images at the indices, gathered."""
    out = np.empty((len(indices), *IMAGE), dtype)
    data.gather_images(np.array(indices), out)
    return out


class TestImages:
    def test_are_gathered_in_the_order_of_the_indices(self) -> None:
        x = pixels(5)
        assert_array_equal(images_of(dataset(x), [3, 0, 3]), x[[3, 0, 3]])

    def test_of_bytes_are_normalised(self) -> None:
        x = np.resize(np.array([0, 51, 255], np.uint8), (1, *IMAGE))
        gathered = images_of(dataset(x), [0])
        assert_allclose(gathered.ravel(), np.resize([-0.5, -0.3, 0.5], 6), rtol=1e-15)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("given", [np.uint8, np.float16, np.float32, np.float64])
    def test_are_of_the_dtype_of_the_model(
        self, given: type[np.generic], dtype: type[np.floating]
    ) -> None:
        x = pixels(2, given)
        gathered = images_of(dataset(x, dtype=dtype), [1, 0], dtype)
        right = x.astype(dtype) / 255 - dtype(0.5) if given is np.uint8 else x
        assert_array_equal(gathered, right[::-1])


class TestLabels:
    def test_are_gathered_in_the_order_of_the_indices(self) -> None:
        data, out = dataset(pixels(3), np.array([7, 8, 9], np.uint8)), np.zeros(2, np.int64)
        data.gather_labels(np.array([2, 0]), out)
        assert_array_equal(out, [9, 7])


def test_the_length_is_the_number_of_images() -> None:
    assert len(dataset(pixels(5))) == 5


class TestFill:
    """Arrays that are kept, and filled with other images."""

    @pytest.mark.parametrize("device", ["cpu", "simulator"])
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    def test_replaces_the_first(self, dtype: type[np.generic], device: str) -> None:
        backend = get_backend(device)
        given = pixels(3, dtype), np.array([1, 2, 3]), np.array([0.25, 0.5, 1])
        data = DeviceDataset(backend, FLOAT32, *given)
        before = data.images, data.labels, data.weights
        data.fill(pixels(3, dtype)[1:], np.array([7, 8], np.uint8), np.array([4.0, 5.0]))
        assert all(
            now is then
            for now, then in zip((data.images, data.labels, data.weights), before, strict=True)
        )
        assert data.labels is not None
        assert data.weights is not None
        assert_array_equal(backend.to_host(data.images), pixels(3)[[1, 2, 2]])
        assert backend.to_host(data.labels).tolist() == [7, 8, 3]
        assert backend.to_host(data.weights).tolist() == [[4], [5], [1]]

    def test_views_of_the_first_are_the_same_memory(self) -> None:
        data = dataset(pixels(3), np.array([1, 2, 3]))
        views = data.first(2)
        data.fill(pixels(3)[1:], np.array([7, 8]))
        assert len(views) == 2
        assert views.labels is not None
        assert_array_equal(views.images, pixels(3)[1:])
        assert views.labels.tolist() == [7, 8]
        assert views.weights is None


class TestCheckImages:
    @pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
    def test_leaves_images_as_they_are(self, dtype: type[np.generic]) -> None:
        x = pixels(2, dtype)
        assert check_images(x, IMAGE, FLOAT32) is x

    def test_takes_lists(self) -> None:
        assert_array_equal(check_images(pixels(2).tolist(), IMAGE, FLOAT32), pixels(2))

    @pytest.mark.parametrize("shape", [(2, 3, 1), (3, 1)])
    def test_adds_the_axis_of_a_single_channel(self, shape: tuple[int, ...]) -> None:
        x = np.zeros((4, *shape[:-1]))
        assert check_images(x, shape, FLOAT32).shape == (4, *shape)

    @pytest.mark.parametrize(
        "shape",
        [(2, 3, 1), (4, 3, 2, 1), (4, 2, 3, 3), (4, 2, 2), (4, 6), (4,), (), (4, 2, 3, 1, 1)],
    )
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    def test_refuses_other_shapes(self, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
        with refusal(
            f"the images have the shape {shape}, but the model takes (images, 2, 3, 1): "
            "give images of that shape, or make a model for these"
        ):
            check_images(np.zeros(shape, dtype), IMAGE, FLOAT32)

    def test_refuses_a_missing_axis_of_several_channels(self) -> None:
        with refusal(
            "the images have the shape (4, 2, 3), but the model takes (images, 2, 3, 2): "
            "give images of that shape, or make a model for these"
        ):
            check_images(np.zeros((4, 2, 3)), (2, 3, 2), FLOAT32)

    @pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16, np.bool_, np.complex64, "U1"])
    def test_refuses_other_dtypes(self, dtype: Any) -> None:
        with refusal(
            f"the images are of dtype {np.dtype(dtype)}: give pixels as uint8 "
            "(0 to 255) or as floating-point numbers (used as they are)",
            InvalidTypeError,
        ):
            check_images(np.zeros((4, *IMAGE), dtype), IMAGE, FLOAT32)

    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    def test_refuses_no_images(self, dtype: type[np.generic]) -> None:
        with refusal("there is no image: give at least one"):
            check_images(np.zeros((0, *IMAGE), dtype), IMAGE, FLOAT32)

    @pytest.mark.parametrize("pixel", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("image", [0, 3])
    def test_names_the_first_image_with_a_pixel_that_is_not_finite(
        self, pixel: float, image: int
    ) -> None:
        x = pixels(5)
        x[image:, 1, 2] = pixel
        with refusal(
            f"image {image} has a pixel that is NaN, infinite or too large for float32: "
            "pixels must be finite numbers"
        ):
            check_images(x, IMAGE, FLOAT32)

    def test_refuses_a_pixel_that_only_float64_can_hold(self) -> None:
        x = np.full((1, *IMAGE), -1e39)
        with refusal(
            "image 0 has a pixel that is NaN, infinite or too large for float32: "
            "pixels must be finite numbers"
        ):
            check_images(x, IMAGE, FLOAT32)
        assert check_images(x, IMAGE, np.dtype(np.float64)) is x


class TestWithoutItsChannelAxis:
    """Images as accepted by the model's own methods."""

    def test_images_are_predicted_alike(self) -> None:
        model = small.model()
        x = small.images(4)
        assert_array_equal(model.predict(x[..., 0]), model.predict(x))
