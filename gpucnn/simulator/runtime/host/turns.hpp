// The turns of blocks: what a block does atomically with memory of others waits until those before it
// have ended, so that it has the same results however many run at once.
//
// A thread that comes to such an operation lets the others of its block run first, up to where they do
// too: so most of the work of blocks that end with one is done at the same time. That is done whether
// or not the blocks before have ended already, for the sake of the same results.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "signals.hpp"
#include "../state.hpp"

#include <time.h>

namespace gpucnn_simulator {
namespace {

constexpr double SPINNING = 200e-6;  // seconds that a worker waits for its turn before it sleeps

std::atomic<Position> first_failed;  // group of the launch that ended with an error, or NOWHERE

void sleep_for(long microseconds)
{
    const timespec time = {0, 1000 * microseconds};
    nanosleep(&time, nullptr);
}

// Whether blocks may run at once. Where accesses are checked they run one after another, as each is held
// against those of the blocks before.
bool has_turns()
{
    return !launch.is_checked && !IS_SANITIZED;
}

// Whether no worker runs a group before that of this one. One that is about to take a group has a
// position that is not after it.
bool is_first()
{
    const Position own = worker->position;
    for (unsigned i = 0; i < workers_made; i++)
        if (workers[i]->position < own) return false;
    return true;
}

// Waits until the groups before have ended; none of them may have failed.
void wait_until_first()
{
    const double begin = seconds();
    while (!is_first()) {
        if (worker->must_stop) give_up_stopped(nullptr);
        if (seconds() - begin > SPINNING) sleep_for(50);
    }
    if (first_failed < worker->position) give_up_stopped(nullptr);
    worker->waited += seconds() - begin;
}

}  // namespace
}  // namespace gpucnn_simulator
