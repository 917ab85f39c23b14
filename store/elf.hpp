#pragma once

#include <vector>

#include "core/bytes.hpp"

// What the headers of a program in the ELF format (System V ABI, chapter 4) say of where its bytes lie when it runs.

namespace lull::store {

// A part of the file that is loaded.
struct LoadedPart {
    std::uint64_t offset = 0;
    std::uint64_t address = 0;
    std::uint64_t in_file = 0;    // bytes
    std::uint64_t in_memory = 0;  // bytes, at least as many
    bool executable = false;
};

inline constexpr std::size_t elf_header_size =
    4096;  // bytes at a file's beginning that hold the headers of nearly all programs

// By the first bytes of a file; nothing if that is no 64-bit little-endian program for x86-64, or its headers lie
// elsewhere.
[[nodiscard]] std::vector<LoadedPart> read_elf(View beginning);

}  // namespace lull::store
