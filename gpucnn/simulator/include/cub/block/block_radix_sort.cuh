// See sort.hpp.
#pragma once

#include "../../../language/collectives/sort.hpp"
