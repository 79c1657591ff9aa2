// What this header of CUDA declares for device code is there without an include.
#pragma once
