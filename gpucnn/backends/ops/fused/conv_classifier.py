"""The gradients of a whole step of a small classifier as one operation."""

from functools import cache
from math import prod

import numpy as np

from gpucnn.backends.cuda.kernel import WARP, Constants, Sizes, kernel
from gpucnn.backends.cuda.memory import CudaMemory
from gpucnn.backends.fused import ConvClassifier
from gpucnn.backends.memory import Array
from gpucnn.backends.ops.bounds import CHOSEN, EXACT, bounded
from gpucnn.backends.ops.convolution import Convolution
from gpucnn.backends.ops.data import Data
from gpucnn.backends.ops.elementwise import Elementwise
from gpucnn.backends.ops.pooling import Pooling
from gpucnn.backends.ops.training.loss import Loss
from gpucnn.backends.window import Window
from gpucnn.utils.arithmetic import ceil_div


class ConvClassifiers(Data, Convolution, Pooling, Elementwise, Loss):
    """Definition of a step of a classifier: convolution, ReLU, max-pooling, and a dense layer."""

    def can_fuse_classifier(self, classifier: ConvClassifier, images: Array) -> bool:
        """Whether a step on some of `images`, the data set, is faster as one operation here."""
        return False

    @bounded(
        position=EXACT,
        factors=EXACT,
        epoch_losses=CHOSEN,
        epoch_correct=CHOSEN,
        gradients=CHOSEN,
    )
    def conv_classifier_gradients(
        self,
        classifier: ConvClassifier,
        images: Array,
        labels: Array,
        position: Array,
        order: Array,
        epoch_factors: Array,
        factors: Array,
        epoch_losses: Array,
        epoch_correct: Array,
        batch_size: int,
        count: int,
        parameters: Array,
        gradients: Array,
    ) -> None:
        """Move on to the next batch; compute its metrics, and the gradients of its mean loss.

        Args:
            classifier: what is computed.
            images: uint8 (N, h, w, 1), the data set, normalised as by `gather_images`.
            labels: int64 (N,).
            position: int64 (2,), moved on as by `next_batch`.
            order: int64 (M,), the indices of the epoch's images.
            epoch_factors: real (batches, k).
            factors: real (k,), set to those of the batch.
            epoch_losses: real (M,), those of the batch are written as by `store_metrics`.
            epoch_correct: likewise.
            batch_size: images of a full batch.
            count: images of this batch.
            parameters: real (p,), of the convolution, then of the dense layer, kernels before
                biases.
            gradients: real (p,).
        """
        indices = self.workspace("classifier indices", (batch_size,), np.int64)
        self.next_batch(position, order, epoch_factors, indices, factors)
        x = self.workspace("classifier x", (count, *images.shape[1:]), parameters.dtype)
        y = self.workspace("classifier labels", (count,), np.int64)
        self.gather_images(images, indices[:count], x)
        self.gather_labels(labels, indices[:count], y)

        def real(name: str, *shape: int) -> Array:
            return self.workspace(f"classifier {name}", shape, parameters.dtype)

        kernel, bias, dense_kernel, dense_bias = classifier.split(parameters)
        window, pool, filters = classifier.window, classifier.pool, classifier.filters
        scores = real("scores", count, *window.output, filters)
        rectified, pooled = (
            real("rectified", *scores.shape),
            real("pooled", *classifier.pooled(count)),
        )
        patches = real("patches", count, window.output[0] * window.output[1], window.elements)
        argmax = self.workspace("classifier argmax", pooled.shape, np.int32)
        self.conv2d(x, kernel, bias, window, patches, scores)
        self.relu(scores, rectified)
        self.max_pool(rectified, pool, pooled, argmax)
        features, logits = pooled.reshape(count, -1), real("logits", count, classifier.classes)
        self.matmul(features, dense_kernel, logits, bias=dense_bias)
        losses, correct = real("losses", count), real("correct", count)
        logits_gradient = real("logits gradient", *logits.shape)
        self.softmax_cross_entropy(logits, y, losses, correct, logits_gradient, count)
        self.store_metrics(position, losses, correct, epoch_losses, epoch_correct, batch_size)

        of_kernel, of_bias, of_dense_kernel, of_dense_bias = classifier.split(gradients)
        self.matmul(features, logits_gradient, of_dense_kernel, transpose_a=True)
        self.sum_rows(logits_gradient, of_dense_bias)
        features_gradient = real("features gradient", *pooled.shape)
        rows = features_gradient.reshape(count, -1)
        self.matmul(logits_gradient, dense_kernel, rows, transpose_b=True)
        rectified_gradient = real("rectified gradient", *scores.shape)
        scores_gradient = real("scores gradient", *scores.shape)
        self.max_pool_gradient(features_gradient, pool, argmax, rectified_gradient)
        self.relu_gradient(rectified_gradient, rectified, scores_gradient)
        self.conv2d_parameter_gradients(scores_gradient, patches, of_kernel, of_bias)


THREADS = 352
"""Threads of a block that works on an image, each of which has a vector of features."""

OUTPUTS = 128
"""Weights of the dense layer whose gradients a block of 2 `OUTPUTS` threads sums."""

MOST_BLOCKS = 132
"""The most blocks that a batch is shared out over: as many as an H100 has multiprocessors."""

MOST_CLASSES = 20
"""The most classes: a thread has a vector of weights for each in registers."""

PARTS = 2
"""In how many parts the dense layer's weights go through shared memory."""

VECTOR = 16
"""Bytes of a vector, which are read and written at once."""

SHARED_MEMORY = 48 * 1024
"""Bytes of shared memory that a block may have."""

CONSTANTS = (
    *("image_height", "image_width", "rows", "columns", "height", "width"),
    *("pool_height", "pool_width", "filters", "classes", "class_slots"),
)


def _constants(classifier: ConvClassifier) -> dict[str, int]:
    fields, pool = classifier.window.fields, classifier.pool
    slots = 1 << (classifier.classes - 1).bit_length()
    return {name: fields[name] for name in CONSTANTS[:6]} | {
        "pool_height": pool.size[0],
        "pool_width": pool.size[1],
        "filters": classifier.filters,
        "classes": classifier.classes,
        "class_slots": slots,
    }


@cache
def _given_constants(classifier: ConvClassifier) -> Constants:
    return Constants(_constants(classifier))


def _samples(real: str) -> tuple[Sizes, ...]:
    """The notebook's network, with as many filters as fit the dtype, and one of odd sizes."""
    filters = {"float32": 8, "float64": 4}[real]
    networks = (((28, 28), (3, 3), (2, 2), filters, 10), ((11, 12), (2, 3), (3, 2), 4, 3))
    return tuple(
        _constants(conv_classifier(image, size, pool, filters, classes, real))
        for image, size, pool, filters, classes in networks
    )


def conv_classifier(
    image: tuple[int, int],
    size: tuple[int, int],
    pool: tuple[int, int],
    filters: int,
    classes: int,
    real: str,
) -> ConvClassifier:
    """A classifier with windows inside the image at strides of 1, pooled side by side."""
    window = Window(image, size, (1, 1), "valid")
    return ConvClassifier(
        window, Window(window.output, pool, pool, "valid"), filters, classes, np.dtype(real)
    )


def _shared_memory(classifier: ConvClassifier) -> int:
    """The bytes of shared memory of a block that works on an image."""
    size, convolution = classifier.real.itemsize, classifier.convolution_parameters
    rows = ceil_div(classifier.features * size // VECTOR, PARTS)
    sums = ceil_div(THREADS, WARP) * (classifier.classes + convolution)
    reals = convolution + prod(classifier.window.image) + sums
    return rows * (classifier.classes | 1) * VECTOR + reals * size


class CudaConvClassifiers(CudaMemory, ConvClassifiers):
    """The step in two kernels: all that concerns one image, then the sums over the batch."""

    def can_fuse_classifier(self, classifier: ConvClassifier, images: Array) -> bool:
        """Where an image fits a block, and its share of the weights a thread's registers."""
        window, pool = classifier.window, classifier.pool
        vectors = classifier.filters * classifier.real.itemsize / VECTOR  # of a pooling window
        return (
            images.dtype == np.uint8
            and (images.shape[-1], prod(window.image) % 4) == (1, 0)
            and (window.strides, window.padding) == ((1, 1), "valid")
            and window.dilation == (1, 1)
            and (pool.strides, pool.padding) == (pool.size, "valid")
            and vectors in (1, 2, 4, 8)
            and prod(pool.output) * vectors <= THREADS
            and classifier.convolution_parameters <= THREADS
            and classifier.classes <= MOST_CLASSES
            and _shared_memory(classifier) <= SHARED_MEMORY
        )

    _conv_classifier = kernel(
        "conv_classifier.cu",
        {
            "images": "all *pixels",
            "labels": "all",
            "order": "images_of_epoch",
            "position": "2",
            "parameters": "parameter_count",
            "features": "count feature_count",
            "logits_gradient": "count classes",
            "convolution_gradients": "slabs convolution_count",
            "epoch_losses": "images_of_epoch",
            "epoch_correct": "images_of_epoch",
        },
        lambda sizes: (sizes["slabs"],),
        threads=THREADS,
        macros={"PARTS": PARTS, "OUTPUTS": OUTPUTS},
        constants=CONSTANTS,
        samples=_samples,
    )
    _classifier_gradients = kernel(
        "conv_classifier.cu",
        {
            "features": "count feature_count",
            "logits_gradient": "count classes",
            "convolution_gradients": "slabs convolution_count",
            "gradients": "parameter_count",
            "epoch_factors": "batches factor_count",
            "factors": "factor_count",
            "position": "2",
        },
        lambda sizes: (ceil_div(sizes["feature_count"] * sizes["classes"], OUTPUTS) + 2,),
        threads=2 * OUTPUTS,
        macros={"PARTS": PARTS, "OUTPUTS": OUTPUTS},
        constants=CONSTANTS,
        samples=_samples,
    )

    def conv_classifier_gradients(
        self,
        classifier: ConvClassifier,
        images: Array,
        labels: Array,
        position: Array,
        order: Array,
        epoch_factors: Array,
        factors: Array,
        epoch_losses: Array,
        epoch_correct: Array,
        batch_size: int,
        count: int,
        parameters: Array,
        gradients: Array,
    ) -> None:
        def real(name: str, *shape: int) -> Array:
            return self.workspace(f"classifier {name}", shape, parameters.dtype)

        features = real("features", count, classifier.features)
        logits_gradient = real("logits gradient", count, classifier.classes)
        slabs = real("slabs", min(count, MOST_BLOCKS), classifier.convolution_parameters)
        constants = _given_constants(classifier)
        self._conv_classifier(
            images=images,
            labels=labels,
            order=order,
            position=position,
            parameters=parameters,
            features=features,
            logits_gradient=logits_gradient,
            convolution_gradients=slabs,
            epoch_losses=epoch_losses,
            epoch_correct=epoch_correct,
            batch_size=batch_size,
            constants=constants,
        )
        self._classifier_gradients(
            features=features,
            logits_gradient=logits_gradient,
            convolution_gradients=slabs,
            gradients=gradients,
            epoch_factors=epoch_factors,
            factors=factors,
            position=position,
            constants=constants,
        )
