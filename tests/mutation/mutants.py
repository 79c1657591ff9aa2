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
    Mutant("matmul.cu", "        __syncthreads();\n        if (left", "        if (left"),
    Mutant(
        "matmul.cu", "        __syncthreads();  // before the tiles", "        // before the tiles"
    ),
    Mutant("matmul.cu", "        __syncthreads();\n#pragma", "#pragma"),
    Mutant("matmul.cu", "turn ^= 1", "turn ^= 0"),
    Mutant("matmul.cu", "line < lines ? split_terms", "line < lines - 1 ? split_terms"),
    Mutant("matmul.cu", "? split_terms - tile_term", "? split_terms - 1 - tile_term"),
    Mutant("matmul.cu", "min(lines - line,", "min(lines - line - 1,"),
    Mutant("matmul.cu", "j < count", "j <= count"),
    Mutant("matmul.cu", "o.terms_left > 0 ? o.lines_left", "o.terms_left > -1 ? o.lines_left"),
    Mutant("matmul.cu", "o.terms_left > 0 ? vector_at", "o.terms_left > -1 ? vector_at"),
    Mutant("matmul.cu", "o.terms_left -= LOADED", "o.terms_left -= 0"),
    Mutant("matmul.cu", "(size_t)matrix % 16 == 0", "(size_t)matrix % 4 == 0"),
    Mutant("matmul.cu", "(along_lines ? lines : terms) %", "terms %"),
    Mutant("matmul.cu", "(along_lines ? lines : terms) %", "lines %"),
    Mutant("matmul.cu", "along_lines ? LOADED * lines", "along_lines ? LOADED * terms"),
    Mutant("matmul.cu", "t / 2 % TILE", "t % TILE"),
    Mutant("matmul.cu", "t / (2 * TILE) * 2 + t % 2", "t / TILE * 2 + t % 2"),
    Mutant("matmul.cu", "i * LOADED * ROW", "i * LOADED"),
    Mutant("matmul.cu", "to[j * ROW]", "to[j]"),
    Mutant("matmul.cu", "slice * SHARE + l", "l"),
    Mutant("matmul.cu", "(tn + v * GROUP)", "(tn + v)"),
    Mutant("matmul.cu", "left > STEP", "left > 2 * STEP"),
    Mutant("matmul.cu", "EACH(s, SLICES)\n", "EACH(s, SLICES - 1)\n"),
    Mutant("matmul.cu", "i >= m || j >= n", "i >= m || j >= n - 1"),
    Mutant("matmul.cu", "min(split, k - first_term)", "min(split, k - first_term - 1)"),
    Mutant("matmul.cu", "b, !b_transposed", "b, b_transposed"),
    Mutant("matmul.cu", "blockIdx.x / columns_of_tiles", "blockIdx.x % columns_of_tiles"),
    Mutant("matmul.cu", "(n + TILE - 1) / TILE", "n / TILE + 1"),
    Mutant("matmul.cu", "* gridDim.y + blockIdx.y)", "* gridDim.y)"),
    Mutant("matmul.cu", "slab + row * TILE", "slab + e / TILE * TILE"),
    Mutant("matmul.cu", "z + s < gridDim.y", "z + s < gridDim.y - 1"),
    Mutant("matmul.cu", "z += AT_ONCE", "z += 2 * AT_ONCE"),
    Mutant("matmul.cu", "tickets + blockIdx.x", "tickets"),
    Mutant(
        "matmul.cu",
        "lines[line][column] = sum;\n    __syncthreads();",
        "lines[line][column] = sum;",
    ),
    Mutant("matmul.cu", "EACH(other, LINES - 1)", "EACH(other, LINES - 2)"),
    Mutant("matmul.cu", "l += LINES", "l += LINES + 1"),
    Mutant("matmul.cu", "l < count", "l < count - 1"),
    Mutant("matmul.cu", "(first_term + line) * columns", "line * columns"),
    Mutant("matmul.cu", "if (j < columns) {", "if (j < columns - 1) {"),
    Mutant("matmul.cu", "line == 0 && j < columns", "line == 0"),
    Mutant("matmul.cu", "slab[blockIdx.y * (TILE * TILE)]", "slab[0]"),
    Mutant("matmul.cu", "sum += slab[z * (TILE * TILE)]", "sum = slab[z * (TILE * TILE)]"),
    Mutant("matmul.cu", "(units + TILE - 1) / TILE", "units / TILE"),
    Mutant("matmul.cu", "tickets + blockIdx.x", "tickets", place=1),
    Mutant("matmul.cu", "if (i >= m || j >= n) return;", "if (i >= m) return;"),
    Mutant("matmul.cu", "bias != nullptr && j + c < n", "bias != nullptr && j + c < n - 1"),
    Mutant("matmul.cu", "value < 0 ? (REAL)0 : value", "value > 0 ? value : (REAL)0"),
    Mutant("matmul.cu", "if (element / 4 != drawn)", "if (drawn < 0)"),
    Mutant("matmul.cu", "activation.first + i * n", "i * n"),
    Mutant("matmul.cu", "EACH(k, 4) word", "EACH(k, 3) word"),
    Mutant("matmul.cu", "if (n % VECTOR == 0 && (size_t)out", "if ((size_t)out"),
    Mutant("matmul.cu", "if (j + c < n) out[c]", "out[c]"),
    Mutant("last_block.cuh", "atomicInc(ticket, blocks - 1)", "atomicInc(ticket, blocks)"),
    Mutant("last_block.cuh", "== blocks - 1", "== blocks - 2"),
    Mutant("last_block.cuh", "__syncthreads_or(is_last)", "is_last"),
    Mutant("sum_rows.cu", "        __syncthreads();\n", ""),
    Mutant("sum_rows.cu", "half >= lanes", "half > lanes"),
    Mutant("sum_rows.cu", "left -= group", "left -= 1"),
    Mutant("sum_rows.cu", "left > 0 ? *next", "left > 1 ? *next"),
    Mutant("sum_rows.cu", "left > 0 ? *next", "left >= 0 ? *next"),
    Mutant("sum_rows.cu", "j < columns ? end_row", "j < columns - 1 ? end_row"),
    Mutant("sum_rows.cu", "group * columns", "columns"),
    Mutant("sum_rows.cu", "t < lanes && j < columns", "t < lanes && j < columns - 1"),
    Mutant("sum_rows.cu", "if (t < half)", "if (t <= half)"),
    Mutant("sum_rows.cu", "slabs[blockIdx.y * columns + j]", "slabs[j]"),
    Mutant("sum_rows.cu", "tickets + blockIdx.x", "tickets"),
    Mutant("sum_rows.cu", "slabs, 0, gridDim.y", "slabs, 1, gridDim.y"),
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
    # Convolution, ReLU and pooling as one
    Mutant("patches.cuh", "(POOL_HEIGHT - 1) * STRIDE_HEIGHT", "POOL_HEIGHT * STRIDE_WIDTH"),
    Mutant("patches.cuh", "(e) / POOL_WIDTH * STRIDE_HEIGHT", "(e) / POOL_WIDTH * STRIDE_WIDTH"),
    Mutant("patches.cuh", "(e) % POOL_WIDTH", "(e) % POOL_HEIGHT"),
    Mutant("patches.cuh", "(POOL_WIDTH * STRIDE_WIDTH)", "(POOL_WIDTH)"),
    Mutant("regions.cuh", "(tile) / TILES_ACROSS", "(tile) % TILES_ACROSS"),
    Mutant("regions.cuh", "(tile) % TILES_ACROSS * TILE_COLUMNS", "(tile) * TILE_COLUMNS"),
    Mutant("regions.cuh", "- PADDING_TOP", "- PADDING_LEFT"),
    Mutant("regions.cuh", "row < IMAGE_HEIGHT", "row <= IMAGE_HEIGHT"),
    Mutant("regions.cuh", "column >= 0", "column >= -1"),
    Mutant("regions.cuh", "channel < CHANNELS", "channel <= CHANNELS"),
    Mutant("regions.cuh", "first_channel + channel_in_tile", "channel_in_tile"),
    Mutant("regions.cuh", "        __syncthreads();  // before the memory is overwritten\n", ""),
    Mutant("regions.cuh", "        __syncthreads();\n", ""),
    Mutant("regions.cuh", "half > 0", "half > 1"),
    Mutant("regions.cuh", "slice < 2 * half", "slice < 2 * half - 1"),
    Mutant("conv_relu_pool.cu", "slice == 0 && filter", "filter"),
    Mutant("conv_relu_pool.cu", "channel < CHANNELS", "channel <= CHANNELS"),
    Mutant("conv_relu_pool.cu", "(tap * CHANNELS + channel)", "(tap * TILE_CHANNELS + channel)"),
    Mutant("conv_relu_pool.cu", "c += SLICES", "c += 2 * SLICES"),
    Mutant("conv_relu_pool.cu", "greater || sums[e][i] != sums[e][i]", "greater"),
    Mutant("conv_relu_pool.cu", "sums[e][i] > best", "sums[e][i] >= best"),
    Mutant("conv_relu_pool.cu", "best <= 0 ? (REAL)0 : best", "best > 0 ? best : (REAL)0"),
    Mutant("conv_relu_pool.cu", "best > 0 ? element", "best >= 0 ? element"),
    Mutant(
        "conv_relu_pool.cu", "        __syncthreads();  // before the memory is overwritten\n", ""
    ),
    Mutant(
        "conv_relu_pool.cu",
        "    __syncthreads();  // before the memory is overwritten\n",
        "",
        place=1,
    ),
    Mutant("conv_relu_pool.cu", "        __syncthreads();\n", ""),
    Mutant(
        "conv_relu_pool.cu", "    __syncthreads();\n    const int filter", "    const int filter"
    ),
    Mutant("conv_relu_pool.cu", "column < POOLED_COLUMNS", "column <= POOLED_COLUMNS"),
    Mutant("conv_relu_pool.cu", "const long long image", "const int image"),
    Mutant("pooled_kernel_gradient.cu", "__syncthreads();  // before", "// before"),
    Mutant("pooled_kernel_gradient.cu", "        __syncthreads();\n", ""),
    Mutant("pooled_kernel_gradient.cu", "element < CUT", "element <= CUT"),
    Mutant("pooled_kernel_gradient.cu", "o += SLICES", "o += SLICES + 1"),
    Mutant("pooled_kernel_gradient.cu", "min(first + slab_tiles,", "min(first + slab_tiles - 1,"),
    Mutant("pooled_kernel_gradient.cu", "images * TILES)", "images * TILES - 1)"),
    Mutant("pooled_kernel_gradient.cu", "sums[SUMS - 1] += gradient", "sums[SUMS - 1] += 1"),
    Mutant("pooled_kernel_gradient.cu", "&& first_channel == 0", "&& first_channel > 0"),
    Mutant("pooled_kernel_gradient.cu", "blockIdx.z == 0 &&", "blockIdx.z == 1 &&"),
    Mutant("pooled_kernel_gradient.cu", "if (channel < CHANNELS)", "if (channel <= CHANNELS)"),
    Mutant("pooled_kernel_gradient.cu", "long long image", "int image"),
    Mutant("pooled_input_gradient.cu", "(PATCH_HEIGHT - 1) / CELL_HEIGHT", "0"),
    Mutant("pooled_input_gradient.cu", "(PATCH_WIDTH - 1) / CELL_WIDTH", "0"),
    Mutant("pooled_input_gradient.cu", "cell_row - HALO_ROWS, 0", "cell_row, 0"),
    Mutant("pooled_input_gradient.cu", "cell_column - HALO_COLUMNS, 0", "cell_column, 0"),
    Mutant(
        "pooled_input_gradient.cu", "min(cell_row + TILE_ROWS,", "min(cell_row + TILE_ROWS - 1,"
    ),
    Mutant("pooled_input_gradient.cu", "elements[i][j] == k", "elements[i][j] <= k"),
    Mutant("pooled_input_gradient.cu", "((1u << lane) - 1)", "((2u << lane) - 1)"),
    Mutant("pooled_input_gradient.cu", "const int place = end + ", "const int place = "),
    Mutant(
        "pooled_input_gradient.cu", "filters[o][place] = j * 32 + lane", "filters[o][place] = lane"
    ),
    Mutant("pooled_input_gradient.cu", "i < end; i++", "i < end - 1; i++"),
    Mutant(
        "pooled_input_gradient.cu", "if (o >= outputs.count) break;\n            int i", "int i"
    ),
    Mutant("pooled_input_gradient.cu", "        __syncthreads();  // before", "        // before"),
    Mutant(
        "pooled_input_gradient.cu", "        __syncthreads();\n        UNROLLED", "        UNROLLED"
    ),
    Mutant(
        "pooled_input_gradient.cu",
        "        __syncthreads();\n        UNROLLED",
        "        UNROLLED",
        place=1,
    ),
    Mutant(
        "pooled_input_gradient.cu", "    __syncthreads();  // before the w", "    // before the w"
    ),
    Mutant(
        "pooled_input_gradient.cu", "    __syncthreads();\n    REAL* pixels", "    REAL* pixels"
    ),
    Mutant("pooled_input_gradient.cu", "own_turn != turn", "own_turn < turn"),
    Mutant("pooled_input_gradient.cu", "y < REGION_HEIGHT", "y < REGION_HEIGHT - 1"),
    Mutant("pooled_input_gradient.cu", "- PADDING_LEFT", "- PADDING_TOP"),
    Mutant("pooled_input_gradient.cu", "const long long image", "const int image"),
    Mutant("conv_relu_pool.cu", "(unsigned long long)kernel %", "(unsigned long long)0 %"),
    # Element by element
    Mutant("relu.cu", "values[k] < 0 ?", "values[k] < 1 ?"),
    Mutant("relu.cu", "values[k] < 0 ? (REAL)0 : values[k]", "values[k] > 0 ? values[k] : (REAL)0"),
    Mutant("relu.cu", "values[k] > 0 ?", "values[k] >= 0 ?"),
    Mutant("relu.cu", "values[k] > 0 ?", "values[k] >= 0 ?", place=1),
    Mutant("relu.cu", "gradients[k] * scale", "gradients[k]"),
    Mutant("leaky_relu.cu", "values[k] > 0 ? values", "values[k] > 1 ? values"),
    Mutant("leaky_relu.cu", ": negative_slope * values[k]", ": negative_slope"),
    Mutant("leaky_relu.cu", "values[k] > 0 ? gradients", "values[k] >= 0 ? gradients"),
    Mutant("leaky_relu.cu", ": negative_slope * gradients[k]", ": negative_slope * values[k]"),
    Mutant("leaky_relu.cu", "if (i < size) out", "if (i < size - 1) out"),
    Mutant("philox.cuh", ">= dropout.threshold", "> dropout.threshold"),
    Mutant("dropout.cu", "first / 4 + ", ""),
    Mutant("dropout.cu", "4 * block + k - first", "4 * block + k"),
    Mutant("dropout.cu", "i >= 0 && i < size", "i < size"),
    Mutant("dropout.cu", "i < size", "i < size - 1"),
    Mutant("philox.cuh", "round < 10", "round < 9"),
    Mutant("philox.cuh", "(unsigned)(block >> 32)", "0u"),
    Mutant("philox.cuh", "round * 0x9E3779B9u", "0x9E3779B9u"),
    Mutant("philox.cuh", "counter[3] = low_0", "counter[3] = low_2"),
    # Loss
    Mutant("softmax.cu", "distance = 16", "distance = 8"),
    Mutant("softmax.cu", "distance = 16", "distance = 8", place=1),
    Mutant("softmax.cu", "distance = 16", "distance = 8", place=2),
    Mutant("softmax.cu", "row[j] > best", "row[j] >= best"),
    Mutant("softmax.cu", "first = min(", "first = max("),
    Mutant("softmax.cu", "if (i >= rows) return;", "if (i > rows) return;"),
    Mutant("softmax.cu", "if (i >= rows) return;", "if (i > rows) return;", place=1),
    Mutant("softmax.cu", "* batch_size + first + i", "* batch_size + i"),
    Mutant("softmax.cu", "j == label", "j <= label"),
    Mutant("softmax.cu", "log(sum) - ", "log(sum) + "),
    Mutant("softmax.cu", "/ images", "/ rows"),
    # Optimizers
    Mutant("sgd.cu", "nesterov ? momentum * moved", "nesterov ? moved"),
    Mutant("sgd.cu", "p[k] - rate * weight_decay", "p[k] - weight_decay"),
    Mutant("adam.cu", "rate * bias_correction[0]", "rate"),
    Mutant("adam.cu", "rate * weight_decay * p[k]", "corrected_rate * weight_decay * p[k]"),
    Mutant("adam.cu", "(sqrt(new_square) + epsilon)", "sqrt(new_square + epsilon)"),
    Mutant("adam.cu", "(1 - beta_1) * g[k]", "beta_1 * g[k]"),
    Mutant("batch.cu", "position[0] + 1", "position[0]"),
    Mutant("batch.cu", "first + i < images", "first + i <= images"),
    Mutant("batch.cu", "number * factor_count + k", "k"),
    Mutant("batch.cu", "    __syncthreads();  // all have read the position\n", ""),
    Mutant("batch.cu", "threadIdx.x < 2", "threadIdx.x < 1"),
    Mutant("batch.cu", "i >= rows", "i > rows"),
    Mutant("batch.cu", "* batch_size + first + i", "* batch_size + i"),
    Mutant("classifier_head.cu", "(INPUTS + THREADS - 1) / THREADS", "INPUTS / THREADS"),
    Mutant("classifier_head.cu", "kernel[input * CLASSES + c]", "kernel[t * CLASSES + c]"),
    Mutant("classifier_head.cu", "labels[indices[i]]", "labels[i]"),
    Mutant("classifier_head.cu", "logit;\n        __syncthreads();", "logit;"),
    Mutant("classifier_head.cu", "EACH(w, WARPS) z", "EACH(w, WARPS - 1) z"),
    Mutant(
        "classifier_head.cu", "z += logit_parts[w][is_class ? lane : 0]", "z += logit_parts[w][0]"
    ),
    Mutant("classifier_head.cu", "is_class ? exp(z - largest) : (REAL)0", "exp(z - largest)"),
    Mutant("classifier_head.cu", "__ffs((int)best)", "(32 - __clz((int)best))"),
    Mutant("classifier_head.cu", "lane == label ?", "lane == 0 ?"),
    Mutant("classifier_head.cu", "/ images", "/ count"),
    Mutant("classifier_head.cu", "log(sum) - of_label", "log(sum)"),
    Mutant("classifier_head.cu", "inputs[k] > 0 ?", "inputs[k] >= 0 ?"),
    Mutant("classifier_head.cu", "sums[k] * scale", "sums[k]"),
    Mutant("classifier_head.cu", "is_rectified ? passed : sums[k]", "passed"),
    Mutant("warps.cuh", "upper ? values[i] : values[i + half]", "values[i]"),
    Mutant("warps.cuh", "distance >= groups", "distance > groups"),
    Mutant("conv_classifier.cu", "k < PIXELS / 4", "k < PIXELS / 4 - 1"),
    Mutant("conv_classifier.cu", "(REAL)0.5;", "(REAL)0.51;", 2),
    Mutant(
        "conv_classifier.cu",
        "        __syncthreads();\n        const int row =",
        "        const int row =",
    ),
    Mutant(
        "conv_classifier.cu", "        }\n        __syncthreads();\n    }\n}", "        }\n    }\n}"
    ),
    Mutant("conv_classifier.cu", "threadIdx.x - part * PART", "threadIdx.x"),
    Mutant("conv_classifier.cu", "score > features[f] ||", "score >= features[f] ||"),
    Mutant("conv_classifier.cu", " || score != score", ""),
    Mutant("conv_classifier.cu", "corner + row * IMAGE_WIDTH + column", "corner + row + column"),
    Mutant("conv_classifier.cu", "if (!has_window) logits[c] = 0;", ""),
    Mutant("conv_classifier.cu", "__ffs((int)best)", "(32 - __clz((int)best))"),
    Mutant("warps.cuh", "other > value ? other : value", "other < value ? other : value"),
    Mutant("conv_classifier.cu", "lane == label ? (REAL)1", "lane == 0 ? (REAL)1"),
    Mutant("conv_classifier.cu", "log(sum) - of_label", "log(sum)"),
    Mutant("conv_classifier.cu", "!(mine[f] > 0)", "mine[f] < 0"),
    Mutant(
        "conv_classifier.cu",
        "tap < TAPS ? gradient[f] * pixels[pixel] : gradient[f]",
        "gradient[f] * pixels[pixel]",
    ),
    Mutant("conv_classifier.cu", "order[first + i + gridDim.x]", "order[first + i]"),
    Mutant(
        "conv_classifier.cu",
        "        __syncthreads();  // also before the next image's pixels are written\n",
        "",
    ),
    Mutant("conv_classifier.cu", "gradient_sum += gradient_parts", "gradient_sum = gradient_parts"),
    Mutant("conv_classifier.cu", "row += groups", "row += 2 * groups"),
    Mutant("conv_classifier.cu", "other < groups", "other < groups - 1"),
    Mutant("conv_classifier.cu", "image < count && feature", "image < count - 1 && feature"),
    Mutant("conv_classifier.cu", "first + IMAGES_AT_ONCE", "first + 2 * IMAGES_AT_ONCE"),
    Mutant("conv_classifier.cu", "group < GROUPS", "group < GROUPS - 1"),
    Mutant("conv_classifier.cu", "output < FEATURES * CLASSES", "output < FEATURES * CLASSES - 1"),
    Mutant(
        "conv_classifier.cu", "        __syncthreads();  // before a and b are overwritten\n", ""
    ),
    Mutant("conv_classifier.cu", "        __syncthreads();  // all have read the position\n", ""),
    Mutant("conv_classifier.cu", "number * factor_count + k", "k"),
]
