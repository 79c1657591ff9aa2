// Descriptions of kernels for the launcher: the types of their parameters, and a uniform call.
#pragma once

#include "../runtime/runtime.hpp"
#include "vectors.hpp"

namespace gpucnn_simulator {

// NumPy's letter for a type that is no number: that of its values, if it is an enumeration.
template <typename T, bool is_enumeration> struct ValueOf {
    static constexpr int kind = 'V';
};
template <typename T> struct ValueOf<T, true> {
    using Value = __underlying_type(T);
    static constexpr int kind = (Value)-1 < (Value)0 ? 'i' : 'u';
};

// A type's name, and NumPy's letter for it, or for its component if it is a vector.
template <typename T> struct Description {
    static constexpr bool is_enumeration = __is_enum(T);
    static constexpr const char* name = is_enumeration ? "enum" : "struct";
    static constexpr int kind = ValueOf<T, is_enumeration>::kind;
    static constexpr int size = sizeof(T), alignment = alignof(T);
};
template <typename T> struct Description<T*> {
    static constexpr const char* name = "pointer";
    static constexpr int kind = 'u', size = sizeof(T*), alignment = alignof(T*);
};
template <> struct Description<void> {
    static constexpr const char* name = "void";
    static constexpr int kind = 0, size = 1, alignment = 1;
};
#define GPUCNN_DESCRIBE(type, letter, component)                                                   \
    template <> struct Description<type> {                                                         \
        static constexpr const char* name = #type;                                                 \
        static constexpr int kind = letter, size = sizeof(component), alignment = alignof(type);   \
    };
#define GPUCNN_DESCRIBE_ALL(vector, type, letter)                                                  \
    GPUCNN_DESCRIBE(type, letter, type)                                                            \
    GPUCNN_DESCRIBE(vector##1, letter, type)                                                       \
    GPUCNN_DESCRIBE(vector##2, letter, type)                                                       \
    GPUCNN_DESCRIBE(vector##3, letter, type)                                                       \
    GPUCNN_DESCRIBE(vector##4, letter, type)
GPUCNN_DESCRIBE(bool, 'b', bool)
GPUCNN_DESCRIBE(char, (char)-1 < 0 ? 'i' : 'u', char)
GPUCNN_DESCRIBE_ALL(char, signed char, 'i')
GPUCNN_DESCRIBE_ALL(uchar, unsigned char, 'u')
GPUCNN_DESCRIBE_ALL(short, short, 'i')
GPUCNN_DESCRIBE_ALL(ushort, unsigned short, 'u')
GPUCNN_DESCRIBE_ALL(int, int, 'i')
GPUCNN_DESCRIBE_ALL(uint, unsigned, 'u')
GPUCNN_DESCRIBE_ALL(long, long, 'i')
GPUCNN_DESCRIBE_ALL(ulong, unsigned long, 'u')
GPUCNN_DESCRIBE_ALL(longlong, long long, 'i')
GPUCNN_DESCRIBE_ALL(ulonglong, unsigned long long, 'u')
GPUCNN_DESCRIBE_ALL(float, float, 'f')
GPUCNN_DESCRIBE_ALL(double, double, 'f')

// For a value. A vector is passed whole, so it is described as a structure.
template <typename T> struct ParameterOf {
    using D = Description<T>;
    static constexpr bool whole = D::size == sizeof(T);
    static constexpr Parameter value = {
        D::name, 0, 0, whole ? D::kind : 'V', sizeof(T), alignof(T)};
};
template <typename T> struct ParameterOf<T*> {
    using D = Description<T>;
    static constexpr Parameter value = {D::name, 1, 0, D::kind, D::size, D::alignment};
};
template <typename T> struct ParameterOf<const T*> {
    using D = Description<T>;
    static constexpr Parameter value = {D::name, 1, 1, D::kind, D::size, D::alignment};
};

template <typename T> struct ParameterOf<volatile T*> : ParameterOf<T*> {};
template <typename T> struct ParameterOf<const volatile T*> : ParameterOf<const T*> {};

template <int... i> struct Indices {};
template <int count, int... i> struct IndicesTo : IndicesTo<count - 1, count - 1, i...> {};
template <int... i> struct IndicesTo<0, i...> {
    using Type = Indices<i...>;
};

// What it reads is the host's, and so not to be checked.
#define GPUCNN_UNCHECKED __attribute__((no_sanitize("thread"), no_sanitize("undefined")))

template <auto kernel> struct Stub;
template <typename... P, void (*kernel)(P...)> struct Stub<kernel> {
    static constexpr int count = sizeof...(P);
    static constexpr Parameter parameters[] = {ParameterOf<P>::value..., {}};
    template <int... i> GPUCNN_UNCHECKED static void unpack(void** arguments, Indices<i...>)
    {
        kernel(*(P*)arguments[i]...);
    }
    GPUCNN_UNCHECKED static void call(void** arguments)
    {
        unpack(arguments, typename IndicesTo<count>::Type());
    }
};

}  // namespace gpucnn_simulator
