// Type traits. <type_traits> cannot be used, see runtime.hpp.
#pragma once

namespace gpucnn_simulator {

template <bool condition, typename T> struct If {};
template <typename T> struct If<true, T> {
    using Type = T;
};
template <typename A, typename B> constexpr bool same = false;
template <typename A> constexpr bool same<A, A> = true;
template <typename A, typename B> struct Pair {
    using Type = double;
};
template <typename A> struct Pair<A, A> {
    using Type = A;
};

template <typename T> constexpr bool is_real = same<T, float> || same<T, double>;
template <typename T> constexpr bool is_integer = false;
#define GPUCNN_INTEGER(type) template <> inline constexpr bool is_integer<type> = true;
GPUCNN_INTEGER(bool)
GPUCNN_INTEGER(char)
GPUCNN_INTEGER(signed char)
GPUCNN_INTEGER(unsigned char)
GPUCNN_INTEGER(short)
GPUCNN_INTEGER(unsigned short)
GPUCNN_INTEGER(int)
GPUCNN_INTEGER(unsigned)
GPUCNN_INTEGER(long)
GPUCNN_INTEGER(unsigned long)
GPUCNN_INTEGER(long long)
GPUCNN_INTEGER(unsigned long long)

template <typename T> constexpr bool is_number = is_real<T> || is_integer<T>;

template <typename T> struct Real {
    using Type = double;
};
template <> struct Real<float> {
    using Type = float;
};

// The result of a real function of T: float for float, double for integers.
template <typename T>
using RealOf = typename If<is_integer<T> || same<T, float>, typename Real<T>::Type>::Type;

// The result of a function of two reals: float for two floats, else double.
template <typename A, typename B>
using RealOfTwo = typename If<
    is_number<A> && is_number<B> && !(same<A, double> && same<B, double>),
    typename Real<typename Pair<A, B>::Type>::Type>::Type;

template <typename A, typename B>
using Common = typename If<is_number<A> && is_number<B>, decltype(true ? A() : B())>::Type;

}  // namespace gpucnn_simulator
