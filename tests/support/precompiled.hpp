#pragma once

// What nearly every unit test includes, parsed once for each set of flags; see core/precompiled.hpp.

#include <catch2/catch.hpp>

#include "schema/precompiled.hpp"
