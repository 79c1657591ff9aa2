// What the scheduler's parts share: the running launch, and what each worker has of it.
//
// A worker is a thread of the host that runs groups of blocks, one after another; the variables `worker`
// and `block` are its own. The blocks of a group live at once: a group is one block, a
// cluster, or all.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "runtime.hpp"

#include <pthread.h>
#include <stddef.h>
#include <time.h>

#include <atomic>
#include <vector>

namespace gpucnn_simulator {

// An argument that is an array, as in launches.py.
struct Array {
    const char* begin;
    size_t size;       // bytes
    unsigned element;  // bytes
    int argument;      // its place
};

// As in launches.py.
struct Launch {
    const Kernel* kernel;
    const char* name;
    void** arguments;
    unsigned grid[3];
    unsigned block[3];
    unsigned group[3];  // of blocks: one, a cluster, or all if it is cooperative
    int is_cooperative;
    size_t dynamic_shared;  // bytes
    int order;              // one of Order
    unsigned long long seed;
    const long long* blocks;  // linear indices, or null for all
    unsigned long long block_count;
    const Array* arrays;  // that do not overlap, by their addresses
    size_t array_count;
    int is_strict;         // whether what lies in no array is out of bounds
    int is_checked;        // whether the kernel was compiled with a call before each access
    int is_interruptible;  // whether Ctrl-C ends it
    int worker_count;      // the most workers
    char* message;
    size_t message_size;
    struct Counting* counting;  // null if accesses are not counted
};

enum Outcome { DONE, FAILED, INTERRUPTED };  // of a launch, as in launches.py

namespace {

constexpr unsigned MOST_THREADS = 1024;  // of a block
constexpr unsigned WARP = 32;
constexpr unsigned MOST_SHARED_MEMORIES = 1024;  // of a block

struct Fiber;

// For whom a thread waits.
enum class Others : unsigned char {
    LANES,            // those of its mask
    LANES_THAT_COME,  // those of its warp that come to the same place, as long as any can
    PART,             // the threads of its part of the block
    BLOCK,
    GROUP,  // the blocks that live at once
};

// The operation that a thread waits in.
struct Wait {
    Place place;
    Fiber* fiber;
    Others others;
    unsigned mask;             // of a warp's operation, or 0
    unsigned part_size;        // threads of a part
    int source;                // the lane that a shuffle reads, or -1
    bool orders_memory;        // true for barriers, false for shuffles and votes
    unsigned long long value;  // a shuffle's operand, or whether the predicate is true
    unsigned long long result;
};

struct Warp {
    unsigned ended;    // lanes that have returned or do not exist
    unsigned waiting;  // lanes that wait for other lanes
};

struct SharedMemory {
    const void* key;  // of the declaration; null for the dynamic one
    char* begin;
    size_t size;   // bytes
    bool is_used;  // by the block
};

// A copy in the background.
struct Copy {
    char* to;
    const char* from;
    size_t size, filled;  // bytes; what is filled after them is 0
    Barrier* barrier;     // whose phase it is bound to, or null
    const void* pc;       // where it began
};

// Those of a thread, so that the thread sanitizer sees no other thread in their memory.
struct Copies {
    std::vector<Copy> pending;
    std::vector<size_t> stages;  // how many of them are in each stage and those before it
    std::vector<Copy> bound;     // to the phases of barriers
};

struct PhaseWait {
    unsigned thread;
    Place place;
    Barrier* barrier;
};

struct Block {
    uint3 index;
    unsigned rank;  // in its group
    unsigned thread_order[MOST_THREADS];
    unsigned next_in_order;  // position in thread_order of the next thread to start
    unsigned live;           // threads that have not returned
    bool waits_for_group;    // whether all that are live do

    Wait waits[MOST_THREADS];
    Warp warps[MOST_THREADS / WARP];

    unsigned out_of_turn[MOST_THREADS];  // threads that wait until the blocks before have ended
    unsigned out_of_turn_count;

    unsigned ready[MOST_THREADS];  // ring buffer of the threads that are ready to resume
    unsigned ready_begin, ready_count;

    PhaseWait phase_waits[MOST_THREADS];
    unsigned phase_wait_count;
    Copies copies[MOST_THREADS];
    bool has_copies;  // whether any thread has begun one

    int true_predicates;
    int result;  // of the latest barrier

    bool is_acquired;  // whether it has performed an atomic operation in global memory

    // First the dynamic one, then the static ones, in the order in which they were used first.
    SharedMemory shared_memories[MOST_SHARED_MEMORIES];
    unsigned shared_memory_count;
    char* shared_area;  // in which all lie
    char* static_end;   // of what is handed out

    unsigned first_fiber;  // that of its first thread, under the thread sanitizer
};

using Position = unsigned long long;  // of a group, in the order in which they run
constexpr Position NOWHERE = ~0ull;

struct Worker {
    unsigned number;
    pthread_t thread;
    std::atomic<Position> position;  // of the running group, or NOWHERE
    std::atomic<bool> must_stop;     // whether its running group is to be ended
    Outcome outcome;                 // of its groups
    char message[1500];              // if that is not DONE

    std::vector<Block*> blocks;  // of the running group
    unsigned place;              // of the running block among them

    unsigned running;  // thread of the block
    Fiber* running_fiber;
    Fiber* host;                 // its own stack
    Fiber* idle_fibers;          // those without a parked thread
    std::vector<Fiber*> fibers;  // all

    unsigned long long random_state;
    double waited;  // seconds, for its turn, in this launch
    char signal_stack[128 * 1024];
};

Launch launch;
uint3 thread_indices[MOST_THREADS];
unsigned thread_count;

constexpr unsigned MOST_WORKERS = 64;

Worker* workers[MOST_WORKERS];  // the first is that of the thread that launches
std::atomic<unsigned> workers_made;

__thread Worker* worker;  // null outside of a launch
__thread Block* block;

double seconds()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

}  // namespace
}  // namespace gpucnn_simulator
