// The order of a launch's threads and blocks: forward, reversed, or shuffled from a seed.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "state.hpp"

namespace gpucnn_simulator {
namespace {

enum Order { FORWARD, REVERSED, SHUFFLED };

int chosen_order;  // one of Order

void choose_order(int order, unsigned long long seed)
{
    chosen_order = order;
    worker->random_state = seed;
}

// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
unsigned long long random_number()
{
    unsigned long long z = worker->random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void put_in_order(unsigned* items, unsigned count)
{
    if (chosen_order == FORWARD) return;
    for (unsigned i = count; i > 1; i--) {
        if (chosen_order == REVERSED && i <= (count + 1) / 2) return;
        const unsigned j = chosen_order == REVERSED ? count - i : random_number() % i;
        const unsigned item = items[i - 1];
        items[i - 1] = items[j];
        items[j] = item;
    }
}

unsigned long long common_divisor(unsigned long long a, unsigned long long b)
{
    return b == 0 ? a : common_divisor(b, a % b);
}

// The order of any number of blocks, as a permutation: i -> (factor * i + first) mod count.
struct BlockOrder {
    unsigned long long factor = 1, first = 0, count;

    explicit BlockOrder(unsigned long long count) : count(count)
    {
        if (chosen_order == REVERSED) factor = count - 1, first = count - 1;
        if (chosen_order != SHUFFLED) return;
        first = random_number() % count;
        do factor = random_number() % count;
        while (common_divisor(factor, count) != 1);
    }

    unsigned long long at(unsigned long long i) const
    {
        return (unsigned long long)(((unsigned __int128)factor * i + first) % count);
    }
};

}  // namespace
}  // namespace gpucnn_simulator
