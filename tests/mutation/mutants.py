"""Single edits of the kernels, each of which makes one of them wrong."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A file of kernels with one place of its code changed: the first, or that of a number."""

    file: str
    old: str
    new: str
    place: int = 0

    def apply(self, text: str) -> str:
        """The text of the file, changed."""
        places = [found.start() for found in re.finditer(re.escape(self.old), text)]
        in_code = [at for at in places if not text[: at + 2].splitlines()[-1].startswith("//")]
        assert len(in_code) > self.place, f"{self} does not apply"
        start = in_code[self.place]
        return text[:start] + self.new + text[start + len(self.old) :]

    def __str__(self) -> str:
        return f"{self.file}: {self.old!r} -> {self.new!r}" + (
            f" ({self.place})" * (self.place > 0)
        )


MUTANTS = [
    # How elements are shared out
    Mutant("elements.cuh", "(THREADS * ITEMS) + k", "(THREADS * ITEMS - 1) + k"),
    Mutant("elements.cuh", "k * THREADS", "k * ITEMS"),
    Mutant("elements.cuh", "k < ITEMS", "k < ITEMS - 1"),
    Mutant("elements.cuh", "i < size ? array[i]", "i < size - 1 ? array[i]"),
    Mutant("elements.cuh", "(long long)block * (", "block * ("),
    Mutant("gather.cu", "indices[blockIdx.x] * pixels", "blockIdx.x * pixels"),
    Mutant("gather.cu", "indices[blockIdx.x] * pixels", "blockIdx.x * pixels", place=1),
    Mutant("gather.cu", "- (REAL)0.5", "- (REAL)0.51"),
    Mutant("gather.cu", "(REAL)255", "(REAL)256"),
    Mutant("gather.cu", "if (p < pixels)", "if (p <= pixels - 2)"),
    Mutant("gather.cu", "if (i < count)", "if (i < count - 1)"),
    # Windows
    Mutant("windows.cuh", "pixel < size", "pixel <= size"),
    Mutant("windows.cuh", "stride + 1", "stride"),
    Mutant("windows.cuh", "windows - 1", "windows"),
    Mutant("windows.cuh", "pixel / stride, ", "(pixel + 1) / stride, "),
    Mutant("im2col.cu", "y < window.image_height", "y <= window.image_height"),
    Mutant("im2col.cu", "y >= 0", "y > 0"),
    Mutant("im2col.cu", "place < line", "place <= line"),
    Mutant("im2col.cu", "place >= 0", "place >= -1"),
    Mutant("im2col.cu", "row * window.stride_height", "row * window.stride_width"),
    Mutant("im2col.cu", "column * window.stride_width", "column * window.stride_height"),
    Mutant("im2col.cu", "window.width * channels;", "window.height * channels;"),
    Mutant("im2col.cu", "e += THREADS", "e += 2 * THREADS"),
    Mutant("im2col.cu", "(image * window.rows + row)", "(image * window.columns + row)"),
    Mutant("col2im.cu", "row <= last_row", "row < last_row"),
    Mutant("col2im.cu", "column <= last_column", "column < last_column"),
    Mutant("col2im.cu", "(i * window.width + j)", "(i * window.height + j)"),
    Mutant("col2im.cu", "x - column * window.stride_width", "x - column * window.stride_height"),
    Mutant("col2im.cu", "blockIdx.y + window.padding_top", "blockIdx.y + window.padding_left"),
    # Matrices
    Mutant("matmul.cu", "        __syncthreads();\n#pragma", "#pragma"),
    Mutant("matmul.cu", "        __syncthreads();  // before the tiles are overwritten\n", ""),
    Mutant("matmul.cu", "line < end_line", "line <= end_line"),
    Mutant("matmul.cu", "term < end_term;", "term <= end_term;"),
    Mutant("matmul.cu", "term * (lines + 1)", "term * lines"),
    Mutant("matmul.cu", "i < m && j < n", "i < m && j < n - 1"),
    Mutant("matmul.cu", "min(first_term + split, k)", "min(first_term + split, k - 1)"),
    Mutant("matmul.cu", "bias != nullptr && blockIdx.z == 0", "bias != nullptr"),
    Mutant("matmul.cu", "blockIdx.z * m * n", "blockIdx.z * m"),
    Mutant("matmul.cu", "b, b_column, b_row", "b, b_row, b_column"),
    Mutant("matmul.cu", "terms_are_neighbours ? e / TILE_K", "terms_are_neighbours ? e % TILE_K"),
    Mutant("sum_rows.cu", "        __syncthreads();\n", ""),
    Mutant("sum_rows.cu", "half >= lanes", "half > lanes"),
    Mutant("sum_rows.cu", "i < end_row", "i < end_row - 1"),
    Mutant("sum_rows.cu", "t < lanes && j < columns", "t < lanes && j < columns - 1"),
    Mutant("sum_rows.cu", "if (t < half)", "if (t <= half)"),
    Mutant("multiply.cu", "left[k] * right[k]", "left[k] * left[k]"),
    # Pooling
    Mutant("max_pool.cu", "value > best", "value >= best"),
    Mutant("max_pool.cu", "greater || value != value", "greater"),
    Mutant("max_pool.cu", "i * window.width + j", "i * window.height + j"),
    Mutant(
        "max_pool.cu",
        "min(window.height, window.image_height - top)",
        "min(window.height, window.image_height - top - 1)",
    ),
    Mutant("max_pool.cu", "max(-left, 0)", "max(-left, 1)"),
    Mutant("max_pool.cu", "-__int_as_float(0x7f800000)", "0"),
    Mutant("max_pool_gradient.cu", "row <= last_row", "row < last_row"),
    Mutant("max_pool_gradient.cu", "i * window.width + j", "j * window.width + i"),
    Mutant("max_pool_gradient.cu", "sum += chosen", "sum = chosen"),
    # Element by element
    Mutant("relu.cu", "values[k] < 0 ?", "values[k] < 1 ?"),
    Mutant("relu.cu", "values[k] < 0 ? (REAL)0 : values[k]", "values[k] > 0 ? values[k] : (REAL)0"),
    Mutant("relu.cu", "values[k] > 0 ?", "values[k] >= 0 ?"),
    Mutant("leaky_relu.cu", "values[k] > 0 ? values", "values[k] > 1 ? values"),
    Mutant("leaky_relu.cu", ": negative_slope * values[k]", ": negative_slope"),
    Mutant("leaky_relu.cu", "values[k] > 0 ? gradients", "values[k] >= 0 ? gradients"),
    Mutant("leaky_relu.cu", ": negative_slope * gradients[k]", ": negative_slope * values[k]"),
    Mutant("leaky_relu.cu", "if (i < size) out", "if (i < size - 1) out"),
    Mutant("dropout.cu", ">= threshold", "> threshold"),
    Mutant("dropout.cu", "first / 4 + ", ""),
    Mutant("dropout.cu", "4 * block + k - first", "4 * block + k"),
    Mutant("dropout.cu", "i >= 0 && i < size", "i < size"),
    Mutant("dropout.cu", "i < size", "i < size - 1"),
    Mutant("dropout.cu", "round < 10", "round < 9"),
    Mutant("dropout.cu", "(unsigned)(block >> 32)", "0u"),
    Mutant("dropout.cu", "round * 0x9E3779B9u", "0x9E3779B9u"),
    Mutant("dropout.cu", "counter[3] = low_0", "counter[3] = low_2"),
    # Loss
    Mutant("softmax.cu", "distance = 16", "distance = 8"),
    Mutant("softmax.cu", "distance = 16", "distance = 8", place=1),
    Mutant("softmax.cu", "distance = 16", "distance = 8", place=2),
    Mutant("softmax.cu", "row[j] > best", "row[j] >= best"),
    Mutant("softmax.cu", "first = min(", "first = max("),
    Mutant("softmax.cu", "if (i >= rows) return;", "if (i > rows) return;", place=1),
    Mutant("softmax.cu", "j == label", "j <= label"),
    Mutant("softmax.cu", "log(sum) - ", "log(sum) + "),
    Mutant("softmax.cu", "/ images", "/ rows"),
    # Optimizers
    Mutant("sgd.cu", "nesterov ? momentum * moved", "nesterov ? moved"),
    Mutant("sgd.cu", "p[k] - rate * weight_decay", "p[k] - weight_decay"),
    Mutant("adam.cu", "    __syncthreads();\n", ""),
    Mutant("adam.cu", "sqrt(1 - pow(beta_2, t))", "(1 - pow(beta_2, t))"),
    Mutant("adam.cu", "(sqrt(new_square) + epsilon)", "sqrt(new_square + epsilon)"),
    Mutant("adam.cu", "(1 - beta_1) * g[k]", "beta_1 * g[k]"),
]
