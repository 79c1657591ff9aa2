// Signals while a launch runs: what a kernel does that the processor refuses ends the launch with an
// error, and so does Ctrl-C.
//
// Handlers are in place only while a launch runs. What another thread of the process does, and what
// a worker does outside of its kernel, goes to the handlers that were there before.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "../errors.hpp"
#include "../shared.hpp"

#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

namespace gpucnn_simulator {
namespace {

constexpr int FAULTS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
constexpr int MOST_SIGNALS = 64;

struct sigaction earlier_handlers[MOST_SIGNALS];
stack_t earlier_stack;
pthread_t launching;
volatile sig_atomic_t is_interrupted;

constexpr int STOP = SIGURG;  // ends the group of a worker whose must_stop is set

// The instruction of the kernel that the interrupted code came from, as a return address: the code
// itself may be a function of the C library. Null if there is none.
const void* interrupted_place()
{
    void* frames[64];
    const int count = backtrace(frames, 64);
    for (int i = 2; i < count; i++)  // after this function and the handler
        if (code.contains(frames[i])) return frames[i];
    return nullptr;
}

void pass_on(int number, siginfo_t* info, void* context)
{
    const struct sigaction& earlier = earlier_handlers[number];
    if (earlier.sa_flags & SA_SIGINFO)
        earlier.sa_sigaction(number, info, context);
    else if (earlier.sa_handler == SIG_DFL && number != STOP)
        sigaction(number, &earlier, nullptr);  // what caused the signal happens again
    else if (earlier.sa_handler != SIG_IGN && earlier.sa_handler != SIG_DFL)
        earlier.sa_handler(number);
}

// For a handler that does not return, after which signals would stay blocked: gives the thread the mask
// back with which it was interrupted.
void restore_mask(const void* context)
{
    pthread_sigmask(SIG_SETMASK, &((const ucontext_t*)context)->uc_sigmask, nullptr);
}

bool is_in_kernel()
{
    return worker != nullptr && worker->running_fiber != worker->host;
}

[[noreturn]] void give_up_stopped(const void* pc)
{
    worker->outcome = is_interrupted ? INTERRUPTED : FAILED;
    give_up("%s was interrupted%s", this_thread().characters, at(pc).characters);
}

bool is_in_stack(const char* address, long long below)
{
    const char* stack = worker->running_fiber->stack;
    return address >= stack - below && address < stack;
}

void handle_fault(int number, siginfo_t* info, void* context)
{
    if (!is_in_kernel()) {
        pass_on(number, info, context);
        return;
    }
    restore_mask(context);
    const Text who = this_thread();
    const Text where = at(interrupted_place());
    const char* address = (const char*)info->si_addr;
    if (number == SIGFPE)
        give_up(
            "%s divides an integer by zero, or the least one by -1,%s: give it another divisor",
            who.characters, where.characters);
    if (number == SIGILL || number == SIGTRAP)
        give_up(
            "%s comes to what cannot be run%s, as the end of a function that returns nothing",
            who.characters, where.characters);
    if (is_in_stack(address, GUARD))
        give_up(
            "%s needs more than the %zu KB of its stack%s: end its recursion, or make its arrays "
            "smaller",
            who.characters, STACK / 1024, where.characters);
    if (is_beyond_dynamic_shared(address))
        give_up(
            "%s accesses memory%s beyond dynamic shared memory, of which it is launched with %zu "
            "bytes: launch it with a larger shared_mem",
            who.characters, where.characters, launch.dynamic_shared);
    constexpr int BY_PROCESSOR = 0x80;  // SI_KERNEL: it does not say which address
    if ((size_t)address < NULL_PAGES && info->si_code != BY_PROCESSOR)
        give_up(
            "%s uses a null pointer%s: give an array for each pointer that is used",
            who.characters, where.characters);
    give_up(
        "%s accesses memory%s that is not the launch's, or with an address that is no multiple of "
        "its size: keep the indices within their arrays",
        who.characters, where.characters);
}

// Ends the group of the worker where its kernel is interrupted, unless a function of the C library is:
// then the scheduler does, as soon as it is called.
[[gnu::always_inline]] inline void stop_here(const void* context)
{
    void* frames[3];
    if (!is_in_kernel() || backtrace(frames, 3) < 3) return;
    Dl_info own, interrupted;
    if (!dladdr((void*)give_up_stopped, &own) || !dladdr(frames[2], &interrupted)) return;
    if (interrupted.dli_fbase != own.dli_fbase && !code.contains(frames[2])) return;
    restore_mask(context);
    give_up_stopped(interrupted_place());
}

void stop(Worker* other)
{
    other->must_stop = true;
    if (other != worker) pthread_kill(other->thread, STOP);
}

void handle_interrupt(int number, siginfo_t*, void* context)
{
    if (!pthread_equal(pthread_self(), launching)) {
        pthread_kill(launching, number);
        return;
    }
    is_interrupted = true;
    for (unsigned i = 0; i < workers_made; i++) stop(workers[i]);
    stop_here(context);
}

void handle_stop(int number, siginfo_t* info, void* context)
{
    if (worker == nullptr || !worker->must_stop)
        pass_on(number, info, context);
    else
        stop_here(context);
}

// What ends a group waits while a handler runs: it would end that of a fault, before this has restored
// the mask.
void handle(int number, void (*handler)(int, siginfo_t*, void*))
{
    struct sigaction action = {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, STOP);
    sigaddset(&action.sa_mask, SIGINT);
    sigaction(number, &action, &earlier_handlers[number]);
}

// Has signals handled on a stack of the worker's own, as that of a fiber may be full.
void use_signal_stack(stack_t* earlier)
{
    stack_t stack = {};
    stack.ss_sp = worker->signal_stack;
    stack.ss_size = sizeof(worker->signal_stack);
    sigaltstack(&stack, earlier);
}

void handle_signals()
{
    static const int loaded = [] {  // what `backtrace` loads, it cannot load in a handler
        void* frame;
        return backtrace(&frame, 1);
    }();
    (void)loaded;
    launching = pthread_self();
    is_interrupted = false;
    use_signal_stack(&earlier_stack);
    for (const int number : FAULTS) handle(number, handle_fault);
    if (launch.worker_count > 1) handle(STOP, handle_stop);
    if (launch.is_interruptible) handle(SIGINT, handle_interrupt);
}

void restore_signals()
{
    if (launch.is_interruptible) sigaction(SIGINT, &earlier_handlers[SIGINT], nullptr);
    if (launch.worker_count > 1) sigaction(STOP, &earlier_handlers[STOP], nullptr);
    for (const int number : FAULTS) sigaction(number, &earlier_handlers[number], nullptr);
    sigaltstack(&earlier_stack, nullptr);
}

}  // namespace
}  // namespace gpucnn_simulator
