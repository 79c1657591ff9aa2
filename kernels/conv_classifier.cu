// A training step of a small classifier in two kernels: convolution, ReLU, max-pooling, dense layer,
// softmax and cross-entropy of one image with all their gradients, and the sums over the batch.
//
// conv_classifier, for image i of the batch, of uint8 pixels x:
//   scores = conv2d(x / 255 - 1/2), of windows inside the image at strides of 1
//   f = max over each pooling window of max(scores, 0)     (POSITIONS of FILTERS features)
//   z = f W + bias,  p = softmax(z),  loss = -log p[label]
//   g = (p - [label]) / images, the gradient of z
//   and the gradient of the convolution's kernel and bias, summed over the images of a block.
// conv_classifier_gradients: adds these up over the blocks, and f_i g_i and g_i over the images, in
//   a fixed order; and moves on to the next batch, as next_batch in batch.cu.
//
// Index map: block b works on the images b, b + gridDim.x, ... of the batch; its thread t on pooling
// window t, for all filters: with the pixels under it, its FILTERS * CLASSES weights of the dense
// layer, and what it needs of their products in registers, so that the convolved image is nowhere.
// Weights are read from memory in the order in which they lie there, and change hands through
// shared memory, half of them at a time; a row of `staged` is padded to an odd number of vectors, so
// that eight threads that read their rows read different banks. Sums over the threads of a warp halve
// the values as they double the threads that are added up, see `sum_of_warp`.
// In conv_classifier_gradients blocks 0 to PRODUCTS - 1 work on OUTPUTS weights of the dense layer
// each, thread t on weight t % OUTPUTS and the images t / OUTPUTS, t / OUTPUTS + GROUPS, ...; the
// last two on the convolution, and on the bias of the dense layer and the position.
//
// Bytes per image: PIXELS read, FEATURES + CLASSES + 2 reals written, and these read again; a block
// reads the parameters once, and writes CONVOLUTION reals. Operations per image, in multiply-adds:
// TAPS * ROWS * COLUMNS * FILTERS for the scores, TAPS * FEATURES for the convolution's gradients,
// and FEATURES * CLASSES three times for the dense layer.

#define POOLED_ROWS (ROWS / POOL_HEIGHT)
#define POOLED_COLUMNS (COLUMNS / POOL_WIDTH)
#define POSITIONS (POOLED_ROWS * POOLED_COLUMNS)
#define PIXELS (IMAGE_HEIGHT * IMAGE_WIDTH)
#define TAPS (HEIGHT * WIDTH)
#define CONVOLUTION (TAPS * FILTERS + FILTERS)
#define FEATURES (POSITIONS * FILTERS)
#define WEIGHTS (FILTERS * CLASSES)
#define WARPS (THREADS / 32)
#define ALL_LANES 0xffffffffu

// 16 bytes of reals.
#define WIDTH_OF_VECTOR ((int)(16 / sizeof(REAL)))
struct __align__(16) Vector {
    REAL of[16 / sizeof(REAL)];
};

#define ROW_VECTORS (WEIGHTS / WIDTH_OF_VECTOR)
#define PADDED_ROW (ROW_VECTORS | 1)
#define PART ((POSITIONS + PARTS - 1) / PARTS)
#define AHEAD ((PART * ROW_VECTORS + THREADS - 1) / THREADS)

#define EACH(i, count) _Pragma("unroll") for (int i = 0; i < (count); i++)

// Sums `values`, whose number `count` is a power of two, over the lanes of a warp: returns, in the
// lanes whose number has i as its highest bits, the sum of the value i.
//
// While there are several, a lane keeps half of them, sends its partner the others, and adds what
// it is sent; so count values take count shuffles for the first steps, not 5 count.
__device__ __forceinline__ REAL sum_of_warp(REAL* values, int count, int lane)
{
    EACH(step, 5)
    {
        const int distance = 16 >> step;
        const int half = count >> (step + 1);
        const bool upper = lane & distance;
        EACH(i, count / 2)
        {
            if (i >= half) break;
            const REAL sent = upper ? values[i] : values[i + half];
            const REAL kept = upper ? values[i + half] : values[i];
            values[i] = kept + __shfl_xor_sync(ALL_LANES, sent, distance);
        }
        if (half == 0) values[0] += __shfl_xor_sync(ALL_LANES, values[0], distance);
    }
    return values[0];
}

// The dense layer's weights of this thread's position, by way of `staged`.
__device__ __forceinline__ void load_weights(
    const Vector* __restrict__ dense, Vector* staged, int position, REAL* weights)
{
    Vector ahead[PARTS][AHEAD];
    EACH(part, PARTS)
    EACH(i, AHEAD)
    {
        const int in_part = i * THREADS + threadIdx.x;
        const int vector = part * PART * ROW_VECTORS + in_part;
        if (in_part < PART * ROW_VECTORS && vector < POSITIONS * ROW_VECTORS)
            ahead[part][i] = dense[vector];
    }
    EACH(part, PARTS)
    {
        EACH(i, AHEAD)
        {
            const int vector = i * THREADS + threadIdx.x;
            if (vector < PART * ROW_VECTORS)
                staged[vector / ROW_VECTORS * PADDED_ROW + vector % ROW_VECTORS] = ahead[part][i];
        }
        __syncthreads();
        if (position / PART == part) {
            EACH(i, ROW_VECTORS)
            {
                const Vector vector = staged[position % PART * PADDED_ROW + i];
                EACH(k, WIDTH_OF_VECTOR) weights[i * WIDTH_OF_VECTOR + k] = vector.of[k];
            }
        }
        __syncthreads();
    }
}

// The features of the pooling window whose first pixel is pixels[corner], and at which pixel the
// convolution's window of each begins.
__device__ __forceinline__ void pool(
    const REAL* pixels, const REAL* convolution, int corner, REAL* features, int* chosen)
{
    EACH(f, FILTERS) features[f] = 0;
    EACH(f, FILTERS) chosen[f] = corner;
    REAL patch[POOL_HEIGHT + HEIGHT - 1][POOL_WIDTH + WIDTH - 1];
    EACH(i, POOL_HEIGHT + HEIGHT - 1)
    EACH(j, POOL_WIDTH + WIDTH - 1) patch[i][j] = pixels[corner + i * IMAGE_WIDTH + j];
    EACH(row, POOL_HEIGHT)
    EACH(column, POOL_WIDTH)
    {
        REAL scores[FILTERS] = {};
        EACH(i, HEIGHT)
        EACH(j, WIDTH)
        EACH(f, FILTERS)
        scores[f] += patch[row + i][column + j] * convolution[(i * WIDTH + j) * FILTERS + f];
        EACH(f, FILTERS)
        {
            const REAL score = scores[f] + convolution[TAPS * FILTERS + f];
            // The first of equals, none that is not above 0, and NaN.
            if (score > features[f] || score != score) {
                features[f] = score;
                chosen[f] = corner + row * IMAGE_WIDTH + column;
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) conv_classifier(
    const unsigned char* __restrict__ images,
    const long long* __restrict__ labels,
    const long long* __restrict__ order,
    const long long* __restrict__ position,
    const REAL* __restrict__ parameters,
    REAL* __restrict__ features,
    REAL* __restrict__ logits_gradient,
    REAL* __restrict__ convolution_gradients,
    REAL* __restrict__ epoch_losses,
    REAL* __restrict__ epoch_correct,
    long long batch_size,
    int count)
{
    __shared__ Vector staged[PART * PADDED_ROW];
    __shared__ REAL pixels[PIXELS];
    __shared__ REAL convolution[CONVOLUTION];
    __shared__ REAL logit_parts[WARPS][CLASSES];
    __shared__ REAL gradient_parts[WARPS][CONVOLUTION];
    const int t = threadIdx.x;
    const int lane = t % 32;
    const int warp = t / 32;
    const bool has_window = t < POSITIONS;
    const int window = has_window ? t : 0;
    const int corner = window / POOLED_COLUMNS * POOL_HEIGHT * IMAGE_WIDTH +
                       window % POOLED_COLUMNS * POOL_WIDTH;
    const REAL* dense = parameters + CONVOLUTION;
    const long long first = (position[0] + 1) * batch_size;

    for (int k = t; k < CONVOLUTION; k += THREADS) convolution[k] = parameters[k];
    REAL weights[WEIGHTS];
    load_weights((const Vector*)dense, staged, window, weights);
    REAL gradient_sum = 0;  // of parameter t of the convolution

    for (int i = blockIdx.x; i < count; i += gridDim.x) {
        const long long image = order[first + i];
        const int label = (int)labels[image];
        const uchar4* source = (const uchar4*)(images + image * PIXELS);
        for (int k = t; k < PIXELS / 4; k += THREADS) {
            const uchar4 four = source[k];
            pixels[4 * k] = (REAL)four.x / (REAL)255 - (REAL)0.5;
            pixels[4 * k + 1] = (REAL)four.y / (REAL)255 - (REAL)0.5;
            pixels[4 * k + 2] = (REAL)four.z / (REAL)255 - (REAL)0.5;
            pixels[4 * k + 3] = (REAL)four.w / (REAL)255 - (REAL)0.5;
        }
        __syncthreads();
        REAL mine[FILTERS];
        int chosen[FILTERS];
        pool(pixels, convolution, corner, mine, chosen);
        if (!has_window) EACH(f, FILTERS) mine[f] = 0;

        REAL logits[CLASS_SLOTS];
        EACH(c, CLASS_SLOTS)
        {
            logits[c] = 0;
            if (c < CLASSES) EACH(f, FILTERS) logits[c] += mine[f] * weights[f * CLASSES + c];
        }
        const REAL sum_over_warp = sum_of_warp(logits, CLASS_SLOTS, lane);
        const int class_of_lane = lane / (32 / CLASS_SLOTS);
        if (lane % (32 / CLASS_SLOTS) == 0 && class_of_lane < CLASSES)
            logit_parts[warp][class_of_lane] = sum_over_warp;
        __syncthreads();

        REAL z[CLASSES];
        EACH(c, CLASSES)
        {
            z[c] = dense[FEATURES * CLASSES + c];
            EACH(w, WARPS) z[c] += logit_parts[w][c];
        }
        REAL largest = z[0];
        int best = 0;
        EACH(c, CLASSES)
        {
            if (z[c] > largest) {
                largest = z[c];
                best = c;
            }
        }
        REAL of_label = 0;
        REAL sum = 0;
        EACH(c, CLASSES)
        {
            if (c == label) of_label = z[c] - largest;
            z[c] = exp(z[c] - largest);
            sum += z[c];
        }
        EACH(c, CLASSES) z[c] = (z[c] / sum - (c == label ? (REAL)1 : (REAL)0)) / (REAL)count;
        if (t == 0) {
            epoch_losses[first + i] = log(sum) - of_label;
            epoch_correct[first + i] = best == label ? (REAL)1 : (REAL)0;
            EACH(c, CLASSES) logits_gradient[(long long)i * CLASSES + c] = z[c];
        }

        if (has_window) {
            Vector* out = (Vector*)(features + (long long)i * FEATURES) +
                          window * (FILTERS / WIDTH_OF_VECTOR);
            EACH(v, FILTERS / WIDTH_OF_VECTOR)
            {
                Vector vector;
                EACH(k, WIDTH_OF_VECTOR) vector.of[k] = mine[v * WIDTH_OF_VECTOR + k];
                out[v] = vector;
            }
        }
        REAL gradient[FILTERS];  // of the score that each feature is
        EACH(f, FILTERS)
        {
            gradient[f] = 0;
            EACH(c, CLASSES) gradient[f] += weights[f * CLASSES + c] * z[c];
            if (!(mine[f] > 0)) gradient[f] = 0;
        }
        const int filter_of_lane = lane / (32 / FILTERS);
        EACH(tap, TAPS + 1)
        {
            REAL terms[FILTERS];
            EACH(f, FILTERS)
            {
                const int pixel = chosen[f] + tap / WIDTH * IMAGE_WIDTH + tap % WIDTH;
                terms[f] = tap < TAPS ? gradient[f] * pixels[pixel] : gradient[f];
            }
            const REAL term = sum_of_warp(terms, FILTERS, lane);
            if (lane % (32 / FILTERS) == 0)
                gradient_parts[warp][tap * FILTERS + filter_of_lane] = term;
        }
        __syncthreads();  // also before the next image's pixels are written
        if (t < CONVOLUTION) EACH(w, WARPS) gradient_sum += gradient_parts[w][t];
    }
    if (t < CONVOLUTION) convolution_gradients[blockIdx.x * CONVOLUTION + t] = gradient_sum;
}

// The sums of the columns of `a`, real (rows, columns), in a fixed order.
__device__ void sum_columns(
    const REAL* __restrict__ a, int rows, int columns, REAL* sums, REAL* __restrict__ out)
{
    const int groups = THREADS / columns;
    const int group = threadIdx.x / columns;
    const int column = threadIdx.x % columns;
    REAL sum = 0;
    if (group < groups) {
#pragma unroll 8
        for (int row = group; row < rows; row += groups) sum += a[(long long)row * columns + column];
    }
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (group == 0) {
        for (int other = 1; other < groups; other++) sum += sums[other * columns + column];
        out[column] = sum;
    }
}

#define GROUPS (THREADS / OUTPUTS)
#define LINES ((OUTPUTS + CLASSES - 2) / CLASSES + 1)  // features that OUTPUTS weights belong to
#define IMAGES_AT_ONCE 64
#define LOADS_A ((IMAGES_AT_ONCE * LINES + THREADS - 1) / THREADS)
#define LOADS_B ((IMAGES_AT_ONCE * CLASSES + THREADS - 1) / THREADS)

// The gradients of the weights first_output to first_output + OUTPUTS - 1 of the dense layer.
__device__ void sum_products(
    const REAL* __restrict__ features,
    const REAL* __restrict__ logits_gradient,
    REAL* __restrict__ out,
    int count,
    int first_output,
    REAL* a,
    REAL* b,
    REAL* sums)
{
    const int t = threadIdx.x;
    const int output = first_output + t % OUTPUTS;
    const int first_feature = first_output / CLASSES;
    const int line = output / CLASSES - first_feature;
    const int column = output % CLASSES;
    REAL sum = 0;
    for (int first = 0; first < count; first += IMAGES_AT_ONCE) {
        EACH(load, LOADS_A)
        {
            const int e = load * THREADS + t;
            const int image = first + e / LINES;
            const int feature = first_feature + e % LINES;
            if (e < IMAGES_AT_ONCE * LINES)
                a[e] = image < count && feature < FEATURES
                           ? features[(long long)image * FEATURES + feature]
                           : (REAL)0;
        }
        EACH(load, LOADS_B)
        {
            const int e = load * THREADS + t;
            if (e < IMAGES_AT_ONCE * CLASSES)
                b[e] = first + e / CLASSES < count
                           ? logits_gradient[(long long)first * CLASSES + e]
                           : (REAL)0;
        }
        __syncthreads();
#pragma unroll 8
        for (int k = t / OUTPUTS; k < IMAGES_AT_ONCE; k += GROUPS)
            sum += a[k * LINES + line] * b[k * CLASSES + column];
        __syncthreads();  // before a and b are overwritten
    }
    sums[t] = sum;
    __syncthreads();
    if (t < OUTPUTS && output < FEATURES * CLASSES) {
        for (int group = 1; group < GROUPS; group++) sum += sums[group * OUTPUTS + t];
        out[output] = sum;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 4) conv_classifier_gradients(
    const REAL* __restrict__ features,
    const REAL* __restrict__ logits_gradient,
    const REAL* __restrict__ convolution_gradients,
    REAL* __restrict__ gradients,
    const REAL* __restrict__ epoch_factors,
    REAL* __restrict__ factors,
    long long* __restrict__ position,
    int count,
    int slabs,
    int factor_count)
{
    __shared__ REAL a[IMAGES_AT_ONCE * LINES];
    __shared__ REAL b[IMAGES_AT_ONCE * CLASSES];
    __shared__ REAL sums[THREADS];
    const int products = gridDim.x - 2;
    const int block = blockIdx.x;
    REAL* dense = gradients + CONVOLUTION;
    if (block < products) {
        sum_products(features, logits_gradient, dense, count, block * OUTPUTS, a, b, sums);
    } else if (block == products) {
        sum_columns(convolution_gradients, slabs, CONVOLUTION, sums, gradients);
    } else {
        sum_columns(logits_gradient, count, CLASSES, sums, dense + FEATURES * CLASSES);
        const long long number = position[0] + 1;
        for (int k = threadIdx.x; k < factor_count; k += THREADS)
            factors[k] = epoch_factors[number * factor_count + k];
        __syncthreads();  // all have read the position
        if (threadIdx.x < 2) position[threadIdx.x] += 1;
    }
}
