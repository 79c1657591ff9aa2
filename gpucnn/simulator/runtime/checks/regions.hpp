// The memory that a launch may access, in regions: its arrays, shared memory, and the variables of its
// module.
//
// Each granule of a region, 4 bytes or as many as an element has, has a cell with the latest accesses
// to it: a write, an atomic operation, and reads of two threads.
//
// A part of runtime.cpp, the only file that includes it.
#pragma once

#include "../code.hpp"
#include "../errors.hpp"
#include "../shared.hpp"
#include "../state.hpp"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <utility>
#include <vector>

namespace gpucnn_simulator {
namespace {

using Stamp = unsigned;  // the time of an access << THREAD_BITS | its thread
constexpr unsigned THREAD_BITS = 10;

struct Access {
    Stamp stamp;
    unsigned place;  // of the instruction in its library
};

struct Cell {
    Access write, atomic, read, other_read;
};

struct Region {
    const char* begin;
    size_t size;       // bytes
    unsigned granule;  // the binary logarithm of its bytes
    Cell* cells;
    const Array* array;  // null if it is no argument
    bool is_shared;
};

std::vector<Region> regions;

// The region that the accesses at an instruction last lay in, by a hash of its address.
constexpr size_t SITES = 1024;
Region* sites[SITES];
Region nowhere;

// The name of a region, as "argument 2, which has 31 elements".
Text named(const Region& region)
{
    Text text;
    if (region.array != nullptr) {
        const size_t count = region.size / region.array->element;
        snprintf(
            text.characters, sizeof(text), "argument %d, which has %zu element%s",
            region.array->argument, count, count == 1 ? "" : "s");
    } else if (region.begin == block->shared_memories[0].begin) {
        snprintf(
            text.characters, sizeof(text), "dynamic shared memory, of which it is launched with %zu "
            "bytes", region.size);
    } else if (region.is_shared) {
        snprintf(text.characters, sizeof(text), "its %zu bytes of shared memory", region.size);
    } else {
        snprintf(text.characters, sizeof(text), "the variables of the module");
    }
    return text;
}

size_t distance(const char* address, const Region& region)
{
    if (address < region.begin) return region.begin - address;
    const char* end = region.begin + region.size;
    return address < end ? 0 : address - end + 1;
}

// Cells -------------------------------------------------------------------------------------------

// Cells keep their contents from launch to launch, since earlier stamps mean nothing to it.
Cell* all_cells;
size_t cell_capacity, cells_used;
Cell* next_cells;  // for static shared memory
constexpr size_t STATIC_CELLS = MOST_STATIC_SHARED / 4 + 2 * MOST_SHARED_MEMORIES;
std::vector<std::pair<Cell*, size_t>> finer_cells;  // of regions that were refined

Cell* new_cells(size_t count)
{
    void* memory = mmap(
        nullptr, count * sizeof(Cell), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? nullptr : (Cell*)memory;
}

size_t cell_count(const Region& region)
{
    return (region.size >> region.granule) + 1;
}

// Gives each byte of a region a cell of its own, for an access to a part of a granule.
void refine(Region& region)
{
    const size_t count = region.size + 1;
    Cell* cells = new_cells(count);
    if (cells == nullptr)
        give_up("no memory is left to check its accesses: load it with checked=False");
    finer_cells.push_back({cells, count});
    for (size_t i = 0; i < region.size; i++) cells[i] = region.cells[i >> region.granule];
    region.cells = cells;
    region.granule = 0;
}

void clear_cells()
{
    memset(all_cells, 0, cell_capacity * sizeof(Cell));
    for (const auto& [cells, count] : finer_cells) memset(cells, 0, count * sizeof(Cell));
}

void free_finer_cells()
{
    for (const auto& [cells, count] : finer_cells) munmap(cells, count * sizeof(Cell));
    finer_cells.clear();
}

// Launches ----------------------------------------------------------------------------------------

void add_region(const char* begin, size_t size, unsigned granule, const Array* array, bool shared)
{
    regions.push_back({begin, size, granule, nullptr, array, shared});
    cells_used += cell_count(regions.back());
}

void add_regions()
{
    cells_used = 0;
    regions.clear();
    const size_t blocks = worker->blocks.size();
    regions.reserve(launch.array_count + code.segments.size() + blocks * MOST_SHARED_MEMORIES);
    for (size_t i = 0; i < launch.array_count; i++) {
        const Array& array = launch.arrays[i];
        const unsigned granule = array.element >= 4 ? 2 : array.element / 2;
        add_region(array.begin, array.size, granule, &array, false);
    }
    for (Block* each : worker->blocks)
        add_region(each->shared_memories[0].begin, launch.dynamic_shared, 2, nullptr, true);
    for (const Segment& each : code.segments)
        add_region(each.begin, each.size, 2, nullptr, false);
}

// Allots their cells to the regions, with some to spare for static shared memory.
bool allot_cells()
{
    cells_used += worker->blocks.size() * STATIC_CELLS;
    if (cells_used > cell_capacity) {
        if (all_cells != nullptr) munmap(all_cells, cell_capacity * sizeof(Cell));
        cell_capacity = 0;
        all_cells = new_cells(cells_used);
        if (all_cells == nullptr) return false;
        cell_capacity = cells_used;
    }
    Cell* next = all_cells;
    for (Region& region : regions) {
        region.cells = next;
        next += cell_count(region);
    }
    next_cells = next;
    return true;
}

// Adds the region of static shared memory that a launch uses for the first time.
void add_shared_region(const SharedMemory& memory)
{
    add_region(memory.begin, memory.size, 2, nullptr, true);
    regions.back().cells = next_cells;
    next_cells += cell_count(regions.back());
}

}  // namespace
}  // namespace gpucnn_simulator
