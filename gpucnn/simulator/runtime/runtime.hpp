// The interface between kernels and the scheduler of their threads.
//
// This file, cuda.hpp and its includes use no header of the standard library but a short one, so that
// they compile quickly and leave the global namespace to CUDA's names.
#pragma once

// GCC tells the column of a call by std::source_location, which C++17's library does not have.
#if __has_builtin(__builtin_COLUMN)
#define GPUCNN_COLUMN __builtin_COLUMN()
#elif __cplusplus > 201703L
#include <source_location>
#define GPUCNN_COLUMN std::source_location::current().column()
#else
namespace std {
struct source_location {
    struct __impl {
        const char* _M_file_name;
        const char* _M_function_name;
        unsigned _M_line, _M_column;
    };
};
}  // namespace std
#define GPUCNN_COLUMN                                                                              \
    ((const std::source_location::__impl*)__builtin_source_location())->_M_column
#endif

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
    constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
};

// The scheduler is a separate library, shared by all modules of a process.
namespace [[gnu::visibility("default")]] gpucnn_simulator {

// To a kernel its own are constant: its compiler may keep them, and calls no hook to read them.
#if defined(GPUCNN_SCHEDULER)
#define GPUCNN_OWN(type) extern __thread type
#else
#define GPUCNN_OWN(type) extern __thread type const
#endif
GPUCNN_OWN(uint3) threadIdx;
GPUCNN_OWN(uint3) blockIdx;
GPUCNN_OWN(dim3) blockDim;
GPUCNN_OWN(dim3) gridDim;
GPUCNN_OWN(dim3) group_dim;  // the blocks of a group, which live at once
GPUCNN_OWN(bool) is_cooperative;  // whether all blocks of the grid are a group
GPUCNN_OWN(int) lane;  // of the thread in its warp
GPUCNN_OWN(bool) is_in_turn;  // whether all blocks that precede the running one have ended
GPUCNN_OWN(void*) dynamic_shared __asm__("gpucnn_dynamic_shared");

// The running block's memory of static size that is known by `key`.
void* shared_memory(const void* key, unsigned long size);

// A line of the source, and the place of a call in it. By default those of the outermost call of which
// it is a default argument.
struct Line {
    int number;
    unsigned column;
    Line(int number = __builtin_LINE(), unsigned column = GPUCNN_COLUMN)
        : number(number), column(column)
    {
    }
};

// A position in the source, and the function that a thread waits in there.
struct Place {
    const char* function;
    const char* file;
    Line line;
};

// Waits for all threads of the block; returns the number of them whose `predicate` is not 0.
int wait_for_block(Place place, int predicate);

// Waits for all blocks of the group.
void wait_for_group(Place place);

// Waits for the running thread's part of the block, of which each has `size` threads; returns the
// `value` of the thread `source` of the part, or, if that is -1, the number of those that are not 0.
unsigned long long wait_for_part(
    Place place, unsigned size, bool orders_memory, unsigned long long value, int source);

// What lies in the shared memory of the block of a rank in the group as `address` does in the running
// one's.
void* shared_memory_of(Place place, unsigned rank, const void* address);

// Waits for the lanes in `mask`.
void wait_for_warp(Place place, unsigned mask);

// Waits for the lanes in `mask`; returns the mask of those whose `predicate` is not 0.
unsigned vote(Place place, unsigned mask, int predicate);

// Waits for the lanes in `mask`; returns the `value` of lane `source`.
unsigned long long shuffle(Place place, unsigned mask, unsigned long long value, int source);

// Waits for the lanes of the warp that come to the same place, as long as any can; returns their mask.
unsigned active_lanes(Place place);

// Waits until all blocks that precede the running one have ended, unless the memory at `address` is
// its own. So what blocks do with it atomically has the same results, however many run at once.
void wait_for_turn(const void* address);

// Ends the launch with an error.
[[noreturn]] void fail(Place place, const char* text);

// A barrier with phases, in memory of the kernel; of 8 bytes, as on a device.
struct alignas(8) Barrier {
    unsigned long long expected : 21;  // arrivals in each phase
    unsigned long long left : 21;      // of the running one
    unsigned long long phase : 22;
};
void begin_barrier(Barrier* barrier, unsigned expected);

// Arrives `count` times; of each later phase `dropped` fewer arrivals are expected. Returns the phase.
unsigned arrive(Place place, Barrier* barrier, unsigned count, unsigned dropped);

// Waits for the end of a phase, or of any with the same last bit.
void wait_for_phase(Place place, Barrier* barrier, unsigned phase);

// Copies `size` bytes and fills with 0 up to `filled`: when the running thread waits for it, or, if
// there is a barrier, when its phase ends.
void copy_later(
    void* to, const void* from, unsigned long size, unsigned long filled, Barrier* barrier);

// Makes a stage of the running thread's copies since the last one.
void end_stage();

// Waits for the stages of the running thread, but not for the `later` latest.
void wait_for_stages(unsigned long later);

// A memory fence, before which a block waits for its turn. Threads run by turns, so only blocks and the
// thread sanitizer need it.
void fence();

// A parameter of a kernel.
struct Parameter {
    const char* type;  // of the element, for a pointer
    int pointer;       // whether it is a pointer
    int constant;      // whether it is a pointer to const
    int kind;          // NumPy's letter: f, i, u, b; V for any other type, and 0 for void
    int size;          // bytes of an element, or of its component if it is a vector
    int alignment;     // bytes
};

struct Kernel {
    void (*call)(void**);
    const Parameter* parameters;
    int parameter_count;
    int largest_block;  // threads, by __launch_bounds__, or 0
    dim3 cluster;       // blocks, by __cluster_dims__
};

}  // namespace gpucnn_simulator
