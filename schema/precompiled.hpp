#pragma once

// What nearly every file above schema/ includes, parsed once for each set of flags; see core/precompiled.hpp.

#include "core/precompiled.hpp"
#include "schema/manifest.hpp"
#include "schema/messages.hpp"
