#include "subscriber/notify/notice_program.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "subscriber/proc/process_stat.hpp"

namespace lull::subscriber {

namespace {

constexpr ProgramBounds bounds{std::chrono::seconds(10), KiB(4)};
constexpr std::size_t most_running = 4;
constexpr std::size_t most_waiting = 64;

Status check_unchangeable(fs::path const& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return fail_errno("look at", path);
    if (status.st_uid != 0 && status.st_uid != geteuid()) {
        return fail(Fault::refused, "{} belongs to user {}, who could change what is run; run: chown root {}",
                    path.string(), status.st_uid, path.string());
    }
    // In a directory with the sticky bit others cannot replace what is not theirs.
    bool const sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky) {
        return fail(Fault::refused,
                    "{} can be written by others (mode {:04o}), who could change what is run; run: chmod go-w {}",
                    path.string(), status.st_mode & 07777, path.string());
    }
    return {};
}

}  // namespace

Result<fs::path> check_own_program(fs::path const& path) {
    if (!path.is_absolute()) return fail(Fault::usage, "cannot run {}: give its absolute path", path.string());
    std::error_code problem;
    auto real = fs::canonical(path, problem);
    if (problem) return fail(Fault::not_found, "cannot run {}: {}", path.string(), problem.message());
    if (!fs::is_regular_file(real, problem))
        return fail(Fault::refused, "cannot run {}: it is not a program", path.string());
    for (auto place = real; place != place.root_path(); place = place.parent_path()) {
        auto const status = check_unchangeable(place);
        if (!status) return fail(status.error().fault, "cannot run {}: {}", path.string(), status.error().message);
    }
    if (faccessat(AT_FDCWD, real.c_str(), X_OK, AT_EACCESS) != 0) return fail_errno("run", path);
    return real;
}

Result<ProgramStart> NoticeProgram::prepare(std::vector<std::string> arguments) const {
    auto real = check_own_program(program_);
    if (!real) return pass(real.error());
    std::vector<std::string> variables = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                          "LANG=C.UTF-8"};
    return ProgramStart{*std::move(real), "/", std::move(arguments), std::move(variables), std::nullopt};
}

void NoticeProgram::tell(Notice const& notice, Holder const& holder) {
    if (waiting_.size() == most_waiting) {
        return failed_(fmt::format("{} is not told of pid {}: {} calls wait already", program_.string(), holder.pid,
                                   most_waiting));
    }
    waiting_.push_back({notice.software.text(), notice.ready.text(), notice.running.text(), std::to_string(holder.pid),
                        std::to_string(holder.uid), printable(holder.command)});
    start_next();
}

void NoticeProgram::start_next() {
    if (running_ == most_running || waiting_.empty()) return;
    auto start = prepare(std::move(waiting_.front()));
    waiting_.pop_front();
    ++running_;
    runs_.run(std::move(start), bounds, [this](Result<ProgramResult> const& result) { ended(result); });
}

void NoticeProgram::ended(Result<ProgramResult> const& result) {
    --running_;
    start_next();
    if (!result) {
        failed_(result.error().message);
    } else if (!result->succeeded()) {
        failed_(fmt::format("{} {}", program_.string(), to_text(*result)));
    }
}

}  // namespace lull::subscriber
