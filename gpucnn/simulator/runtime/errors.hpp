// Ending a group of blocks, and with it the launch, with an error.
//
// A message holds places in the kernels' library as offsets between two escape characters, which
// launches.py replaces by files and lines.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "code.hpp"
#include "fibers.hpp"
#include "state.hpp"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

namespace gpucnn_simulator {
namespace {

constexpr size_t NULL_PAGES = 1 << 16;  // bytes from address 0 on in which nothing lies

struct Text {
    char characters[200];
};

Text named(unsigned thread)
{
    Text text;
    const uint3 index = thread_indices[thread];
    snprintf(text.characters, sizeof(text), "thread (%u, %u, %u)", index.x, index.y, index.z);
    return text;
}

Text this_thread()
{
    return named(worker->running);
}

const char* last_part(const char* path)
{
    const char* slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

Text at(Place place)
{
    Text text;
    snprintf(
        text.characters, sizeof(text), "%s at %s:%d", place.function, last_part(place.file),
        place.line.number);
    return text;
}

// A position that is not that of `place`, which may lie on the same line.
Text at_other(const Place& other, const Place& place)
{
    Text text = at(other);
    const Text written = text;
    if (strcmp(written.characters, at(place).characters) == 0)
        snprintf(text.characters, sizeof(text), "another %.180s", written.characters);
    return text;
}

Text at_place(unsigned place)
{
    Text text;
    snprintf(text.characters, sizeof(text), "\033%x\033", place);
    return text;
}

Text at(const void* pc)
{
    return code.contains(pc) ? at_place(place_of(pc)) : Text();
}

__attribute__((format(printf, 1, 0))) void set_message(const char* format, va_list arguments)
{
    // The kernel's name is cut, to leave room for the reason.
    const int length = snprintf(
        worker->message, sizeof(worker->message), "%.200s, block (%u, %u, %u): ", launch.name,
        blockIdx.x, blockIdx.y, blockIdx.z);
    vsnprintf(worker->message + length, sizeof(worker->message) - length, format, arguments);
}

// Ends the running group with a message, and returns to the host for good.
[[noreturn]] __attribute__((format(printf, 1, 2))) void give_up(const char* format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_message(format, arguments);
    va_end(arguments);
    if (worker->outcome == DONE) worker->outcome = FAILED;
    switch_to(worker->host);
    abort();
}

}  // namespace
}  // namespace gpucnn_simulator
