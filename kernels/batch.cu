// What changes from step to step of an epoch, so that all other kernels of a step can be replayed.
//
// The position is (the number of the batch in the epoch, the number of the training step).
//
// next_batch:    adds 1 to both numbers, and loads what belongs to the batch: the row of its number
//                of the epoch's factors, and indices[i] = order[number * batch_size + i], or 0 past
//                the end of the order.
// store_metrics: epoch_losses[number * batch_size + first + i] = losses[i], for each row i of a
//                part of the batch that begins with image `first`, and likewise correct.
// store_outputs: all_outputs[number * batch_size + first + i, j] = outputs[i, j], likewise.
//
// Index map: next_batch is one block, since it writes what it reads; its thread t takes the indices
// t, t + THREADS, ... store_metrics: a thread a row. store_outputs: a thread an output.
//
// Bytes per output: next_batch 8 read, 8 written; the others sizeof(REAL) each. Operations per
// output: none.

extern "C" __global__ void __launch_bounds__(THREADS) next_batch(
    long long* __restrict__ position,
    const long long* __restrict__ order,
    const REAL* __restrict__ epoch_factors,
    long long* __restrict__ indices,
    REAL* __restrict__ factors,
    long long images,
    long long batch_size,
    int factor_count)
{
    const long long number = position[0] + 1;
    const long long first = number * batch_size;
    for (long long i = threadIdx.x; i < batch_size; i += THREADS)
        indices[i] = first + i < images ? order[first + i] : 0;
    for (int k = threadIdx.x; k < factor_count; k += THREADS)
        factors[k] = epoch_factors[number * factor_count + k];
    __syncthreads();  // all have read the position
    if (threadIdx.x < 2) position[threadIdx.x] += 1;
}

extern "C" __global__ void __launch_bounds__(THREADS) store_metrics(
    const long long* __restrict__ position,
    const REAL* __restrict__ losses,
    const REAL* __restrict__ correct,
    REAL* __restrict__ epoch_losses,
    REAL* __restrict__ epoch_correct,
    long long rows,
    long long batch_size,
    long long first)
{
    const long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (i >= rows) return;
    const long long image = position[0] * batch_size + first + i;
    epoch_losses[image] = losses[i];
    epoch_correct[image] = correct[i];
}

extern "C" __global__ void __launch_bounds__(THREADS) store_outputs(
    const long long* __restrict__ position,
    const REAL* __restrict__ outputs,
    REAL* __restrict__ all_outputs,
    long long rows,
    long long columns,
    long long batch_size,
    long long first)
{
    const long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (i >= rows * columns) return;
    all_outputs[(position[0] * batch_size + first) * columns + i] = outputs[i];
}
