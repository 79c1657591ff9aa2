// Losses that are means over a row's outputs, and the weights of rows.
//
// sigmoid_cross_entropy: losses[i] = mean over j of max(z, 0) - z * t + log(1 + exp(-|z|))
//                        correct[i] = the share of the outputs for which (z > 0) == (t > 1 / 2)
//                        gradient[i, j] = (1 / (1 + exp(-z)) - t) / (columns * images)
//                        where z = logits[i, j], t = targets[i, j]
// squared_error:         losses[i] = mean over j of (outputs[i, j] - targets[i, j])^2
//                        gradient[i, j] = 2 * (outputs[i, j] - targets[i, j]) / (columns * images)
// weigh_rows:            losses[i] *= weights[i], gradient[i, j] *= weights[i]
// images being those of the whole batch. No exponential overflows: it is that of -|z|.
//
// Index map: a warp a row, THREADS / 32 rows a block; lane t takes the outputs t, t + 32, ... The
// lanes join their sums by shuffles, see warps.cuh.
//
// Bytes per output: 2 sizeof(REAL) read, sizeof(REAL) written, but for a loss without gradient;
// for a row sizeof(REAL) written for the loss, and for correct. weigh_rows reads and writes
// sizeof(REAL) for each output and for each row, whose weight it reads. Operations per output:
// sigmoid_cross_entropy an exponential, a logarithm, a division and 11 others; squared_error 4;
// weigh_rows 1.

#include "warps.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) sigmoid_cross_entropy(
    const REAL* __restrict__ logits,
    const REAL* __restrict__ targets,
    REAL* __restrict__ losses,
    REAL* __restrict__ correct,
    REAL* __restrict__ gradient,
    long long rows,
    int columns,
    REAL images)
{
    const int lane = threadIdx.x % 32;
    const long long i = (long long)blockIdx.x * (THREADS / 32) + threadIdx.x / 32;
    if (i >= rows) return;  // all lanes of the warp alike
    const REAL share = 1 / (columns * images);
    REAL loss = 0, right = 0;
    for (int j = lane; j < columns; j += 32) {
        const REAL z = logits[i * columns + j], t = targets[i * columns + j];
        const bool is_positive = z > 0;
        const REAL exponential = exp(is_positive ? -z : z);
        loss += (is_positive ? z : (REAL)0) - z * t + log1p(exponential);
        right += is_positive == (t > (REAL)0.5) ? (REAL)1 : (REAL)0;
        if (gradient == nullptr) continue;
        const REAL sigmoid = (is_positive ? (REAL)1 : exponential) / (1 + exponential);
        gradient[i * columns + j] = (sigmoid - t) * share;
    }
    loss = sum_of_warp(loss);
    right = sum_of_warp(right);
    if (lane == 0) {
        losses[i] = loss / columns;
        correct[i] = right / columns;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) squared_error(
    const REAL* __restrict__ outputs,
    const REAL* __restrict__ targets,
    REAL* __restrict__ losses,
    REAL* __restrict__ gradient,
    long long rows,
    int columns,
    REAL images)
{
    const int lane = threadIdx.x % 32;
    const long long i = (long long)blockIdx.x * (THREADS / 32) + threadIdx.x / 32;
    if (i >= rows) return;  // all lanes of the warp alike
    const REAL share = 2 / (columns * images);
    REAL loss = 0;
    for (int j = lane; j < columns; j += 32) {
        const REAL difference = outputs[i * columns + j] - targets[i * columns + j];
        loss += difference * difference;
        if (gradient != nullptr) gradient[i * columns + j] = difference * share;
    }
    loss = sum_of_warp(loss);
    if (lane == 0) losses[i] = loss / columns;
}

extern "C" __global__ void __launch_bounds__(THREADS) weigh_rows(
    const REAL* __restrict__ weights,
    REAL* __restrict__ losses,
    REAL* __restrict__ gradient,
    long long rows,
    int columns)
{
    const int lane = threadIdx.x % 32;
    const long long i = (long long)blockIdx.x * (THREADS / 32) + threadIdx.x / 32;
    if (i >= rows) return;  // all lanes of the warp alike
    const REAL weight = weights[i];
    if (lane == 0) losses[i] *= weight;
    if (gradient == nullptr) return;
    for (int j = lane; j < columns; j += 32) gradient[i * columns + j] *= weight;
}
