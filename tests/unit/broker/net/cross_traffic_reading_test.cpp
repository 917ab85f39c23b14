#include "broker/net/cross_traffic_reading.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "core/files.hpp"
#include "core/http.hpp"
#include "tests/support/temporary_directory.hpp"

namespace cross_traffic_reading_test {

using namespace lull;
using namespace lull::broker;

namespace {

// Reads once, and what there is then.
ByteRate read_once(std::string const& source) {
    EventLoop loop;
    Log log("test", LogLevel::error);
    CrossTrafficReading reading(loop, source, log);
    reading.refresh();
    std::function<void()> wait = [&] {
        if (reading.latest() != ByteRate()) return loop.stop();
        loop.after(std::chrono::milliseconds(1), wait);
    };
    wait();
    loop.after(std::chrono::milliseconds(300), [&] { loop.stop(); });  // what gives nothing
    loop.run();
    return reading.latest();
}

// A web server on loopback that gives one answer, whatever it is asked.
class OneAnswer {
public:
    explicit OneAnswer(std::string answer) : listening_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        auto* const generic = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(bind(listening_.get(), generic, size) == 0);
        REQUIRE(listen(listening_.get(), 1) == 0);
        REQUIRE(getsockname(listening_.get(), generic, &size) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this, answer = std::move(answer)] {
            FileDescriptor const connection(accept(listening_.get(), nullptr, nullptr));
            char request[4096];
            if (read(connection.get(), request, sizeof(request)) > 0)
                (void)!write(connection.get(), answer.data(), answer.size());
        });
    }
    ~OneAnswer() { thread_.join(); }
    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/others"; }

private:
    FileDescriptor listening_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

std::string ok(std::string const& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("the operator's reading is what the file says, and nothing while it says nothing") {
    lull::test::TemporaryDirectory directory;
    auto const path = (directory / "cross-traffic").string();
    auto const written = [&](std::string_view text) {
        std::ofstream(path) << text;
        return read_once(path);
    };
    CHECK(written("8000000\n") == ByteRate(1'000'000));
    CHECK(written("1.6e7 bit/s") == ByteRate(2'000'000));
    auto const* const text = GENERATE("", "much", "-5", "nan", "inf", "1e999");
    CHECK(written(text) == ByteRate());
}

TEST_CASE("the reading may come from a router's web page") {
    OneAnswer const router(ok("8000000\n"));
    CHECK(read_once(router.url()) == ByteRate(1'000'000));
}

TEST_CASE("a page that is missing, too long, or not there at all gives no reading") {
    {
        OneAnswer const router("HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\n8000000");
        CHECK(http_get(router.url(), KiB(4), std::chrono::seconds(1)).error().fault == Fault::refused);
    }
    {
        OneAnswer const router(ok(std::string(5000, '1')));
        CHECK(http_get(router.url(), KiB(4), std::chrono::seconds(1)).error().fault == Fault::refused);
    }
    CHECK(http_get("http://127.0.0.1:1/others", KiB(4), std::chrono::seconds(1)).error().fault == Fault::unreachable);
    CHECK(http_get("https://127.0.0.1/others", KiB(4), std::chrono::seconds(1)).error().fault == Fault::usage);
}

}  // namespace cross_traffic_reading_test
