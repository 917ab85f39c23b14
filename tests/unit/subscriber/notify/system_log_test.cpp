#include "subscriber/notify/system_log.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <regex>

#include "fixture.hpp"

namespace lull::subscriber::test::system_log_test {

namespace {

// A stand-in for whoever reads /dev/log.
struct Reader {
    explicit Reader(fs::path const& path) : socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.string().copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(bind(socket.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0);
    }
    [[nodiscard]] std::string next() const {
        char block[4096];
        auto const got = recv(socket.get(), block, sizeof block, 0);
        return got < 0 ? "" : std::string(block, static_cast<std::size_t>(got));
    }
    FileDescriptor socket;
};

}  // namespace

TEST_CASE("a notice is in the system's log as syslog(3) would write it") {
    lull::test::TemporaryDirectory directory;
    Reader const reader(directory / "log");
    SystemLog const log(directory / "log");
    REQUIRE(log.notice("app 2.0 is ready\n\x1b[2J"));
    auto const line = reader.next();
    CAPTURE(line);
    CHECK(std::regex_match(line, std::regex("<29>[A-Z][a-z][a-z] [ 1-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} lull-node\\[" +
                                            std::to_string(getpid()) + "\\]: app 2\\.0 is ready\\?\\?\\[2J")));
    REQUIRE(log.notice(std::string(10'000, 'x')));
    CHECK(reader.next().size() <= 1024);
}

TEST_CASE("where nobody reads the system's log, or not fast enough, that is an error and no wait") {
    lull::test::TemporaryDirectory directory;
    SystemLog const log(directory / "log");
    CHECK(log.notice("x").error().fault == Fault::not_found);
    Reader const reader(directory / "log");
    Status status;
    for (int lines = 0; lines < 100'000 && status; ++lines) status = log.notice("x");
    REQUIRE_FALSE(status);
    CHECK(status.error().message.find((directory / "log").string()) != std::string::npos);
    CHECK_FALSE(SystemLog(fs::path("/" + std::string(200, 'x'))).notice("x"));
}

}  // namespace lull::subscriber::test::system_log_test
