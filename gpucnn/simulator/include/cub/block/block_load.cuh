// See items.hpp.
#pragma once

#include "../../../language/collectives/items.hpp"
