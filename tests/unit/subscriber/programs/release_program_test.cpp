#include "subscriber/programs/release_program.hpp"

#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <sstream>

#include "fixture.hpp"
#include "running.hpp"
#include "subscriber/usage/in_use.hpp"

namespace lull::subscriber::test::release_program_test {

namespace {

using namespace std::chrono_literals;

// A tree of one version with these scripts, each under its name.
struct Scripts {
    Scripts(std::initializer_list<std::pair<std::string, std::string>> scripts) {
        Tree tree;
        for (auto const& [name, text] : scripts) tree[name] = "x:#!/bin/sh\n" + text;
        tree["text"] = "no program";
        id = node.install(1, "1.0", tree);
        fs::permissions(node.directory.path(), fs::perms(0755));  // programs run as somebody else
    }

    Node node;
    ReleaseId id;
    EventLoop loop;
    fs::path tree() const { return node.layout.tree(id); }

    [[nodiscard]] ProgramRun wanted(std::string program, Duration time_limit = 60s) const {
        return {tree(), std::move(program), {}, {}, time_limit, KiB(4)};
    }
    Result<ProgramResult> run(ProgramRun const& what) {
        ReleasePrograms programs(loop);
        return run(programs, what);
    }
    Result<ProgramResult> run(ReleasePrograms& programs, ProgramRun const& what) {
        std::optional<Result<ProgramResult>> result;
        programs.run(what, [&](Result<ProgramResult> got) {
            result = std::move(got);
            loop.stop();
        });
        CHECK_FALSE(result);  // never within the call
        run_bounded(loop);
        return *result;
    }
};

std::string output_of(Result<ProgramResult> const& result) {
    if (!result) FAIL(result.error().message);
    return result->output;
}

std::vector<std::string> lines_of(std::string const& text) {
    std::istringstream stream(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

pid_t pid_in(std::string const& text) { return static_cast<pid_t>(std::stol(text)); }

bool exists(pid_t pid) { return kill(pid, 0) == 0 || errno != ESRCH; }

// A version whose program "wait" does not end by itself, and has somebody else in a session of his own. The pids come
// by a FIFO: nothing is told of a program that runs.
struct Lasting {
    explicit Lasting(Node& node) {
        fs::permissions(node.directory.path(), fs::perms(0755));
        fs::permissions(shared.path(), fs::perms(0777));
        REQUIRE(mkfifo(fifo.c_str(), 0666) == 0);
        fs::permissions(fifo, fs::perms(0666));
        id = node.install(
            3, "3.0", {{"wait", "x:#!/bin/sh\nsetsid sleep 1000 & echo $! $$ >" + fifo.string() + "; sleep 1000\n"}});
        tree = node.layout.tree(id);
    }
    // Waits until it runs: the other one, and the program itself.
    [[nodiscard]] std::vector<pid_t> pids() const {
        std::istringstream text(contents_of_fifo(fifo));
        return {std::istream_iterator<pid_t>(text), {}};
    }

    lull::test::TemporaryDirectory shared;
    fs::path fifo = shared / "pids";
    ReleaseId id;
    fs::path tree;
};

}  // namespace

TEST_CASE("a program of a release gets its arguments, its tree, and only the variables that it should have") {
    Scripts scripts{{"check", "pwd; env | sort; printf '<%s>' \"$0\" \"$@\""}};
    setenv("LULL_SECRET", "of the daemon", 1);
    auto wanted = scripts.wanted("check");
    wanted.arguments = {"a b", "", "$(id)"};
    wanted.environment = {"LULL_VERSION=1.0"};
    auto const lines = lines_of(output_of(scripts.run(wanted)));
    unsetenv("LULL_SECRET");
    CHECK(lines == std::vector<std::string>{scripts.tree(), "HOME=/", "LANG=C.UTF-8", "LULL_VERSION=1.0",
                                            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                            "PWD=" + scripts.tree().string(),
                                            fmt::format("<{}/check><a b><><$(id)>", scripts.tree().string())});
}

TEST_CASE("how a program ended is told, with what it wrote on both outputs") {
    Scripts scripts{{"good", "echo fine"}, {"bad", "echo one; echo two >&2; exit 3"}, {"dies", "kill -SEGV $$"}};
    auto const good = scripts.run(scripts.wanted("good"));
    CHECK(output_of(good) == "fine");
    CHECK(good->succeeded());
    auto const bad = scripts.run(scripts.wanted("bad"));
    CHECK(output_of(bad) == "one\ntwo");
    CHECK(bad->value == 3);
    CHECK_FALSE(bad->succeeded());
    CHECK(to_text(*bad) == "ended with status 3 after 0 s: one two");
    auto const died = scripts.run(scripts.wanted("dies"));
    REQUIRE(died);
    CHECK(died->end == ProgramResult::End::signalled);
    CHECK(died->value == SIGSEGV);
}

TEST_CASE("a program has nothing of ours: no descriptors, no privileges, no core dumps, no input, no blocked signals") {
    Scripts scripts{{"check",
                     "for fd in /proc/$$/fd/*; do echo \"$(basename $fd) $(readlink $fd)\"; done; grep -E "
                     "'^(NoNewPrivs|SigBlk|SigIgn|Groups|CapEff)' /proc/self/status; ulimit -c; ulimit -n; "
                     "[ \"$(ps -o sid= -p $$ | tr -d ' ')\" = $$ ] && echo own session; cat; id -u"}};
    auto const inherited = open_file(scripts.tree() / "text", O_RDONLY);
    REQUIRE(fcntl(inherited->get(), F_SETFD, 0) == 0);
    auto const before = signal(SIGPIPE, SIG_IGN);
    auto const output = output_of(scripts.run(scripts.wanted("check")));
    signal(SIGPIPE, before);
    CAPTURE(output);
    auto const lines = lines_of(output);
    auto const has = [&](std::string const& line) {
        return std::find(lines.begin(), lines.end(), line) != lines.end();
    };
    CHECK(has("0 /dev/null"));
    CHECK(output.find("/text") == std::string::npos);
    CHECK(output.find("socket:") == std::string::npos);
    CHECK(output.find("eventfd") == std::string::npos);
    CHECK(has("NoNewPrivs: 1"));
    CHECK(output.find("SigIgn: 0000000000000000") != std::string::npos);
    CHECK(has("own session"));
    CHECK(has("0"));
    CHECK(has("1024"));
    if (geteuid() != 0) return;
    CHECK(lines.back() == std::to_string(find_user("nobody")->user));
    CHECK(output.find("CapEff: 0000000000000000") != std::string::npos);
    CHECK(has("Groups:  "));
}

TEST_CASE(
    "where we are root, an operator may choose the user, and a user who does not exist is an error that says so") {
    Scripts scripts{{"check", "id -u; id -g; id -G"}};
    if (geteuid() != 0) {
        WARN("skipped: only root can become another user");
        return;
    }
    ReleasePrograms daemon(scripts.loop, "daemon");
    auto const user = find_user("daemon").value();
    CHECK(output_of(scripts.run(daemon, scripts.wanted("check"))) ==
          fmt::format("{}\n{}\n{}", user.user, user.group, user.group));
    ReleasePrograms root(scripts.loop, "root");
    CHECK(lines_of(output_of(scripts.run(root, scripts.wanted("check")))).front() == "0");
    ReleasePrograms nobody(scripts.loop, "lull-no-such-user");
    auto const refused = scripts.run(nobody, scripts.wanted("check"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().fault == Fault::not_found);
    CHECK(refused.error().message.find("'lull-no-such-user'") != std::string::npos);
}

TEST_CASE("what cannot be started is an error that says why, and never a result") {
    Scripts scripts{{"good", "exit 0"}};
    auto const error_of = [&](ProgramRun const& wanted) {
        auto const result = scripts.run(wanted);
        REQUIRE_FALSE(result);
        return result.error();
    };
    CHECK(error_of(scripts.wanted("none")).fault == Fault::not_found);
    for (auto const* wrong : {"../../../../../../../../bin/sh", "/bin/sh", "", ".", "text"}) {
        INFO(wrong);
        CHECK_FALSE(error_of(scripts.wanted(wrong)).message.empty());
    }
    auto with_nul = scripts.wanted("good");
    with_nul.arguments = {std::string("a\0b", 3)};
    CHECK(error_of(with_nul).fault == Fault::usage);

    auto const other = scripts.node.install(2, "2.0", {{"odd", "x:#!/no/such/interpreter\n"}, {"plain", "x:exit 0\n"}});
    auto wanted = scripts.wanted("odd");
    wanted.tree = scripts.node.layout.tree(other);
    auto const missing = error_of(wanted);
    CHECK(missing.fault == Fault::not_found);
    CHECK(missing.message.find("/odd: No such file") != std::string::npos);
    wanted.program = "plain";
    CHECK(error_of(wanted).message.find("'#!'") != std::string::npos);
}

TEST_CASE("of what a program writes only the last is kept, and nothing that steers a terminal") {
    Scripts scripts{{"much", "i=0; while [ $i -lt 30000 ]; do echo line $i; i=$((i+1)); done"},
                    {"odd", "printf 'a\\033[2Jb\\tc\\r\\n\\303\\244\\n\\n'"}};
    auto const much = scripts.run(scripts.wanted("much"));
    CHECK(output_of(much).size() <= KiB(4).count());
    CHECK(much->output.ends_with("line 29998\nline 29999"));
    CHECK(to_text(*much).size() < 400);
    CHECK(output_of(scripts.run(scripts.wanted("odd"))) == "a?[2Jb c\n??");
}

TEST_CASE("a program that is late is killed with everything that it has started, whatever session that is in") {
    Scripts scripts{{"late", "trap '' TERM; setsid sleep 1000 & echo $!; sleep 1000 & echo $!; echo $$; wait"}};
    auto const result = scripts.run(scripts.wanted("late", 500ms));
    auto const lines = lines_of(output_of(result));
    CHECK(result->end == ProgramResult::End::timed_out);
    CHECK(result->took < 20s);
    REQUIRE(lines.size() == 3);
    for (auto const& line : lines) CHECK_FALSE(exists(pid_in(line)));
}

TEST_CASE("a program that leaves others behind does not hold us up, and they are killed") {
    Scripts scripts{{"leaves", "setsid sh -c 'sleep 1000 & sleep 1000' & echo $!; sleep 1000 & echo $!; exit 4"}};
    auto const result = scripts.run(scripts.wanted("leaves"));
    auto const lines = lines_of(output_of(result));
    CHECK(result->value == 4);
    REQUIRE(lines.size() == 2);
    for (auto const& line : lines) CHECK_FALSE(exists(pid_in(line)));
}

TEST_CASE("a program that closes its outputs goes on to its end") {
    Scripts scripts{{"quiet", "echo before; exec >&- 2>&-; sleep 0.1; exit 5"}};
    auto const result = scripts.run(scripts.wanted("quiet"));
    CHECK(output_of(result) == "before");
    CHECK(result->value == 5);
}

TEST_CASE(
    "several programs run at a time, each with its own result; one that is cancelled is killed and not reported") {
    Scripts scripts{{"echo", "echo $1"}};
    ReleasePrograms programs(scripts.loop);
    std::vector<std::string> seen;
    auto wanted = scripts.wanted("echo");
    for (auto const* word : {"one", "two", "three"}) {
        wanted.arguments = {word};
        programs.run(wanted, [&](Result<ProgramResult> const& result) {
            seen.push_back(output_of(result));
            if (seen.size() == 3) scripts.loop.stop();
        });
    }
    auto const cancelled = programs.run(scripts.wanted("echo"),
                                        [&](Result<ProgramResult> const&) { FAIL("it was cancelled"); });
    auto const impossible = programs.run(scripts.wanted("none"),
                                         [&](Result<ProgramResult> const&) { FAIL("it was cancelled"); });
    programs.cancel(cancelled);
    programs.cancel(impossible);
    programs.cancel(4711);
    run_bounded(scripts.loop);
    std::sort(seen.begin(), seen.end());
    CHECK(seen == std::vector<std::string>{"one", "three", "two"});
}

TEST_CASE("whoever gives up the programs kills them, and may do so when told of a result") {
    Scripts scripts{{"good", "exit 0"}};
    std::optional<ReleasePrograms> programs;
    SECTION("in the middle") {
        Lasting const lasting(scripts.node);
        programs.emplace(scripts.loop);
        auto wanted = scripts.wanted("wait");
        wanted.tree = lasting.tree;
        programs->run(wanted, [](Result<ProgramResult> const&) { FAIL("nobody wants to know"); });
        auto const pids = lasting.pids();
        for (auto const pid : pids) REQUIRE(exists(pid));
        programs.reset();
        for (auto const pid : pids) CHECK_FALSE(exists(pid));
    }
    SECTION("in its own handler") {
        programs.emplace(scripts.loop);
        programs->run(scripts.wanted("good"), [&](Result<ProgramResult> const&) {
            programs.reset();
            scripts.loop.stop();
        });
        run_bounded(scripts.loop);
        CHECK_FALSE(programs);
    }
}

TEST_CASE("when the daemon is killed hard, its programs and all that they have started are killed as well") {
    Node node;
    Lasting const lasting(node);
    Child const daemon({TEST_PROGRAM, "programs", lasting.tree, "wait"});
    std::vector<FileDescriptor> processes;
    for (auto const pid : lasting.pids()) processes.emplace_back(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    REQUIRE(kill(static_cast<pid_t>(daemon.pid()), SIGKILL) == 0);
    for (auto const& process : processes) {
        pollfd ended{process.get(), POLLIN, 0};
        CHECK(poll(&ended, 1, 60'000) == 1);
    }
}

TEST_CASE("while a program of a version runs it uses that version, and the process that watches over it does not") {
    Node node;
    Lasting const lasting(node);
    Child const daemon({TEST_PROGRAM, "programs", lasting.tree, "wait"});
    auto const pids = lasting.pids();
    auto const scan = find_holders(node.layout, lasting.id);
    kill(static_cast<pid_t>(daemon.pid()), SIGKILL);
    REQUIRE(scan);
    // The daemon of this test and its watching process name the tree on their command line, and have nothing else of
    // it.
    for (std::size_t i = 0; i < scan->holders.size(); ++i) {
        if (scan->holders[i].command == "unit_subscriber") CHECK(scan->signs[i] == UsageKinds{UsageKind::argument});
    }
    CHECK(std::any_of(scan->holders.begin(), scan->holders.end(),
                      [&](auto const& holder) { return static_cast<pid_t>(holder.pid) == pids.back(); }));
}

}  // namespace lull::subscriber::test::release_program_test
