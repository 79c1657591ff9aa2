// Sums over the lanes of a warp, in a fixed order.

#define ALL_LANES 0xffffffffu

#define EACH(i, count) _Pragma("unroll") for (int i = 0; i < (count); i++)

// Sums `values`, whose number `count` is a power of two, over the lanes of a warp that are equal
// modulo `groups`, a power of two: returns the sum of value number lane / (32 / count).
//
// While there are several values, a lane keeps half of them, sends its partner the others, and adds
// what it is sent; so for the first steps count values take count shuffles, not 5 count.
__device__ __forceinline__ REAL sum_of_warp(REAL* values, int count, int groups, int lane)
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
        if (half == 0 && distance >= groups)
            values[0] += __shfl_xor_sync(ALL_LANES, values[0], distance);
    }
    return values[0];
}

// The sum of one value over the lanes of a warp, which every lane has in the end.
__device__ __forceinline__ REAL sum_of_warp(REAL value)
{
    EACH(step, 5) value += __shfl_xor_sync(ALL_LANES, value, 16 >> step);
    return value;
}

// The largest value of the lanes of a warp.
__device__ __forceinline__ REAL largest_of_warp(REAL value)
{
    EACH(step, 5)
    {
        const REAL other = __shfl_xor_sync(ALL_LANES, value, 16 >> step);
        value = other > value ? other : value;
    }
    return value;
}
