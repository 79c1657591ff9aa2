// CUB's sort of the items of a block, which is stable. Each thread finds the ranks of its items.
#pragma once

#include "common.hpp"

namespace gpucnn_simulator {

// The bits of a key in an order that is that of its numbers; 0 and -0 are one.
template <typename Key> inline unsigned long long sortable(Key key)
{
    constexpr int bits = 8 * sizeof(Key);
    constexpr unsigned long long sign = 1ull << (bits - 1), all = ~0ull >> (64 - bits);
    if (key == Key(0)) key = Key(0);
    unsigned long long found = 0;
    __builtin_memcpy(&found, &key, sizeof(Key));
    if constexpr (is_integer<Key>)
        return (Key)-1 < (Key)0 ? found ^ sign : found;
    else
        return found & sign ? ~found & all : found | sign;
}

}  // namespace gpucnn_simulator

namespace cub {

template <
    typename Key, int size_x, int count, typename Value = NullType, int = 4, bool = true,
    int = 0, int = 0, int size_y = 1, int size_z = 1>
class BlockRadixSort {
    using Threads = gpucnn_simulator::BlockThreads<size_x, size_y, size_z>;
    static constexpr int total = Threads::count * count;

public:
    struct TempStorage {
        Key keys[total];
        Value values[total];
    };
    BlockRadixSort() : storage(own_storage()) {}
    BlockRadixSort(TempStorage& storage) : storage(storage) {}

#define GPUCNN_SORT(name, is_descending, is_striped)                                               \
    void name(                                                                                     \
        Key (&keys)[count], int begin_bit = 0, int end_bit = 8 * sizeof(Key), GPUCNN_WHERE)        \
    {                                                                                              \
        Value values[count];                                                                       \
        name(keys, values, begin_bit, end_bit, file, line);                                        \
    }                                                                                              \
    void name(                                                                                     \
        Key (&keys)[count], Value (&values)[count], int begin_bit = 0,                             \
        int end_bit = 8 * sizeof(Key), GPUCNN_WHERE)                                               \
    {                                                                                              \
        sort(GPUCNN_PLACE(#name), keys, values, begin_bit, end_bit, is_descending, is_striped);    \
    }
    GPUCNN_SORT(Sort, false, false)
    GPUCNN_SORT(SortDescending, true, false)
    GPUCNN_SORT(SortBlockedToStriped, false, true)
    GPUCNN_SORT(SortDescendingBlockedToStriped, true, true)
#undef GPUCNN_SORT

private:
    TempStorage& storage;

    static TempStorage& own_storage()
    {
        __shared__ TempStorage storage;
        return storage;
    }

    void sort(
        gpucnn_simulator::Place place, Key* keys, Value* values, int begin_bit, int end_bit,
        bool is_descending, bool is_striped)
    {
        const int first = Threads::rank() * count;
        for (int i = 0; i < count; i++)
            storage.keys[first + i] = keys[i], storage.values[first + i] = values[i];
        Threads::meet(place);
        const unsigned long long mask = ~0ull >> (64 - (end_bit - begin_bit));
        const auto bits_of = [=](Key key) {
            const unsigned long long bits = gpucnn_simulator::sortable(key) >> begin_bit & mask;
            return is_descending ? ~bits : bits;
        };
        int ranks[count] = {};
        for (int other = 0; other < total; other++) {
            const unsigned long long bits = bits_of(storage.keys[other]);
            for (int i = 0; i < count; i++) {
                const unsigned long long own = bits_of(keys[i]);
                ranks[i] += bits < own || (bits == own && other < first + i);
            }
        }
        Threads::meet(place);
        for (int i = 0; i < count; i++)
            storage.keys[ranks[i]] = keys[i], storage.values[ranks[i]] = values[i];
        Threads::meet(place);
        for (int i = 0; i < count; i++) {
            const int item = is_striped ? Threads::rank() + i * Threads::count : first + i;
            keys[i] = storage.keys[item], values[i] = storage.values[item];
        }
    }
};

}  // namespace cub
