// Pixels as networks take them.

__device__ __forceinline__ REAL normalized(unsigned char pixel)
{
    return (REAL)pixel / (REAL)255 - (REAL)0.5;
}
