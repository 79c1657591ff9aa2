// Dealing the groups of blocks of a launch to workers, which run on threads of the host.
//
// The thread that launches is the first worker, and alone if the launch is short. The others are made
// when a launch first needs them, and sleep between launches. Each takes the next group in the order
// when it has ended one, so that results do not depend on how many there are: what a block does
// atomically with memory of others waits until all groups before it have ended.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "../blocks.hpp"
#include "signals.hpp"
#include "turns.hpp"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include <new>

namespace gpucnn_simulator {
namespace {

// Of the running launch.
struct Deal {
    std::atomic<Position> next;  // the first that no worker has taken
    Outcome outcome;
    bool is_shared;  // whether other workers were told of it
    double began;    // in seconds
} deal;

struct Pool {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;  // of what follows, and of the outcome
    pthread_cond_t opened = PTHREAD_COND_INITIALIZER, left = PTHREAD_COND_INITIALIZER;
    bool is_open = false;             // whether workers may join the launch
    unsigned long long launches = 0;  // that were opened
    unsigned joined = 0;              // workers, without the first
    fenv_t arithmetic;                // of the thread that launches
} pool;

// Groups ------------------------------------------------------------------------------------------

// Takes the next group; false if there is none, or the launch has failed.
bool take_group()
{
    worker->position = deal.next.load();
    const Position taken = deal.next++;
    const bool is_to_run = taken < group_count && taken < first_failed && !is_interrupted;
    worker->position = is_to_run ? taken : NOWHERE;
    return is_to_run;
}

// Stops the workers whose groups follow one that failed, or all if the launch was interrupted.
bool stop_followers()
{
    bool are_there = false;
    for (unsigned i = 0; i < workers_made; i++) {
        const Position position = workers[i]->position;
        if (workers[i] == worker || position == NOWHERE) continue;
        if (!is_interrupted && position < first_failed) continue;
        stop(workers[i]);
        are_there = true;
    }
    return are_there;
}

// Tells the launch how the worker's group ended. The error is that of the first group that has one,
// as if one ran after another; an interruption goes before others.
void report_failure()
{
    pthread_mutex_lock(&pool.mutex);
    const bool is_interruption = worker->outcome == INTERRUPTED;
    const bool precedes = worker->position < first_failed;
    const bool was_interrupted = deal.outcome == INTERRUPTED;
    if (is_interruption == was_interrupted ? precedes : is_interruption) {
        deal.outcome = worker->outcome;
        snprintf(launch.message, launch.message_size, "%s", worker->message);
    }
    if (precedes) first_failed = worker->position.load();
    pthread_mutex_unlock(&pool.mutex);
    worker->position = NOWHERE;
    while (stop_followers()) sleep_for(200);  // a stop is lost if it comes before the kernel starts
    forget_threads();
}

// Runs the group that the worker has taken; false if that failed.
bool run_taken_group()
{
    is_in_turn = !has_turns() || group_count == 1;
    run_group(worker->position);
    if (worker->outcome == DONE) return true;
    report_failure();
    return false;
}

// Workers -----------------------------------------------------------------------------------------

// Runs groups until none is left, or the worker waits more for others than it runs.
void help()
{
    prepare_worker();
    fesetenv(&pool.arithmetic);
    const double begin = seconds();
    unsigned count = 0;
    while (take_group()) {
        if (!run_taken_group()) break;
        if (++count >= 4 && worker->waited > (seconds() - begin) / 2) break;
    }
    worker->position = NOWHERE;
}

// The main loop of all workers but the first.
void* join_launches(void* own)
{
    worker = (Worker*)own;
    use_signal_stack(nullptr);
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, STOP);
    unsigned long long latest = 0;
    pthread_mutex_lock(&pool.mutex);
    for (;;) {
        while (!pool.is_open || pool.launches == latest ||
               worker->number >= (unsigned)launch.worker_count)
            pthread_cond_wait(&pool.opened, &pool.mutex);
        latest = pool.launches;
        pool.joined++;
        pthread_mutex_unlock(&pool.mutex);
        pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);
        help();
        pthread_sigmask(SIG_BLOCK, &stop, nullptr);
        pthread_mutex_lock(&pool.mutex);
        if (--pool.joined == 0) pthread_cond_signal(&pool.left);
    }
}

Worker* new_worker()
{
    Worker* made = new Worker();
    made->number = workers_made;
    made->position = NOWHERE;
    workers[workers_made] = made;
    workers_made++;
    return made;
}

// After a fork there is but the thread that forked.
void forget_workers()
{
    workers_made = 0;
    new (&pool) Pool;
}

// Makes the workers of the launch, or as many as the system lets it.
void make_workers()
{
    static const int at_fork = pthread_atfork(nullptr, nullptr, forget_workers);
    (void)at_fork;
    while (workers_made < (unsigned)launch.worker_count) {
        Worker* made = new_worker();
        if (pthread_create(&made->thread, nullptr, join_launches, made) == 0) {
            pthread_detach(made->thread);
            continue;
        }
        workers_made--;
        delete made;
        break;
    }
}

// Lets other workers join the launch, if it has run for a while and there is something left for them.
// All signals but those of faults are blocked meanwhile: the workers inherit that, and an interruption
// would leave the mutex locked.
void share_long_launch()
{
    constexpr double SHORT = 50e-6;  // seconds
    if (deal.is_shared || launch.worker_count == 1 || deal.next >= group_count) return;
    if (seconds() - deal.began < SHORT) return;
    deal.is_shared = true;
    sigset_t others, earlier;
    sigfillset(&others);
    for (const int number : FAULTS) sigdelset(&others, number);
    pthread_sigmask(SIG_BLOCK, &others, &earlier);
    pthread_mutex_lock(&pool.mutex);
    make_workers();
    fegetenv(&pool.arithmetic);
    pool.is_open = true;
    pool.launches++;
    pthread_cond_broadcast(&pool.opened);
    pthread_mutex_unlock(&pool.mutex);
    pthread_sigmask(SIG_SETMASK, &earlier, nullptr);
}

// Waits for the workers that have joined.
void close_launch()
{
    pthread_mutex_lock(&pool.mutex);
    pool.is_open = false;
    while (pool.joined > 0) {
        timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_sec++;
        pthread_cond_timedwait(&pool.left, &pool.mutex, &soon);
        if (is_interrupted) stop_followers();
    }
    pthread_mutex_unlock(&pool.mutex);
}

// Runs all groups, in order, on this thread and others.
void run_groups()
{
    deal.next = 0;
    first_failed = NOWHERE;
    deal.outcome = DONE;
    deal.is_shared = false;
    deal.began = seconds();
    while (take_group() && run_taken_group()) share_long_launch();
    worker->position = NOWHERE;
    if (deal.is_shared) close_launch();
#if defined(GPUCNN_THREAD)
    end_fibers();
#endif
}

}  // namespace
}  // namespace gpucnn_simulator
