// CUDA's atomic operations.
#pragma once

#include "../runtime/runtime.hpp"
#include "vectors.hpp"

namespace gpucnn_simulator {

// Waits before an atomic operation in global memory until the blocks before have ended.
inline void take_turn(const void* address)
{
    if (!is_in_turn) wait_for_turn(address);
}

// Replaces *address by change(*address), and returns the old value.
template <typename T, typename Change> inline T change_atomically(T* address, Change change)
{
    take_turn(address);
    T old;
    __atomic_load(address, &old, __ATOMIC_RELAXED);
    for (;;) {
        T changed = change(old);
        if (__atomic_compare_exchange(
                address, &old, &changed, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return old;
    }
}

// Replaces *address if it is `compare`, and returns the old value. It does not ask for one, by which
// the check tells it from the others: a thread may have read there before it.
template <typename T> inline T compare_and_swap(T* address, T compare, T value)
{
    take_turn(address);
    __atomic_compare_exchange(
        address, &compare, &value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return compare;
}

// Replaces *address, and returns the old value. It does not ask for one: that it is the first to
// write there is no fault.
template <typename T> inline T exchange(T* address, T value)
{
    take_turn(address);
    T old;
    __atomic_exchange(address, &value, &old, __ATOMIC_RELAXED);
    return old;
}

}  // namespace gpucnn_simulator

// Also among the threads of a block only, and with other devices and the host.
#define GPUCNN_ATOMIC_SCOPES(name, type, operation)                                                \
    inline type name(type* address, type value)                                                    \
    {                                                                                              \
        return operation;                                                                          \
    }                                                                                              \
    inline type name##_block(type* address, type value) { return name(address, value); }           \
    inline type name##_system(type* address, type value) { return name(address, value); }
#define GPUCNN_ATOMIC(name, type, result)                                                          \
    GPUCNN_ATOMIC_SCOPES(                                                                          \
        name, type,                                                                                \
        gpucnn_simulator::change_atomically(                                                       \
            address, [value](type old) -> type { return result; }))
#define GPUCNN_ATOMIC_EXCH(type)                                                                   \
    GPUCNN_ATOMIC_SCOPES(atomicExch, type, gpucnn_simulator::exchange(address, value))
// Signed numbers wrap around, as they do on the device.
#define GPUCNN_WRAPPED(operation) (int)((unsigned)old operation(unsigned) value)

GPUCNN_ATOMIC(atomicAdd, int, GPUCNN_WRAPPED(+))
GPUCNN_ATOMIC(atomicAdd, unsigned, old + value)
GPUCNN_ATOMIC(atomicAdd, unsigned long long, old + value)
GPUCNN_ATOMIC(atomicAdd, float, old + value)
GPUCNN_ATOMIC(atomicAdd, double, old + value)
GPUCNN_ATOMIC(atomicSub, int, GPUCNN_WRAPPED(-))
GPUCNN_ATOMIC(atomicSub, unsigned, old - value)
GPUCNN_ATOMIC_EXCH(int)
GPUCNN_ATOMIC_EXCH(unsigned)
GPUCNN_ATOMIC_EXCH(unsigned long long)
GPUCNN_ATOMIC_EXCH(float)
GPUCNN_ATOMIC(atomicMin, int, old < value ? old : value)
GPUCNN_ATOMIC(atomicMin, unsigned, old < value ? old : value)
GPUCNN_ATOMIC(atomicMin, long long, old < value ? old : value)
GPUCNN_ATOMIC(atomicMin, unsigned long long, old < value ? old : value)
GPUCNN_ATOMIC(atomicMax, int, old > value ? old : value)
GPUCNN_ATOMIC(atomicMax, unsigned, old > value ? old : value)
GPUCNN_ATOMIC(atomicMax, long long, old > value ? old : value)
GPUCNN_ATOMIC(atomicMax, unsigned long long, old > value ? old : value)
GPUCNN_ATOMIC(atomicInc, unsigned, old >= value ? 0 : old + 1)
GPUCNN_ATOMIC(atomicDec, unsigned, old == 0 || old > value ? value : old - 1)
GPUCNN_ATOMIC(atomicAnd, int, old & value)
GPUCNN_ATOMIC(atomicAnd, unsigned, old & value)
GPUCNN_ATOMIC(atomicAnd, unsigned long long, old & value)
GPUCNN_ATOMIC(atomicOr, int, old | value)
GPUCNN_ATOMIC(atomicOr, unsigned, old | value)
GPUCNN_ATOMIC(atomicOr, unsigned long long, old | value)
GPUCNN_ATOMIC(atomicXor, int, old ^ value)
GPUCNN_ATOMIC(atomicXor, unsigned, old ^ value)
GPUCNN_ATOMIC(atomicXor, unsigned long long, old ^ value)

#define GPUCNN_ATOMIC_CAS(type)                                                                    \
    inline type atomicCAS(type* address, type compare, type value)                                 \
    {                                                                                              \
        return gpucnn_simulator::compare_and_swap(address, compare, value);                        \
    }                                                                                              \
    inline type atomicCAS_block(type* address, type compare, type value)                           \
    {                                                                                              \
        return atomicCAS(address, compare, value);                                                 \
    }                                                                                              \
    inline type atomicCAS_system(type* address, type compare, type value)                          \
    {                                                                                              \
        return atomicCAS(address, compare, value);                                                 \
    }
GPUCNN_ATOMIC_CAS(unsigned short)
GPUCNN_ATOMIC_CAS(int)
GPUCNN_ATOMIC_CAS(unsigned)
GPUCNN_ATOMIC_CAS(unsigned long long)

// Of vectors, each number by itself.
#define GPUCNN_ATOMIC_VECTORS(name)                                                                \
    inline float2 name(float2* address, float2 value)                                              \
    {                                                                                              \
        return {name(&address->x, value.x), name(&address->y, value.y)};                           \
    }                                                                                              \
    inline float4 name(float4* address, float4 value)                                              \
    {                                                                                              \
        return {                                                                                   \
            name(&address->x, value.x), name(&address->y, value.y), name(&address->z, value.z),    \
            name(&address->w, value.w)};                                                           \
    }
GPUCNN_ATOMIC_VECTORS(atomicAdd)
GPUCNN_ATOMIC_VECTORS(atomicAdd_block)
GPUCNN_ATOMIC_VECTORS(atomicAdd_system)
