// CUDA's cooperative groups: of lanes of a warp, of a block, of a cluster, and of the grid.
#pragma once

namespace cooperative_groups {

inline unsigned long long linear(dim3 index, dim3 size)
{
    return index.x + (unsigned long long)size.x * (index.y + (unsigned long long)size.y * index.z);
}
inline unsigned volume(dim3 size) { return size.x * size.y * size.z; }

// What groups shuffle may be a structure: its words are shuffled, one after the other.
template <typename T, typename Shuffle> inline T by_words(T value, Shuffle shuffle)
{
    if constexpr (__is_class(T) && sizeof(T) % 4 == 0) {
        unsigned words[sizeof(T) / 4];
        __builtin_memcpy(words, &value, sizeof(T));
        for (unsigned& word : words) word = shuffle(word);
        __builtin_memcpy((void*)&value, words, sizeof(T));
        return value;
    } else
        return shuffle(value);
}

class thread_block {
public:
    static void sync(GPUCNN_WHERE) { __syncthreads(file, line); }
    // Between these two a thread need not wait. Here it waits in the second, for all of them.
    struct arrival_token {};
    static arrival_token barrier_arrive() { return {}; }
    static void barrier_wait(arrival_token&&, GPUCNN_WHERE) { __syncthreads(file, line); }
    static unsigned thread_rank() { return (unsigned)linear(threadIdx, blockDim); }
    static unsigned num_threads() { return volume(blockDim); }
    static unsigned size() { return num_threads(); }
    static dim3 group_index() { return blockIdx; }
    static dim3 thread_index() { return threadIdx; }
    static dim3 group_dim() { return blockDim; }
    static dim3 dim_threads() { return blockDim; }
};

class grid_group {
public:
    static bool is_valid() { return gpucnn_simulator::is_cooperative; }
    static void sync(GPUCNN_WHERE)
    {
        const auto place = GPUCNN_PLACE("grid.sync()");
        if (!is_valid())
            gpucnn_simulator::fail(
                place,
                "waits for all blocks, which do not live at once: launch it cooperatively, in CuPy "
                "with enable_cooperative_groups=True");
        gpucnn_simulator::wait_for_group(place);
    }
    struct arrival_token {};
    static arrival_token barrier_arrive() { return {}; }
    static void barrier_wait(arrival_token&&, GPUCNN_WHERE) { sync(file, line); }
    static unsigned long long thread_rank()
    {
        return block_rank() * volume(blockDim) + thread_block::thread_rank();
    }
    static unsigned long long num_threads() { return num_blocks() * volume(blockDim); }
    static unsigned long long size() { return num_threads(); }
    static unsigned long long block_rank() { return linear(blockIdx, gridDim); }
    static unsigned long long num_blocks()
    {
        return (unsigned long long)gridDim.x * gridDim.y * gridDim.z;
    }
    static dim3 block_index() { return blockIdx; }
    static dim3 dim_blocks() { return gridDim; }
    static dim3 group_dim() { return gridDim; }
};

// The blocks of a cluster, by __cluster_dims__; one, if the kernel has none.
class cluster_group {
    static dim3 size_in_blocks()
    {
        return gpucnn_simulator::is_cooperative ? dim3() : gpucnn_simulator::group_dim;
    }

public:
    static void sync(GPUCNN_WHERE)
    {
        if (gpucnn_simulator::is_cooperative) return __syncthreads(file, line);
        gpucnn_simulator::wait_for_group(GPUCNN_PLACE("cluster.sync()"));
    }
    struct arrival_token {};
    static arrival_token barrier_arrive() { return {}; }
    static void barrier_wait(GPUCNN_WHERE) { sync(file, line); }
    static void barrier_wait(arrival_token&&, GPUCNN_WHERE) { sync(file, line); }
    static dim3 dim_blocks() { return size_in_blocks(); }
    static dim3 dim_threads()
    {
        const dim3 size = size_in_blocks();
        return dim3(size.x * blockDim.x, size.y * blockDim.y, size.z * blockDim.z);
    }
    static dim3 block_index()
    {
        const dim3 size = size_in_blocks();
        return dim3(blockIdx.x % size.x, blockIdx.y % size.y, blockIdx.z % size.z);
    }
    static dim3 thread_index()
    {
        const dim3 block = block_index();
        return dim3(
            block.x * blockDim.x + threadIdx.x, block.y * blockDim.y + threadIdx.y,
            block.z * blockDim.z + threadIdx.z);
    }
    static unsigned num_blocks() { return volume(size_in_blocks()); }
    static unsigned block_rank() { return (unsigned)linear(block_index(), size_in_blocks()); }
    static unsigned num_threads() { return num_blocks() * volume(blockDim); }
    static unsigned size() { return num_threads(); }
    static unsigned thread_rank()
    {
        return block_rank() * volume(blockDim) + thread_block::thread_rank();
    }
    // What lies in another block's shared memory as `address` does in the running one's.
    template <typename T> static T* map_shared_rank(T* address, int rank, GPUCNN_WHERE)
    {
        return (T*)gpucnn_simulator::shared_memory_of(
            GPUCNN_PLACE("map_shared_rank"), (unsigned)rank, address);
    }
};

inline thread_block this_thread_block() { return {}; }
inline cluster_group this_cluster() { return {}; }
inline grid_group this_grid() { return {}; }

// Some lanes of a warp, whose ranks are their order.
class coalesced_group {
    unsigned mask;

    // The lane of a rank.
    int lane_of(unsigned rank) const
    {
        unsigned left = mask;
        while (rank-- > 0) left &= left - 1;
        return __ffs((int)left) - 1;
    }

public:
    explicit coalesced_group(unsigned mask) : mask(mask) {}
    void sync(GPUCNN_WHERE) const { __syncwarp(mask, file, line); }
    unsigned num_threads() const { return (unsigned)__popc(mask); }
    unsigned size() const { return num_threads(); }
    unsigned thread_rank() const
    {
        return (unsigned)__popc(mask & ((1u << gpucnn_simulator::lane) - 1));
    }
    template <typename T> T shfl(T value, unsigned rank, GPUCNN_WHERE) const
    {
        return by_words(value, [&](auto word) {
            return __shfl_sync(mask, word, lane_of(rank % size()), 32, file, line);
        });
    }
    template <typename T> T shfl_up(T value, unsigned distance, GPUCNN_WHERE) const
    {
        const unsigned rank = thread_rank();
        return shfl(value, distance <= rank ? rank - distance : rank, file, line);
    }
    template <typename T> T shfl_down(T value, unsigned distance, GPUCNN_WHERE) const
    {
        const unsigned rank = thread_rank();
        return shfl(value, rank + distance < size() ? rank + distance : rank, file, line);
    }
    int any(int predicate, GPUCNN_WHERE) const { return __any_sync(mask, predicate, file, line); }
    int all(int predicate, GPUCNN_WHERE) const { return __all_sync(mask, predicate, file, line); }
    unsigned ballot(int predicate, GPUCNN_WHERE) const
    {
        const unsigned lanes = __ballot_sync(mask, predicate, file, line);
        unsigned ranks = 0;
        for (unsigned rank = 0; rank < size(); rank++) ranks |= (lanes >> lane_of(rank) & 1) << rank;
        return ranks;
    }
    coalesced_group with(bool predicate, GPUCNN_WHERE) const
    {
        const unsigned lanes = __ballot_sync(mask, predicate, file, line);
        return coalesced_group(predicate ? lanes : mask & ~lanes);
    }
    template <typename T> coalesced_group labeled(T label, GPUCNN_WHERE) const
    {
        return coalesced_group(__match_any_sync(mask, label, file, line));
    }
};

// A power of two of neighbouring threads: lanes of a warp, or, below, those of several warps.
template <unsigned count, bool is_in_warp = (count <= 32)> class tile {
public:
    static unsigned thread_rank() { return (unsigned)gpucnn_simulator::lane % count; }
    static constexpr unsigned num_threads() { return count; }
    static constexpr unsigned size() { return count; }
    static unsigned mask()
    {
        return (~0u >> (32 - count)) << first();
    }
    static void sync(GPUCNN_WHERE) { __syncwarp(mask(), file, line); }
    template <typename T> static T shfl(T value, int rank, GPUCNN_WHERE)
    {
        return by_words(value, [&](auto word) {
            return __shfl_sync(mask(), word, rank, count, file, line);
        });
    }
    template <typename T> static T shfl_up(T value, unsigned distance, GPUCNN_WHERE)
    {
        return by_words(value, [&](auto word) {
            return __shfl_up_sync(mask(), word, distance, count, file, line);
        });
    }
    template <typename T> static T shfl_down(T value, unsigned distance, GPUCNN_WHERE)
    {
        return by_words(value, [&](auto word) {
            return __shfl_down_sync(mask(), word, distance, count, file, line);
        });
    }
    template <typename T> static T shfl_xor(T value, unsigned pattern, GPUCNN_WHERE)
    {
        return by_words(value, [&](auto word) {
            return __shfl_xor_sync(mask(), word, (int)pattern, count, file, line);
        });
    }
    static int any(int predicate, GPUCNN_WHERE)
    {
        return __any_sync(mask(), predicate, file, line);
    }
    static int all(int predicate, GPUCNN_WHERE)
    {
        return __all_sync(mask(), predicate, file, line);
    }
    static unsigned ballot(int predicate, GPUCNN_WHERE)
    {
        return __ballot_sync(mask(), predicate, file, line) >> first();
    }
    template <typename T> static unsigned match_any(T value, GPUCNN_WHERE)
    {
        return __match_any_sync(mask(), value, file, line) >> first();
    }
    coalesced_group with(bool predicate, GPUCNN_WHERE) const
    {
        return coalesced_group(mask()).with(predicate, file, line);
    }
    template <typename T> coalesced_group labeled(T label, GPUCNN_WHERE) const
    {
        return coalesced_group(mask()).labeled(label, file, line);
    }

private:
    static unsigned first() { return (unsigned)gpucnn_simulator::lane / count * count; }
};

template <unsigned count> class tile<count, false> {
    template <typename T> static unsigned long long bits_of(T value)
    {
        static_assert(sizeof(T) <= 8, "the simulator does not have shuffles of more than 8 bytes");
        unsigned long long bits = 0;
        __builtin_memcpy(&bits, &value, sizeof(T));
        return bits;
    }
    static unsigned true_predicates(gpucnn_simulator::Place place, int predicate)
    {
        return (unsigned)gpucnn_simulator::wait_for_part(place, count, false, predicate != 0, -1);
    }

public:
    static unsigned thread_rank() { return thread_block::thread_rank() % count; }
    static unsigned num_threads()
    {
        const unsigned left = thread_block::size() - thread_block::thread_rank() / count * count;
        return left < count ? left : count;
    }
    static unsigned size() { return num_threads(); }
    static void sync(GPUCNN_WHERE)
    {
        gpucnn_simulator::wait_for_part(GPUCNN_PLACE("tile.sync()"), count, true, 0, -1);
    }
    template <typename T> static T shfl(T value, unsigned rank, GPUCNN_WHERE)
    {
        const unsigned long long bits = gpucnn_simulator::wait_for_part(
            GPUCNN_PLACE("tile.shfl()"), count, false, bits_of(value), (int)(rank % size()));
        __builtin_memcpy(&value, &bits, sizeof(T));
        return value;
    }
    static int any(int predicate, GPUCNN_WHERE)
    {
        return true_predicates(GPUCNN_PLACE("tile.any()"), predicate) != 0;
    }
    static int all(int predicate, GPUCNN_WHERE)
    {
        return true_predicates(GPUCNN_PLACE("tile.all()"), !predicate) == 0;
    }
};

template <typename Parent> struct Partitioned {
    using Type = Parent;
};
template <> struct Partitioned<void> {
    using Type = thread_block;
};

template <unsigned count, typename Parent = void> class thread_block_tile : public tile<count> {
    static_assert(
        count > 0 && count <= 1024 && (count & (count - 1)) == 0,
        "the size of a tile is a power of two, of at most 1024");
    using Whole = typename Partitioned<Parent>::Type;

public:
    thread_block_tile() = default;
    template <typename Other> thread_block_tile(const thread_block_tile<count, Other>&) {}
    // Among the tiles of what was partitioned.
    static unsigned meta_group_rank() { return Whole::thread_rank() / count; }
    static unsigned meta_group_size() { return (Whole::size() + count - 1) / count; }
};

// Memory that a device needs for tiles of more than 32 threads.
template <unsigned threads = 1024> struct block_tile_memory {
    char bytes[threads / 32 * 8];
};
template <unsigned threads> inline thread_block this_thread_block(block_tile_memory<threads>&)
{
    return {};
}

// Any of these groups, as it is passed to a function that takes all kinds.
class thread_group {
    unsigned mask;  // of lanes, or 0 for the block

public:
    thread_group(const thread_block&) : mask(0) {}
    template <unsigned count> thread_group(const tile<count, true>& tile) : mask(tile.mask())
    {
    }
    explicit thread_group(unsigned mask) : mask(mask) {}
    void sync(GPUCNN_WHERE) const
    {
        if (mask == 0)
            __syncthreads(file, line);
        else
            __syncwarp(mask, file, line);
    }
    unsigned size() const { return mask ? (unsigned)__popc(mask) : thread_block::size(); }
    unsigned num_threads() const { return size(); }
    unsigned thread_rank() const
    {
        return mask ? coalesced_group(mask).thread_rank() : thread_block::thread_rank();
    }
};

inline thread_group tiled_partition(const thread_group&, unsigned count)
{
    const unsigned first = (unsigned)gpucnn_simulator::lane / count * count;
    return thread_group((~0u >> (32 - count)) << first);
}
template <unsigned count, typename Parent>
inline thread_block_tile<count, Parent> tiled_partition(const Parent&)
{
    return {};
}
inline coalesced_group coalesced_threads(GPUCNN_WHERE)
{
    return coalesced_group(gpucnn_simulator::active_lanes(GPUCNN_PLACE("coalesced_threads")));
}
template <typename Group>
inline coalesced_group binary_partition(const Group& group, bool predicate, GPUCNN_WHERE)
{
    return group.with(predicate, file, line);
}
template <typename Group, typename T>
inline coalesced_group labeled_partition(const Group& group, T label, GPUCNN_WHERE)
{
    return group.labeled(label, file, line);
}

template <typename Group> inline void sync(const Group& group, GPUCNN_WHERE)
{
    group.sync(file, line);
}
template <typename Group> inline unsigned thread_rank(const Group& group)
{
    return group.thread_rank();
}
template <typename Group> inline unsigned group_size(const Group& group) { return group.size(); }

}  // namespace cooperative_groups
