#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "core/event_loop.hpp"

namespace lull::subscriber::test {

// Runs the loop until a handler stops it; fails if none does.
inline void run_bounded(EventLoop& loop) {
    bool late = false;
    auto const timer = loop.after(std::chrono::seconds(60), [&] {
        late = true;
        loop.stop();
    });
    loop.run();
    loop.cancel(timer);
    REQUIRE_FALSE(late);
}

// What somebody writes into a FIFO until it closes it.
inline std::string contents_of_fifo(std::filesystem::path const& path) {
    std::ifstream stream(path);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

}  // namespace lull::subscriber::test
