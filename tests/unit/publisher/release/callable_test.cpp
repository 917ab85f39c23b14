#include "publisher/release/callable.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/schema/samples.hpp"

namespace callable_test {

using namespace lull;
using namespace lull::publisher;

TEST_CASE("only executable regular files of the release can be callable, and all problems are told at once") {
    auto const manifest = test::manifest();
    CHECK(check_callable(manifest, {}));
    CHECK(check_callable(manifest, {"bin/kiosk"}));
    auto const status = check_callable(manifest, {"bin/kiosk", "bin/run", "bin-notes", "lib", "bin/none"});
    REQUIRE_FALSE(status);
    CHECK(status.error().fault == Fault::usage);
    CHECK(status.error().message ==
          "--callable 'bin/run': it is a symlink; name the file that it points to\n"
          "--callable 'bin-notes': it is not executable; make it so with: chmod +x\n"
          "--callable 'lib': it is a directory\n"
          "--callable 'bin/none': the release has no such file");
}

}  // namespace callable_test
