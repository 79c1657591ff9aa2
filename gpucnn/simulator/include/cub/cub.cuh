// CUB's collectives of a block and of a warp that kernels use most.
#pragma once

#include "../../language/collectives/items.hpp"
#include "../../language/collectives/reduce.hpp"
#include "../../language/collectives/scan.hpp"
#include "../../language/collectives/sort.hpp"
