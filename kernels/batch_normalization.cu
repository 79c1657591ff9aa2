// Batch normalisation: the means and variances of the channels, the normalised batch, and gradients.
// A batch is a matrix here, with a column for each channel, and a row for each position of an image.
//
// channel_means: means[j] = sum of x[i, j] over i, divided by count
// channel_variances: variances[j] = sum of (x[i, j] - means[j])^2 over i, divided by count
// normalize: out[i, j] = (x[i, j] - means[j]) * gamma[j] / sigma[j] + beta[j],
//     sigma[j] = sqrt(variances[j] + epsilon)
// normalize_gradient_sums:
//     gamma_gradient[j] = sum of output_gradient[i, j] * (x[i, j] - means[j]) / sigma[j] over i
//     beta_gradient[j] = sum of output_gradient[i, j] over i
// normalize_gradient: input_gradient[i, j] = gamma[j] / sigma[j] * (output_gradient[i, j]
//     - beta_sum[j] / count - (x[i, j] - means[j]) / sigma[j] * gamma_sum[j] / count)
//
// `count` is the number of rows of the whole batch, of which x may be a part; the sums of both are
// those of the gradients over the whole batch.
//
// Index map: for the sums see columns.cuh; blocks (x, slab, 0) add up the gradient of gamma, and
// blocks (x, slab, 1) that of beta. For the others block (x, y) takes the columns from y * lanes,
// `lanes` a power of two, and thread t of it column t % lanes of the rows t / lanes, t / lanes + group,
// ... from x * group * ITEMS, group being THREADS / lanes: a warp reads consecutive memory, and what
// belongs to a column is computed once.
//
// Bytes per element of x: sizeof(REAL) read of each matrix, and of the results sizeof(REAL) written;
// the output's gradient is read twice for the two sums. Operations per element: channel_means 1,
// channel_variances 3, normalize 3, normalize_gradient_sums 5, normalize_gradient 5.

#include "columns.cuh"
#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) channel_means(
    const REAL* __restrict__ x,
    long long count,
    REAL* __restrict__ means,
    REAL* slabs,
    unsigned* tickets,
    long long rows,
    long long columns,
    long long slab_rows,
    int lanes)
{
    __shared__ REAL sums[THREADS];
    unsigned* ticket = tickets + blockIdx.x;
    if (sum_slabs(Terms{ELEMENTS, x}, slabs, ticket, rows, columns, slab_rows, lanes, sums))
        means[column_of(lanes)] = sums[threadIdx.x] / (REAL)count;
}

extern "C" __global__ void __launch_bounds__(THREADS) channel_variances(
    const REAL* __restrict__ x,
    const REAL* __restrict__ means,
    long long count,
    REAL* __restrict__ variances,
    REAL* slabs,
    unsigned* tickets,
    long long rows,
    long long columns,
    long long slab_rows,
    int lanes)
{
    __shared__ REAL sums[THREADS];
    const long long j = column_of(lanes);
    const Terms squares = {SQUARES, x, j < columns ? means[j] : (REAL)0};
    unsigned* ticket = tickets + blockIdx.x;
    if (sum_slabs(squares, slabs, ticket, rows, columns, slab_rows, lanes, sums))
        variances[j] = sums[threadIdx.x] / (REAL)count;
}

extern "C" __global__ void __launch_bounds__(THREADS) normalize_gradient_sums(
    const REAL* __restrict__ output_gradient,
    const REAL* __restrict__ x,
    const REAL* __restrict__ means,
    const REAL* __restrict__ variances,
    REAL epsilon,
    REAL* __restrict__ gamma_gradient,
    REAL* __restrict__ beta_gradient,
    REAL* slabs,
    unsigned* tickets,
    long long rows,
    long long columns,
    long long slab_rows,
    int lanes)
{
    __shared__ REAL sums[THREADS];
    const long long j = column_of(lanes);
    const int which = blockIdx.z;
    REAL* mine = slabs == nullptr ? nullptr : slabs + which * gridDim.y * columns;
    unsigned* ticket = tickets + which * gridDim.x + blockIdx.x;
    const REAL mean = which == 0 && j < columns ? means[j] : (REAL)0;
    const Terms products = {PRODUCTS, x, mean, output_gradient};
    const Terms gradients = {ELEMENTS, output_gradient};
    const bool writes =
        which == 0 ? sum_slabs(products, mine, ticket, rows, columns, slab_rows, lanes, sums)
                   : sum_slabs(gradients, mine, ticket, rows, columns, slab_rows, lanes, sums);
    if (!writes) return;
    if (which == 0)
        gamma_gradient[j] = sums[threadIdx.x] / sqrt(variances[j] + epsilon);
    else
        beta_gradient[j] = sums[threadIdx.x];
}

// The elements that a thread works on where nothing is summed.
struct Rows {
    long long column;
    long long first;  // the first row
    int step;  // from row to row
    __device__ __forceinline__ Rows(int lanes)
    {
        step = THREADS / lanes;
        column = (long long)blockIdx.y * lanes + threadIdx.x % lanes;
        first = (long long)blockIdx.x * step * ITEMS + threadIdx.x / lanes;
    }
    __device__ __forceinline__ long long row(int k) const { return first + k * step; }
};

extern "C" __global__ void __launch_bounds__(THREADS) normalize(
    const REAL* __restrict__ x,
    const REAL* __restrict__ means,
    const REAL* __restrict__ variances,
    REAL epsilon,
    const REAL* __restrict__ gamma,
    const REAL* __restrict__ beta,
    REAL* __restrict__ out,
    long long rows,
    long long columns,
    int lanes)
{
    const Rows mine(lanes);
    const long long j = mine.column;
    if (j >= columns) return;
    const REAL mean = means[j];
    const REAL factor = gamma[j] / sqrt(variances[j] + epsilon);
    const REAL shift = beta[j];
    REAL values[ITEMS];
    EACH_ITEM(k) values[k] = mine.row(k) < rows ? x[mine.row(k) * columns + j] : (REAL)0;
    EACH_ITEM(k)
        if (mine.row(k) < rows) out[mine.row(k) * columns + j] = (values[k] - mean) * factor + shift;
}

extern "C" __global__ void __launch_bounds__(THREADS) normalize_gradient(
    const REAL* __restrict__ output_gradient,
    const REAL* __restrict__ x,
    const REAL* __restrict__ means,
    const REAL* __restrict__ variances,
    REAL epsilon,
    const REAL* __restrict__ gamma,
    const REAL* __restrict__ gamma_sum,
    const REAL* __restrict__ beta_sum,
    long long count,
    REAL* __restrict__ input_gradient,
    long long rows,
    long long columns,
    int lanes)
{
    const Rows mine(lanes);
    const long long j = mine.column;
    if (j >= columns) return;
    const REAL mean = means[j];
    const REAL sigma = sqrt(variances[j] + epsilon);
    const REAL factor = gamma[j] / sigma;
    const REAL slope = gamma_sum[j] / (REAL)count / sigma;
    const REAL shift = beta_sum[j] / (REAL)count;
    REAL values[ITEMS], gradients[ITEMS];
    EACH_ITEM(k)
    {
        const bool is_one = mine.row(k) < rows;
        values[k] = is_one ? x[mine.row(k) * columns + j] : (REAL)0;
        gradients[k] = is_one ? output_gradient[mine.row(k) * columns + j] : (REAL)0;
    }
    EACH_ITEM(k)
    {
        const REAL gradient = factor * (gradients[k] - shift - (values[k] - mean) * slope);
        if (mine.row(k) < rows) input_gradient[mine.row(k) * columns + j] = gradient;
    }
}
