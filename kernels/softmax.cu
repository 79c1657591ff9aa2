// The softmax of each row of logits, and the cross-entropy of its label, or of its targets.
//
// store_probabilities:   probabilities[image, j] = exp(z[i, j] - max_i)
//                                                  / sum over j of exp(z[i, j] - max_i)
//                        image = position[0] * batch_size + first + i, for each row i of a part of
//                        a batch that begins with image `first`, see batch.cu
// softmax_cross_entropy: losses[i] = log(sum over j of exp(z[i, j] - max_i)) + max_i - z[i, label]
//                        correct[i] = 1 where the first largest logit is the label's, else 0
//                        gradient[i, j] = (softmax - (j == label)) / images, those of the whole batch
// soft_cross_entropy:    losses[i] = sum over j of targets[i, j]
//                                    * (log(sum over k of exp(z[i, k] - max_i)) + max_i - z[i, j])
//                        correct[i] = 1 where the first largest logit is at the first largest
//                        target, else 0
//                        gradient[i, j] = (softmax * sum over k of targets[i, k] - targets[i, j])
//                                         / images
// where max_i is the largest logit of row i, taken off so that nothing overflows.
//
// Index map: a warp a row, THREADS / 32 rows a block; lane t takes the classes t, t + 32, ... The
// lanes join their parts by shuffles: pairs at a distance of 16, 8, 4, 2 and 1 exchange what they
// have, so that in the end every lane has the whole, added up in one fixed order.
//
// Bytes per row: classes * sizeof(REAL) read, three times, of which the last two from cache; as
// much written, but for a loss without gradient; 8 read for the position, once, or for the label,
// or again classes * sizeof(REAL), three times, for the targets; and for the loss 2 sizeof(REAL)
// written. Operations per class: a comparison, 2 exponentials, 3 additions, and a division, two for
// the gradient; with targets a comparison, 2 products and 4 additions more.
//
// Eight blocks a multiprocessor are asked for: left to aim at more, the compiler spills
// registers in float64.

#include "warps.cuh"

// The largest of a row's logits, and the lowest class that has it.
__device__ REAL largest_of_row(const REAL* row, int classes, int lane, int* best_class)
{
    REAL best = row[0];
    int best_of_lane = 0;
    for (int j = lane; j < classes; j += 32) {
        if (row[j] > best) {
            best = row[j];
            best_of_lane = j;
        }
    }
    const REAL largest = largest_of_warp(best);
    int first = best == largest ? best_of_lane : classes;
    for (int distance = 16; distance > 0; distance /= 2)
        first = min(first, __shfl_xor_sync(ALL_LANES, first, distance));
    *best_class = first;
    return largest;
}

__device__ REAL sum_of_exponentials(const REAL* row, int classes, int lane, REAL largest)
{
    REAL sum = 0;
    for (int j = lane; j < classes; j += 32) sum += exp(row[j] - largest);
    return sum_of_warp(sum);
}

extern "C" __global__ void __launch_bounds__(THREADS, 8) store_probabilities(
    const long long* __restrict__ position,
    const REAL* __restrict__ logits,
    REAL* __restrict__ probabilities,
    long long rows,
    int classes,
    long long batch_size,
    long long first)
{
    const int lane = threadIdx.x % 32;
    const long long i = (long long)blockIdx.x * (THREADS / 32) + threadIdx.x / 32;
    if (i >= rows) return;  // all lanes of the warp alike
    const REAL* row = logits + i * classes;
    int best_class;
    const REAL largest = largest_of_row(row, classes, lane, &best_class);
    const REAL sum = sum_of_exponentials(row, classes, lane, largest);
    REAL* out = probabilities + (position[0] * batch_size + first + i) * classes;
    for (int j = lane; j < classes; j += 32) out[j] = exp(row[j] - largest) / sum;
}

extern "C" __global__ void __launch_bounds__(THREADS, 8) softmax_cross_entropy(
    const REAL* __restrict__ logits,
    const long long* __restrict__ labels,
    REAL* __restrict__ losses,
    REAL* __restrict__ correct,
    REAL* __restrict__ gradient,
    long long rows,
    int classes,
    REAL images)
{
    const int lane = threadIdx.x % 32;
    const long long i = (long long)blockIdx.x * (THREADS / 32) + threadIdx.x / 32;
    if (i >= rows) return;  // all lanes of the warp alike
    const REAL* row = logits + i * classes;
    const int label = (int)labels[i];
    int best_class;
    const REAL largest = largest_of_row(row, classes, lane, &best_class);
    const REAL sum = sum_of_exponentials(row, classes, lane, largest);
    if (lane == 0) {
        losses[i] = log(sum) - (row[label] - largest);
        correct[i] = best_class == label ? (REAL)1 : (REAL)0;
    }
    if (gradient == nullptr) return;
    for (int j = lane; j < classes; j += 32) {
        const REAL probability = exp(row[j] - largest) / sum;
        gradient[i * classes + j] = (probability - (j == label ? (REAL)1 : (REAL)0)) / images;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 8) soft_cross_entropy(
    const REAL* __restrict__ logits,
    const REAL* __restrict__ targets,
    REAL* __restrict__ losses,
    REAL* __restrict__ correct,
    REAL* __restrict__ gradient,
    long long rows,
    int classes,
    REAL images)
{
    const int lane = threadIdx.x % 32;
    const long long i = (long long)blockIdx.x * (THREADS / 32) + threadIdx.x / 32;
    if (i >= rows) return;  // all lanes of the warp alike
    const REAL* row = logits + i * classes;
    const REAL* target = targets + i * classes;
    int best_class, right_class;
    const REAL largest = largest_of_row(row, classes, lane, &best_class);
    largest_of_row(target, classes, lane, &right_class);
    const REAL sum = sum_of_exponentials(row, classes, lane, largest);
    const REAL log_sum = log(sum);
    REAL loss = 0, total = 0;
    for (int j = lane; j < classes; j += 32) {
        loss += target[j] * (log_sum - (row[j] - largest));
        total += target[j];
    }
    loss = sum_of_warp(loss);
    total = sum_of_warp(total);
    if (lane == 0) {
        losses[i] = loss;
        correct[i] = best_class == right_class ? (REAL)1 : (REAL)0;
    }
    if (gradient == nullptr) return;
    for (int j = lane; j < classes; j += 32) {
        const REAL probability = exp(row[j] - largest) / sum;
        gradient[i * classes + j] = (probability * total - target[j]) / images;
    }
}
