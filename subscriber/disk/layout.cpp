#include "subscriber/disk/layout.hpp"

#include <sys/stat.h>

#include <algorithm>

namespace lull::subscriber {

namespace {

constexpr std::string_view versions_name = "versions";

}  // namespace

Layout::Layout(fs::path const& root) : root_(fs::absolute(root).lexically_normal()) {
    if (!root_.has_filename() && root_.has_relative_path()) root_ = root_.parent_path();
    secret_ = root_ / ".lull";
}

Layout Layout::for_calls() const {
    Layout calls(root_ / ".calls");
    calls.secret_ = secret_;
    return calls;
}

fs::path Layout::tree(ReleaseId const& release) const { return versions(release.software) / release.directory_name(); }

fs::path Layout::staging(ReleaseId const& release) const {
    return versions(release.software) / fmt::format(".staging-{}", release.seq.value);
}

fs::path Layout::garbage(ReleaseId const& release) const {
    return versions(release.software) / (".garbage-" + release.directory_name());
}

fs::path Layout::manifest(ReleaseId const& release) const {
    return releases(release.software) / (release.directory_name() + ".manifest");
}

fs::path Layout::marks(ReleaseId const& release) const {
    return releases(release.software) / (release.directory_name() + ".seen");
}

fs::path Layout::lock(ReleaseId const& release) const { return locks(release.software) / release.directory_name(); }

Status Layout::prepare() const {
    if (auto status = make_directories(root_); !status) return status;
    if (auto status = make_directories(secret(), 0700); !status) return status;
    if (auto status = require_private(secret()); !status) return status;
    for (auto const& directory : {journal(), incoming(), holds()}) {
        if (auto status = make_directories(directory, 0700); !status) return status;
    }
    sync_directory_or_die(secret());
    sync_directory_or_die(root_);
    return {};
}

Status Layout::prepare(SoftwareName const& name) const {
    for (auto const& directory : {versions(name), releases(name), locks(name)}) {
        if (auto status = make_directories(directory); !status) return status;
    }
    sync_directory_or_die(software(name));
    sync_directory_or_die(root_);
    return {};
}

Status Layout::prepare_data(SoftwareName const& name, mode_t mode) const {
    if (secret_ != root_ / ".lull") return {};
    auto const directory = data(name);
    std::error_code ignored;
    if (fs::is_directory(directory, ignored)) return {};
    if (mkdir(directory.c_str(), 0700) != 0) return fail_errno("make the directory", directory);
    if (chmod(directory.c_str(), mode) != 0) return fail_errno("set the mode of", directory);
    sync_directory_or_die(software(name));
    return {};
}

Result<std::optional<ReleaseId>> Layout::current(SoftwareName const& name) const {
    auto const link = current_link(name);
    std::error_code problem;
    auto const target = fs::read_symlink(link, problem).string();
    if (problem == std::errc::no_such_file_or_directory) return std::nullopt;
    auto const advice = "remove it, and lull-node makes it again";
    if (problem == std::errc::invalid_argument) {
        return fail(Fault::damaged, "{} is not a symbolic link; {}", link.string(), advice);
    }
    if (problem) return fail(Fault::failed, "cannot read {}: {}", link.string(), problem.message());
    auto const prefix = std::string(versions_name) + '/';
    if (target.starts_with(prefix)) {
        if (auto release = ReleaseId::parse(name, std::string_view(target).substr(prefix.size()))) return *release;
    }
    return fail(Fault::damaged, "{} points to '{}', which is not one of its versions; {}", link.string(), target,
                advice);
}

Result<std::vector<ReleaseId>> Layout::installed(SoftwareName const& name) const {
    auto const names = names_in(versions(name));
    if (!names) return pass(names.error());
    std::vector<ReleaseId> found;
    for (auto const& text : *names) {
        if (auto release = ReleaseId::parse(name, text)) found.push_back(*std::move(release));
    }
    std::sort(found.begin(), found.end());
    return found;
}

Result<std::vector<SoftwareName>> Layout::known_software() const {
    auto const names = names_in(root_);
    if (!names) return pass(names.error());
    std::vector<SoftwareName> found;
    for (auto const& text : *names) {
        std::error_code ignored;
        if (auto name = SoftwareName::parse(text); name && fs::is_directory(versions(*name), ignored)) {
            found.push_back(*std::move(name));
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

bool is_there(fs::path const& path) {
    struct stat status {};
    return lstat(path.c_str(), &status) == 0;
}

Result<std::vector<std::string>> names_in(fs::path const& directory) {
    std::error_code problem;
    fs::directory_iterator entries(directory, problem);
    std::vector<std::string> names;
    while (!problem && entries != fs::directory_iterator()) {
        names.push_back(entries->path().filename().string());
        entries.increment(problem);
    }
    std::sort(names.begin(), names.end());
    if (!problem || problem == std::errc::no_such_file_or_directory) return names;
    auto const fault = problem == std::errc::permission_denied ? Fault::refused : Fault::failed;
    return fail(fault, "cannot list {}: {}", directory.string(), problem.message());
}

}  // namespace lull::subscriber
