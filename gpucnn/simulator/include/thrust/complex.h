// Thrust's complex numbers.
#pragma once

#include <type_traits>

namespace thrust {

using ::atan2;
using ::cos;
using ::exp;
using ::hypot;
using ::log;
using ::sin;
using ::sqrt;

template <typename T> struct complex {
    typedef T value_type;

    __host__ __device__ complex(T re = 0, T im = 0) : re(re), im(im) {}
    template <typename U>
    __host__ __device__ complex(const complex<U>& z) : re((T)z.real()), im((T)z.imag()) {}

    __host__ __device__ T real() const { return re; }
    __host__ __device__ T imag() const { return im; }
    __host__ __device__ void real(T value) { re = value; }
    __host__ __device__ void imag(T value) { im = value; }

    __host__ __device__ complex& operator+=(const complex& z) { return *this = *this + z; }
    __host__ __device__ complex& operator-=(const complex& z) { return *this = *this - z; }
    __host__ __device__ complex& operator*=(const complex& z) { return *this = *this * z; }
    __host__ __device__ complex& operator/=(const complex& z) { return *this = *this / z; }

    __host__ __device__ friend complex operator+(const complex& x, const complex& y)
    {
        return complex(x.re + y.re, x.im + y.im);
    }
    __host__ __device__ friend complex operator-(const complex& x, const complex& y)
    {
        return complex(x.re - y.re, x.im - y.im);
    }
    __host__ __device__ friend complex operator*(const complex& x, const complex& y)
    {
        return complex(x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re);
    }
    // Scaled by the larger part of the divisor, so that its square does not overflow.
    __host__ __device__ friend complex operator/(const complex& x, const complex& y)
    {
        const T scale = (y.re < 0 ? -y.re : y.re) + (y.im < 0 ? -y.im : y.im);
        const T a = x.re / scale, b = x.im / scale, c = y.re / scale, d = y.im / scale;
        const T norm = c * c + d * d;
        return complex((a * c + b * d) / norm, (b * c - a * d) / norm);
    }
    __host__ __device__ friend bool operator==(const complex& x, const complex& y)
    {
        return x.re == y.re && x.im == y.im;
    }
    __host__ __device__ friend bool operator!=(const complex& x, const complex& y)
    {
        return !(x == y);
    }
    __host__ __device__ complex operator-() const { return complex(-re, -im); }
    __host__ __device__ complex operator+() const { return *this; }

private:
    T re, im;
};

template <typename T> __host__ __device__ T real(const complex<T>& z) { return z.real(); }
template <typename T> __host__ __device__ T imag(const complex<T>& z) { return z.imag(); }
template <typename T> __host__ __device__ T abs(const complex<T>& z)
{
    return hypot(z.real(), z.imag());
}
template <typename T> __host__ __device__ T arg(const complex<T>& z)
{
    return atan2(z.imag(), z.real());
}
template <typename T> __host__ __device__ T norm(const complex<T>& z)
{
    return z.real() * z.real() + z.imag() * z.imag();
}
template <typename T> __host__ __device__ complex<T> conj(const complex<T>& z)
{
    return complex<T>(z.real(), -z.imag());
}
template <typename T> __host__ __device__ complex<T> polar(T radius, T angle = 0)
{
    return complex<T>(radius * cos(angle), radius * sin(angle));
}
template <typename T> __host__ __device__ complex<T> exp(const complex<T>& z)
{
    return polar((T)exp(z.real()), z.imag());
}
template <typename T> __host__ __device__ complex<T> log(const complex<T>& z)
{
    return complex<T>(log(abs(z)), arg(z));
}
template <typename T> __host__ __device__ complex<T> sqrt(const complex<T>& z)
{
    return polar((T)sqrt(abs(z)), arg(z) / 2);
}
template <typename T> __host__ __device__ complex<T> pow(const complex<T>& z, const complex<T>& p)
{
    return z == complex<T>() ? complex<T>(p == complex<T>()) : exp(p * log(z));
}

}  // namespace thrust
