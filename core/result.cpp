#include "core/result.hpp"

#include <cstdio>
#include <cstdlib>

namespace lull {

void abort_broken(char const* what, char const* file, int line) {
    std::fprintf(stderr, "broken invariant: %s (%s:%d)\n", what, file, line);
    std::abort();
}

}  // namespace lull
