// The order of a launch's threads and blocks: forward, reversed, or shuffled from a seed.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "state.hpp"

namespace gpucnn_simulator {
namespace {

enum Order { FORWARD, REVERSED, SHUFFLED };

// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
unsigned long long random_number()
{
    unsigned long long z = worker->random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

// Of what follows for the blocks of a number, whichever worker runs them.
void seed_order(unsigned long long number)
{
    worker->random_state = launch.seed;
    worker->random_state = random_number() + number;
}

void put_in_order(unsigned* items, unsigned count)
{
    if (launch.order == FORWARD) return;
    for (unsigned i = count; i > 1; i--) {
        if (launch.order == REVERSED && i <= (count + 1) / 2) return;
        const unsigned j = launch.order == REVERSED ? count - i : random_number() % i;
        const unsigned item = items[i - 1];
        items[i - 1] = items[j];
        items[j] = item;
    }
}

unsigned long long common_divisor(unsigned long long a, unsigned long long b)
{
    return b == 0 ? a : common_divisor(b, a % b);
}

// An order of any number of things, as a permutation: i -> (factor * i + first) mod count.
struct Permutation {
    unsigned long long factor = 1, first = 0, count = 1;

    Permutation() = default;
    explicit Permutation(unsigned long long count) : count(count)
    {
        if (launch.order == REVERSED) factor = count - 1, first = count - 1;
        if (launch.order != SHUFFLED) return;
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
