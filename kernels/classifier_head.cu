// The dense layer of logits, softmax cross-entropy, and the gradients of both, of an image a block.
//
// classifier_head, for image i of a part of the batch, of INPUTS inputs x:
//   z = x W + bias,  p = softmax(z),  label = labels[indices[i]]
//   epoch_losses[place] = -log p[label],  place = position[0] * batch_size + first + i
//   epoch_correct[place] = 1 where the first largest logit is the label's, else 0
//   logits_gradient[i] = g = (p - [label]) / images
//   input_gradient[i] = W g; if x is what dense_relu made, that times `scale` where x > 0, else 0:
//   the gradient of what dense_relu took the positive part of.
//
// Index map: block b works on the images b, b + gridDim.x, ... Its thread t has the inputs t,
// t + THREADS, ..., and their weights in registers. The logits are added up over a warp by shuffles,
// see `sum_of_warp`, and over the warps in shared memory; then lane c of each warp has class c.
//
// Bytes per image: 2 INPUTS + CLASSES + 2 reals and 16 bytes, and INPUTS * CLASSES reals a block, from
// cache. Operations per image: 2 INPUTS * CLASSES multiply-adds, and CLASSES exponentials a warp.

#include "warps.cuh"

#define OF_THREAD ((INPUTS + THREADS - 1) / THREADS)  // inputs
#define WARPS (THREADS / 32)
#define LANES_OF_CLASS (32 / CLASS_SLOTS)

extern "C" __global__ void __launch_bounds__(THREADS, 1) classifier_head(
    const REAL* __restrict__ x,
    const REAL* __restrict__ kernel,
    const REAL* __restrict__ bias,
    const long long* __restrict__ labels,
    const long long* __restrict__ indices,
    const long long* __restrict__ position,
    REAL* __restrict__ epoch_losses,
    REAL* __restrict__ epoch_correct,
    REAL* __restrict__ logits_gradient,
    REAL* __restrict__ input_gradient,
    long long count,
    long long batch_size,
    long long first,
    REAL images,
    int is_rectified,
    REAL scale)
{
    __shared__ REAL logit_parts[WARPS][CLASSES];
    const int t = threadIdx.x;
    const int lane = t % 32;
    const int warp = t / 32;
    const bool is_class = lane < CLASSES;
    REAL weights[OF_THREAD][CLASSES];
    EACH(k, OF_THREAD)
    {
        const int input = k * THREADS + t;
        EACH(c, CLASSES) weights[k][c] = input < INPUTS ? kernel[input * CLASSES + c] : (REAL)0;
    }
    const REAL bias_of_class = bias[is_class ? lane : 0];
    const long long place = position[0] * batch_size + first;

    for (long long i = blockIdx.x; i < count; i += gridDim.x) {
        const int label = (int)labels[indices[i]];
        REAL inputs[OF_THREAD];
        EACH(k, OF_THREAD)
        {
            const int input = k * THREADS + t;
            inputs[k] = input < INPUTS ? x[i * INPUTS + input] : (REAL)0;
        }
        REAL logits[CLASS_SLOTS] = {};
        EACH(k, OF_THREAD) EACH(c, CLASSES) logits[c] += inputs[k] * weights[k][c];
        const REAL logit = sum_of_warp(logits, CLASS_SLOTS, 1, lane);
        if (lane % LANES_OF_CLASS == 0 && lane / LANES_OF_CLASS < CLASSES)
            logit_parts[warp][lane / LANES_OF_CLASS] = logit;
        __syncthreads();

        REAL z = bias_of_class;  // a lane that has no class has the first
        EACH(w, WARPS) z += logit_parts[w][is_class ? lane : 0];
        const REAL largest = largest_of_warp(z);
        const REAL exponential = is_class ? exp(z - largest) : (REAL)0;
        REAL sum = exponential;
        sum = sum_of_warp(&sum, 1, 1, lane);
        const REAL of_label = __shfl_sync(ALL_LANES, z, label) - largest;
        const unsigned best = __ballot_sync(ALL_LANES, is_class && z == largest);
        const REAL wanted = lane == label ? (REAL)1 : (REAL)0;
        const REAL gradient = (exponential / sum - wanted) / images;
        if (t == 0) {
            epoch_losses[place + i] = log(sum) - of_label;
            epoch_correct[place + i] = __ffs((int)best) - 1 == label ? (REAL)1 : (REAL)0;
        }
        if (warp == 0 && is_class) logits_gradient[i * CLASSES + lane] = gradient;

        REAL sums[OF_THREAD] = {};
        EACH(c, CLASSES)
        {
            const REAL of_class = __shfl_sync(ALL_LANES, gradient, c);
            EACH(k, OF_THREAD) sums[k] += weights[k][c] * of_class;
        }
        EACH(k, OF_THREAD)
        {
            const int input = k * THREADS + t;
            if (input >= INPUTS || input_gradient == nullptr) continue;
            const REAL passed = inputs[k] > 0 ? sums[k] * scale : (REAL)0;
            input_gradient[i * INPUTS + input] = is_rectified ? passed : sums[k];
        }
        __syncthreads();  // before the next image's parts are written
    }
}
