// CUDA's copies in the background, as functions and as a class.
#pragma once

#include <cuda_pipeline_primitives.h>

namespace nvcuda::experimental {

class pipeline {
    size_t committed = 0;

public:
    size_t commit()
    {
        __pipeline_commit();
        return committed++;
    }
    void commit_and_wait()
    {
        commit();
        __pipeline_wait_prior(0);
    }
    template <unsigned stages> void wait_prior() { __pipeline_wait_prior(stages); }
    void wait(size_t stage) { __pipeline_wait_prior(committed - stage - 1); }
};

template <typename T>
GPUCNN_COPYING void memcpy_async(T& to, const T& from, pipeline&)
{
    gpucnn_simulator::copy_later(&to, &from, sizeof(T), sizeof(T), nullptr);
}

}  // namespace nvcuda::experimental
