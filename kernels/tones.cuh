// Numbers that are drawn as units of 2^-16, and the range of pixels.

__device__ __forceinline__ REAL share(int units) { return (REAL)units / (1 << 16); }

// A number within a range; NaN stays.
__device__ __forceinline__ REAL limited(REAL number, REAL low, REAL high)
{
    return number < low ? low : number > high ? high : number;
}
