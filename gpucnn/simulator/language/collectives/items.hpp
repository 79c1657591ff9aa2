// CUB's loads and stores of several items for each thread: neighbours, or each a block's size after
// the last (striped).
#pragma once

#include "common.hpp"

namespace cub {

enum BlockLoadAlgorithm {
    BLOCK_LOAD_DIRECT,
    BLOCK_LOAD_STRIPED,
    BLOCK_LOAD_VECTORIZE,
    BLOCK_LOAD_TRANSPOSE,
    BLOCK_LOAD_WARP_TRANSPOSE,
    BLOCK_LOAD_WARP_TRANSPOSE_TIMESLICED
};
enum BlockStoreAlgorithm {
    BLOCK_STORE_DIRECT,
    BLOCK_STORE_STRIPED,
    BLOCK_STORE_VECTORIZE,
    BLOCK_STORE_TRANSPOSE,
    BLOCK_STORE_WARP_TRANSPOSE,
    BLOCK_STORE_WARP_TRANSPOSE_TIMESLICED
};

}  // namespace cub

namespace gpucnn_simulator {

template <typename Threads, int count, bool is_striped> struct Items {
    struct TempStorage {};
    Items() = default;
    Items(TempStorage&) {}

    static int place(int item)
    {
        const int rank = Threads::rank();
        return is_striped ? rank + item * Threads::count : rank * count + item;
    }
};

}  // namespace gpucnn_simulator

namespace cub {

template <
    typename T, int size_x, int count, BlockLoadAlgorithm algorithm = BLOCK_LOAD_DIRECT,
    int size_y = 1, int size_z = 1>
struct BlockLoad : gpucnn_simulator::Items<
                       gpucnn_simulator::BlockThreads<size_x, size_y, size_z>, count,
                       algorithm == BLOCK_LOAD_STRIPED> {
    using Base = gpucnn_simulator::Items<
        gpucnn_simulator::BlockThreads<size_x, size_y, size_z>, count,
        algorithm == BLOCK_LOAD_STRIPED>;
    using Base::Base;

    template <typename Iterator> void Load(Iterator from, T (&items)[count])
    {
        for (int i = 0; i < count; i++) items[i] = from[Base::place(i)];
    }
    template <typename Iterator> void Load(Iterator from, T (&items)[count], int valid)
    {
        for (int i = 0; i < count; i++)
            if (Base::place(i) < valid) items[i] = from[Base::place(i)];
    }
    template <typename Iterator, typename Default>
    void Load(Iterator from, T (&items)[count], int valid, Default other)
    {
        for (T& item : items) item = other;
        Load(from, items, valid);
    }
};

template <
    typename T, int size_x, int count, BlockStoreAlgorithm algorithm = BLOCK_STORE_DIRECT,
    int size_y = 1, int size_z = 1>
struct BlockStore : gpucnn_simulator::Items<
                        gpucnn_simulator::BlockThreads<size_x, size_y, size_z>, count,
                        algorithm == BLOCK_STORE_STRIPED> {
    using Base = gpucnn_simulator::Items<
        gpucnn_simulator::BlockThreads<size_x, size_y, size_z>, count,
        algorithm == BLOCK_STORE_STRIPED>;
    using Base::Base;

    template <typename Iterator> void Store(Iterator to, const T (&items)[count])
    {
        for (int i = 0; i < count; i++) to[Base::place(i)] = items[i];
    }
    template <typename Iterator> void Store(Iterator to, const T (&items)[count], int valid)
    {
        for (int i = 0; i < count; i++)
            if (Base::place(i) < valid) to[Base::place(i)] = items[i];
    }
};

}  // namespace cub
