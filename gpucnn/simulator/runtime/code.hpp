// Where the kernels' library lies in memory.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "runtime.hpp"

#include <dlfcn.h>
#include <stddef.h>
#if !defined(__APPLE__)
#include <link.h>
#endif

#include <vector>

namespace gpucnn_simulator {
namespace {

struct Segment {
    const char* begin;
    size_t size;
    bool is_code;
};

struct Code {
    const char* base = nullptr;
    std::vector<Segment> segments;

    bool contains(const void* address) const
    {
        for (const Segment& each : segments)
            if (each.is_code && (size_t)((const char*)address - each.begin) < each.size) return true;
        return false;
    }
} code;  // of the running kernel

#if !defined(__APPLE__)
int find_segments(dl_phdr_info* library, size_t, void*)
{
    if ((const char*)library->dlpi_addr != code.base) return 0;
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const auto& header = library->dlpi_phdr[i];
        if (header.p_type != PT_LOAD) continue;
        code.segments.push_back(
            {code.base + header.p_vaddr, header.p_memsz, (header.p_flags & PF_X) != 0});
    }
    return 1;
}
#endif

// Learns where the library of a kernel lies.
void locate_code(const Kernel* kernel)
{
    Dl_info library;
    if (dladdr((void*)kernel->call, &library) == 0) return;
    if (library.dli_fbase == code.base) return;  // as that of the launch before
    code.base = (const char*)library.dli_fbase;
    code.segments.clear();
#if !defined(__APPLE__)
    dl_iterate_phdr(find_segments, nullptr);
#endif
}

// The instruction before `pc`, a return address, as its offset in the library.
unsigned place_of(const void* pc)
{
    return (unsigned)((const char*)pc - code.base) - 1;
}

}  // namespace
}  // namespace gpucnn_simulator
