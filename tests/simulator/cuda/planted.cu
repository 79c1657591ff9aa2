// Faults of users, a kernel each, in classes. The line of a fault ends in the name of its kernel.

#define T threadIdx.x
#define ALL 0xffffffffu
#define KERNEL extern "C" __global__ void

// Races within a block ----------------------------------------------------------------------------

KERNEL read_before_barrier(const float* x, float* y, int n)
{
    __shared__ float s[64];
    s[63 - T] = x[T];
    y[T] = s[T];  // read_before_barrier
}
KERNEL overwritten_too_early(const float* x, float* y, int n)
{
    __shared__ float s[64];
    s[T] = x[T];
    __syncthreads();
    const float other = s[63 - T];
    s[T] = other + 1;  // overwritten_too_early
    y[T] = s[T];
}
KERNEL loop_without_second_barrier(const float* x, float* y, int n)
{
    __shared__ float s[64];
    float sum = 0;
    for (int i = 0; i < 2; i++) {
        s[T] = x[T] + i;  // loop_without_second_barrier
        __syncthreads();
        sum += s[63 - T];
    }
    y[T] = sum;
}
KERNEL reduction_without_barrier(const float* x, float* y, int n)
{
    __shared__ float s[64];
    s[T] = x[T];
    __syncthreads();
    for (int k = 32; k > 0; k /= 2)
        if (T < k) s[T] += s[T + k];  // reduction_without_barrier
    y[T] = T == 0 ? s[0] : 0;
}
KERNEL last_warp_without_syncwarp(const float* x, float* y, int n)
{
    __shared__ float s[64];
    s[T] = x[T];
    __syncthreads();
    if (T < 32) {
        s[T] += s[T + 32];
        s[T] += s[T + 16];  // last_warp_without_syncwarp
    }
    y[T] = s[T];
}
KERNEL volatile_for_syncwarp(const float* x, float* y, int n)
{
    __shared__ float s[64];
    volatile float* v = s;
    v[T] = x[T];
    __syncthreads();
    if (T < 32) {
        v[T] += v[T + 32];
        v[T] += v[T + 16];  // volatile_for_syncwarp
    }
    y[T] = v[T];
}
KERNEL sum_without_atomic(const float* x, float* y, int n)
{
    __shared__ float total;
    if (T == 0) total = 0;
    __syncthreads();
    total += x[T];  // sum_without_atomic
    __syncthreads();
    y[T] = total;
}
KERNEL histogram_without_atomic(const float* x, float* y, int n)
{
    __shared__ int bins[4];
    if (T < 4) bins[T] = 0;
    __syncthreads();
    bins[T % 4]++;  // histogram_without_atomic
    __syncthreads();
    y[T] = bins[T % 4];
}
KERNEL zeroed_without_barrier(const float* x, float* y, int n)
{
    __shared__ int bins[64];
    bins[T] = 0;
    atomicAdd(&bins[63 - T], 1);  // zeroed_without_barrier
    __syncthreads();
    y[T] = bins[T];
}
KERNEL total_read_before_barrier(const float* x, float* y, int n)
{
    __shared__ int total;
    if (T == 0) total = 0;
    __syncthreads();
    atomicAdd(&total, 1);
    y[T] = total;  // total_read_before_barrier
}
KERNEL neighbour_in_place(float* y, int n)
{
    if (T > 0) y[T] = y[T - 1];  // neighbour_in_place
}
KERNEL scan_in_place(const float* x, float* y, int n)
{
    __shared__ float s[64];
    s[T] = x[T];
    for (int k = 1; k < 64; k *= 2) {
        __syncthreads();
        if (T >= k) s[T] += s[T - k];  // scan_in_place
    }
    y[T] = s[T];
}
KERNEL shuffle_as_barrier(const float* x, float* y, int n)
{
    __shared__ float s[64];
    s[T] = x[T];
    __shfl_sync(ALL, 1, 0);
    y[T] = s[T ^ 1];  // shuffle_as_barrier
}
KERNEL syncwarp_across_warps(const float* x, float* y, int n)
{
    __shared__ float s[64];
    s[T] = x[T];
    __syncwarp();
    y[T] = s[T ^ 32];  // syncwarp_across_warps
}
KERNEL syncwarp_of_others(const float* x, float* y, int n)
{
    __shared__ float s[64];
    s[T] = x[T];
    __syncwarp(T % 32 < 16 ? 0xffffu : 0xffff0000u);
    y[T] = s[T ^ 16];  // syncwarp_of_others
}
KERNEL bytes_of_two_threads(unsigned char* bytes, int n)
{
    bytes[T / 2] = T;  // bytes_of_two_threads
}
KERNEL vector_over_another(float* y, int n)
{
    if (T % 4 == 0) *(float4*)(y + T) = make_float4(T, 1, 2, 3);
    y[T] = 5;  // vector_over_another
}
KERNEL result_by_all(float* y, int n)
{
    y[0] = T;  // result_by_all
}

// Races between blocks ----------------------------------------------------------------------------

KERNEL sum_of_blocks(float* y, int n)
{
    if (T == 0) y[0] += 1;  // sum_of_blocks
}
KERNEL count_of_blocks(float* y, int n)
{
    if (T == 0) y[0] = y[0] + blockIdx.x;  // count_of_blocks
}
KERNEL blocks_overlap(float* y, int n)
{
    y[blockIdx.x * 32 + T] = blockIdx.x;  // blocks_overlap
}
KERNEL halo_of_another_block(float* y, int n)
{
    const int i = blockIdx.x * 64 + T;
    y[i] = i > 0 ? y[i - 1] + 1 : 0;  // halo_of_another_block
}
__device__ unsigned blocks_done;
KERNEL last_block_without_fence(float* y, int n)
{
    __shared__ bool last;
    if (T == 0) {
        y[blockIdx.x] = 1;
        last = atomicInc(&blocks_done, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && T == 0) y[64] = y[0] + y[1];  // last_block_without_fence
}
__device__ int done;
KERNEL counter_without_atomic(float* y, int n)
{
    if (T == 0) done++;  // counter_without_atomic
}
KERNEL atomic_and_plain(int* i, int n)
{
    if (blockIdx.x == 0)
        atomicAdd(i, 1);
    else
        *i += 1;  // atomic_and_plain
}
KERNEL looked_at_before_it_is_changed(int* i, int n)
{
    if (*i < n)  // looked_at_before_it_is_changed
        atomicAdd(i, 1);
}
KERNEL lock_without_fence(int* i, int n)
{
    while (atomicCAS(i + 1, 0, 1) != 0) {}
    i[0] += n;  // lock_without_fence
    atomicExch(i + 1, 0);
}
KERNEL read_among_atomics(int* i, float* y, int n)
{
    if (T % 2)
        atomicAdd(i, 1);
    else
        y[T] = *i;  // read_among_atomics
}
KERNEL flag_between_blocks(float* y, int n)
{
    if (blockIdx.x == 0) y[T] = 1;
    if (blockIdx.x == 1) y[64 + T] = y[T];  // flag_between_blocks
}

// Beyond an array ---------------------------------------------------------------------------------

KERNEL no_bounds_check(float* y, int n)
{
    y[blockIdx.x * blockDim.x + T + 8] = 1;  // no_bounds_check
}
KERNEL one_too_many(float* y, int n)
{
    for (int i = T; i <= n; i += 64) y[i] = 1;  // one_too_many
}
KERNEL before_the_first(float* y, int n)
{
    y[(int)T - 1] = 1;  // before_the_first
}
KERNEL read_beyond(const float* x, float* y, int n)
{
    y[T] = x[T + n];  // read_beyond
}
KERNEL rows_and_columns_swapped(float* y, int n)
{
    y[T % 2 * 64 + T / 2 * 4] = 1;  // rows_and_columns_swapped
}
struct Row {
    float values[64];
};
KERNEL row_beyond(float* y, int n)
{
    ((Row*)y)[T % 3] = *(const Row*)y;  // row_beyond
}
KERNEL vector_beyond(float* y, int n)
{
    ((float4*)y)[T] = make_float4(1, 2, 3, 4);  // vector_beyond
}
KERNEL wider_type(float* y, int n)
{
    ((double*)y)[T + blockIdx.x * 64] = 1;  // wider_type
}
KERNEL negative_modulo(float* y, int n)
{
    y[((int)T - 70) % 64] = 1;  // negative_modulo
}
KERNEL overflowing_index(float* y, int n)
{
    y[T * 134217728u / 64 * 64] = 1;  // overflowing_index
}
KERNEL beyond_a_view(float* y, int n)
{
    y[T + 1] = 1;  // beyond_a_view
}
KERNEL before_a_view(float* y, int n)
{
    y[(int)T - 1] = 1;  // before_a_view
}
KERNEL atomic_beyond(int* i, int n)
{
    atomicAdd(&i[n + T], 1);  // atomic_beyond
}
KERNEL beyond_local(float* y, int n)
{
    float own[4];
    for (int i = 0; i <= 4; i++) own[i < n ? i : 0] = i;  // beyond_local
    y[T] = own[T % 4];
}
KERNEL beyond_shared(float* y, int n)
{
    __shared__ float s[64];
    s[T + 1] = 1;  // beyond_shared
    __syncthreads();
    y[T] = s[T];
}
KERNEL beyond_a_row(float* y, int n)
{
    __shared__ float s[8][8];
    s[T / 8][T % 8 + 1] = 1;  // beyond_a_row
    __syncthreads();
    y[T] = s[T / 8][T % 8];
}
__device__ const int TABLE[4] = {1, 2, 3, 4};
KERNEL beyond_a_table(float* y, int n)
{
    y[T] = TABLE[T % 5];  // beyond_a_table
}

// Shared memory at the launch ---------------------------------------------------------------------

KERNEL forgotten_shared_mem(float* y, int n)
{
    extern __shared__ float d[];
    d[T] = 1;  // forgotten_shared_mem
    y[T] = d[T];
}
KERNEL too_little_shared_mem(float* y, int n)
{
    extern __shared__ float d[];
    d[T] = 1;  // too_little_shared_mem
    y[T] = d[T];
}
KERNEL shared_mem_in_elements(float* y, int n)
{
    extern __shared__ double e[];
    e[T] = 1;  // shared_mem_in_elements
    y[T] = e[T];
}

// Unwritten memory --------------------------------------------------------------------------------

KERNEL unwritten_shared(float* y, int n)
{
    __shared__ float s[64];
    if (T < 32) s[T] = 1;
    __syncthreads();
    y[T] = s[T];  // unwritten_shared
}
KERNEL bins_not_zeroed(float* y, int n)
{
    __shared__ int bins[4];
    atomicAdd(&bins[T % 4], 1);  // bins_not_zeroed
    __syncthreads();
    y[T] = bins[T % 4];
}
KERNEL sum_not_zeroed(float* y, int n)
{
    __shared__ float sums[64];
    sums[T] += 1;  // sum_not_zeroed
    y[T] = sums[T];
}
KERNEL kept_from_another_block(float* y, int n)
{
    __shared__ float s[64];
    if (blockIdx.x == 0) s[T] = 1;
    __syncthreads();
    y[blockIdx.x * 64 + T] = s[T];  // kept_from_another_block
}

// Pointers, numbers and the stack -----------------------------------------------------------------

KERNEL null_array(const float* x, float* y, int n)
{
    y[T] = x[T];  // null_array
}
KERNEL null_output(float* y, int n)
{
    y[T + 10000] = 1;  // null_output
}
struct Node {
    int value;
    const Node* next;
};
KERNEL null_in_a_list(float* y, int n)
{
    Node first = {1, nullptr};
    const Node* node = n > 0 ? first.next : &first;
    y[T] = node->value;  // null_in_a_list
}
KERNEL misaligned_vector(float* y, int n)
{
    ((float4*)(y + 1))->x = 1;  // misaligned_vector
}
KERNEL divided_by_zero(int* i, int n)
{
    i[T] = 100 / (n - (int)T);  // divided_by_zero
}
KERNEL remainder_of_zero(int* i, int n)
{
    i[T] = T % (unsigned)(n - 5);  // remainder_of_zero
}
__device__ __noinline__ int factorial(int n)
{
    volatile int own[64];
    own[n & 63] = n;  // endless_recursion
    return own[n & 63] * factorial(n - 1);
}
KERNEL endless_recursion(int* i, int n)
{
    i[T] = factorial(n);
}
__device__ int sign(int n)  // without_a_value
{
    if (n > 0) return 1;
    if (n < 0) return -1;
}
KERNEL without_a_value(int* i, int n)
{
    i[T] = sign(n - 5);
}

// Threads that do not come along ------------------------------------------------------------------

KERNEL barrier_of_some(float* y, int n)
{
    if (T < 32) __syncthreads();  // barrier_of_some
    y[T] = 1;
    __syncthreads();
}
KERNEL two_barriers(float* y, int n)
{
    if (T < 32)
        __syncthreads();  // two_barriers
    else
        __syncthreads();
    y[T] = 1;
}
KERNEL shuffle_of_some(float* y, int n)
{
    if (T < 8) y[T] = __shfl_sync(0xff, y[T], 8);  // shuffle_of_some
}
KERNEL mask_without_itself(float* y, int n)
{
    __syncwarp(0xffff);  // mask_without_itself
    y[T] = 1;
}
KERNEL failed_assertion(float* y, int n)
{
    assert(T < 63);  // failed_assertion
    y[T] = 1;
}
