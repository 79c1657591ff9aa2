// Fibers, on whose stacks the threads run, and what sanitizers are told of them.
//
// They are switched by _setjmp and _longjmp, since swapcontext makes a system call each time.
// With a sanitizer they are switched by swapcontext, and the sanitizer is told. To the thread
// sanitizer, each is a thread.
//
// A part of runtime.cpp, which alone includes it.
#pragma once

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <new>

#if defined(GPUCNN_ADDRESS)
#include <sanitizer/common_interface_defs.h>
#elif defined(GPUCNN_THREAD)
// As in sanitizer/tsan_interface.h, which GCC does not install.
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

constexpr unsigned MOST_THREADS = 1024;  // of a block

constexpr size_t STACK = 256 * 1024;  // bytes; a page is used when it is first touched
constexpr size_t GUARD = 64 * 1024;   // bytes below a stack, which may not be touched

#if defined(GPUCNN_ADDRESS) || defined(GPUCNN_THREAD)
constexpr bool BY_CONTEXT = true;
#else
constexpr bool BY_CONTEXT = false;
#endif
#if defined(GPUCNN_THREAD)
constexpr unsigned NO_SYNCHRONISATION = 1;  // of fibers by being switched
// Threads that the sanitizer tells apart: so many are run before all of them are ordered, and their
// fibers used again. Races between blocks farther apart are not found. The sanitizer can know
// 8,128, and takes longer the more there are.
constexpr unsigned MOST_FIBERS = 2048;
#else
constexpr unsigned MOST_FIBERS = MOST_THREADS;
#endif

struct Fiber {
    union {
        jmp_buf jump;
        ucontext_t context;  // where fibers are switched by it
    };
    char* stack = nullptr;
    size_t stack_size = 0;
    bool begun = false;
    Fiber* next = nullptr;  // in a list
#if defined(GPUCNN_ADDRESS)
    void* fake_stack = nullptr;
#elif defined(GPUCNN_THREAD)
    void* sanitized = nullptr;
#endif
};

Fiber host;
Fiber* running_fiber;
Fiber* idle_fibers;  // with which no thread is parked
Fiber* fibers[MOST_FIBERS];
unsigned fiber_count;

void run_threads();

// A fiber lies at the top of its stack. Where that is in a page differs from fiber to fiber, so
// that the ends of their stacks, which are all that most use, do not share a few lines of cache.
Fiber* new_fiber()
{
    void* memory = mmap(
        nullptr, GUARD + STACK, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, GUARD, PROT_NONE) != 0) {
        fprintf(stderr, "gpucnn.simulator: no memory for the stacks of a block's threads\n");
        abort();
    }
    char* stack = (char*)memory + GUARD;
    const size_t shift = fiber_count * 9 % 64 * 64;
    Fiber* fiber = new (stack + STACK - shift - (sizeof(Fiber) + 63) / 64 * 64) Fiber;
    fiber->stack = stack;
    fiber->stack_size = (size_t)((char*)fiber - stack);
    return fibers[fiber_count++] = fiber;
}

#if defined(GPUCNN_ADDRESS)
// Tells the sanitizer that the stack has changed, and learns of the host's the first time.
void finish_switch(void* fake_stack)
{
    const void* stack;
    size_t size;
    __sanitizer_finish_switch_fiber(fake_stack, &stack, &size);
    if (host.stack == nullptr) host.stack = (char*)stack, host.stack_size = size;
}
#endif

void enter_fiber()
{
#if defined(GPUCNN_ADDRESS)
    finish_switch(nullptr);
#endif
    run_threads();
}

// Begins a fiber; returns when `self` is resumed, if it is by its context.
void begin(Fiber* fiber, Fiber* self)
{
    // Not in fiber->context, since ASan clears what it knows of a stack that a context names.
    ucontext_t start;
    getcontext(&start);
    start.uc_stack.ss_sp = fiber->stack;
    start.uc_stack.ss_size = fiber->stack_size;
    start.uc_link = nullptr;
    makecontext(&start, enter_fiber, 0);
    fiber->begun = true;
    if (BY_CONTEXT)
        swapcontext(&self->context, &start);
    else
        setcontext(&start);
}

// Parks the running fiber and goes on with another; returns when the parked one is resumed.
void switch_to(Fiber* fiber)
{
    Fiber* self = running_fiber;
    running_fiber = fiber;
#if defined(GPUCNN_ADDRESS)
    __sanitizer_start_switch_fiber(&self->fake_stack, fiber->stack, fiber->stack_size);
#elif defined(GPUCNN_THREAD)
    __tsan_switch_to_fiber(fiber->sanitized, NO_SYNCHRONISATION);
#endif
    if (!BY_CONTEXT && _setjmp(self->jump) != 0) return;
    if (!fiber->begun)
        begin(fiber, self);
    else if (BY_CONTEXT)
        swapcontext(&self->context, &fiber->context);
    else
        _longjmp(fiber->jump, 1);
#if defined(GPUCNN_ADDRESS)
    finish_switch(self->fake_stack);
#endif
}

void make_idle(Fiber* fiber)
{
    fiber->next = idle_fibers;
    idle_fibers = fiber;
}

// The host's code, which is a fiber too, runs.
void begin_on_host()
{
    host = Fiber();
    host.begun = true;
    running_fiber = &host;
}

// Threads that a failed launch has left in the middle are forgotten.
void forget_threads()
{
    idle_fibers = nullptr;
    for (unsigned i = 0; i < fiber_count; i++) {
        fibers[i]->begun = false;
        make_idle(fibers[i]);
    }
}

#if defined(GPUCNN_THREAD)

// Has what each(0), each(1), ... do from now on come after all that any of them has done.
template <typename Each> void synchronise(Each each, unsigned count)
{
    void* current = __tsan_get_current_fiber();
    char* meeting = (char*)malloc(1);  // an address that no other meeting has had
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
    synchronise([=](unsigned i) { return i < count ? fibers[first + i] : &host; }, count + 1);
}

// Fibers whose threads come after all that the host and the threads before them have done.
void prepare_fibers(unsigned count)
{
    host.sanitized = __tsan_get_current_fiber();
    while (fiber_count < count) new_fiber()->sanitized = __tsan_create_fiber(0);
    for (unsigned i = 0; i < count; i++) fibers[i]->begun = false;
    synchronise_with_host(0, count);
}

#endif

}  // namespace
}  // namespace gpucnn_simulator
