// Fibers, on whose stacks the threads run, and their annotations for sanitizers.
//
// Fibers are switched by the compiler's own setjmp and longjmp, which are a few instructions and no
// calls, after which the processor foresees where functions return to; where it has none, by those
// of the C library. With a sanitizer they are switched by swapcontext, and the sanitizer is
// notified. To the thread sanitizer, each fiber is a thread.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "state.hpp"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <new>

#if defined(__clang__) && !defined(__x86_64__)
#include <setjmp.h>
#define GPUCNN_SETJMP _setjmp
#define GPUCNN_LONGJMP _longjmp
using JumpBuffer = jmp_buf;
#else
#define GPUCNN_SETJMP __builtin_setjmp
#define GPUCNN_LONGJMP __builtin_longjmp
using JumpBuffer = void*[5];
#endif

#if defined(GPUCNN_ADDRESS)
#include <sanitizer/common_interface_defs.h>
#elif defined(GPUCNN_THREAD)
// Declared in sanitizer/tsan_interface.h, which GCC does not install.
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

namespace gpucnn_simulator {
namespace {

constexpr size_t STACK = 256 * 1024;  // bytes; pages are committed on first access
constexpr size_t GUARD = 64 * 1024;   // bytes of inaccessible pages below a stack

#if defined(GPUCNN_ADDRESS) || defined(GPUCNN_THREAD)
constexpr bool IS_SANITIZED = true;
#else
constexpr bool IS_SANITIZED = false;
#endif
#if defined(GPUCNN_THREAD)
constexpr unsigned NO_SYNCHRONISATION = 1;  // switching fibers does not order their accesses
// The number of threads that the sanitizer tells apart. After that many, all are ordered and their
// fibers reused, so races between blocks farther apart are not found. The sanitizer supports 8,128,
// and is slower the more there are.
constexpr unsigned MOST_FIBERS = 2048;
#else
constexpr unsigned MOST_FIBERS = MOST_THREADS;
#endif

struct Fiber {
    union {
        JumpBuffer jump;
        ucontext_t context;  // if IS_SANITIZED
    };
    char* stack = nullptr;
    size_t stack_size = 0;
    bool begun = false;
    Fiber* next = nullptr;  // in the list of idle fibers
#if defined(GPUCNN_ADDRESS)
    void* fake_stack = nullptr;
#elif defined(GPUCNN_THREAD)
    void* sanitized = nullptr;
#endif
};

void run_threads();

[[noreturn]] void give_up_memory(const char* what)
{
    fprintf(stderr, "gpucnn.simulator: no memory for %s\n", what);
    abort();
}

// A fiber is stored at the top of its stack. Its offset in the page differs from fiber to fiber:
// most threads use little stack, and would otherwise compete for the same few sets of the cache.
Fiber* new_fiber()
{
    void* memory = mmap(
        nullptr, GUARD + STACK, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, GUARD, PROT_NONE) != 0)
        give_up_memory("the stacks of a block's threads");
    char* stack = (char*)memory + GUARD;
    const size_t shift = worker->fibers.size() * 9 % 64 * 64;
    Fiber* fiber = new (stack + STACK - shift - (sizeof(Fiber) + 63) / 64 * 64) Fiber;
    fiber->stack = stack;
    fiber->stack_size = (size_t)((char*)fiber - stack);
    worker->fibers.push_back(fiber);
    return fiber;
}

#if defined(GPUCNN_ADDRESS)
// Notifies the sanitizer of the new stack; the first time, learns the host's stack from it.
void finish_switch(void* fake_stack)
{
    const void* stack;
    size_t size;
    __sanitizer_finish_switch_fiber(fake_stack, &stack, &size);
    Fiber* host = worker->host;
    if (host->stack == nullptr) host->stack = (char*)stack, host->stack_size = size;
}
#endif

void enter_fiber()
{
#if defined(GPUCNN_ADDRESS)
    finish_switch(nullptr);
#endif
    run_threads();
}

// Starts a fiber; with IS_SANITIZED, returns when `self` is resumed.
void begin(Fiber* fiber, Fiber* self)
{
    // Not fiber->context: ASan resets its state of the stack that a context refers to.
    ucontext_t start;
    getcontext(&start);
    start.uc_stack.ss_sp = fiber->stack;
    start.uc_stack.ss_size = fiber->stack_size;
    start.uc_link = nullptr;
    makecontext(&start, enter_fiber, 0);
    fiber->begun = true;
    if (IS_SANITIZED)
        swapcontext(&self->context, &start);
    else
        setcontext(&start);
}

// Parks the running fiber and resumes another; returns when the parked one is resumed.
void switch_to(Fiber* fiber)
{
    Fiber* self = worker->running_fiber;
    worker->running_fiber = fiber;
#if defined(GPUCNN_ADDRESS)
    __sanitizer_start_switch_fiber(&self->fake_stack, fiber->stack, fiber->stack_size);
#elif defined(GPUCNN_THREAD)
    __tsan_switch_to_fiber(fiber->sanitized, NO_SYNCHRONISATION);
#endif
    if (!IS_SANITIZED && GPUCNN_SETJMP(self->jump) != 0) return;
    if (!fiber->begun)
        begin(fiber, self);
    else if (IS_SANITIZED)
        swapcontext(&self->context, &fiber->context);
    else
        GPUCNN_LONGJMP(fiber->jump, 1);
#if defined(GPUCNN_ADDRESS)
    finish_switch(self->fake_stack);
#endif
}

void make_idle(Fiber* fiber)
{
    fiber->next = worker->idle_fibers;
    worker->idle_fibers = fiber;
}

// Makes the host's code the running fiber.
void begin_on_host()
{
    if (worker->host == nullptr) worker->host = new Fiber;
    *worker->host = Fiber();
    worker->host->begun = true;
    worker->running_fiber = worker->host;
}

// Makes all fibers idle, and abandons the threads that a failed launch left unfinished.
void forget_threads()
{
    worker->idle_fibers = nullptr;
    for (Fiber* fiber : worker->fibers) {
        fiber->begun = false;
        make_idle(fiber);
    }
}

// Frees the fibers that only a group of several blocks needs.
void release_fibers()
{
    if (worker->fibers.size() <= MOST_THREADS) return;
    for (size_t i = MOST_THREADS; i < worker->fibers.size(); i++)
        munmap(worker->fibers[i]->stack - GUARD, GUARD + STACK);
    worker->fibers.resize(MOST_THREADS);
    forget_threads();
}

#if defined(GPUCNN_THREAD)

// Orders all later accesses of the fibers each(0), each(1), ... after all their earlier ones.
template <typename Each> void synchronise(Each each, unsigned count)
{
    void* current = __tsan_get_current_fiber();
    char* meeting = (char*)malloc(1);  // its address identifies the synchronisation
    for (unsigned i = 0; i < count; i++) {
        __tsan_switch_to_fiber(each(i)->sanitized, NO_SYNCHRONISATION);
        __tsan_release(meeting);
    }
    for (unsigned i = 0; i < count; i++) {
        __tsan_switch_to_fiber(each(i)->sanitized, NO_SYNCHRONISATION);
        __tsan_acquire(meeting);
    }
    __tsan_switch_to_fiber(current, NO_SYNCHRONISATION);
    free(meeting);
}

void synchronise_with_host(unsigned first, unsigned count)
{
    synchronise(
        [=](unsigned i) { return i < count ? worker->fibers[first + i] : worker->host; }, count + 1);
}

// Prepares fibers for new threads, ordered after all earlier accesses of host and threads.
void prepare_fibers(unsigned count)
{
    worker->host->sanitized = __tsan_get_current_fiber();
    while (worker->fibers.size() < count) new_fiber()->sanitized = __tsan_create_fiber(0);
    for (unsigned i = 0; i < count; i++) worker->fibers[i]->begun = false;
    synchronise_with_host(0, count);
}

#endif

}  // namespace
}  // namespace gpucnn_simulator
