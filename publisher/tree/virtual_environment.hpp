#pragma once

#include <string>

#include "core/files.hpp"

namespace lull::publisher {

// Whether this link is the interpreter of a Python virtual environment (PEP 405): it is called python, python3, ... in
// the directory bin/ beside a pyvenv.cfg, and points to an interpreter in the directory that pyvenv.cfg names as home.
[[nodiscard]] bool is_interpreter_of_environment(fs::path const& link, fs::path const& target);

}  // namespace lull::publisher
