#include "core/command_line.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "core/json.hpp"
#include "tests/unit/core/captured_output.hpp"

namespace command_line_test {

using namespace lull;
using test::CapturedOutput;
using test::TemporaryDirectory;

namespace {

struct Outcome {
    int status = -1;
    std::string out;
    std::string err;
    std::optional<Arguments> arguments;  // of the command that ran
    std::string ran;
};

// Sets an environment variable until the end of the test.
class Variable {
public:
    Variable(char const* name, char const* value) : name_(name) { setenv(name, value, 1); }
    ~Variable() { unsetenv(name_); }
    Variable(Variable const&) = delete;
    Variable& operator=(Variable const&) = delete;

private:
    char const* name_;
};

std::vector<Command> commands_that_note_into(Outcome& outcome, Status const& result) {
    auto const note = [&outcome, result](std::string const& name) {
        return [&outcome, result, name](Arguments const& arguments) {
            outcome.arguments = arguments;
            outcome.ran = name;
            return result;
        };
    };
    std::vector<Option> const publish_options = {
        {.name = "name",
         .help = "the software",
         .placeholder = "NAME",
         .environment = "LULL_TEST_NAME",
         .required = true},
        {.name = "group", .help = "a group of nodes", .placeholder = "GROUP", .many = true},
        {.name = "rate",
         .help = "bytes a second",
         .placeholder = "N",
         .fallback = "100",
         .environment = "LULL_TEST_RATE"},
        {.name = "json", .help = "print JSON", .environment = "LULL_TEST_JSON"},
    };
    return {
        {"publish",
         "publish a release",
         {"PATH"},
         publish_options,
         "prog publish ./dist --name app",
         note("publish"),
         "ARGUMENTS"},
        {"status",
         "show the nodes",
         {"[SOFTWARE]"},
         {{.name = "wide", .help = "all columns"}},
         "prog status",
         note("status")},
        {"nodes new", "make a node", {"NAME"}, {}, "prog nodes new lab-3", note("nodes new")},
        {"nodes list", "list nodes", {}, {}, "prog nodes list", note("nodes list")},
        {"run", "run a program", {"PROGRAM", "[WORDS...]"}, {}, "prog run app", note("run"), "ARGUMENTS"},
        {"copy", "copy files", {"FILE..."}, {}, "", note("copy")},
    };
}

Outcome run(std::vector<char const*> words, Status const& result = {},
            std::string const& usual_config = "/absent/lull.conf") {
    Outcome outcome;
    CommandLine line("prog", "keeps software current", commands_that_note_into(outcome, result));
    line.add_common({.name = "config",
                     .help = "a file",
                     .placeholder = "FILE",
                     .fallback = usual_config,
                     .environment = "LULL_TEST_CONFIG"});
    line.add_common({.name = "log-level", .help = "how much to tell", .placeholder = "LEVEL", .fallback = "info"});
    words.insert(words.begin(), "prog");
    CapturedOutput const out(STDOUT_FILENO);
    CapturedOutput const err(STDERR_FILENO);
    outcome.status = line.run(static_cast<int>(words.size()), words.data());
    outcome.out = out.text();
    outcome.err = err.text();
    return outcome;
}

bool has(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }

// Runs, expects a usage error that says `part`, and where to look further.
void check_refused(std::vector<char const*> const& words, std::string const& part, std::string const& see) {
    auto const outcome = run(words);
    INFO(part);
    CHECK(outcome.status == 2);
    CHECK(outcome.ran.empty());
    CHECK(outcome.out.empty());
    CHECK(outcome.err.starts_with("prog: "));
    CHECK_THAT(outcome.err, Catch::Contains(part));
    CHECK(outcome.err.ends_with("\nsee: " + see + " --help\n"));
}

std::string write_config(TemporaryDirectory const& dir, std::string const& text) {
    auto const path = (dir / "lull.conf").string();
    std::ofstream(path) << text;
    return path;
}

}  // namespace

TEST_CASE("a command gets its options, arguments and what follows --") {
    auto const outcome = run(
        {"publish", "./dist", "--name", "app", "--group=a", "--group", "b", "--json", "--", "--name", "-x", "--"});
    REQUIRE(outcome.status == 0);
    CHECK(outcome.err.empty());
    CHECK(outcome.ran == "publish");
    auto const& arguments = *outcome.arguments;
    CHECK(arguments.text("name") == "app");
    CHECK(arguments.all("group") == std::vector<std::string>{"a", "b"});
    CHECK(arguments.flag("json"));
    CHECK(arguments.positional() == std::vector<std::string>{"./dist"});
    CHECK(arguments.rest() == std::vector<std::string>{"--name", "-x", "--"});
}

TEST_CASE("what was not given is absent, and fallbacks count as given") {
    auto const outcome = run({"publish", "--name", "app", "x"});
    REQUIRE(outcome.arguments);
    auto const& arguments = *outcome.arguments;
    CHECK_FALSE(arguments.flag("json"));
    CHECK_FALSE(arguments.has("group"));
    CHECK(arguments.text("group").empty());
    CHECK(arguments.all("group").empty());
    CHECK(arguments.rest().empty());
    CHECK(arguments.has("rate"));
    CHECK(*arguments.number("rate") == 100);
    CHECK(arguments.text("log-level") == "info");
}

TEST_CASE("options may stand before, between and after arguments, and values may be empty or begin with a dash") {
    auto const outcome = run({"run", "--log-level", "", "app", "-", "more", ""});
    REQUIRE(outcome.arguments);
    CHECK(outcome.arguments->positional() == std::vector<std::string>{"app", "-", "more", ""});
    CHECK(outcome.arguments->text("log-level").empty());
    CHECK(run({"publish", "x", "--name=--odd"}).arguments->text("name") == "--odd");
    CHECK(run({"publish", "x", "--name", "-odd"}).arguments->text("name") == "-odd");
}

TEST_CASE("commands of two words are found, and so is help on them") {
    CHECK(run({"nodes", "new", "lab-3"}).ran == "nodes new");
    CHECK(run({"nodes", "new", "lab-3"}).arguments->positional() == std::vector<std::string>{"lab-3"});
    CHECK(run({"nodes", "list"}).ran == "nodes list");
    auto const help = run({"nodes", "new", "--help"});
    CHECK(help.status == 0);
    CHECK(help.ran.empty());
    CHECK(has(help.out, "usage: prog nodes new NAME"));
}

TEST_CASE("the command line goes before the environment, the config file and the fallback") {
    TemporaryDirectory dir;
    auto const path = write_config(dir, "rate = 3\nname = from-file\n");
    auto const rate = [&](std::vector<char const*> more) {
        more.insert(more.begin(), {"publish", "x"});
        auto const outcome = run(more);
        REQUIRE(outcome.status == 0);
        return *outcome.arguments->number("rate");
    };
    CHECK(rate({"--name", "n"}) == 100);
    CHECK(rate({"--config", path.c_str()}) == 3);
    Variable const set("LULL_TEST_RATE", "2");
    CHECK(rate({"--config", path.c_str()}) == 2);
    CHECK(rate({"--config", path.c_str(), "--rate", "1"}) == 1);
}

TEST_CASE("a required option may come from the environment or the config file") {
    TemporaryDirectory dir;
    auto const path = write_config(dir, "name = from-file\n");
    CHECK(run({"publish", "x", "--config", path.c_str()}).arguments->text("name") == "from-file");
    Variable const set("LULL_TEST_NAME", "from-environment");
    CHECK(run({"publish", "x", "--config", path.c_str()}).arguments->text("name") == "from-environment");
    CHECK(run({"publish", "x", "--name", "given", "--config", path.c_str()}).arguments->text("name") == "given");
}

TEST_CASE("an empty variable counts as none, and a switch can be set by one") {
    {
        Variable const empty("LULL_TEST_JSON", "");
        CHECK_FALSE(run({"publish", "x", "--name", "n"}).arguments->flag("json"));
    }
    Variable const set("LULL_TEST_JSON", "1");
    CHECK(run({"publish", "x", "--name", "n"}).arguments->flag("json"));
}

TEST_CASE("a config file has comments, switches, repeated options, and options of other commands") {
    TemporaryDirectory dir;
    auto const path = write_config(
        dir, "# for all\n\nname = app # the product\ngroup = a\ngroup = b\njson = true\nwide = no\nlog-level=debug\n");
    auto const outcome = run({"publish", "x", "--config", path.c_str()});
    REQUIRE(outcome.status == 0);
    CHECK(outcome.arguments->text("name") == "app");
    CHECK(outcome.arguments->all("group") == std::vector<std::string>{"a", "b"});
    CHECK(outcome.arguments->flag("json"));
    CHECK(outcome.arguments->text("log-level") == "debug");
    auto const status = run({"status", "--config", path.c_str()});
    REQUIRE(status.status == 0);
    CHECK_FALSE(status.arguments->flag("wide"));
    CHECK_FALSE(status.arguments->has("name"));
}

TEST_CASE("values on the command line replace all of the config file's") {
    TemporaryDirectory dir;
    auto const path = write_config(dir, "group = a\ngroup = b\n");
    auto const outcome = run({"publish", "x", "--name", "n", "--group", "c", "--config", path.c_str()});
    CHECK(outcome.arguments->all("group") == std::vector<std::string>{"c"});
}

TEST_CASE("what is wrong in a config file is told with file and name") {
    TemporaryDirectory dir;
    auto const refused = [&](std::string const& text, std::string const& part) {
        auto const path = write_config(dir, text);
        check_refused({"publish", "x", "--name", "n", "--config", path.c_str()}, "config file " + path + ": ",
                      "prog publish");
        check_refused({"publish", "x", "--name", "n", "--config", path.c_str()}, part, "prog publish");
    };
    refused("rat = 3\n", "unknown option rat; did you mean rate?");
    refused("zzzzzz = 3\n", "unknown option zzzzzz\n");
    refused("[section]\nrate = 3\n", "unknown option section.rate");
    refused("config = other.conf\n", "unknown option config");
    refused("rate = 3\nrate = 4\n", "rate is given more than once");
    refused("json = perhaps\n", "json is 'perhaps', and has to be true or false");
    refused("just words\n", "just words");
}

TEST_CASE("a config file that was asked for and is missing is an error, the usual one may be missing") {
    auto const outcome = run({"status", "--config", "/absent/asked.conf"});
    CHECK(outcome.status == 1);
    CHECK(outcome.ran.empty());
    CHECK(outcome.err == "prog: config file: cannot open /absent/asked.conf: No such file or directory\n");
    CHECK(run({"status"}).status == 0);
    Variable const set("LULL_TEST_CONFIG", "/absent/environment.conf");
    CHECK(has(run({"status"}).err, "/absent/environment.conf"));
}

TEST_CASE("the usual config file is read where it exists") {
    TemporaryDirectory dir;
    auto const path = write_config(dir, "log-level = debug\n");
    CHECK(run({"status"}, {}, path).arguments->text("log-level") == "debug");
}

TEST_CASE("a config file that is no file or far too large is an error") {
    TemporaryDirectory dir;
    CHECK(run({"status", "--config", dir.path().c_str()}).status == 1);
    auto const path = write_config(dir, std::string(2 << 20, '#'));
    auto const outcome = run({"status", "--config", path.c_str()});
    CHECK(outcome.status == 1);
    CHECK(has(outcome.err, "larger than 1 MiB"));
}

TEST_CASE("unknown commands are usage errors that suggest the nearest one") {
    check_refused({"pubish", "x"}, "unknown command pubish; did you mean publish?", "prog");
    check_refused({"stauts"}, "did you mean status?", "prog");
    check_refused({"frobnicate"}, "unknown command frobnicate\n", "prog");
    check_refused({"nodes"}, "nodes needs a second word: nodes new, nodes list", "prog");
    check_refused({"nodes", "nwe"}, "unknown command nodes nwe; did you mean nodes new?", "prog");
    check_refused({"node", "new"}, "unknown command node", "prog");
    check_refused({}, "no command is given", "prog");
    check_refused({""}, "unknown command", "prog");
    check_refused({"--json", "status"}, "the command comes first", "prog");
}

TEST_CASE("unknown options are usage errors that suggest the nearest one") {
    check_refused({"publish", "x", "--nmae", "app"}, "unknown option --nmae; did you mean --name?", "prog publish");
    check_refused({"publish", "x", "--nmae=app"}, "unknown option --nmae; did you mean --name?", "prog publish");
    check_refused({"publish", "x", "--nam", "app"}, "unknown option --nam; did you mean --name?", "prog publish");
    check_refused({"nodes", "new", "x", "--frobnicate"}, "unknown option --frobnicate\n", "prog nodes new");
    check_refused({"publish", "x", "-n", "app"}, "unknown option -n", "prog publish");
}

TEST_CASE("wrong use of options is a usage error that names the option") {
    check_refused({"publish", "x"}, "--name is missing (the software): add --name NAME, or set LULL_TEST_NAME",
                  "prog publish");
    check_refused({"publish", "x", "--name"}, "--name", "prog publish");
    check_refused({"publish", "x", "--name="}, "--name", "prog publish");
    check_refused({"publish", "x", "--name", "a", "--name", "b"}, "--name is given more than once", "prog publish");
    check_refused({"publish", "x", "--name", "a", "--json=yes"}, "--json", "prog publish");
    check_refused({"publish", "x", "--name", "--rate"}, "--name", "prog publish");
    check_refused({"publish", "x", "--name", "--jsn"}, "--name needs a value; if --jsn is meant, write --name=--jsn",
                  "prog publish");
}

TEST_CASE("missing and surplus arguments are usage errors") {
    check_refused({"publish", "--name", "app"}, "PATH is missing; for example: prog publish ./dist --name app",
                  "prog publish");
    check_refused({"publish", "a", "b", "--name", "app"},
                  "'b' is one argument too many; arguments of the program stand behind --: a -- b", "prog publish");
    check_refused({"status", "a", "b"}, "'b' is one argument too many", "prog status");
    check_refused({"status", "--", "a"}, "'a' stands behind --, where this command takes nothing", "prog status");
    check_refused({"copy"}, "FILE... is missing\n", "prog copy");
    check_refused({"run", "--", "app"}, "PROGRAM is missing", "prog run");
}

TEST_CASE("optional arguments may be left out, and a last one takes the rest") {
    CHECK(run({"status"}).status == 0);
    CHECK(run({"status", "app"}).arguments->positional().size() == 1);
    CHECK(run({"run", "app"}).status == 0);
    CHECK(run({"run", "app", "a", "b", "c"}).arguments->positional().size() == 4);
    CHECK(run({"copy", "a", "b", "c"}).arguments->positional().size() == 3);
}

TEST_CASE("numbers are whole, unsigned and bounded") {
    auto const number = [](char const* text) {
        return run({"publish", "x", "--name", "n", "--rate", text}).arguments->number("rate");
    };
    CHECK(*number("0") == 0);
    CHECK(*number("18446744073709551615") == 18446744073709551615ULL);
    for (auto const* const text : {"", "-1", "+1", " 1", "1 ", "1.5", "0x1", "ten", "18446744073709551616"}) {
        auto const refused = number(text);
        INFO(text);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().fault == Fault::usage);
        CHECK(has(refused.error().message, "--rate"));
    }
    CHECK_FALSE(Arguments().number("absent"));
}

TEST_CASE("the program's help lists commands and common options and shows an example") {
    auto const outcome = run({"--help"});
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    CHECK(outcome.ran.empty());
    for (auto const* const part :
         {"prog: keeps software current", "usage: prog COMMAND", "publish     publish a release",
          "nodes new   make a node", "--config FILE", "--log-level LEVEL", "(default: info)",
          "example:\n  prog publish ./dist --name app", "prog COMMAND --help"}) {
        CHECK_THAT(outcome.out, Catch::Contains(part));
    }
    CHECK(run({"-h"}).out == outcome.out);
    CHECK(run({"nodes", "--help"}).out == outcome.out);
}

TEST_CASE("a command's help shows its arguments, options and an example, whatever else is wrong") {
    auto const outcome = run({"publish", "--bogus", "--help"});
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    CHECK(outcome.ran.empty());
    for (auto const* const part :
         {"usage: prog publish PATH [OPTIONS]", "publish a release", "--name NAME",
          "(required; environment: LULL_TEST_NAME)", "(may be repeated)", "(default: 100; environment: LULL_TEST_RATE)",
          "--json ", "--config FILE", "example:\n  prog publish ./dist --name app"}) {
        CHECK_THAT(outcome.out, Catch::Contains(part));
    }
}

TEST_CASE("help behind -- belongs to somebody else") {
    auto const outcome = run({"run", "app", "--", "--help"});
    CHECK(outcome.ran == "run");
    CHECK(outcome.arguments->rest() == std::vector<std::string>{"--help"});
}

TEST_CASE("--version tells program and version") {
    auto const outcome = run({"--version"});
    CHECK(outcome.status == 0);
    CHECK(outcome.out == std::string("prog ") + LULL_VERSION + "\n");
}

TEST_CASE("what a command fails with becomes message and exit status") {
    std::vector<std::pair<Fault, int>> const statuses = {
        {Fault::failed, 1}, {Fault::not_found, 1},   {Fault::damaged, 1}, {Fault::no_space, 1},
        {Fault::usage, 2},  {Fault::unreachable, 3}, {Fault::refused, 4}};
    for (auto const& [fault, status] : statuses) {
        auto const outcome = run({"status"}, fail(fault, "it is {}", "so"));
        CHECK(outcome.status == status);
        CHECK(outcome.ran == "status");
        CHECK(outcome.err == std::string("prog: it is so\n") + (status == 2 ? "see: prog status --help\n" : ""));
    }
}

TEST_CASE("a text with options is read under the same rules, and names its lines") {
    std::vector<Option> const options = {{.name = "rate", .help = "bytes", .placeholder = "N", .fallback = "100"},
                                         {.name = "group", .help = "a group", .placeholder = "GROUP", .many = true},
                                         {.name = "fast", .help = "a switch"}};
    auto const read = parse_options("# text\ngroup = a\ngroup = b\nfast = yes\n", options);
    REQUIRE(read);
    CHECK(read->text("rate") == "100");
    CHECK(read->all("group") == std::vector<std::string>{"a", "b"});
    CHECK(read->flag("fast"));
    CHECK(read->given() == std::set<std::string>{"fast", "group"});
    CHECK(parse_options("", options)->given().empty());
    CHECK(parse_options("\nrats = 1\n", options).error().message == "line 2: unknown option rats; did you mean rate?");
    CHECK(parse_options("rate = 1\nrate = 2\n", options).error().message == "line 2: rate is given more than once");
    CHECK(parse_options("fast = maybe\n", options).error().message ==
          "line 1: fast is 'maybe', and has to be true or false");
}

TEST_CASE("arguments are filled from a file where the command line and the environment say nothing") {
    std::vector<Option> const options = {{.name = "name", .help = "the software", .placeholder = "NAME"},
                                         {.name = "group", .help = "a group", .placeholder = "GROUP", .many = true},
                                         {.name = "rate", .help = "bytes", .placeholder = "N"},
                                         {.name = "json", .help = "a switch"}};
    TemporaryDirectory dir;
    auto const path = write_config(dir, "rate = 3\n");
    Variable const variable("LULL_TEST_NAME", "from-environment");
    auto const outcome = run({"publish", "x", "--group", "given", "--config", path.c_str()});
    REQUIRE(outcome.arguments);
    auto const file = parse_options("name = n\ngroup = a\ngroup = b\nrate = 7\njson = on\n", options);
    auto const filled = outcome.arguments->filled_from(*file);
    CHECK(filled.text("name") == "from-environment");
    CHECK(filled.all("group") == std::vector<std::string>{"given"});
    CHECK(filled.text("rate") == "7");  // the file is nearer than the config file
    CHECK(filled.flag("json"));
}

TEST_CASE("with --json an error is one object with the exit status, also when other words are wrong") {
    std::vector<std::vector<char const*>> const calls = {{"publish", "x", "--json"},
                                                         {"publish", "x", "--name", "n", "--json", "--nonsense"}};
    for (auto const& words : calls) {
        auto const outcome = run(words);
        CHECK(outcome.status == 2);
        auto const json = Json::parse(outcome.err);
        CHECK(json.at("status") == 2);
        CHECK_FALSE(json.at("error").get<std::string>().empty());
        CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    }
    CHECK(has(run({"publish", "x"}).err, "see: prog publish --help"));
}

}  // namespace command_line_test
