// Philox4x32-10: each block of four numbers is a function of a key and a counter.
//
// Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include "../vectors.hpp"

struct curandStatePhilox4_32_10 {
    unsigned long long block, subsequence;  // the counter
    uint4 output;                           // of it
    uint2 key;
    unsigned position;  // in the output, of the next number
    int boxmuller_flag, boxmuller_flag_double;
    float boxmuller_extra;
    double boxmuller_extra_double;
};
typedef curandStatePhilox4_32_10 curandStatePhilox4_32_10_t;

namespace gpucnn_simulator {

// Goes on by a number of blocks, and computes the one that is reached.
inline void go_on(curandStatePhilox4_32_10* state, unsigned long long blocks)
{
    state->block += blocks;
    if (state->block < blocks) state->subsequence++;
    uint4 x = {
        (unsigned)state->block, (unsigned)(state->block >> 32), (unsigned)state->subsequence,
        (unsigned)(state->subsequence >> 32)};
    uint2 key = state->key;
    for (int round = 0; round < 10; round++) {
        const auto first = 0xd2511f53ull * x.x, second = 0xcd9e8d57ull * x.z;
        x = {
            (unsigned)(second >> 32) ^ x.y ^ key.x, (unsigned)second,
            (unsigned)(first >> 32) ^ x.w ^ key.y, (unsigned)first};
        key.x += 0x9e3779b9, key.y += 0xbb67ae85;
    }
    state->output = x;
}

}  // namespace gpucnn_simulator

inline void skipahead(unsigned long long count, curandStatePhilox4_32_10* state)
{
    state->position += count % 4;
    gpucnn_simulator::go_on(state, count / 4 + state->position / 4);
    state->position %= 4;
}
// Each has 2^66 numbers.
inline void skipahead_sequence(unsigned long long count, curandStatePhilox4_32_10* state)
{
    state->subsequence += count;
    gpucnn_simulator::go_on(state, 0);
}
inline void curand_init(
    unsigned long long seed, unsigned long long subsequence, unsigned long long offset,
    curandStatePhilox4_32_10* state)
{
    *state = {};
    state->key = {(unsigned)seed, (unsigned)(seed >> 32)};
    state->subsequence = subsequence;
    skipahead(offset, state);
}

inline unsigned curand(curandStatePhilox4_32_10* state)
{
    const unsigned numbers[] = {
        state->output.x, state->output.y, state->output.z, state->output.w};
    const unsigned number = numbers[state->position];
    if (++state->position == 4) {
        gpucnn_simulator::go_on(state, 1);
        state->position = 0;
    }
    return number;
}
