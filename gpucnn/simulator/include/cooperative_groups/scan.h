// See reduce.h.
#pragma once

#include <cooperative_groups/reduce.h>
