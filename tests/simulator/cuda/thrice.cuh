// Included by language.cu.

__device__ __forceinline__ int thrice(int x)
{
    return 3 * x;
}
