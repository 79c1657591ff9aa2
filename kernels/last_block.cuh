// The last block to finish of those that share a sum: it adds up what all of them wrote.

// Whether this block is the last of `blocks` to come here with one ticket, which counts them: 0
// before the first, and 0 again after the last. What any of them wrote before is visible to the
// last after.
//
// Which block is the last differs from launch to launch; what it reads does not, so a sum that it
// adds up in a fixed order comes out the same each time.
__device__ __forceinline__ bool is_last_block(unsigned* ticket, unsigned blocks)
{
    __threadfence();  // what this thread wrote, before the ticket is counted
    __syncthreads();
    const bool is_last = threadIdx.x == 0 && atomicInc(ticket, blocks - 1) == blocks - 1;
    if (!__syncthreads_or(is_last)) return false;
    __threadfence();  // before anything is read
    return true;
}
