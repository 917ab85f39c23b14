#include "subscriber/sandbox/sandbox.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/json.hpp"
#include "subscriber/programs/release_program.hpp"
#include "subscriber/sandbox/syscall_filter.hpp"
#include "subscriber/tree/tree_program.hpp"

namespace lull::subscriber {

namespace {

constexpr SandboxDescriptors numbers;
constexpr std::chrono::milliseconds trial_time(20'000);
constexpr std::uint64_t memory_to_addresses = 4;  // runtimes reserve more addresses than they use
constexpr std::uint64_t processor_grace = 5;      // seconds

// A file in memory that is read from its beginning.
Result<FileDescriptor> file_of(View contents) {
    FileDescriptor file(memfd_create("lull-sandbox", MFD_CLOEXEC));
    if (!file.valid()) return fail_errno("make", "a file in memory");
    if (auto written = write_exactly(file.get(), 0, contents, "a file in memory"); !written)
        return pass(written.error());
    return file;
}

struct Pipe {
    FileDescriptor read;
    FileDescriptor write;
};

Result<Pipe> make_status_pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return fail_errno("make", "a pipe");
    return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

// A file may be no larger than the file system that it can lie on. The processor time is that of each process; the time
// limit of the whole is that of SandboxRun.
std::vector<ResourceLimit> limits_of(SandboxLimits const& limits) {
    auto const seconds = std::chrono::ceil<std::chrono::seconds>(limits.time).count();
    return {{RLIMIT_CORE, 0},
            {RLIMIT_DATA, limits.memory.count()},
            {RLIMIT_AS, memory_to_addresses * limits.memory.count()},
            {RLIMIT_FSIZE, limits.scratch.count()},
            {RLIMIT_NOFILE, limits.descriptors},
            {RLIMIT_CPU, static_cast<std::uint64_t>(seconds) * limits.processes + processor_grace},
            {RLIMIT_MEMLOCK, 0},
            {RLIMIT_MSGQUEUE, 0},
            {RLIMIT_SIGPENDING, 1024}};
}

std::vector<std::string> variables_of(SandboxRequest const& request) {
    std::vector<std::string> variables = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8"};
    variables.insert(variables.end(), request.environment.begin(), request.environment.end());
    return variables;
}

std::string all_of(int descriptor) {
    std::string text;
    std::array<char, 4096> block;
    for (ssize_t got = 0; (got = read(descriptor, block.data(), block.size())) > 0 && text.size() < block.size();) {
        text.append(block.data(), static_cast<std::size_t>(got));
    }
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
}

std::string_view advice_for(std::string_view message) {
    if (message.find("namespace") != std::string_view::npos || message.find("uid map") != std::string_view::npos) {
        return "; unprivileged users must be allowed to make user namespaces (sysctl user.max_user_namespaces, "
               "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns; RestrictNamespaces= of "
               "the unit)";
    }
    if (message.find("proc") != std::string_view::npos) {
        return "; a part of /proc is hidden from this process (ProtectKernelTunables=, ProtectKernelLogs= and "
               "ProcSubset= of its unit, or a container)";
    }
    if (message.find("source path") != std::string_view::npos) {
        return "; every directory above the node's root has to let other users pass (chmod o+x)";
    }
    return "";
}

}  // namespace

Result<Sandbox> Sandbox::open(SandboxSettings settings, fs::path const& place, Log& log) {
    if (access(settings.bubblewrap.c_str(), X_OK) != 0) {
        return fail(Fault::not_found, "{} is missing; it is the sandbox of calls: apt-get install bubblewrap",
                    settings.bubblewrap.string());
    }
    std::error_code problem;
    if (fs::canonical(place, problem).string().starts_with("/usr/")) {
        return fail(Fault::usage, "programs of calls can read /usr, so {} may not lie there; choose another --root",
                    place.string());
    }
    std::optional<UserIdentity> user;
    if (settings.user) {
        auto const found = find_user(*settings.user);
        if (!found) return pass(found.error());
        if (found->user == 0) return fail(Fault::usage, "programs of calls may not run as root");
        user = *found;
    }
    Sandbox sandbox(std::move(settings), user, syscall_filter());
    if (auto works = sandbox.try_out(place); !works) return pass(works.error());
    auto cgroups = CallCgroups::open();
    if (cgroups) {
        sandbox.cgroups_ = std::make_shared<CallCgroups const>(*std::move(cgroups));
        log.info("sandbox: memory and processes of each call are limited by a cgroup and by setrlimit");
    } else {
        log.info("sandbox: memory of each process of a call is limited by setrlimit; no cgroup: {}",
                 cgroups.error().message);
    }
    if (sandbox.filter_.empty()) log.warn("sandbox: no filter of system calls for this architecture");
    return sandbox;
}

// A shell's file name cannot hold what a tree has; this needs none.
Status Sandbox::try_out(fs::path const& place) const {
    SandboxRequest const request{place, "../usr/bin/true", {}, {}, NetworkAccess::none, 0, {}};
    auto const program = start_in(request);
    if (!program) return pass(program.error());
    pollfd ended{program->process.reaper.get(), POLLIN, 0};
    if (poll(&ended, 1, static_cast<int>(trial_time.count())) != 1) {
        static_cast<void>(send_signal(program->process.reaper.get(), SIGTERM));
        return fail(Fault::failed, "the sandbox does not work: {} has not ended within {} s",
                    settings_.bubblewrap.string(), trial_time.count() / 1000);
    }
    siginfo_t reaped{};
    static_cast<void>(waitid(P_PIDFD, static_cast<id_t>(program->process.reaper.get()), &reaped, WEXITED | WNOHANG));
    if (reported_status(all_of(program->status.get())) == 0) return {};
    auto const outcome = read_outcome(program->process);
    if (outcome && outcome->kind == ProgramOutcome::Kind::not_started)
        return pass(not_started(program->start, *outcome));
    auto const message = all_of(program->process.errors.get());
    return fail(Fault::refused, "the sandbox does not work here: {}{}",
                message.empty() ? "bubblewrap ended without a word" : message, advice_for(message));
}

std::optional<UserIdentity> Sandbox::user_of(unsigned slot) const {
    if (geteuid() != 0) return std::nullopt;
    if (user_) return user_;
    LULL_INVARIANT(slot < most_sandbox_slots);
    return UserIdentity{first_sandbox_user + slot, first_sandbox_user + slot};
}

Result<SandboxedProgram> Sandbox::start(SandboxRequest const& request) const {
    auto const program = find_program(request.tree, request.program);
    if (!program) return pass(program.error());
    return start_in(request);
}

Result<SandboxedProgram> Sandbox::start_in(SandboxRequest const& request) const {
    auto descriptors = numbers;
    if (filter_.empty()) descriptors.filter = -1;
    auto const lookup = request.network == NetworkAccess::host ? NameLookup::wanted : NameLookup::none;
    auto const options = file_of(as_view(sandbox_options(request, find_system_paths(lookup), descriptors)));
    auto const filter = file_of(filter_);
    auto status = make_status_pipe();
    if (!options) return pass(options.error());
    if (!filter) return pass(filter.error());
    if (!status) return pass(status.error());
    SandboxedProgram program;
    if (cgroups_) {
        auto cgroup = cgroups_->make(fmt::format("call-{}", request.slot),
                                     {request.limits.memory, request.limits.processes});
        if (!cgroup) return pass(cgroup.error());
        program.cgroup.emplace(*std::move(cgroup));
    }
    program.start = {settings_.bubblewrap,
                     "/",
                     sandbox_command(request, descriptors),
                     variables_of(request),
                     user_of(request.slot),
                     ProgramStart::Streams::all,
                     Confinement{limits_of(request.limits),
                                 {options->get(), filter->get(), status->write.get()},
                                 program.cgroup ? program.cgroup->processes() : -1}};
    for (auto const& words : {program.start.arguments, program.start.environment}) {
        for (auto const& word : words) {
            if (word.find('\0') != std::string::npos)
                return fail(Fault::usage, "cannot run {}: an argument or variable of it holds a NUL", request.program);
        }
    }
    auto process = start_program(program.start);
    if (!process) return pass(process.error());
    program.process = *std::move(process);
    program.status = std::move(status->read);
    return program;
}

std::optional<int> reported_status(std::string_view said) {
    for (std::size_t begin = 0; begin < said.size();) {
        auto const end = std::min(said.find('\n', begin), said.size());
        auto const line = Json::parse(said.substr(begin, end - begin), nullptr, false);
        if (line.is_object() && line.contains("exit-code") && line["exit-code"].is_number_integer())
            return line["exit-code"].get<int>();
        begin = end + 1;
    }
    return std::nullopt;
}

}  // namespace lull::subscriber
