// CUDA's mathematical functions that the C library does not have: norms, inverse error functions and
// Bessel functions. Those of float are those of double, rounded.
#pragma once

#include "mathematics.hpp"

extern "C" double jn(int, double) noexcept;
extern "C" double yn(int, double) noexcept;
extern "C" float jnf(int, float) noexcept;
extern "C" float ynf(int, float) noexcept;

namespace gpucnn_simulator {

constexpr double SQRT_PI = 1.77245385090551602730, SQRT_2 = 1.41421356237309504880;

// The root of `function` by Newton's method from x, for a function whose steps go one way after the
// first. `step` gives function(x) / function'(x).
template <typename Step> inline double newton(double x, Step step)
{
    for (int i = 0; i < 100; i++) {
        const double change = step(x);
        x -= change;
        if (!(fabs(change) > 1e-16 * fabs(x))) break;
    }
    return x;
}

// The sum of the terms from k = 0, whose ratio to the one before is `square` / (k * (k + order)).
inline double bessel_series(double term, double square, int order)
{
    double sum = term;
    for (int k = 1; term > 1e-17 * sum && sum < __builtin_inf(); k++)
        sum += term *= square / ((double)k * (k + order));
    return sum;
}

}  // namespace gpucnn_simulator

// The root t of erfc(t) = y. From sqrt(-log y), that of log(erfc(t)) = log(y) is approached from
// above, as erfc(t) <= exp(-t * t) and the logarithm of erfc is concave.
inline double erfcinv(double y)
{
    using namespace gpucnn_simulator;
    if (!(y >= 0 && y <= 2)) return __builtin_nan("");
    if (y > 1) return -erfcinv(2 - y);
    if (y == 0) return __builtin_inf();
    if (y >= 0.5)  // where 1 - y is exact: that of erf(t) = 1 - y, from 0
        return newton(0, [y](double t) {
            return (erf(t) - (1 - y)) * (SQRT_PI / 2) * exp(t * t);
        });
    return newton(sqrt(-log(y)), [y](double t) {
        const double tail = erfc(t);
        return -(log(tail) - log(y)) * (SQRT_PI / 2) * exp(t * t) * tail;
    });
}
inline double erfinv(double x)
{
    using namespace gpucnn_simulator;
    if (fabs(x) > 0.5) return x < 0 ? -erfcinv(1 + x) : erfcinv(1 - x);
    return newton(0, [x](double t) { return (erf(t) - x) * (SQRT_PI / 2) * exp(t * t); });
}
inline double normcdf(double x) { return erfc(-x / gpucnn_simulator::SQRT_2) / 2; }
inline double normcdfinv(double y) { return -gpucnn_simulator::SQRT_2 * erfcinv(2 * y); }

// exp(x * x) * erfc(x); for large x by its asymptotic series.
inline double erfcx(double x)
{
    const double square = x * x;
    if (x < 26) return exp(square) * (1 + fma(x, x, -square)) * erfc(x);
    double term = 1, sum = 1;
    for (int k = 1; k < 8; k++) sum += term *= -(2 * k - 1) / (2 * square);
    return sum / (x * gpucnn_simulator::SQRT_PI);
}

inline double cyl_bessel_i0(double x) { return gpucnn_simulator::bessel_series(1, x * x / 4, 0); }
inline double cyl_bessel_i1(double x)
{
    const double of_size = gpucnn_simulator::bessel_series(fabs(x) / 2, x * x / 4, 1);
    return x < 0 ? -of_size : of_size;
}

inline double norm3d(double x, double y, double z) { return hypot(hypot(x, y), z); }
inline double norm4d(double x, double y, double z, double w)
{
    return hypot(hypot(x, y), hypot(z, w));
}
inline double rnorm3d(double x, double y, double z) { return 1 / norm3d(x, y, z); }
inline double rnorm4d(double x, double y, double z, double w) { return 1 / norm4d(x, y, z, w); }
inline double norm(int count, const double* x)
{
    double size = 0;
    for (int i = 0; i < count; i++) size = hypot(size, x[i]);
    return size;
}
inline double rnorm(int count, const double* x) { return 1 / norm(count, x); }

#define GPUCNN_OF_FLOAT(name)                                                                      \
    inline float name##f(float x) { return (float)name((double)x); }                               \
    inline float name(float x) { return name##f(x); }
GPUCNN_OF_FLOAT(erfinv)
GPUCNN_OF_FLOAT(erfcinv)
GPUCNN_OF_FLOAT(erfcx)
GPUCNN_OF_FLOAT(normcdf)
GPUCNN_OF_FLOAT(normcdfinv)
GPUCNN_OF_FLOAT(cyl_bessel_i0)
GPUCNN_OF_FLOAT(cyl_bessel_i1)
#undef GPUCNN_OF_FLOAT
inline float norm3df(float x, float y, float z) { return (float)norm3d(x, y, z); }
inline float norm4df(float x, float y, float z, float w) { return (float)norm4d(x, y, z, w); }
inline float rnorm3df(float x, float y, float z) { return (float)rnorm3d(x, y, z); }
inline float rnorm4df(float x, float y, float z, float w) { return (float)rnorm4d(x, y, z, w); }
inline float normf(int count, const float* x)
{
    double size = 0;
    for (int i = 0; i < count; i++) size = hypot(size, (double)x[i]);
    return (float)size;
}
inline float rnormf(int count, const float* x) { return 1 / normf(count, x); }
