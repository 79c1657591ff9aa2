// A training step of a small classifier in two kernels: convolution, ReLU, max-pooling, dense layer,
// softmax and cross-entropy of one image with all their gradients, and the sums over the batch.
//
// conv_classifier, for image i of the batch, of uint8 pixels x:
//   scores = conv2d(x / 255 - 1/2), of windows inside the image at strides of 1
//   f = max over each pooling window of max(scores, 0)     (POSITIONS of FILTERS features)
//   z = f W + bias,  p = softmax(z),  loss = -log p[label]
//   g = (p - [label]) / images, the gradient of z
//   and the gradient of the convolution's kernel and bias, summed over the images of a block.
// classifier_gradients: adds these up over the blocks, and f_i g_i and g_i over the images, in
//   a fixed order; and moves on to the next batch, as next_batch in batch.cu.
//
// Index map: block b works on the images b, b + gridDim.x, ... of the batch. Its thread t has the
// VECTOR features from t * VECTOR, which are filters of one pooling window: the pixels under it, the
// weights of the dense layer that its features have, and all that it computes of these lie in
// registers, so that the convolved image is nowhere. Weights are read from memory in the order in
// which they lie there, and change hands through shared memory, a part of them at a time; a row of
// `staged` is padded to an odd number of vectors, so that eight threads that read their rows read
// different banks. What a block needs of its first image is under way before it needs the weights,
// and each further image while the one before is worked on. Sums over the threads of a warp halve the
// values as they double the threads that are added up, see `sum_of_warp`.
// In classifier_gradients blocks 0 to gridDim.x - 3 work on OUTPUTS weights of the dense layer
// each, thread t on weight t % OUTPUTS and the images t / OUTPUTS, t / OUTPUTS + GROUPS, ...; the
// last two on the convolution, and on the bias of the dense layer and the position.
//
// Bytes per image: PIXELS + 16 read, FEATURES + CLASSES + 2 reals written; a block reads the
// parameters, mostly from cache, the bias of the dense layer once a warp, and writes CONVOLUTION
// reals. classifier_gradients reads the features, those in which two blocks meet twice, and in every
// block the CLASSES reals of an image, from cache; it writes the gradients of all parameters.
// Operations per image, in multiply-adds: TAPS * POOL_HEIGHT * POOL_WIDTH * FEATURES for the scores,
// TAPS * FEATURES for the convolution's gradients, and FEATURES * CLASSES three times for the dense
// layer.

#include "pixels.cuh"
#include "warps.cuh"

#define POOLED_COLUMNS (COLUMNS / POOL_WIDTH)
#define POSITIONS (ROWS / POOL_HEIGHT * POOLED_COLUMNS)
#define PIXELS (IMAGE_HEIGHT * IMAGE_WIDTH)
#define TAPS (HEIGHT * WIDTH)
#define CONVOLUTION (TAPS * FILTERS + FILTERS)
#define FEATURES (POSITIONS * FILTERS)
#define WARPS (THREADS / 32)

// 16 bytes of reals, which are read and written at once.
#define VECTOR ((int)(16 / sizeof(REAL)))
struct __align__(16) Vector {
    REAL of[16 / sizeof(REAL)];
};

#define FEATURE_VECTORS (FEATURES / VECTOR)
#define WINDOW_VECTORS (FILTERS / VECTOR)  // those of a pooling window, a power of two
#define PADDED_ROW (CLASSES | 1)           // vectors of a row of `staged`, CLASSES of them weights
#define PART ((FEATURE_VECTORS + PARTS - 1) / PARTS)
#define PART_LOADS ((PART * CLASSES + THREADS - 1) / THREADS)
#define PIXEL_LOADS ((PIXELS / 4 + THREADS - 1) / THREADS)

// An image and its label on their way from memory.
struct Image {
    uchar4 pixels[PIXEL_LOADS];
    int label;
};

__device__ __forceinline__ Image load_image(
    const unsigned char* __restrict__ images, const long long* __restrict__ labels, long long index)
{
    Image image;
    image.label = (int)labels[index];
    const uchar4* source = (const uchar4*)(images + index * PIXELS);
    EACH(i, PIXEL_LOADS)
    {
        const int k = i * THREADS + threadIdx.x;
        if (k < PIXELS / 4) image.pixels[i] = source[k];
    }
    return image;
}

__device__ __forceinline__ void store_pixels(const Image& image, REAL* pixels)
{
    EACH(i, PIXEL_LOADS)
    {
        const int k = i * THREADS + threadIdx.x;
        if (k >= PIXELS / 4) break;
        pixels[4 * k] = normalized(image.pixels[i].x);
        pixels[4 * k + 1] = normalized(image.pixels[i].y);
        pixels[4 * k + 2] = normalized(image.pixels[i].z);
        pixels[4 * k + 3] = normalized(image.pixels[i].w);
    }
}

// The weights of the dense layer that the features of this thread have, by way of `staged`.
__device__ __forceinline__ void load_weights(
    const Vector* __restrict__ dense, Vector* staged, REAL* weights)
{
    Vector ahead[PARTS][PART_LOADS];
    EACH(part, PARTS)
    EACH(i, PART_LOADS)
    {
        const int in_part = i * THREADS + threadIdx.x;
        const int vector = part * PART * CLASSES + in_part;
        if (in_part < PART * CLASSES && vector < FEATURE_VECTORS * CLASSES)
            ahead[part][i] = dense[vector];
    }
    EACH(part, PARTS)
    {
        EACH(i, PART_LOADS)
        {
            const int vector = i * THREADS + threadIdx.x;
            if (vector < PART * CLASSES)
                staged[vector / CLASSES * PADDED_ROW + vector % CLASSES] = ahead[part][i];
        }
        __syncthreads();
        const int row = threadIdx.x - part * PART;
        if (0 <= row && row < PART) {
            EACH(i, CLASSES)
            {
                const Vector vector = staged[row * PADDED_ROW + i];
                EACH(k, VECTOR) weights[i * VECTOR + k] = vector.of[k];
            }
        }
        __syncthreads();
    }
}

// The features of the pooling window whose first pixel is pixels[corner], for VECTOR filters from
// `convolution` on, and at which pixel the convolution's window of each begins.
__device__ __forceinline__ void pool(
    const REAL* pixels, const Vector* convolution, int corner, REAL* features, int* chosen)
{
    REAL patch[POOL_HEIGHT + HEIGHT - 1][POOL_WIDTH + WIDTH - 1];
    EACH(i, POOL_HEIGHT + HEIGHT - 1)
    EACH(j, POOL_WIDTH + WIDTH - 1) patch[i][j] = pixels[corner + i * IMAGE_WIDTH + j];
    REAL scores[POOL_HEIGHT][POOL_WIDTH][VECTOR] = {};
    EACH(i, HEIGHT)
    EACH(j, WIDTH)
    {
        const Vector kernel = convolution[(i * WIDTH + j) * WINDOW_VECTORS];
        EACH(row, POOL_HEIGHT)
        EACH(column, POOL_WIDTH)
        EACH(f, VECTOR) scores[row][column][f] += patch[row + i][column + j] * kernel.of[f];
    }
    const Vector bias = convolution[TAPS * WINDOW_VECTORS];
    EACH(f, VECTOR)
    {
        features[f] = 0;
        chosen[f] = corner;
        EACH(row, POOL_HEIGHT)
        EACH(column, POOL_WIDTH)
        {
            const REAL score = scores[row][column][f] + bias.of[f];
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
    __shared__ Vector convolution[CONVOLUTION / VECTOR];
    __shared__ REAL pixels[PIXELS];
    __shared__ REAL logit_parts[WARPS][CLASSES];
    __shared__ REAL gradient_parts[WARPS][CONVOLUTION];
    const int t = threadIdx.x;
    const int lane = t % 32;
    const int warp = t / 32;
    const bool has_window = t < FEATURE_VECTORS;
    const int window = has_window ? t / WINDOW_VECTORS : 0;
    const int filter_vector = t % WINDOW_VECTORS;
    const int corner = window / POOLED_COLUMNS * POOL_HEIGHT * IMAGE_WIDTH +
                       window % POOLED_COLUMNS * POOL_WIDTH;
    const REAL* dense = parameters + CONVOLUTION;
    const long long first = (position[0] + 1) * batch_size;

    Image next = load_image(images, labels, order[first + blockIdx.x]);
    if (t < CONVOLUTION / VECTOR) convolution[t] = ((const Vector*)parameters)[t];
    const bool is_class = lane < CLASSES;
    const REAL bias = is_class ? dense[FEATURES * CLASSES + lane] : -__int_as_float(0x7f800000);
    const REAL share = (REAL)1 / (REAL)count;  // of an image in the mean loss
    REAL weights[VECTOR * CLASSES] = {};
    load_weights((const Vector*)dense, staged, weights);
    REAL gradient_sum = 0;  // of parameter t of the convolution

    for (int i = blockIdx.x; i < count; i += gridDim.x) {
        const int label = next.label;
        store_pixels(next, pixels);
        if (i + gridDim.x < count) next = load_image(images, labels, order[first + i + gridDim.x]);
        __syncthreads();
        REAL mine[VECTOR];
        int chosen[VECTOR];
        pool(pixels, convolution + filter_vector, corner, mine, chosen);

        REAL logits[CLASS_SLOTS];
        EACH(c, CLASS_SLOTS)
        {
            logits[c] = 0;
            if (c < CLASSES) EACH(f, VECTOR) logits[c] += mine[f] * weights[f * CLASSES + c];
            if (!has_window) logits[c] = 0;
        }
        const REAL logit = sum_of_warp(logits, CLASS_SLOTS, 1, lane);
        const int class_of_lane = lane / (32 / CLASS_SLOTS);
        if (lane % (32 / CLASS_SLOTS) == 0 && class_of_lane < CLASSES)
            logit_parts[warp][class_of_lane] = logit;
        __syncthreads();

        // In each warp, lane c works on class c.
        REAL z = bias;
        if (is_class) EACH(w, WARPS) z += logit_parts[w][lane];
        const REAL largest = largest_of_warp(z);
        const REAL exponential = is_class ? exp(z - largest) : (REAL)0;
        REAL sum = exponential;
        sum = sum_of_warp(&sum, 1, 1, lane);
        const REAL of_label = __shfl_sync(ALL_LANES, z, label) - largest;
        const unsigned best = __ballot_sync(ALL_LANES, is_class && z == largest);
        const REAL mine_of_label = lane == label ? (REAL)1 : (REAL)0;
        const REAL of_class = (exponential / sum - mine_of_label) * share;
        REAL z_gradient[CLASSES];
        EACH(c, CLASSES) z_gradient[c] = __shfl_sync(ALL_LANES, of_class, c);
        if (t == 0) {
            epoch_losses[first + i] = log(sum) - of_label;
            epoch_correct[first + i] = __ffs((int)best) - 1 == label ? (REAL)1 : (REAL)0;
        }
        if (warp == 0 && is_class) logits_gradient[(long long)i * CLASSES + lane] = of_class;

        if (has_window) {
            Vector vector;
            EACH(f, VECTOR) vector.of[f] = mine[f];
            ((Vector*)(features + (long long)i * FEATURES))[t] = vector;
        }
        REAL gradient[VECTOR];  // of the score that each feature is
        EACH(f, VECTOR)
        {
            gradient[f] = 0;
            EACH(c, CLASSES) gradient[f] += weights[f * CLASSES + c] * z_gradient[c];
            if (!has_window || !(mine[f] > 0)) gradient[f] = 0;
        }
        EACH(tap, TAPS + 1)
        {
            REAL terms[VECTOR];
            EACH(f, VECTOR)
            {
                const int pixel = chosen[f] + tap / WIDTH * IMAGE_WIDTH + tap % WIDTH;
                terms[f] = tap < TAPS ? gradient[f] * pixels[pixel] : gradient[f];
            }
            const REAL term = sum_of_warp(terms, VECTOR, WINDOW_VECTORS, lane);
            if (lane % (32 / VECTOR) < WINDOW_VECTORS)
                gradient_parts[warp][tap * FILTERS + filter_vector * VECTOR + lane / (32 / VECTOR)] =
                    term;
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

// The factors of the products of IMAGES_AT_ONCE images: LINES features and all logits' gradients of
// each, zeros past the end of the batch.
__device__ __forceinline__ void load_products(
    const REAL* __restrict__ features,
    const REAL* __restrict__ logits_gradient,
    int count,
    int first_feature,
    int first,
    REAL* a,
    REAL* b)
{
    EACH(i, LOADS_A)
    {
        const int e = i * THREADS + threadIdx.x;
        const int image = first + e / LINES;
        const int feature = first_feature + e % LINES;
        const bool inside = image < count && feature < FEATURES;
        a[i] = inside ? features[(long long)image * FEATURES + feature] : (REAL)0;
    }
    EACH(i, LOADS_B)
    {
        const int e = i * THREADS + threadIdx.x;
        const bool inside = first + e / CLASSES < count;
        b[i] = inside ? logits_gradient[(long long)first * CLASSES + e] : (REAL)0;
    }
}

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
    REAL next_a[LOADS_A];
    REAL next_b[LOADS_B];
    load_products(features, logits_gradient, count, first_feature, 0, next_a, next_b);
    for (int first = 0; first < count; first += IMAGES_AT_ONCE) {
        EACH(i, LOADS_A) if (i * THREADS + t < IMAGES_AT_ONCE * LINES) a[i * THREADS + t] = next_a[i];
        EACH(i, LOADS_B)
        if (i * THREADS + t < IMAGES_AT_ONCE * CLASSES) b[i * THREADS + t] = next_b[i];
        __syncthreads();
        const int next = first + IMAGES_AT_ONCE;
        load_products(features, logits_gradient, count, first_feature, next, next_a, next_b);
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

extern "C" __global__ void __launch_bounds__(THREADS, 3) classifier_gradients(
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
