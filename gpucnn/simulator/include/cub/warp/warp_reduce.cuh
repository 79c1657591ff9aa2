// See reduce.hpp.
#pragma once

#include "../../../language/collectives/reduce.hpp"
