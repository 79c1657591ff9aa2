// Copies in the background by cooperative groups; each is a stage.
#pragma once

#include <cooperative_groups.h>

#include "../../language/copies.hpp"

namespace cooperative_groups {

template <typename Group, typename T>
GPUCNN_COPYING void memcpy_async(const Group& group, T* to, const T* from, size_t bytes)
{
    gpucnn_simulator::copy_by(group, to, from, bytes, nullptr);
    gpucnn_simulator::end_stage();
}

// As many elements as there are in both.
template <typename Group, typename T>
GPUCNN_COPYING void memcpy_async(
    const Group& group, T* to, size_t to_count, const T* from, size_t from_count)
{
    memcpy_async(group, to, from, sizeof(T) * (to_count < from_count ? to_count : from_count));
}

template <typename Group> inline void wait(const Group& group, GPUCNN_WHERE)
{
    gpucnn_simulator::wait_for_stages(0);
    group.sync(file, line);
}
template <unsigned stages, typename Group>
inline void wait_prior(const Group& group, GPUCNN_WHERE)
{
    gpucnn_simulator::wait_for_stages(stages);
    group.sync(file, line);
}

}  // namespace cooperative_groups
