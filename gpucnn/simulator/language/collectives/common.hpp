// What CUB's collectives of a block and of a warp share.
#pragma once

#include "../listing.hpp"
#include "../threads.hpp"

namespace cub {

struct NullType {};
struct Sum {
    template <typename A, typename B> auto operator()(const A& a, const B& b) const
    {
        return a + b;
    }
};
struct Max {
    template <typename T> T operator()(const T& a, const T& b) const { return a < b ? b : a; }
};
struct Min {
    template <typename T> T operator()(const T& a, const T& b) const { return b < a ? b : a; }
};

}  // namespace cub

namespace gpucnn_simulator {

// What a thread is given whose result CUB leaves open: all bits are set, which is NaN or -1.
template <typename T> inline T left_open()
{
    T value;
    __builtin_memset((void*)&value, 0xff, sizeof(T));
    return value;
}

template <int size_x, int size_y, int size_z> struct BlockThreads {
    static constexpr int count = size_x * size_y * size_z;
    static int rank()
    {
        return (int)(threadIdx.x + size_x * (threadIdx.y + size_y * threadIdx.z));
    }
    static void meet(Place place) { __syncthreads(place.file, place.line); }
    static constexpr bool meets_again = false;
};

// The neighbouring lanes of a warp that a collective has.
template <int width> struct WarpThreads {
    static constexpr int count = width;
    static int rank() { return lane % width; }
    static void meet(Place place)
    {
        __syncwarp((~0u >> (32 - width)) << (lane / width * width), place.file, place.line);
    }
    static constexpr bool meets_again = true;
};

// The values of all threads, in memory that they share. The next collective may use it after
// another barrier.
template <typename T, typename Threads> struct Exchange {
    struct TempStorage {
        T values[Threads::count];
    };
    static TempStorage& own_storage()
    {
        __shared__ TempStorage storage;
        return storage;
    }
    TempStorage& storage;
    Exchange(TempStorage& storage) : storage(storage) {}

    void put(Place place, const T& value) const
    {
        storage.values[Threads::rank()] = value;
        Threads::meet(place);
    }
    // The values from the first one to that before `end`, put together in their order.
    template <typename Operation> T folded(int end, Operation operation) const
    {
        T result = storage.values[0];
        for (int i = 1; i < end; i++) result = operation(result, storage.values[i]);
        return result;
    }
    void finish(Place place) const
    {
        if (Threads::meets_again) Threads::meet(place);
    }
};

template <typename T, int count, typename Operation>
inline T folded_items(const T (&items)[count], Operation operation)
{
    T result = items[0];
    for (int i = 1; i < count; i++) result = operation(result, items[i]);
    return result;
}

}  // namespace gpucnn_simulator
