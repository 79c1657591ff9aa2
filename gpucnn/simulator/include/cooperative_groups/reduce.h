// Reductions and scans of cooperative groups of lanes.
#pragma once

#include <cooperative_groups.h>

namespace cooperative_groups {

template <typename T = void> struct plus {
    T operator()(T a, T b) const { return a + b; }
};
template <typename T = void> struct less {
    T operator()(T a, T b) const { return b < a ? b : a; }
};
template <typename T = void> struct greater {
    T operator()(T a, T b) const { return a < b ? b : a; }
};
template <typename T = void> struct bit_and {
    T operator()(T a, T b) const { return a & b; }
};
template <typename T = void> struct bit_or {
    T operator()(T a, T b) const { return a | b; }
};
template <typename T = void> struct bit_xor {
    T operator()(T a, T b) const { return a ^ b; }
};

template <typename Group, typename T, typename Operation>
inline T reduce(const Group& group, T value, Operation operation, GPUCNN_WHERE)
{
    T result = group.shfl(value, 0, file, line);
    for (unsigned rank = 1; rank < group.size(); rank++)
        result = operation(result, group.shfl(value, rank, file, line));
    return result;
}

template <typename Group, typename T, typename Operation>
inline T inclusive_scan(const Group& group, T value, Operation operation, GPUCNN_WHERE)
{
    T result = value;
    for (unsigned distance = 1; distance < group.size(); distance *= 2) {
        const T below = group.shfl_up(result, distance, file, line);
        if (group.thread_rank() >= distance) result = operation(below, result);
    }
    return result;
}
template <typename Group, typename T>
inline T inclusive_scan(const Group& group, T value, GPUCNN_WHERE)
{
    return inclusive_scan(group, value, plus<T>(), file, line);
}
template <typename Group, typename T, typename Operation>
inline T exclusive_scan(const Group& group, T value, Operation operation, GPUCNN_WHERE)
{
    const T below = group.shfl_up(
        inclusive_scan(group, value, operation, file, line), 1, file, line);
    return group.thread_rank() == 0 ? T() : below;
}
template <typename Group, typename T>
inline T exclusive_scan(const Group& group, T value, GPUCNN_WHERE)
{
    return exclusive_scan(group, value, plus<T>(), file, line);
}

}  // namespace cooperative_groups
