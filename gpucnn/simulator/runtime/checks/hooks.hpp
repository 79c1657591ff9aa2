// The calls that the compiler puts before each access to memory, as for the thread sanitizer, and
// where it finds behaviour that is not defined, as for that sanitizer. library.py gives them the
// names below.
//
// An atomic operation of CUDA is in atomics.hpp an exchange, before which most load the old value. It
// counts as a load and a store: those of the exchange. It does not fail, as no other thread runs in
// between.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "checking.hpp"
#include "counting.hpp"
#include "heap.hpp"

namespace gpucnn_simulator {
namespace {

template <Kind kind>
inline void observe(const volatile void* given, size_t width, const void* pc)
{
    const char* address = (const char*)given;
    if (__builtin_expect(width == 0, 0)) return;
    if (is_within(address, own_begin, own_size)) return;
    if (__builtin_expect(counting != nullptr, 0)) {
        if (kind == READ || kind == VOLATILE_READ || is_change(kind))
            count_range(address, width, false);
        if (is_write(kind)) count_range(address, width, true);
    }
    check<kind>(address, width, pc);
}

// As the compiler describes a place, at the beginning of what it tells of an error.
struct Location {
    const char* file;
    unsigned line, column;
};

Text at(const Location& location)
{
    Text text;
    snprintf(
        text.characters, sizeof(text), " at %s:%u", last_part(location.file), location.line);
    return text;
}

[[noreturn]] void give_up_undefined(const Location& location, const char* what, const char* advice)
{
    give_up("%s %s%s: %s", this_thread().characters, what, at(location).characters, advice);
}

}  // namespace
}  // namespace gpucnn_simulator

#define GPUCNN_EXPORTED extern "C" __attribute__((visibility("default")))
#define GPUCNN_ACCESS(kind, address, width)                                                        \
    gpucnn_simulator::observe<gpucnn_simulator::kind>(address, width, __builtin_return_address(0))

#define GPUCNN_HOOK(name, kind, bytes)                                                             \
    GPUCNN_EXPORTED void gpucnn_access_##name##bytes(void* address)                                \
    {                                                                                              \
        GPUCNN_ACCESS(kind, address, bytes);                                                       \
    }

#define GPUCNN_HOOKS(bytes)                                                                        \
    GPUCNN_HOOK(read, READ, bytes)                                                                 \
    GPUCNN_HOOK(write, WRITE, bytes)                                                               \
    GPUCNN_HOOK(unaligned_read, READ, bytes)                                                       \
    GPUCNN_HOOK(unaligned_write, WRITE, bytes)                                                     \
    GPUCNN_HOOK(volatile_read, VOLATILE_READ, bytes)                                               \
    GPUCNN_HOOK(volatile_write, VOLATILE_WRITE, bytes)                                             \
    GPUCNN_HOOK(unaligned_volatile_read, VOLATILE_READ, bytes)                                     \
    GPUCNN_HOOK(unaligned_volatile_write, VOLATILE_WRITE, bytes)                                   \
    GPUCNN_EXPORTED void gpucnn_access_read_write##bytes(void* address)                            \
    {                                                                                              \
        GPUCNN_ACCESS(READ, address, bytes);                                                       \
        GPUCNN_ACCESS(WRITE, address, bytes);                                                      \
    }
GPUCNN_HOOKS(1)
GPUCNN_HOOKS(2)
GPUCNN_HOOKS(4)
GPUCNN_HOOKS(8)
GPUCNN_HOOKS(16)

GPUCNN_EXPORTED void gpucnn_access_read_range(void* address, unsigned long size)
{
    GPUCNN_ACCESS(READ, address, size);
}
GPUCNN_EXPORTED void gpucnn_access_write_range(void* address, unsigned long size)
{
    GPUCNN_ACCESS(WRITE, address, size);
}

// The compiler's own way of copying, which the sanitizer replaces when it runs.
GPUCNN_EXPORTED void* gpucnn_access_memcpy(void* to, const void* from, unsigned long size)
{
    GPUCNN_ACCESS(READ, from, size);
    GPUCNN_ACCESS(WRITE, to, size);
    return memmove(to, from, size);
}
GPUCNN_EXPORTED void* gpucnn_access_memmove(void* to, const void* from, unsigned long size)
{
    GPUCNN_ACCESS(READ, from, size);
    GPUCNN_ACCESS(WRITE, to, size);
    return memmove(to, from, size);
}
GPUCNN_EXPORTED void* gpucnn_access_memset(void* to, int value, unsigned long size)
{
    GPUCNN_ACCESS(WRITE, to, size);
    return memset(to, value, size);
}

// malloc and free, and by their mangled names new and delete.
#define GPUCNN_ALLOCATING(name)                                                                    \
    GPUCNN_EXPORTED void* gpucnn_access_##name(unsigned long size)                                 \
    {                                                                                              \
        return gpucnn_simulator::allocate_for_thread(size);                                        \
    }
#define GPUCNN_FREEING(name, ...)                                                                  \
    GPUCNN_EXPORTED void gpucnn_access_##name(void* memory __VA_ARGS__)                            \
    {                                                                                              \
        gpucnn_simulator::free_for_thread(memory, __builtin_return_address(0));                    \
    }
GPUCNN_ALLOCATING(malloc)
GPUCNN_ALLOCATING(_Znwm)
GPUCNN_ALLOCATING(_Znam)
GPUCNN_FREEING(free)
GPUCNN_FREEING(_ZdlPv)
GPUCNN_FREEING(_ZdaPv)
GPUCNN_FREEING(_ZdlPvm, , unsigned long)
GPUCNN_FREEING(_ZdaPvm, , unsigned long)

#define GPUCNN_ATOMIC_CHANGE(kind, bits, type, name, changed)                                      \
    GPUCNN_EXPORTED type gpucnn_access_atomic##bits##_##name(                                      \
        volatile type* address, type value, int)                                                   \
    {                                                                                              \
        GPUCNN_ACCESS(kind, address, bits / 8);                                                    \
        const type old = *address;                                                                 \
        *address = (type)(changed);                                                                \
        return old;                                                                                \
    }
#define GPUCNN_ATOMIC_EXCHANGE(bits, type, name)                                                   \
    GPUCNN_EXPORTED int gpucnn_access_atomic##bits##_compare_exchange_##name(                      \
        volatile type* address, type* expected, type value, int, int)                              \
    {                                                                                              \
        GPUCNN_ACCESS(ATOMIC, address, bits / 8);                                                  \
        const type old = *address;                                                                 \
        const bool is_expected = old == *expected;                                                 \
        *(is_expected ? address : expected) = is_expected ? value : old;                           \
        return is_expected;                                                                        \
    }
#define GPUCNN_ATOMICS(bits, type)                                                                 \
    GPUCNN_EXPORTED type gpucnn_access_atomic##bits##_load(const volatile type* address, int)      \
    {                                                                                              \
        GPUCNN_ACCESS(LOAD, address, bits / 8);                                                    \
        return *address;                                                                           \
    }                                                                                              \
    GPUCNN_EXPORTED void gpucnn_access_atomic##bits##_store(                                       \
        volatile type* address, type value, int)                                                   \
    {                                                                                              \
        GPUCNN_ACCESS(STORE, address, bits / 8);                                                   \
        *address = value;                                                                          \
    }                                                                                              \
    GPUCNN_ATOMIC_CHANGE(EXCHANGE, bits, type, exchange, value)                                    \
    GPUCNN_ATOMIC_CHANGE(ATOMIC, bits, type, fetch_add, old + value)                               \
    GPUCNN_ATOMIC_CHANGE(ATOMIC, bits, type, fetch_sub, old - value)                               \
    GPUCNN_ATOMIC_CHANGE(ATOMIC, bits, type, fetch_and, old & value)                               \
    GPUCNN_ATOMIC_CHANGE(ATOMIC, bits, type, fetch_or, old | value)                                \
    GPUCNN_ATOMIC_CHANGE(ATOMIC, bits, type, fetch_xor, old ^ value)                               \
    GPUCNN_ATOMIC_CHANGE(ATOMIC, bits, type, fetch_nand, ~(old & value))                           \
    GPUCNN_ATOMIC_EXCHANGE(bits, type, strong)                                                     \
    GPUCNN_ATOMIC_EXCHANGE(bits, type, weak)                                                       \
    GPUCNN_EXPORTED type gpucnn_access_atomic##bits##_compare_exchange_val(                        \
        volatile type* address, type expected, type value, int, int)                               \
    {                                                                                              \
        GPUCNN_ACCESS(ATOMIC, address, bits / 8);                                                  \
        const type old = *address;                                                                 \
        if (old == expected) *address = value;                                                     \
        return old;                                                                                \
    }
GPUCNN_ATOMICS(8, unsigned char)
GPUCNN_ATOMICS(16, unsigned short)
GPUCNN_ATOMICS(32, unsigned)
GPUCNN_ATOMICS(64, unsigned long long)

GPUCNN_EXPORTED void gpucnn_access_atomic_thread_fence(int) {}
GPUCNN_EXPORTED void gpucnn_access_atomic_signal_fence(int) {}

GPUCNN_EXPORTED void gpucnn_access_init() {}
GPUCNN_EXPORTED void gpucnn_access_func_entry(void*) {}
GPUCNN_EXPORTED void gpucnn_access_func_exit() {}

#define GPUCNN_UNDEFINED(name, what, advice)                                                       \
    GPUCNN_EXPORTED void gpucnn_undefined_handle_##name(const gpucnn_simulator::Location* at)      \
    {                                                                                              \
        gpucnn_simulator::give_up_undefined(*at, what, advice);                                    \
    }
GPUCNN_UNDEFINED(
    out_of_bounds, "uses an index beyond an array", "keep the index within the array")
GPUCNN_UNDEFINED(
    divrem_overflow, "divides an integer by zero, or the least one by -1,",
    "give it another divisor")
GPUCNN_UNDEFINED(
    missing_return, "comes to the end of a function that returns nothing", "return a value")
GPUCNN_UNDEFINED(
    builtin_unreachable, "comes to what was said not to be reachable", "see why")

// What the compiler tells of a pointer.
struct GpucnnPointer {
    gpucnn_simulator::Location location;
    const void* type;
    unsigned char alignment;  // its binary logarithm
    unsigned char kind;
};

GPUCNN_EXPORTED void gpucnn_undefined_handle_type_mismatch_v1(
    const GpucnnPointer* pointer, const char* address)
{
    using namespace gpucnn_simulator;
    const unsigned long alignment = 1ul << pointer->alignment;
    if ((size_t)address % alignment == 0) return;
    give_up(
        "%s uses an address%s that is no multiple of %lu bytes, as its type needs: begin there "
        "where one does",
        this_thread().characters, at(pointer->location).characters, alignment);
}
