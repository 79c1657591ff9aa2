// CUB's reductions. The first thread has the result, of the values in their order; the others none.
#pragma once

#include "common.hpp"

namespace gpucnn_simulator {

template <typename T, typename Threads> class Reduction : Exchange<T, Threads> {
    using Base = Exchange<T, Threads>;

public:
    using TempStorage = typename Base::TempStorage;
    Reduction() : Base(Base::own_storage()) {}
    Reduction(TempStorage& storage) : Base(storage) {}

    template <typename Operation>
    T Reduce(const T& value, Operation operation, int count, GPUCNN_WHERE)
    {
        const auto place = GPUCNN_PLACE("Reduce");
        this->put(place, value);
        const T result = Threads::rank() == 0 ? this->folded(count, operation) : left_open<T>();
        this->finish(place);
        return result;
    }
    template <typename Operation> T Reduce(const T& value, Operation operation, GPUCNN_WHERE)
    {
        return Reduce(value, operation, Threads::count, file, line);
    }
    template <int count, typename Operation>
    T Reduce(T (&items)[count], Operation operation, GPUCNN_WHERE)
    {
        return Reduce(folded_items(items, operation), operation, file, line);
    }
    T Sum(const T& value, GPUCNN_WHERE) { return Reduce(value, cub::Sum(), file, line); }
    T Sum(const T& value, int count, GPUCNN_WHERE)
    {
        return Reduce(value, cub::Sum(), count, file, line);
    }
    template <int count> T Sum(T (&items)[count], GPUCNN_WHERE)
    {
        return Reduce(items, cub::Sum(), file, line);
    }
};

}  // namespace gpucnn_simulator

namespace cub {

enum BlockReduceAlgorithm {
    BLOCK_REDUCE_RAKING_COMMUTATIVE_ONLY,
    BLOCK_REDUCE_RAKING,
    BLOCK_REDUCE_WARP_REDUCTIONS
};

template <
    typename T, int size_x, BlockReduceAlgorithm = BLOCK_REDUCE_WARP_REDUCTIONS, int size_y = 1,
    int size_z = 1>
struct BlockReduce
    : gpucnn_simulator::Reduction<T, gpucnn_simulator::BlockThreads<size_x, size_y, size_z>> {
    using Base =
        gpucnn_simulator::Reduction<T, gpucnn_simulator::BlockThreads<size_x, size_y, size_z>>;
    using Base::Base;
};

template <typename T, int width = 32>
struct WarpReduce : gpucnn_simulator::Reduction<T, gpucnn_simulator::WarpThreads<width>> {
    using Base = gpucnn_simulator::Reduction<T, gpucnn_simulator::WarpThreads<width>>;
    using Base::Base;
};

}  // namespace cub
