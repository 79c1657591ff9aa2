"""The operations of a convolutional network as plain loops over single numbers.

This is what the tests hold the package against, and nothing of the package is used here. NumPy's
arrays serve as memory, read and written one number at a time. Images have the axes (image, row,
column, channel), kernels (row, column, channel, filter).
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Pair = tuple[int, int]
Index = tuple[int, int, int, int]


# Windows


class Slide(NamedTuple):
    """A window of `size` that moves over images by `strides`, (down, across).

    It sees every `dilation`th pixel alone.
    """

    size: Pair
    strides: Pair
    padding: str  # "valid" or "same"
    dilation: Pair = (1, 1)

    def starts(self, length: int, axis: int) -> list[int]:
        """Where the window starts along an axis of `length` pixels; below 0 is padding."""
        stride = self.strides[axis]
        size = self.size[axis] + (self.size[axis] - 1) * (self.dilation[axis] - 1)  # with gaps
        if self.padding == "valid":
            return list(range(0, length - size + 1, stride))
        count = math.ceil(length / stride)
        padding = max((count - 1) * stride + size - length, 0)
        before = padding // 2  # the odd one goes to the end
        return [number * stride - before for number in range(count)]

    def output(self, x: Array) -> Pair:
        """How many positions the window has over the images `x`, (rows, columns)."""
        return len(self.starts(x.shape[1], 0)), len(self.starts(x.shape[2], 1))

    def views(self, x: Array) -> Iterator[tuple[Index, Pair, Index]]:
        """Each time that the window sees a pixel of the images `x`; padding is left out.

        Yields:
            the output (image, row, column, channel) that the window is at, the place (row, column)
            within the window, and the pixel (image, row, column, channel).
        """
        images, height, width, channels = x.shape
        for image in range(images):
            for r, top in enumerate(self.starts(height, 0)):
                for c, left in enumerate(self.starts(width, 1)):
                    for i in range(self.size[0]):
                        for j in range(self.size[1]):
                            row, column = top + i * self.dilation[0], left + j * self.dilation[1]
                            if 0 <= row < height and 0 <= column < width:
                                for channel in range(channels):
                                    pixel = (image, row, column, channel)
                                    yield (image, r, c, channel), (i, j), pixel


def im2col(x: Array, slide: Slide) -> Array:
    """What the window sees at each position, zeros for padding.

    The axes are (image, row, column, row in the window, column in the window, channel).
    """
    patches = np.zeros((x.shape[0], *slide.output(x), *slide.size, x.shape[3]))
    for (image, r, c, channel), (i, j), pixel in slide.views(x):
        patches[image, r, c, i, j, channel] = x[pixel]
    return patches


def col2im(patches: Array, x: Array, slide: Slide) -> Array:
    """For each pixel of images of the shape of `x`, the sum of the patch elements that saw it."""
    pixels = np.zeros(x.shape)
    for (image, r, c, channel), (i, j), pixel in slide.views(x):
        pixels[pixel] += patches[image, r, c, i, j, channel]
    return pixels


# Convolution


def convolve(x: Array, kernel: Array, bias: Array, slide: Slide) -> Array:
    """At each position, for each filter: the weighted sum of what the window sees, plus a bias."""
    filters = kernel.shape[3]
    z = np.zeros((x.shape[0], *slide.output(x), filters))
    for (image, r, c, channel), (i, j), pixel in slide.views(x):
        for f in range(filters):
            z[image, r, c, f] += x[pixel] * kernel[i, j, channel, f]
    for image, r, c, f in np.ndindex(z.shape):
        z[image, r, c, f] += bias[f]
    return z


def convolve_gradients(
    x: Array, kernel: Array, output_gradient: Array, slide: Slide
) -> tuple[Array, Array, Array]:
    """The gradients of the input, the kernel and the bias of `convolve`.

    In z += pixel * weight, z moves by the weight for each unit of the pixel, and by the pixel for
    each unit of the weight; in z += bias, by 1.
    """
    filters = kernel.shape[3]
    x_gradient, kernel_gradient = np.zeros(x.shape), np.zeros(kernel.shape)
    bias_gradient = np.zeros(filters)
    for (image, r, c, channel), (i, j), pixel in slide.views(x):
        for f in range(filters):
            gradient = output_gradient[image, r, c, f]
            x_gradient[pixel] += gradient * kernel[i, j, channel, f]
            kernel_gradient[i, j, channel, f] += gradient * x[pixel]
    for image, r, c, f in np.ndindex(output_gradient.shape):
        bias_gradient[f] += output_gradient[image, r, c, f]
    return x_gradient, kernel_gradient, bias_gradient


def convolve_in_groups(x: Array, kernel: Array, bias: Array, slide: Slide) -> Array:
    """Each group of channels convolved with its filters alone, the outputs side by side."""
    parts = [
        convolve(of_group, weights, biases, slide)
        for of_group, weights, biases in _by_group(x, kernel, bias)
    ]
    return np.concatenate(parts, axis=3)


def convolve_in_groups_gradients(
    x: Array, kernel: Array, output_gradient: Array, slide: Slide
) -> tuple[Array, Array, Array]:
    """The gradients of the input, the kernel and the bias of `convolve_in_groups`."""
    parts = [
        convolve_gradients(of_group, weights, gradient, slide)
        for of_group, weights, gradient in _by_group(x, kernel, output_gradient)
    ]
    of_input, of_kernel, of_bias = (list(each) for each in zip(*parts, strict=True))
    return (
        np.concatenate(of_input, axis=3),
        np.concatenate(of_kernel, axis=3),
        np.concatenate(of_bias),
    )


def _by_group(x: Array, kernel: Array, of_filters: Array) -> Iterator[tuple[Array, Array, Array]]:
    """The channels of each group, its part of the kernel, and what else its filters have."""
    channels, groups = kernel.shape[2], x.shape[3] // kernel.shape[2]
    filters = kernel.shape[3] // groups
    for group in range(groups):
        own_channels = range(group * channels, (group + 1) * channels)
        own_filters = range(group * filters, (group + 1) * filters)
        yield x[..., own_channels], kernel[..., own_filters], of_filters[..., own_filters]


# Pooling


def max_pool(x: Array, slide: Slide) -> tuple[Array, Array]:
    """The greatest pixel of each window, and which of the window's elements it was.

    The first in row-major order wins among equals, because only a greater one replaces it.
    """
    best = np.full((x.shape[0], *slide.output(x), x.shape[3]), -math.inf)
    argmax = np.zeros(best.shape, int)
    for position, (i, j), pixel in slide.views(x):
        if x[pixel] > best[position]:
            best[position] = x[pixel]
            argmax[position] = i * slide.size[1] + j
    return best, argmax


def max_pool_gradient(output_gradient: Array, argmax: Array, x: Array, slide: Slide) -> Array:
    """The gradient of each output goes to the pixel that it took; the others get none."""
    x_gradient = np.zeros(x.shape)
    for position, (i, j), pixel in slide.views(x):
        if argmax[position] == i * slide.size[1] + j:
            x_gradient[pixel] += output_gradient[position]
    return x_gradient


def average_pool(x: Array, slide: Slide) -> Array:
    """The sum of the pixels that the window sees, divided by how many it sees."""
    total, seen = (np.zeros((x.shape[0], *slide.output(x), x.shape[3])) for _ in range(2))
    for position, _, pixel in slide.views(x):
        total[position] += x[pixel]
        seen[position] += 1
    return total / seen


def average_pool_gradient(output_gradient: Array, x: Array, slide: Slide) -> Array:
    """An output moves by 1 / (how many pixels the window sees) for each unit of one of them."""
    seen, x_gradient = np.zeros(output_gradient.shape), np.zeros(x.shape)
    for position, _, _ in slide.views(x):
        seen[position] += 1
    for position, _, pixel in slide.views(x):
        x_gradient[pixel] += output_gradient[position] / seen[position]
    return x_gradient


# Batch normalisation


class Normal(NamedTuple):
    """The means and the variances of the channels, and what is added to the latter."""

    means: Array
    variances: Array
    epsilon: float

    def __call__(self, x: Array, place: tuple[int, ...]) -> float:
        """A number of `x`, less the mean of its channel, in standard deviations."""
        channel = place[-1]
        deviation = math.sqrt(self.variances[channel] + self.epsilon)
        return float((x[place] - self.means[channel]) / deviation)


def channel_sums(values: Array) -> Array:
    """The sum of all numbers of each channel."""
    sums = np.zeros(values.shape[-1])
    for place in np.ndindex(values.shape):
        sums[place[-1]] += values[place]
    return sums


def normalize_channels(x: Array, normal: Normal, gamma: Array, beta: Array) -> Array:
    """Each number in standard deviations, times the gamma of its channel, plus its beta."""
    out = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        out[place] = normal(x, place) * gamma[place[-1]] + beta[place[-1]]
    return out


def normalize_gradients(output_gradient: Array, x: Array, normal: Normal) -> tuple[Array, Array]:
    """The gradients of gamma and beta: an output moves by the normalised input, and by 1."""
    products = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        products[place] = output_gradient[place] * normal(x, place)
    return channel_sums(products), channel_sums(output_gradient)


def batch_normalize(x: Array, gamma: Array, beta: Array, epsilon: float) -> Array:
    """`x` normalised by the means and the variances of its own channels."""
    count = x.size // x.shape[-1]
    means = channel_sums(x) / count
    variances = channel_sums((x - means) ** 2) / count
    return normalize_channels(x, Normal(means, variances, epsilon), gamma, beta)


# Matrices


def matmul(a: Array, b: Array, bias: Array | None = None) -> Array:
    """The matrix product A B, plus `bias` in each row: a dense layer."""
    product = np.zeros((a.shape[0], b.shape[1]))
    for row in range(a.shape[0]):
        for column in range(b.shape[1]):
            for k in range(a.shape[1]):
                product[row, column] += a[row, k] * b[k, column]
            if bias is not None:
                product[row, column] += bias[column]
    return product


def sum_rows(a: Array) -> Array:
    """The sum over the rows."""
    total = np.zeros(a.shape[1])
    for row in range(a.shape[0]):
        for column in range(a.shape[1]):
            total[column] += a[row, column]
    return total


# Single numbers


def relu(x: float) -> float:
    """The positive part."""
    return x if x > 0 else 0.0


def relu_gradient(output_gradient: float, out: float) -> float:
    """The gradient passes where something came through."""
    return output_gradient if out > 0 else 0.0


def clipped_relu(x: float, max_value: float) -> float:
    """The positive part, but no more than the most."""
    return max_value if x > max_value else relu(x)


def clipped_relu_gradient(output_gradient: float, x: float, max_value: float) -> float:
    """The gradient passes where the function rises."""
    return 0.0 if x <= 0 or x >= max_value else output_gradient


def leaky_relu(x: float, negative_slope: float) -> float:
    """The value itself above 0, else the slope times it."""
    return x if x > 0 else negative_slope * x


def leaky_relu_gradient(output_gradient: float, out: float, negative_slope: float) -> float:
    """The gradient times the slope of the branch that was taken."""
    return output_gradient * (1.0 if out > 0 else negative_slope)


def elu(x: float, alpha: float) -> float:
    """The value itself above 0, else alpha (exp(x) - 1)."""
    return x if x > 0 else alpha * math.expm1(x)


def elu_gradient(output_gradient: float, x: float, alpha: float) -> float:
    """The gradient times 1, or where the value is not above 0 times alpha exp(x)."""
    return output_gradient if x > 0 else output_gradient * (alpha * math.exp(x))


def normal_distribution(x: float) -> float:
    """The share of a standard normal distribution below x."""
    return 0.5 * math.erfc(-x / math.sqrt(2))


def gelu(x: float) -> float:
    """The value times the share of a normal distribution below it."""
    return x * normal_distribution(x)


def gelu_gradient(output_gradient: float, x: float) -> float:
    """By the rule of the product."""
    density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return output_gradient * (normal_distribution(x) + x * density)


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)), with both multiplied by exp(x) where that is the smaller."""
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (math.exp(x) + 1)


def sigmoid_gradient(output_gradient: float, out: float) -> float:
    """By the derivative s (1 - s)."""
    return output_gradient * (out * (1 - out))


def silu(x: float) -> float:
    """The value times its sigmoid."""
    return x * sigmoid(x)


def silu_gradient(output_gradient: float, x: float) -> float:
    """By the rule of the product."""
    return output_gradient * sigmoid(x) * (1 + x * sigmoid(-x))


def tanh_gradient(output_gradient: float, out: float) -> float:
    """By the derivative 1 - tanh^2, factored."""
    return output_gradient * (1 + out) * (1 - out)


# Loss


def softmax(logits: Array) -> Array:
    """The probabilities exp(z) / sum of exp(z) of each row."""
    probabilities = np.zeros(logits.shape)
    for row in range(logits.shape[0]):
        greatest = max(logits[row])  # subtracted so that exp cannot overflow; it cancels
        exponentials = [math.exp(z - greatest) for z in logits[row]]
        for column, exponential in enumerate(exponentials):
            probabilities[row, column] = exponential / math.fsum(exponentials)
    return probabilities


def cross_entropy(logits: Array, labels: Array) -> Array:
    """The loss -log softmax(logits)[label] of each row."""
    losses = np.zeros(len(labels))
    for row, label in enumerate(labels):
        greatest = max(logits[row])
        total = math.fsum(math.exp(z - greatest) for z in logits[row])
        losses[row] = math.log(total) - (logits[row, label] - greatest)
    return losses


def cross_entropy_gradient(logits: Array, labels: Array, images: int) -> Array:
    """The gradient of the sum of `cross_entropy` over `images`, the mean over a whole batch.

    It is the probabilities, less 1 at the label, over `images`.
    """
    gradient = softmax(logits)
    for row, label in enumerate(labels):
        gradient[row, label] -= 1
        for column in range(logits.shape[1]):
            gradient[row, column] /= images
    return gradient


def correct(logits: Array, labels: Array) -> Array:
    """1 for each row whose greatest logit, the first among equals, is at its label; else 0."""
    hits = np.zeros(len(labels))
    for row, (best, label) in enumerate(zip(first_greatest(logits), labels, strict=True)):
        hits[row] = 1.0 if best == label else 0.0
    return hits


def first_greatest(scores: Array) -> list[int]:
    """The column of the greatest score of each row, the first among equals."""
    places = [0] * len(scores)
    for row in range(len(scores)):
        for column in range(scores.shape[1]):
            if scores[row, column] > scores[row, places[row]]:
                places[row] = column
    return places


def soft_cross_entropy(logits: Array, targets: Array) -> Array:
    """The losses of each row if every class were its label, each times the target of the class."""
    losses = np.zeros(len(logits))
    for column in range(logits.shape[1]):
        of_class = cross_entropy(logits, np.full(len(logits), column))
        for row in range(len(logits)):
            losses[row] += targets[row, column] * of_class[row]
    return losses


def soft_cross_entropy_gradient(logits: Array, targets: Array, images: int) -> Array:
    """The gradients of each row if every class were its label, each times its target."""
    gradient = np.zeros(logits.shape)
    for column in range(logits.shape[1]):
        of_class = cross_entropy_gradient(logits, np.full(len(logits), column), images)
        for row in range(len(logits)):
            gradient[row] += targets[row, column] * of_class[row]
    return gradient


def sigmoid_cross_entropy(logits: Array, targets: Array) -> Array:
    """The mean of each row of -t log p - (1 - t) log(1 - p), p being the sigmoid of a logit."""
    losses = np.zeros(len(logits))
    for row, column in np.ndindex(logits.shape):
        z, t = float(logits[row, column]), float(targets[row, column])
        loss = -t * math.log(sigmoid(z)) - (1 - t) * math.log(sigmoid(-z))
        losses[row] += loss / logits.shape[1]
    return losses


def sigmoid_cross_entropy_gradient(logits: Array, targets: Array, images: int) -> Array:
    """A loss moves by its sigmoid less its target, over the number of all logits of the batch."""
    gradient = np.zeros(logits.shape)
    for row, column in np.ndindex(logits.shape):
        difference = sigmoid(float(logits[row, column])) - targets[row, column]
        gradient[row, column] = difference / logits.shape[1] / images
    return gradient


def correct_share(logits: Array, targets: Array) -> Array:
    """The share of each row's logits that are on the side of 0 where its target is of 1/2."""
    shares = np.zeros(len(logits))
    for row in range(len(logits)):
        pairs = list(zip(logits[row], targets[row], strict=True))
        hits = sum((z > 0 and t > 0.5) or (z <= 0 and t <= 0.5) for z, t in pairs)
        shares[row] = hits / len(pairs)
    return shares


def squared_error(outputs: Array, targets: Array) -> Array:
    """The mean of each row's squared differences."""
    losses = np.zeros(len(outputs))
    for row in range(len(outputs)):
        for output, target in zip(outputs[row], targets[row], strict=True):
            losses[row] += (output - target) * (output - target) / outputs.shape[1]
    return losses


def squared_error_gradient(outputs: Array, targets: Array, images: int) -> Array:
    """A square moves by twice its root, over the number of all outputs of the batch."""
    gradient = np.zeros(outputs.shape)
    for row, column in np.ndindex(outputs.shape):
        difference = outputs[row, column] - targets[row, column]
        gradient[row, column] = (difference + difference) / outputs.shape[1] / images
    return gradient


# Clipping, and norms


def clip(value: float, limit: float) -> float:
    """The nearest number from -limit to limit."""
    return max(-limit, min(limit, value))


def norm(values: Array) -> float:
    """The root of the sum of the squares of a vector."""
    return math.sqrt(math.fsum(float(each) * float(each) for each in values))


def clip_norm(values: Array, limit: float) -> Array:
    """A vector, shortened to `limit` if its norm is greater."""
    length = norm(values)
    factor = limit / length if length > limit else 1.0
    return np.array([each * factor for each in values])


# Optimizers, for one parameter


def sgd(
    parameter: float,
    gradient: float,
    velocity: float,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> tuple[float, float]:
    """The next parameter and velocity."""
    velocity = momentum * velocity - learning_rate * gradient
    move = momentum * velocity - learning_rate * gradient if nesterov else velocity
    return parameter - learning_rate * weight_decay * parameter + move, velocity


def adam(
    parameter: float,
    gradient: float,
    mean: float,
    square: float,
    learning_rate: float,
    bias_correction: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float,
) -> tuple[float, float, float]:
    """The next parameter, mean and square; AdamW's where `weight_decay` is not 0."""
    mean += (1 - beta_1) * (gradient - mean)
    square += (1 - beta_2) * (gradient * gradient - square)
    rate = learning_rate * bias_correction
    decayed = parameter - learning_rate * weight_decay * parameter
    return decayed - rate * mean / (math.sqrt(square) + epsilon), mean, square


def rmsprop(
    parameter: float,
    gradient: float,
    square: float,
    velocity: float,
    mean: float | None,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    weight_decay: float,
) -> tuple[float, float, float, float | None]:
    """The next parameter, square, velocity and mean, of which there may be none."""
    square += (1 - rho) * (gradient * gradient - square)
    variance = square
    if mean is not None:
        mean += (1 - rho) * (gradient - mean)
        variance = max(0.0, square - mean * mean)
    velocity = momentum * velocity - learning_rate * gradient / math.sqrt(variance + epsilon)
    parameter -= learning_rate * weight_decay * parameter
    return parameter + velocity, square, velocity, mean


def adagrad(
    parameter: float,
    gradient: float,
    square: float,
    learning_rate: float,
    epsilon: float,
    weight_decay: float,
) -> tuple[float, float]:
    """The next parameter and sum of squares."""
    square += gradient * gradient
    parameter -= learning_rate * weight_decay * parameter
    return parameter - learning_rate * gradient / math.sqrt(square + epsilon), square


def lion(
    parameter: float,
    gradient: float,
    mean: float,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    weight_decay: float,
) -> tuple[float, float]:
    """The next parameter and mean."""
    parameter -= learning_rate * weight_decay * parameter
    direction = mean + (1 - beta_1) * (gradient - mean)
    if direction != 0:
        parameter -= math.copysign(learning_rate, direction)
    return parameter, mean + (1 - beta_2) * (gradient - mean)


def momentum(gradient: float, velocity: float, decay: float, nesterov: bool) -> tuple[float, float]:
    """The next velocity, and the direction of the step."""
    velocity = decay * velocity + gradient
    return velocity, gradient + decay * velocity if nesterov else velocity


def orthogonalized(
    x: Array, a: float, b: float, c: float, steps: int, epsilon: float = 1e-7
) -> Array:
    """A matrix after some steps of Newton and Schulz, from norm 1 on."""
    length = norm(x.ravel()) + epsilon
    x = np.array([[each / length for each in row] for row in x])
    for _ in range(steps):
        gram = matmul(x, x.T)
        cubic, quintic = matmul(gram, x), matmul(matmul(gram, gram), x)
        x = np.array(
            [
                [a * x[i, j] + b * cubic[i, j] + c * quintic[i, j] for j in range(x.shape[1])]
                for i in range(x.shape[0])
            ]
        )
    return x


def average_parameters(
    parameter: float, average: float, share: float, overwrites: bool
) -> tuple[float, float]:
    """The next parameter and average."""
    average = (1 - share) * average + share * parameter
    return average if overwrites else parameter, average


# Dropout

Block = tuple[int, int, int, int]


def philox(counter: Block, key: Pair) -> Block:
    """Philox4x32-10: four random words of 32 bits for a counter of four and a key of two."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high_0, low_0 = divmod(0xD2511F53 * c0, 2**32)
        high_1, low_1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c0, c1, c2, c3


def random_word(element: int, seed: int, stream: int, step: int) -> int:
    """The random word that decides about one element."""
    block, word = divmod(element, 4)
    block_high, block_low = divmod(block, 2**32)
    seed_high, seed_low = divmod(seed, 2**32)
    return philox((block_low, block_high, step % 2**32, stream), (seed_low, seed_high))[word]


def dropout_factor(element: int, rate: float, seed: int, stream: int, step: int) -> float:
    """What one element is multiplied by: 0, or what makes up for the ones that are dropped."""
    keep = random_word(element, seed, stream, step) >= int(rate * 2**32)
    return 1 / (1 - rate) if keep else 0.0


def drawn_integer(word: int, low: int, high: int) -> int:
    """The number from `low` to `high` that a random word chooses: they share out all words."""
    return low + word * (high - low + 1) // 2**32


# Images


def scale_channels(x: Array, factors: Array) -> Array:
    """Each channel of each image times its factor."""
    scaled = np.zeros(x.shape)
    for image, row, column, channel in np.ndindex(x.shape):
        pixel = image, row, column, channel
        scaled[pixel] = x[pixel] * factors[image, channel]
    return scaled


def scale_shift(x: Array, scale: Array, offset: Array | None) -> Array:
    """Each channel, the last axis, times its scale, plus its offset."""
    scaled = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        shift = 0.0 if offset is None else offset[index[-1]]
        scaled[index] = x[index] * scale[index[-1]] + shift
    return scaled


def pad(x: Array, frame: Pair, top: int, left: int) -> Array:
    """Frames of zeros, with those pixels of the images that fall into them."""
    framed = np.zeros((x.shape[0], *frame, x.shape[3]))
    for image, row, column, channel in np.ndindex(x.shape):
        if 0 <= row + top < frame[0] and 0 <= column + left < frame[1]:
            framed[image, row + top, column + left, channel] = x[image, row, column, channel]
    return framed


def store_part(part: Array, axis: int, first: int, whole: Array) -> Array:
    """Each element of the part goes to its place, counted from the first along the axis."""
    stored = whole.copy()
    for place in np.ndindex(part.shape):
        stored[(*place[:axis], first + place[axis], *place[axis + 1 :])] = part[place]
    return stored


def take_part(whole: Array, axis: int, first: int, shape: tuple[int, ...]) -> Array:
    """Each element comes from where it is in the whole."""
    taken = np.zeros(shape)
    for place in np.ndindex(shape):
        taken[place] = whole[(*place[:axis], first + place[axis], *place[axis + 1 :])]
    return taken


def flip(x: Array, flips: Array) -> Array:
    """Each pixel goes to the row, and the column, counted from the other end where that flips."""
    flipped = np.zeros(x.shape)
    for image, row, column, channel in np.ndindex(x.shape):
        to_row = x.shape[1] - 1 - row if flips[image, 0] else row
        to_column = x.shape[2] - 1 - column if flips[image, 1] else column
        flipped[image, to_row, to_column, channel] = x[image, row, column, channel]
    return flipped


def extended(place: int, size: int, fill_mode: str) -> int | None:
    """The pixel that stands at a place of an endless row; None for a constant."""
    if fill_mode == "nearest":
        return 0 if place < 0 else size - 1 if place >= size else place
    while not 0 <= place < size:
        if fill_mode == "constant":
            return None
        if fill_mode == "wrap":
            place += size if place < 0 else -size
        else:  # mirrored at the edge before the first pixel, or behind the last
            place = -1 - place if place < 0 else 2 * size - 1 - place
    return place


def translate(x: Array, shifts: Array, fill_mode: str, fill_value: float, pixel: int) -> Array:
    """Images moved by shifts of which `pixel` are a pixel, (down, right) for each image.

    What moves to a place comes from between two rows and two columns, and is their mean, each
    weighted by 1 less its distance.
    """
    moved = np.zeros(x.shape)
    for image, row, column, channel in np.ndindex(x.shape):
        from_row, from_column = row - shifts[image, 0] / pixel, column - shifts[image, 1] / pixel
        for near_row in (math.floor(from_row), math.floor(from_row) + 1):
            for near_column in (math.floor(from_column), math.floor(from_column) + 1):
                weight = (1 - abs(from_row - near_row)) * (1 - abs(from_column - near_column))
                y = extended(near_row, x.shape[1], fill_mode)
                z = extended(near_column, x.shape[2], fill_mode)
                value = fill_value if y is None or z is None else x[image, y, z, channel]
                moved[image, row, column, channel] += weight * value
    return moved


def transform(
    x: Array,
    drawn: Array,
    maps: Array,
    mode: str,
    fill: float,
    interpolation: str,
    pixel: int,
    size: Pair | None = None,
) -> Array:
    """Images of a size seen at places that maps tell, in units of which `pixel` are a pixel.

    What is seen at a place is the mean of the pixels that are less than 1 away along both axes,
    each weighted by 1 less its distance along each; or the pixel that is nearest.
    """
    seen = np.zeros((len(x), *(size or x.shape[1:3]), x.shape[3]))
    for image, row, column, channel in np.ndindex(seen.shape):
        a, b, c, d, e, f = (int(k) for k in maps[drawn[image, 0]] + maps[drawn[image, 1]])
        y, z = (a + b * row + c * column) / pixel, (d + e * row + f * column) / pixel
        if interpolation == "nearest":
            y, z = math.floor(y + 0.5), math.floor(z + 0.5)
        for near_y in {math.floor(y), math.ceil(y)}:
            for near_z in {math.floor(z), math.ceil(z)}:
                weight = (1 - abs(y - near_y)) * (1 - abs(z - near_z))
                place = extended(near_y, x.shape[1], mode), extended(near_z, x.shape[2], mode)
                value = fill if None in place else x[image, place[0], place[1], channel]
                seen[image, row, column, channel] += weight * value
    return seen


def brighten(x: Array, drawn: Array, low: float, high: float, pixel: int) -> Array:
    """A share of the range, in units of which `pixel` are 1, is added to each image."""
    made = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        brighter = float(x[index] + drawn[index[0], 0] * (high - low) / pixel)
        made[index] = min(max(brighter, low), high)
    return made


def contrast(x: Array, drawn: Array, low: float, high: float, pixel: int) -> Array:
    """What pixels are above the mean of their channel in their image is multiplied."""
    made = np.zeros(x.shape)
    for image, row, column, channel in np.ndindex(x.shape):
        places = [x[image, i, j, channel] for i, j in np.ndindex(x.shape[1:3])]
        mean = sum(places) / len(places)
        above = float((x[image, row, column, channel] - mean) * drawn[image, 0] / pixel)
        made[image, row, column, channel] = min(max(mean + above, low), high)
    return made


def paste(
    x: Array, others: Array, drawn: Array, places: Array, ratios: Array, is_alike: bool
) -> tuple[Array, Array]:
    """Images with rectangles of others; and the shares of the pixels outside, and inside."""
    pasted, shares = np.array(x), np.zeros((2, len(x)))
    one, pixels = 2**16, x.shape[1] * x.shape[2]
    for image in range(len(x)):
        count = 0
        for row, column in np.ndindex(x.shape[1:3]):
            is_inside = True
            for axis, place in enumerate((row, column)):
                size = x.shape[1 + axis]
                length = int(ratios[drawn[image, 0 if is_alike else axis]]) * size
                start = math.floor(int(places[image, axis]) * (size * one - length) / one)
                is_inside &= start <= place * one < start + length
            if is_inside:
                pasted[image, row, column] = others[image, row, column]
                count += 1
        shares[:, image] = (pixels - count) / pixels, count / pixels
    return pasted, shares


# Data


def gather(rows: Array, indices: Array) -> Array:
    """The rows at the indices."""
    return np.array([rows[index] for index in indices])


def normalize(pixel: int) -> float:
    """A pixel of 0 to 255 as a number from -0.5 to 0.5."""
    return pixel / 255 - 0.5
