"""The backend: where arrays live, and the definition of every operation that runs on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gpucnn.backends.buffer import Buffer, Order, Shape
from gpucnn.backends.philox import LOW_WORD, philox4x32
from gpucnn.backends.window import Window

Array = NDArray[Any]  # of NumPy, or of a module with its interface, such as CuPy


@dataclass(frozen=True)
class FusedMemory:
    """What `Backend.conv2d_relu_max_pool` keeps of a batch for its gradients.

    Args:
        window: the geometry of the convolution.
        pool: the geometry of the pooling of its output.
        arrays: as `Backend.fused_buffers` describes them; what they hold is the backend's affair.
    """

    window: Window
    pool: Window
    arrays: dict[str, Array]


class Backend:
    """Every operation that layers, losses and optimizers need, in plain array code over `xp`.

    This class is the definition: it is written to be read, and every other backend is tested
    against it. A backend for a device derives from it and overrides what it can do faster.

    Conventions, which every operation shares:

    - All arrays live on the backend's device. Images are NHWC: (images, rows, columns, channels).
      Kernels are HWIO: (rows, columns, input channels, filters). Arrays of a batch may lie in
      memory in the order that `batch_view` gives them; all others are C-contiguous.
    - "real" is the floating-point dtype of the model, float32 or float64, one for a whole call.
    - Results are written to the arguments named so (`out`, `input_gradient`, ...), all of whose
      elements are overwritten; nothing is returned. Outputs do not overlap inputs.
    - What changes from step to step (the learning rate, the step number) comes in one-element
      arrays on the device, so that recorded operations can be replayed with new values.
    """

    device = "reference"

    def __init__(self, xp: Any = np) -> None:
        self.xp = xp

    @property
    def description(self) -> str:
        """What the device is, in a few words."""
        return "the definitions"

    @contextmanager
    def session(self) -> Iterator[None]:
        """A span of time in which operations run: an epoch, an evaluation.

        It is entered once for many operations, and may set what they all need.
        """
        # A network that diverges overflows in every operation. Its loss tells it, once.
        with np.errstate(over="ignore", invalid="ignore"):
            yield

    def twin(self) -> "Backend":
        """A backend for the same device with scratch memory of its own, to be used beside this."""
        return type(self)(self.xp)

    # How a batch is shared out

    @property
    def threads(self) -> int:
        """How many shards a batch is split into: those that can be worked on at once."""
        return 1

    def images_at_once(self, size: int) -> int | None:
        """How many images are best worked through together, if each takes `size` bytes.

        None means all of a batch.
        """
        return None

    # Memory

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """A new array whose elements are not set."""
        return self.xp.empty(shape, dtype)  # type: ignore[no-any-return]

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """A new array of zeros."""
        return self.xp.zeros(shape, dtype)  # type: ignore[no-any-return]

    def asarray(self, array: Array, dtype: DTypeLike | None = None) -> Array:
        """The host array `array` as a C-contiguous array on the device, copied only if needed."""
        return self.xp.asarray(array, dtype, order="C")  # type: ignore[no-any-return]

    def to_host(self, array: Array) -> Array:
        """A copy of `array` as a NumPy array of its own."""
        return np.array(array)

    def copy(self, source: Array, out: Array) -> None:
        """Copy `source`, of any dtype, on the host or the device, to `out`, on the device."""
        out[...] = self.xp.asarray(source, out.dtype)

    def private(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """A new array, whose elements are not set, that is worked on again and again."""
        return self.empty(shape, dtype)

    def batch_view(self, memory: Array, count: int, shape: Shape, order: Order = "C") -> Array:
        """Something of each image of a batch, (count, *shape), at the beginning of `memory`.

        Args:
            memory: flat.
            count: the number of images.
            shape: of one image's part.
            order: in which an image's elements should lie: "C", the last axis varying fastest, or
                "F", the first. Here it is no matter: kernels index arrays in row-major order.
        """
        return memory[: count * prod(shape)].reshape(count, *shape)

    def arrange(self, x: Array, out: Array) -> Array:
        """A C-contiguous batch as operations read it best: `x` itself, or a copy of it in `out`.

        Args:
            x: real (n, ...).
            out: of its shape, as `batch_view` gives it.
        """
        return x

    def workspace(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Scratch memory for the duration of one operation; one operation's names are its own."""
        return self.empty(shape, dtype)

    def counting(self, count: int) -> Array:
        """The numbers 0 to `count` - 1, int64; not to be written to."""
        return self.xp.arange(count, dtype=np.int64)  # type: ignore[no-any-return]

    # Data

    def gather_images(self, images: Array, indices: Array, out: Array) -> None:
        """The images of a batch: `out[i]` is `images[indices[i]]`, pixels of uint8 normalised.

        Args:
            images: (N, h, w, c), uint8 or real. Bytes become `pixel / 255 - 0.5`, in [-0.5, 0.5].
            indices: int64 (n,), each in [0, N).
            out: real (n, h, w, c).
        """
        batch = images[indices]
        out[...] = batch.astype(out.dtype) / 255 - 0.5 if batch.dtype == np.uint8 else batch

    def gather_labels(self, labels: Array, indices: Array, out: Array) -> None:
        """The labels of a batch: `out[i] = labels[indices[i]]`; all int64, (N,), (n,) and (n,)."""
        out[...] = labels[indices]

    # Matrices

    def matmul(
        self,
        a: Array,
        b: Array,
        out: Array,
        *,
        transpose_a: bool = False,
        transpose_b: bool = False,
        bias: Array | None = None,
    ) -> None:
        """The matrix product A B + bias.

        Args:
            a: real (m, k), or (k, m) if `transpose_a`.
            b: real (k, n), or (n, k) if `transpose_b`.
            out: real (m, n).
            transpose_a: whether A is the transpose of `a`.
            transpose_b: whether B is the transpose of `b`.
            bias: real (n,), added to every row, or None.
        """
        self.xp.matmul(a.T if transpose_a else a, b.T if transpose_b else b, out=out)
        if bias is not None:
            out += bias

    def sum_rows(self, a: Array, out: Array) -> None:
        """The sum over the rows of `a`, real (m, n), to `out`, real (n,)."""
        self.xp.sum(a, axis=0, out=out)

    def multiply(self, a: Array, b: Array, out: Array) -> None:
        """The product of `a` and `b` element by element; all real and of one shape."""
        self.xp.multiply(a, b, out=out)

    def accumulate(self, a: Array, total: Array) -> None:
        """Add `a` to `total`, element by element; both real and of one shape."""
        total += a

    # Convolution

    def im2col(self, x: Array, window: Window, patches: Array) -> None:
        """What the window sees at each of its positions, zeros where it sees padding.

        Args:
            x: real (n, h, w, c).
            window: the geometry.
            patches: real (n, positions, elements * c): one row a position, the positions and the
                elements of the window in row-major order.
        """
        columns = self._columns(patches, window)
        if window.padding == "same":
            columns.fill(0)
        for tap in window.taps:
            columns[tap.patches] = x[tap.inputs]

    def col2im(self, patches: Array, window: Window, out: Array) -> None:
        """The transpose of `im2col`: each pixel is the sum of the patch elements that saw it.

        Args:
            patches: real (n, positions, elements * c), as `im2col` writes them.
            window: the geometry.
            out: real (n, h, w, c).
        """
        columns = self._columns(patches, window)
        out.fill(0)
        for tap in window.taps:
            out[tap.inputs] += columns[tap.patches]

    def conv2d(
        self, x: Array, kernel: Array, bias: Array, window: Window, patches: Array, out: Array
    ) -> None:
        """Convolution, in the sense of neural networks (the kernel is not flipped).

        Args:
            x: real (n, h, w, c).
            kernel: real (kh, kw, c, filters).
            bias: real (filters,).
            window: the geometry, of size (kh, kw).
            patches: real (n, positions, kh * kw * c), written: `im2col` of `x`, which
                `conv2d_parameter_gradients` reads.
            out: real (n, oh, ow, filters).
        """
        self.im2col(x, window, patches)
        self.matmul(as_rows(patches), as_rows(kernel), as_rows(out), bias=bias)

    def conv2d_parameter_gradients(
        self, output_gradient: Array, patches: Array, kernel_gradient: Array, bias_gradient: Array
    ) -> None:
        """The gradients of the kernel and the bias of `conv2d`.

        Args:
            output_gradient: real (n, oh, ow, filters).
            patches: as `conv2d` wrote them.
            kernel_gradient: real (kh, kw, c, filters).
            bias_gradient: real (filters,).
        """
        gradient = as_rows(output_gradient)
        self.matmul(as_rows(patches), gradient, as_rows(kernel_gradient), transpose_a=True)
        self.sum_rows(gradient, bias_gradient)

    def conv2d_input_gradient(
        self,
        output_gradient: Array,
        kernel: Array,
        window: Window,
        patches: Array,
        input_gradient: Array,
    ) -> None:
        """The gradient of the input of `conv2d`.

        Args:
            output_gradient: real (n, oh, ow, filters).
            kernel: real (kh, kw, c, filters).
            window: the geometry.
            patches: real (n, positions, kh * kw * c), overwritten with the patches' gradient: the
                gradients of the parameters are to be taken before.
            input_gradient: real (n, h, w, c).
        """
        self.matmul(as_rows(output_gradient), as_rows(kernel), as_rows(patches), transpose_b=True)
        self.col2im(patches, window, input_gradient)

    # Pooling

    def max_pool(self, x: Array, window: Window, out: Array, argmax: Array) -> None:
        """The maximum of each window, and which of its elements that is: the first, among equals.

        Padding never wins. A NaN makes the maximum NaN, so that pooling hides no failure.

        Args:
            x: real (n, h, w, c).
            window: the geometry.
            out: real (n, oh, ow, c).
            argmax: int32 (n, oh, ow, c), the index of the element within the window, row-major.
        """
        out.fill(-np.inf)
        argmax.fill(0)
        for tap in window.taps:
            values, best, best_index = x[tap.inputs], out[tap.outputs], argmax[tap.outputs]
            best_index[values > best] = tap.index
            self.xp.maximum(best, values, out=best)

    def max_pool_gradient(
        self, output_gradient: Array, window: Window, argmax: Array, input_gradient: Array
    ) -> None:
        """The gradient of the input of `max_pool`: each output's goes to the pixel that it took.

        Args:
            output_gradient: real (n, oh, ow, c).
            window: the geometry.
            argmax: as `max_pool` wrote it.
            input_gradient: real (n, h, w, c).
        """
        input_gradient.fill(0)
        for tap in window.taps:
            chosen = argmax[tap.outputs] == tap.index
            input_gradient[tap.inputs] += output_gradient[tap.outputs] * chosen

    # Convolution, ReLU and max-pooling as one

    def can_fuse(self, pool: Window) -> bool:
        """Whether a convolution, ReLU and this pooling are faster by the operations below."""
        return False

    def fused_buffers(
        self, window: Window, pool: Window, channels: int, filters: int
    ) -> dict[str, Buffer]:
        """The memory of `fused_memory`, for each image."""
        convolved = Buffer((*window.output, filters))
        return {
            "patches": Buffer((prod(window.output), window.elements * channels)),
            "convolved": convolved,
            "rectified": convolved,
            "gradient": convolved,
            "argmax": Buffer((*pool.output, filters), "int32"),
        }

    def fused_memory(
        self,
        window: Window,
        pool: Window,
        channels: int,
        filters: int,
        real: "np.dtype[np.floating]",
        arrays: dict[str, Array],
    ) -> FusedMemory:
        """What `conv2d_relu_max_pool` needs for batches of one size; `arrays` are of that size."""
        return FusedMemory(window, pool, arrays)

    def conv2d_relu_max_pool(
        self,
        x: Array,
        kernel: Array,
        bias: Array,
        memory: FusedMemory,
        out: Array,
        *,
        training: bool,
    ) -> None:
        """`conv2d`, `relu` and `max_pool`, one after the other.

        Args:
            x: real (n, h, w, c).
            kernel: real (kh, kw, c, filters).
            bias: real (filters,).
            memory: of `fused_memory`, written.
            out: real (n, ph, pw, filters).
            training: whether the gradients will be asked for.
        """
        window, pool, of = memory.window, memory.pool, memory.arrays
        self.conv2d(x, kernel, bias, window, of["patches"], of["convolved"])
        self.relu(of["convolved"], of["rectified"])
        self.max_pool(of["rectified"], pool, out, of["argmax"])

    def conv2d_relu_max_pool_gradients(
        self,
        output_gradient: Array,
        kernel: Array,
        memory: FusedMemory,
        kernel_gradient: Array,
        bias_gradient: Array,
        input_gradient: Array | None = None,
    ) -> None:
        """The gradients of the kernel, the bias and the input of `conv2d_relu_max_pool`.

        To be taken once for each call of that.

        Args:
            output_gradient: real (n, ph, pw, filters).
            kernel: real (kh, kw, c, filters), what `conv2d_relu_max_pool` was given.
            memory: as `conv2d_relu_max_pool` left it in training, whose `x` is still what it was;
                overwritten.
            kernel_gradient: real (kh, kw, c, filters).
            bias_gradient: real (filters,).
            input_gradient: real (n, h, w, c), or None where it is not wanted.
        """
        window, pool, of = memory.window, memory.pool, memory.arrays
        patches, gradient = of["patches"], of["convolved"]
        self.max_pool_gradient(output_gradient, pool, of["argmax"], of["gradient"])
        self.relu_gradient(of["gradient"], of["rectified"], gradient)
        self.conv2d_parameter_gradients(gradient, patches, kernel_gradient, bias_gradient)
        if input_gradient is not None:
            self.conv2d_input_gradient(gradient, kernel, window, patches, input_gradient)

    # Element by element

    def relu(self, x: Array, out: Array) -> None:
        """The positive part, max(x, 0), NaN where x is NaN; both real and of one shape."""
        self.xp.maximum(x, 0, out=out)

    def relu_gradient(self, output_gradient: Array, out: Array, input_gradient: Array) -> None:
        """The gradient of the input of `relu`, 0 where the input was 0 or less.

        Args:
            output_gradient: real, of any shape.
            out: what `relu` wrote.
            input_gradient: real.
        """
        input_gradient[...] = output_gradient * (out > 0)

    def dropout(
        self,
        x: Array,
        rate: float,
        seed: int,
        stream: int,
        step: Array,
        mask: Array,
        out: Array,
        first: int = 0,
    ) -> None:
        """Inverted dropout: a share `rate` of the elements is zeroed, the rest scaled up.

        Element i of the whole batch, of which `x` holds those from `first` on in row-major order,
        is kept if its random word is at least floor(`rate` * 2^32). The word is number i % 4 of the
        Philox4x32-10 block with key (seed's low word, high word) and counter (low word of i // 4,
        high word of i // 4, step mod 2^32, stream): the same on every device. The gradient of the
        input is the output gradient times `mask`.

        Srivastava et al., "Dropout", JMLR 15 (2014).

        Args:
            x: real, of any shape.
            rate: in [0, 1).
            seed: in [0, 2^64).
            stream: in [0, 2^32), tells apart the dropout layers of a model.
            step: int64 (1,), the number of the training step.
            mask: real, of x's shape, written: 0 or 1 / (1 - rate).
            out: real, of x's shape.
            first: the index of the first element of `x` in the batch.
        """
        words = self._random_words(first, x.size, seed, stream, step)
        keep = words >= int(rate * 2**32)
        mask[...] = keep.reshape(mask.shape) * (1 / (1 - rate))
        self.multiply(x, mask, out)

    # Loss

    def softmax(self, logits: Array, out: Array) -> None:
        """The probabilities exp(z_i) / sum_j exp(z_j) of each row, for logits of any size.

        Both real (n, classes). The row's maximum is subtracted first, so that nothing overflows.
        """
        exponentials = self.xp.exp(logits - logits.max(axis=1, keepdims=True))
        out[...] = exponentials / exponentials.sum(axis=1, keepdims=True)

    def softmax_cross_entropy(
        self,
        logits: Array,
        labels: Array,
        losses: Array,
        correct: Array,
        gradient: Array | None = None,
        images: int = 1,
    ) -> None:
        """The loss -log softmax(logits)[label] of each row, and the gradient of the batch's mean.

        Args:
            logits: real (n, classes).
            labels: int64 (n,), each in [0, classes).
            losses: real (n,).
            correct: real (n,), 1 where the largest logit (the first, among equals) is the label's,
                else 0.
            gradient: real (n, classes), the gradient of the sum of `losses` divided by `images`
                with respect to `logits`, or None where it is not wanted.
            images: the number of images in the whole batch, over which the loss is averaged.
        """
        one_hot = labels[:, None] == self.counting(logits.shape[1])
        shifted = logits - logits.max(axis=1, keepdims=True)
        exponentials = self.xp.exp(shifted)
        sums = exponentials.sum(axis=1)
        losses[...] = self.xp.log(sums) - shifted[one_hot]
        correct[...] = logits.argmax(axis=1) == labels
        if gradient is not None:
            gradient[...] = (exponentials / sums[:, None] - one_hot) / images

    # Optimizers

    def sgd(
        self,
        parameters: Array,
        gradients: Array,
        velocity: Array,
        learning_rate: Array,
        *,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
    ) -> None:
        """One step of gradient descent with momentum, in Keras's form.

        v <- momentum v - learning_rate g, and then the parameters, decayed by
        learning_rate * weight_decay of themselves, move by v; with Nesterov's rule by
        momentum v - learning_rate g.

        Args:
            parameters: real (p,), updated.
            gradients: real (p,).
            velocity: real (p,), updated; zeros before the first step.
            learning_rate: real (1,).
            momentum: in [0, 1).
            nesterov: whether to look ahead.
            weight_decay: decoupled from the gradient; 0 for none.
        """
        velocity[...] = momentum * velocity - learning_rate * gradients
        parameters -= learning_rate * weight_decay * parameters
        parameters += momentum * velocity - learning_rate * gradients if nesterov else velocity

    def adam(
        self,
        parameters: Array,
        gradients: Array,
        mean: Array,
        square: Array,
        learning_rate: Array,
        step: Array,
        *,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        """One step of Adam, or of AdamW where `weight_decay` is not 0, in Keras's form.

        m <- beta_1 m + (1 - beta_1) g and s <- beta_2 s + (1 - beta_2) g^2; the parameters, decayed
        by learning_rate * weight_decay of themselves, move by
        -learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(s) + epsilon).

        Kingma and Ba, "Adam", ICLR 2015 (the form at the end of its section 2); Loshchilov and
        Hutter, "Decoupled weight decay regularization", ICLR 2019.

        Args:
            parameters: real (p,), updated.
            gradients: real (p,).
            mean: real (p,), m, updated; zeros before the first step.
            square: real (p,), s, updated; zeros before the first step.
            learning_rate: real (1,).
            step: int64 (1,), t, 1 for the first step.
            beta_1: the decay of m, in [0, 1).
            beta_2: the decay of s, in [0, 1).
            epsilon: keeps the quotient finite.
            weight_decay: decoupled from the gradient; 0 for Adam.
        """
        mean[...] = beta_1 * mean + (1 - beta_1) * gradients
        square[...] = beta_2 * square + (1 - beta_2) * gradients**2
        t = step.astype(np.float64)
        correction = self.xp.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        rate = learning_rate * correction.astype(learning_rate.dtype)
        parameters -= learning_rate * weight_decay * parameters
        parameters -= rate * mean / (self.xp.sqrt(square) + epsilon)

    # Shared by the definitions above

    def _columns(self, patches: Array, window: Window) -> Array:
        """The patches with an axis each for rows, columns, elements of the window, and channels."""
        return patches.reshape(len(patches), *window.output, window.elements, -1)

    def _random_words(self, first: int, count: int, seed: int, stream: int, step: Array) -> Array:
        """`count` random words of a stream at a step, from word `first` on, uint64 below 2^32."""
        first_block, skipped = divmod(first, 4)
        blocks = -(-(skipped + count) // 4)
        counters = self.workspace("philox counters", (4, blocks), np.uint64)
        products = self.workspace("philox products", (2, blocks), np.uint64)
        words = self.workspace("philox words", (blocks, 4), np.uint64)
        counters[0] = self.counting(blocks)
        counters[0] += self.xp.uint64(first_block)
        self.xp.right_shift(counters[0], self.xp.uint64(32), out=counters[1])
        counters[0] &= self.xp.uint64(LOW_WORD)
        counters[2] = step & LOW_WORD
        counters[3] = stream
        philox4x32(self.xp, counters, products, (seed & LOW_WORD, seed >> 32))
        words[...] = counters.T
        return words.reshape(-1)[skipped : skipped + count]


def as_rows(array: Array) -> Array:
    """A contiguous array as a matrix that keeps its last axis, a view."""
    return array.reshape(-1, array.shape[-1])
