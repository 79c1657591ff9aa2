// What the scheduler's parts share: the running launch, its code, and its threads.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "runtime.hpp"

#include <stddef.h>

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
    char* message;
    size_t message_size;
    struct Counting* counting;  // null if accesses are not counted
};

enum Outcome { DONE, FAILED, INTERRUPTED };  // of a launch, as in launches.py

namespace {

constexpr unsigned MOST_THREADS = 1024;  // of a block
constexpr unsigned WARP = 32;

Launch launch;
Outcome outcome;

uint3 thread_indices[MOST_THREADS];
unsigned thread_count;
unsigned running;  // the running thread

}  // namespace
}  // namespace gpucnn_simulator
