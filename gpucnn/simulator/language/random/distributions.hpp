// Distributions of the numbers of curand's generators: uniform in (0, 1], normal by Box's and Muller's
// method, and log-normal.
#pragma once

#include "../numbers/mathematics.hpp"
#include "philox.hpp"
#include "xorwow.hpp"

namespace gpucnn_simulator {

inline float uniform(unsigned x) { return (float)x * 0x1p-32f + 0x1p-33f; }
inline double uniform_of_two(unsigned x, unsigned y)
{
    return (double)(x ^ (unsigned long long)y << 21) * 0x1p-53 + 0x1p-54;
}

// Two normal numbers from two uniform ones; the second is an angle, in turns.
inline float2 box_muller(unsigned x, unsigned y)
{
    constexpr float TURN = 6.2831855f * 0x1p-32f;
    const float radius = sqrtf(-2 * logf(uniform(x))), angle = fmaf((float)y, TURN, TURN / 2);
    return {radius * sinf(angle), radius * cosf(angle)};
}
inline double2 box_muller_double(uint4 x)
{
    const double radius = sqrt(-2 * log(uniform_of_two(x.x, x.y)));
    const double half_turns = 2 * uniform_of_two(x.z, x.w);
    return {radius * sinpi(half_turns), radius * cospi(half_turns)};
}

template <typename State> inline uint4 draw_4(State* state)
{
    const unsigned x = curand(state), y = curand(state), z = curand(state);
    return {x, y, z, curand(state)};
}

// One of a pair of numbers, which the state keeps for the next call of the same kind.
enum Kept { NOTHING, NORMAL, LOG_NORMAL };
template <typename Pair, typename T> inline T one_of(Pair pair, Kept kind, int* flag, T* extra)
{
    if (*flag == kind) {
        *flag = NOTHING;
        return *extra;
    }
    const auto both = pair();
    *flag = kind;
    *extra = both.y;
    return both.x;
}

inline float2 log_normal(float2 v, float mean, float deviation)
{
    return {expf(mean + deviation * v.x), expf(mean + deviation * v.y)};
}
inline double2 log_normal(double2 v, double mean, double deviation)
{
    return {exp(mean + deviation * v.x), exp(mean + deviation * v.y)};
}

}  // namespace gpucnn_simulator

inline double curand_uniform_double(curandStateXORWOW* state)
{
    const unsigned x = curand(state);
    return gpucnn_simulator::uniform_of_two(x, curand(state));
}
inline double curand_uniform_double(curandStatePhilox4_32_10* state)
{
    return curand(state) * 0x1p-32 + 0x1p-32;
}

// What both generators have.
#define GPUCNN_DISTRIBUTIONS(State)                                                                \
    inline float curand_uniform(State* state)                                                      \
    {                                                                                              \
        return gpucnn_simulator::uniform(curand(state));                                           \
    }                                                                                              \
    inline float2 curand_normal2(State* state)                                                     \
    {                                                                                              \
        const unsigned x = curand(state);                                                          \
        return gpucnn_simulator::box_muller(x, curand(state));                                     \
    }                                                                                              \
    inline double2 curand_normal2_double(State* state)                                             \
    {                                                                                              \
        return gpucnn_simulator::box_muller_double(gpucnn_simulator::draw_4(state));               \
    }                                                                                              \
    inline float curand_normal(State* state)                                                       \
    {                                                                                              \
        return gpucnn_simulator::one_of(                                                           \
            [=] { return curand_normal2(state); }, gpucnn_simulator::NORMAL,                       \
            &state->boxmuller_flag, &state->boxmuller_extra);                                      \
    }                                                                                              \
    inline double curand_normal_double(State* state)                                               \
    {                                                                                              \
        return gpucnn_simulator::one_of(                                                           \
            [=] { return curand_normal2_double(state); }, gpucnn_simulator::NORMAL,                \
            &state->boxmuller_flag_double, &state->boxmuller_extra_double);                        \
    }                                                                                              \
    inline float2 curand_log_normal2(State* state, float mean, float deviation)                    \
    {                                                                                              \
        return gpucnn_simulator::log_normal(curand_normal2(state), mean, deviation);               \
    }                                                                                              \
    inline double2 curand_log_normal2_double(State* state, double mean, double deviation)          \
    {                                                                                              \
        return gpucnn_simulator::log_normal(curand_normal2_double(state), mean, deviation);        \
    }                                                                                              \
    inline float curand_log_normal(State* state, float mean, float deviation)                      \
    {                                                                                              \
        return gpucnn_simulator::one_of(                                                           \
            [=] { return curand_log_normal2(state, mean, deviation); },                            \
            gpucnn_simulator::LOG_NORMAL, &state->boxmuller_flag, &state->boxmuller_extra);        \
    }                                                                                              \
    inline double curand_log_normal_double(State* state, double mean, double deviation)            \
    {                                                                                              \
        return gpucnn_simulator::one_of(                                                           \
            [=] { return curand_log_normal2_double(state, mean, deviation); },                     \
            gpucnn_simulator::LOG_NORMAL, &state->boxmuller_flag_double,                           \
            &state->boxmuller_extra_double);                                                       \
    }
GPUCNN_DISTRIBUTIONS(curandStateXORWOW)
GPUCNN_DISTRIBUTIONS(curandStatePhilox4_32_10)
#undef GPUCNN_DISTRIBUTIONS

// Four at once, of Philox alone.
inline uint4 curand4(curandStatePhilox4_32_10* state) { return gpucnn_simulator::draw_4(state); }
inline float4 curand_uniform4(curandStatePhilox4_32_10* state)
{
    using gpucnn_simulator::uniform;
    const uint4 x = curand4(state);
    return {uniform(x.x), uniform(x.y), uniform(x.z), uniform(x.w)};
}
inline double2 curand_uniform2_double(curandStatePhilox4_32_10* state)
{
    const uint4 x = curand4(state);
    return {
        gpucnn_simulator::uniform_of_two(x.x, x.y), gpucnn_simulator::uniform_of_two(x.z, x.w)};
}
inline float4 curand_normal4(curandStatePhilox4_32_10* state)
{
    const float2 first = curand_normal2(state), second = curand_normal2(state);
    return {first.x, first.y, second.x, second.y};
}
inline float4 curand_log_normal4(curandStatePhilox4_32_10* state, float mean, float deviation)
{
    const float2 first = curand_log_normal2(state, mean, deviation);
    const float2 second = curand_log_normal2(state, mean, deviation);
    return {first.x, first.y, second.x, second.y};
}
