#include "tests/fuzz/targets.hpp"

// libFuzzer calls this with its inputs; which target it is, the build says.
extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
    static auto const& target = lull::fuzz::target(LULL_FUZZ_TARGET);
    target.run(std::as_bytes(std::span(data, size)));
    return 0;
}
