// What a library of kernels has: a list of its kernels, variables and shared memory.
//
// listing.py reads the list when it has loaded the library. source.py puts an entry after each
// declaration. It is known by the mangled name of a type that it makes, since that contains the
// mangled name of what it describes.
#pragma once

#include <typeinfo>

#include "description.hpp"
#include "../runtime/runtime.hpp"

namespace gpucnn_simulator {

// As in listing.py.
struct Entry {
    const char* type;        // the mangled name of Named<&it>; of the declared struct, for shared memory
    const char* expression;  // by which a user asked for it, or null
    const Kernel* kernel;    // null for a variable
    const void* address;     // null for a kernel or shared memory
    unsigned long size;      // bytes of a variable or of shared memory
    const Entry* next;
};

static const Entry* entries;  // the last

// Puts an entry into the list.
struct Listed : Entry {
    Listed(Entry entry) : Entry(entry)
    {
        next = entries;
        entries = this;
    }
};

template <auto address> struct Named {};

template <auto kernel>
Entry kernel_entry(const char* expression, dim3 cluster, int largest_block, ...)
{
    using S = Stub<kernel>;
    static const Kernel description = {S::call, S::parameters, S::count, largest_block, cluster};
    return {typeid(Named<kernel>).name(), expression, &description, nullptr, 0, nullptr};
}

template <auto variable> Entry variable_entry(const char* expression)
{
    const char* type = typeid(Named<variable>).name();
    return {type, expression, nullptr, variable, sizeof(*variable), nullptr};
}

template <typename T> constexpr bool is_kernel = false;
template <typename... P> constexpr bool is_kernel<void (*)(P...)> = true;

template <auto address> Entry entry_of(const char* expression)
{
    if constexpr (is_kernel<decltype(address)>)
        return kernel_entry<address>(expression, dim3(), 0);
    else
        return variable_entry<address>(expression);
}

template <typename T> struct SharedVariables {
    static inline const Listed entry =
        Entry{typeid(T).name(), nullptr, nullptr, nullptr, sizeof(T), nullptr};
};

template <typename Declared, int place> struct SharedVariable {
    static constexpr char key = 0;  // its address is what counts
};

// The running block's variable of type T, one of those that are declared together.
template <typename T, typename Declared, int place> inline T& shared()
{
    (void)&SharedVariables<Declared>::entry;
    return *(T*)shared_memory(&SharedVariable<Declared, place>::key, sizeof(T));
}

}  // namespace gpucnn_simulator

extern "C" __attribute__((visibility("default"))) const gpucnn_simulator::Entry*
gpucnn_entries()
{
    return gpucnn_simulator::entries;
}
