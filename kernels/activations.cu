// Activations by exponentials, and the gradients of their inputs.
//
// elu:              out[i] = x[i] where x[i] > 0, else alpha * (exp(x[i]) - 1)
// elu_gradient:     input_gradient[i] = output_gradient[i] where x[i] > 0, else
//                   output_gradient[i] * alpha * exp(x[i])
// gelu:             out[i] = x[i] * F(x[i]), F(x) = (1 + erf(x / sqrt(2))) / 2
// gelu_gradient:    input_gradient[i] = output_gradient[i] * (F(x[i]) + x[i] * f(x[i])),
//                   f(x) = exp(-x^2 / 2) / sqrt(2 pi), the derivative of F
// silu:             out[i] = x[i] * s(x[i]), s(x) = 1 / (1 + exp(-x))
// silu_gradient:    input_gradient[i] = output_gradient[i] * (s(x[i]) + x[i] * s(x[i]) * s(-x[i]))
// tanh:             out[i] = tanh(x[i])
// tanh_gradient:    input_gradient[i] = output_gradient[i] * (1 - out[i]^2)
// sigmoid:          out[i] = s(x[i])
// sigmoid_gradient: input_gradient[i] = output_gradient[i] * out[i] * (1 - out[i])
//
// No exponential overflows: s(x) is computed from exp(-|x|).
//
// Index map: a block works on THREADS * ITEMS consecutive elements, see elements.cuh.
//
// Bytes per output: sizeof(REAL) read, sizeof(REAL) written; for a gradient twice that read.
// Operations per output: at most one exponential, hyperbolic tangent or error function, for
// gelu_gradient one of two of these; at most 8 others.

#include "elements.cuh"

// out[i] = RESULT, an expression of `value`, which is x[i].
#define MAP(RESULT)                                                                                \
    REAL values[ITEMS];                                                                            \
    EACH_ITEM(k) values[k] = load(x, element(blockIdx.x, k), size);                                \
    EACH_ITEM(k)                                                                                   \
    {                                                                                              \
        const long long i = element(blockIdx.x, k);                                                \
        const REAL value = values[k];                                                              \
        if (i < size) out[i] = RESULT;                                                             \
    }

// input_gradient[i] = RESULT, an expression of `gradient`, which is output_gradient[i], and of
// `value`, which is AT[i].
#define MAP_GRADIENT(AT, RESULT)                                                                   \
    REAL values[ITEMS], gradients[ITEMS];                                                          \
    EACH_ITEM(k)                                                                                   \
    {                                                                                              \
        values[k] = load(AT, element(blockIdx.x, k), size);                                        \
        gradients[k] = load(output_gradient, element(blockIdx.x, k), size);                        \
    }                                                                                              \
    EACH_ITEM(k)                                                                                   \
    {                                                                                              \
        const long long i = element(blockIdx.x, k);                                                \
        const REAL gradient = gradients[k], value = values[k];                                     \
        if (i < size) input_gradient[i] = RESULT;                                                  \
    }

struct Sigmoids {
    REAL of_x, of_minus_x;
};

__device__ __forceinline__ Sigmoids sigmoids(REAL x)
{
    const REAL exponential = exp(x < 0 ? x : -x);
    const REAL large_share = 1 / (1 + exponential), small_share = exponential * large_share;
    return x < 0 ? Sigmoids{small_share, large_share} : Sigmoids{large_share, small_share};
}

__device__ __forceinline__ REAL silu_derivative(REAL x)
{
    const Sigmoids s = sigmoids(x);
    return s.of_x + x * (s.of_x * s.of_minus_x);
}

// F(x)
__device__ __forceinline__ REAL normal_distribution(REAL x)
{
    return (REAL)0.5 * (1 + erf((REAL)0.70710678118654752440 * x));
}

// f(x)
__device__ __forceinline__ REAL normal_density(REAL x)
{
    return (REAL)0.39894228040143267794 * exp((REAL)-0.5 * x * x);
}

extern "C" __global__ void __launch_bounds__(THREADS) elu(
    const REAL* __restrict__ x, REAL* __restrict__ out, long long size, REAL alpha)
{
    MAP(value > 0 ? value : alpha * expm1(value))
}

extern "C" __global__ void __launch_bounds__(THREADS) elu_gradient(
    const REAL* __restrict__ output_gradient,
    const REAL* __restrict__ x,
    REAL* __restrict__ input_gradient,
    long long size,
    REAL alpha)
{
    MAP_GRADIENT(x, value > 0 ? gradient : gradient * alpha * exp(value))
}

extern "C" __global__ void __launch_bounds__(THREADS) gelu(
    const REAL* __restrict__ x, REAL* __restrict__ out, long long size)
{
    MAP(value * normal_distribution(value))
}

extern "C" __global__ void __launch_bounds__(THREADS) gelu_gradient(
    const REAL* __restrict__ output_gradient,
    const REAL* __restrict__ x,
    REAL* __restrict__ input_gradient,
    long long size)
{
    MAP_GRADIENT(x, gradient * (normal_distribution(value) + value * normal_density(value)))
}

extern "C" __global__ void __launch_bounds__(THREADS) silu(
    const REAL* __restrict__ x, REAL* __restrict__ out, long long size)
{
    MAP(value * sigmoids(value).of_x)
}

extern "C" __global__ void __launch_bounds__(THREADS) silu_gradient(
    const REAL* __restrict__ output_gradient,
    const REAL* __restrict__ x,
    REAL* __restrict__ input_gradient,
    long long size)
{
    MAP_GRADIENT(x, gradient * silu_derivative(value))
}

extern "C" __global__ void __launch_bounds__(THREADS) tanh_of(
    const REAL* __restrict__ x, REAL* __restrict__ out, long long size)
{
    MAP(tanh(value))
}

extern "C" __global__ void __launch_bounds__(THREADS) tanh_gradient(
    const REAL* __restrict__ output_gradient,
    const REAL* __restrict__ out,
    REAL* __restrict__ input_gradient,
    long long size)
{
    MAP_GRADIENT(out, gradient * ((1 - value) * (1 + value)))
}

extern "C" __global__ void __launch_bounds__(THREADS) sigmoid(
    const REAL* __restrict__ x, REAL* __restrict__ out, long long size)
{
    MAP(sigmoids(value).of_x)
}

extern "C" __global__ void __launch_bounds__(THREADS) sigmoid_gradient(
    const REAL* __restrict__ output_gradient,
    const REAL* __restrict__ out,
    REAL* __restrict__ input_gradient,
    long long size)
{
    MAP_GRADIENT(out, gradient * value * (1 - value))
}
