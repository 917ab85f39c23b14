#include "subscriber/programs/release_program.hpp"

#include <pwd.h>
#include <unistd.h>

#include <cerrno>

#include "subscriber/tree/tree_program.hpp"

namespace lull::subscriber {

namespace {

constexpr std::size_t most_user_record = std::size_t{1} << 20;

// Nothing of ours: no variable of the daemon is any business of a release.
std::vector<std::string> clean_environment(std::vector<std::string> const& additions) {
    std::vector<std::string> variables = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/",
                                          "LANG=C.UTF-8"};
    variables.insert(variables.end(), additions.begin(), additions.end());
    return variables;
}

Result<ProgramStart> start_as_daemon(fs::path program, std::vector<std::string> const& arguments) {
    std::error_code problem;
    auto directory = fs::current_path(problem);
    if (problem) return fail(Fault::failed, "cannot find the working directory: {}", problem.message());
    std::vector<std::string> environment;
    for (char** variable = environ; *variable != nullptr; ++variable) environment.emplace_back(*variable);
    return ProgramStart{std::move(program), std::move(directory), arguments, std::move(environment), std::nullopt};
}

}  // namespace

std::vector<std::string> environment_of(ReleaseId const& release, fs::path const& tree) {
    return {"LULL_SOFTWARE=" + release.software.text(), "LULL_VERSION=" + release.version.text(),
            "LULL_ROOT_DIR=" + tree.string()};
}

std::vector<std::string> environment_of(ReleaseId const& release, Layout const& layout) {
    auto variables = environment_of(release, layout.tree(release));
    variables.push_back("LULL_DATA=" + layout.data(release.software).string());
    return variables;
}

Result<UserIdentity> find_user(std::string const& name) {
    std::vector<char> text(1024);
    passwd entry{};
    passwd* found = nullptr;
    int problem = 0;
    while ((problem = getpwnam_r(name.c_str(), &entry, text.data(), text.size(), &found)) == ERANGE &&
           text.size() < most_user_record) {
        text.resize(text.size() * 2);
    }
    if (found != nullptr) return UserIdentity{entry.pw_uid, entry.pw_gid};
    return fail(Fault::not_found,
                "there is no user '{}' to run programs of releases as; make one (useradd --system {}) or name another",
                name, name);
}

Result<ProgramStart> ReleasePrograms::prepare(ProgramRun const& wanted) const {
    auto program = find_program(wanted.tree, wanted.program);
    if (!program) return pass(program.error());
    if (wanted.as == ProgramRun::RunAs::daemon) return start_as_daemon(*std::move(program), wanted.arguments);
    ProgramStart start{*std::move(program), wanted.tree, wanted.arguments, clean_environment(wanted.environment),
                       std::nullopt};
    if (geteuid() != 0) return start;
    auto const user = find_user(user_);
    if (!user) return pass(user.error());
    if (user->user != 0) start.user = *user;
    return start;
}

ReleasePrograms::RunId ReleasePrograms::run(ProgramRun const& wanted, Done done) {
    return runs_.run(prepare(wanted), {wanted.time_limit, wanted.most_output}, std::move(done));
}

}  // namespace lull::subscriber
