#include "subscriber/run/launcher.hpp"

#include <unistd.h>

#include "subscriber/disk/manifest_files.hpp"
#include "subscriber/tree/tree_program.hpp"

namespace lull::subscriber {

namespace {

constexpr int most_tries = 1000;  // switches of the version while one launch waits
constexpr std::size_t most_suggestions = 20;

struct LockedVersion {
    ReleaseId release;
    UseLock lock;
};

Result<ReleaseId> require_current(Layout const& layout, SoftwareName const& software) {
    auto const current = layout.current(software);
    if (!current) return pass(current.error());
    if (*current) return **current;
    return fail(Fault::not_found,
                "cannot run {}: no version of it is installed in {}; 'lull-node status' shows what is", software.text(),
                layout.root().string());
}

// The version that is current while we have its lock. If it was switched, or removed and staged anew, before we had
// the lock, what we locked is not what counts, and we begin again.
Result<LockedVersion> lock_current(Layout const& layout, SoftwareName const& software) {
    for (int tries = 0; tries < most_tries; ++tries) {
        auto const before = require_current(layout, software);
        if (!before) return pass(before.error());
        auto const path = layout.lock(*before);
        auto lock = UseLock::shared(path);
        auto const after = require_current(layout, software);
        if (!after) return pass(after.error());
        if (*before != *after) continue;
        if (!lock) return pass(lock.error());
        if (lock->is_on(path)) return LockedVersion{*after, *std::move(lock)};
    }
    return fail(Fault::failed, "cannot run {}: its current version was switched {} times meanwhile; try again",
                software.text(), most_tries);
}

// What could be given as --program, for people.
std::string suggestions(Manifest const& manifest) {
    std::string text;
    std::size_t count = 0;
    for (auto const& entry : manifest.entries) {
        if (entry.type != EntryType::file || !entry.executable) continue;
        if (++count <= most_suggestions) text += "\n  " + entry.path;
    }
    if (count == 0) return "it holds no executable file";
    if (count > most_suggestions) text += fmt::format("\n  and {} more", count - most_suggestions);
    return "name one of its programs with --program:" + text;
}

// The path of the executable file of a release that has just one; a single file that was published is one.
std::optional<fs::path> only_program(Manifest const& manifest) {
    std::optional<fs::path> only;
    for (auto const& entry : manifest.entries) {
        if (entry.type != EntryType::file || !entry.executable) continue;
        if (only) return std::nullopt;
        only = entry.path;
    }
    return only;
}

struct Program {
    fs::path path;
    std::vector<std::string> leading;  // arguments that the release puts before the user's
};

Result<Program> choose_program(Layout const& layout, ReleaseId const& release, LaunchRequest const& request) {
    auto const tree = layout.tree(release);
    auto const manifest = load_manifest(layout, release);
    if (!manifest) return pass(manifest.error());
    auto const& start = manifest->start;
    auto const allowed = manifest->allowed_links.value_or(std::vector<std::string>());
    bool const named = request.program || !start.empty();
    if (named) {
        auto program = find_program(tree, request.program ? *request.program : start.front(), allowed);
        if (program && request.program) return Program{*std::move(program), {}};
        if (program) return Program{*std::move(program), {start.begin() + 1, start.end()}};
        return fail(program.error().fault, "{}; {}", program.error().message, suggestions(*manifest));
    }
    auto const& name = release.software.text();
    for (auto const& usual : {fs::path("bin") / name, fs::path(name)}) {
        if (auto program = find_program(tree, usual)) return Program{*std::move(program), {}};
    }
    if (auto const only = only_program(*manifest)) {
        if (auto program = find_program(tree, *only)) return Program{*std::move(program), {}};
    }
    return fail(Fault::not_found,
                "cannot run {} {}: its release does not say what to start, and has neither bin/{} nor {}; {}", name,
                release.version.text(), name, name, suggestions(*manifest));
}

// This process's environment, with our variables in place of any that have their names.
std::vector<std::string> environment_of(Launch const& launch) {
    std::vector<std::pair<std::string, std::string>> const ours = {
        {"LULL_SOFTWARE=", launch.release.software.text()},
        {"LULL_VERSION=", launch.release.version.text()},
        {"LULL_ROOT_DIR=", launch.tree.string()},
        {"LULL_DATA=", launch.data.string()},
    };
    std::vector<std::string> variables;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        std::string text = *variable;
        bool replaced = false;
        for (auto const& [name, value] : ours) replaced = replaced || text.starts_with(name);
        if (!replaced) variables.push_back(std::move(text));
    }
    for (auto const& [name, value] : ours) variables.push_back(name + value);
    return variables;
}

}  // namespace

Result<Launch> prepare_launch(Layout const& layout, LaunchRequest const& request) {
    auto version = lock_current(layout, request.software);
    if (!version) return pass(version.error());
    auto program = choose_program(layout, version->release, request);
    if (!program) return pass(program.error());
    auto arguments = std::move(program->leading);
    arguments.insert(arguments.end(), request.arguments.begin(), request.arguments.end());
    auto tree = layout.tree(version->release);
    return Launch{version->release,         std::move(version->lock), std::move(tree), layout.data(request.software),
                  std::move(program->path), std::move(arguments)};
}

Error launch(Layout const& layout, LaunchRequest const& request) {
    auto const prepared = prepare_launch(layout, request);
    if (!prepared) return prepared.error();
    auto words = prepared->arguments;
    words.insert(words.begin(), prepared->program.string());
    auto variables = environment_of(*prepared);
    execve(prepared->program.c_str(), pointers_to(words).data(), pointers_to(variables).data());
    return fail_errno("run", prepared->program).value();
}

}  // namespace lull::subscriber
