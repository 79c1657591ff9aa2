// See scan.hpp.
#pragma once

#include "../../../language/collectives/scan.hpp"
