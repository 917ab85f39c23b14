#include "subscriber/disk/own_program.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

namespace lull::subscriber {

namespace {

constexpr Bytes most_arguments = MiB(4);

// A descriptor of this process, by its name in /proc/self/fd.
std::optional<int> number_of(std::string const& name) {
    int number = -1;
    auto const [stop, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (problem != std::errc() || stop != name.data() + name.size()) return std::nullopt;
    return number;
}

}  // namespace

std::optional<OwnProgram> program_of_release(Layout const& layout, fs::path const& program) {
    std::error_code problem;
    auto const root = fs::canonical(layout.root(), problem);
    if (problem) return std::nullopt;
    auto const inside = program.lexically_relative(root);
    std::vector<std::string> parts;
    for (auto const& part : inside) parts.push_back(part.string());
    if (parts.size() < 4 || parts[1] != "versions") return std::nullopt;
    auto const software = SoftwareName::parse(parts[0]);
    if (!software) return std::nullopt;
    auto const release = ReleaseId::parse(*software, parts[2]);
    if (!release) return std::nullopt;
    fs::path path;
    for (std::size_t i = 3; i < parts.size(); ++i) path /= parts[i];
    return OwnProgram{*release, path.string(), {}};
}

std::optional<OwnProgram> own_program(Layout const& layout) {
    std::error_code problem;
    auto const program = fs::read_symlink("/proc/self/exe", problem);
    if (problem) return std::nullopt;
    auto own = program_of_release(layout, program);
    if (!own) return std::nullopt;
    own->check = own_arguments();
    own->check.emplace_back("--check");
    return own;
}

std::vector<std::string> own_arguments() {
    std::vector<std::string> words;
    auto const text = read_file("/proc/self/cmdline", most_arguments);
    if (!text) return words;
    std::string word;
    for (auto const byte : *text) {
        if (byte != std::byte{0}) {
            word += static_cast<char>(byte);
        } else {
            words.push_back(std::exchange(word, {}));
        }
    }
    if (!words.empty()) words.erase(words.begin());
    return words;
}

void close_inherited_lock(Layout const& layout, ReleaseId const& release) {
    struct stat lock {};
    if (stat(layout.lock(release).c_str(), &lock) != 0) return;
    auto const names = names_in("/proc/self/fd");
    if (!names) return;
    for (auto const& name : *names) {
        auto const descriptor = number_of(name);
        struct stat opened {};
        if (!descriptor || fstat(*descriptor, &opened) != 0) continue;
        if (opened.st_dev == lock.st_dev && opened.st_ino == lock.st_ino) close(*descriptor);
    }
}

}  // namespace lull::subscriber
