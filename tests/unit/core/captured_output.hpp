#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/temporary_directory.hpp"

namespace lull::test {

// Sends standard output or standard error into a file for as long as it lives.
class CapturedOutput {
public:
    explicit CapturedOutput(int descriptor) : descriptor_(descriptor), kept_(dup(descriptor)) {
        std::fflush(nullptr);
        int const file = open((directory_ / "output").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
        if (kept_ < 0 || file < 0 || dup2(file, descriptor_) < 0) std::abort();
        close(file);
    }
    ~CapturedOutput() {
        std::fflush(nullptr);
        dup2(kept_, descriptor_);
        close(kept_);
    }
    CapturedOutput(CapturedOutput const&) = delete;
    CapturedOutput& operator=(CapturedOutput const&) = delete;

    [[nodiscard]] std::string text() const {
        std::fflush(nullptr);
        std::stringstream text;
        text << std::ifstream(directory_ / "output").rdbuf();
        return text.str();
    }

private:
    TemporaryDirectory directory_;
    int descriptor_;
    int kept_;
};

}  // namespace lull::test
