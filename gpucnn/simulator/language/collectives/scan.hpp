// CUB's scans, of the values in their order.
#pragma once

#include "common.hpp"

namespace gpucnn_simulator {

template <typename T, typename Threads> class Scan : Exchange<T, Threads> {
    using Base = Exchange<T, Threads>;

    // What is before this thread's value, without it; left open for the first thread.
    template <typename Operation>
    T before(Place place, const T& value, Operation operation, T* aggregate)
    {
        this->put(place, value);
        const int rank = Threads::rank();
        const T result = rank == 0 ? left_open<T>() : this->folded(rank, operation);
        if (aggregate != nullptr) *aggregate = this->folded(Threads::count, operation);
        this->finish(place);
        return result;
    }

    template <typename Operation>
    void inclusive(Place place, const T& value, T& result, Operation operation, T* aggregate)
    {
        const T earlier = before(place, value, operation, aggregate);
        result = Threads::rank() == 0 ? value : operation(earlier, value);
    }
    template <typename Operation>
    void exclusive(
        Place place, const T& value, T& result, const T& initial, Operation operation, T* aggregate)
    {
        const T earlier = before(place, value, operation, aggregate);
        result = Threads::rank() == 0 ? initial : operation(initial, earlier);
    }

public:
    using TempStorage = typename Base::TempStorage;
    Scan() : Base(Base::own_storage()) {}
    Scan(TempStorage& storage) : Base(storage) {}

    template <typename Operation>
    void InclusiveScan(const T& value, T& result, Operation operation, GPUCNN_WHERE)
    {
        inclusive(GPUCNN_PLACE("InclusiveScan"), value, result, operation, nullptr);
    }
    template <typename Operation>
    void InclusiveScan(const T& value, T& result, Operation operation, T& aggregate, GPUCNN_WHERE)
    {
        inclusive(GPUCNN_PLACE("InclusiveScan"), value, result, operation, &aggregate);
    }
    template <typename Operation>
    void ExclusiveScan(
        const T& value, T& result, const T& initial, Operation operation, GPUCNN_WHERE)
    {
        exclusive(GPUCNN_PLACE("ExclusiveScan"), value, result, initial, operation, nullptr);
    }
    template <typename Operation>
    void ExclusiveScan(
        const T& value, T& result, const T& initial, Operation operation, T& aggregate,
        GPUCNN_WHERE)
    {
        exclusive(GPUCNN_PLACE("ExclusiveScan"), value, result, initial, operation, &aggregate);
    }
    void InclusiveSum(const T& value, T& result, GPUCNN_WHERE)
    {
        InclusiveScan(value, result, cub::Sum(), file, line);
    }
    void InclusiveSum(const T& value, T& result, T& aggregate, GPUCNN_WHERE)
    {
        InclusiveScan(value, result, cub::Sum(), aggregate, file, line);
    }
    void ExclusiveSum(const T& value, T& result, GPUCNN_WHERE)
    {
        ExclusiveScan(value, result, T(0), cub::Sum(), file, line);
    }
    void ExclusiveSum(const T& value, T& result, T& aggregate, GPUCNN_WHERE)
    {
        ExclusiveScan(value, result, T(0), cub::Sum(), aggregate, file, line);
    }

    // Of several items of each thread.
    template <int count, typename Operation>
    void InclusiveScan(
        T (&items)[count], T (&results)[count], Operation operation, GPUCNN_WHERE)
    {
        T sum = before(
            GPUCNN_PLACE("InclusiveScan"), folded_items(items, operation), operation, nullptr);
        for (int i = 0; i < count; i++)
            results[i] = sum = i == 0 && Threads::rank() == 0 ? items[0] : operation(sum, items[i]);
    }
    template <int count, typename Operation>
    void ExclusiveScan(
        T (&items)[count], T (&results)[count], const T& initial, Operation operation,
        GPUCNN_WHERE)
    {
        T sum;
        exclusive(
            GPUCNN_PLACE("ExclusiveScan"), folded_items(items, operation), sum, initial, operation,
            nullptr);
        for (int i = 0; i < count; i++) {
            const T item = items[i];  // the two arrays may be one
            results[i] = sum;
            sum = operation(sum, item);
        }
    }
    template <int count>
    void InclusiveSum(T (&items)[count], T (&results)[count], GPUCNN_WHERE)
    {
        InclusiveScan(items, results, cub::Sum(), file, line);
    }
    template <int count>
    void ExclusiveSum(T (&items)[count], T (&results)[count], GPUCNN_WHERE)
    {
        ExclusiveScan(items, results, T(0), cub::Sum(), file, line);
    }
};

}  // namespace gpucnn_simulator

namespace cub {

enum BlockScanAlgorithm { BLOCK_SCAN_RAKING, BLOCK_SCAN_RAKING_MEMOIZE, BLOCK_SCAN_WARP_SCANS };

template <
    typename T, int size_x, BlockScanAlgorithm = BLOCK_SCAN_RAKING, int size_y = 1, int size_z = 1>
struct BlockScan
    : gpucnn_simulator::Scan<T, gpucnn_simulator::BlockThreads<size_x, size_y, size_z>> {
    using Base = gpucnn_simulator::Scan<T, gpucnn_simulator::BlockThreads<size_x, size_y, size_z>>;
    using Base::Base;
};

template <typename T, int width = 32>
struct WarpScan : gpucnn_simulator::Scan<T, gpucnn_simulator::WarpThreads<width>> {
    using Base = gpucnn_simulator::Scan<T, gpucnn_simulator::WarpThreads<width>>;
    using Base::Base;
};

}  // namespace cub
