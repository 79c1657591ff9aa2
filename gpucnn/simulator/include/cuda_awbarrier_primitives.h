// CUDA's barriers with phases, as functions.
#pragma once

typedef gpucnn_simulator::Barrier __mbarrier_t;
typedef unsigned __mbarrier_token_t;

inline unsigned __mbarrier_maximum_count() { return (1u << 20) - 1; }
inline void __mbarrier_init(__mbarrier_t* barrier, unsigned count)
{
    gpucnn_simulator::begin_barrier(barrier, count);
}
inline void __mbarrier_inval(__mbarrier_t*) {}
inline __mbarrier_token_t __mbarrier_arrive(__mbarrier_t* barrier, GPUCNN_WHERE)
{
    return gpucnn_simulator::arrive(GPUCNN_PLACE("__mbarrier_arrive"), barrier, 1, 0);
}
inline __mbarrier_token_t __mbarrier_arrive_and_drop(__mbarrier_t* barrier, GPUCNN_WHERE)
{
    return gpucnn_simulator::arrive(GPUCNN_PLACE("__mbarrier_arrive_and_drop"), barrier, 1, 1);
}

// Programs call these until the phase has ended. Here they wait for that.
inline bool __mbarrier_test_wait(__mbarrier_t* barrier, __mbarrier_token_t phase, GPUCNN_WHERE)
{
    gpucnn_simulator::wait_for_phase(GPUCNN_PLACE("__mbarrier_test_wait"), barrier, phase);
    return true;
}
inline bool __mbarrier_test_wait_parity(__mbarrier_t* barrier, bool phase, GPUCNN_WHERE)
{
    gpucnn_simulator::wait_for_phase(GPUCNN_PLACE("__mbarrier_test_wait_parity"), barrier, phase);
    return true;
}
