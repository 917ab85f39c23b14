#include "publisher/cli/progress_bar.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>

namespace progress_bar_test {

using namespace lull;
using namespace lull::publisher;
using namespace std::chrono_literals;

namespace {

// What was written to a stream.
class Capture {
public:
    Capture() : stream_(open_memstream(&text_, &size_)) {}
    ~Capture() {
        fclose(stream_);
        free(text_);
    }
    Capture(Capture const&) = delete;
    Capture& operator=(Capture const&) = delete;
    std::FILE* stream() { return stream_; }
    std::string text() {
        fflush(stream_);
        return {text_, size_};
    }

private:
    char* text_ = nullptr;
    std::size_t size_ = 0;
    std::FILE* stream_;
};

ProgressState half_way() { return {"uploading", MiB(24), MiB(48), 6s, Bytes()}; }

}  // namespace

TEST_CASE("progress says bytes, share, rate and time left once they mean something") {
    CHECK(progress_text(half_way()) == "uploading  24 MiB of 48 MiB  50 %  4 MiB/s  6 s left");
    CHECK(progress_text({"uploading", MiB(24), MiB(48), 100ms, Bytes()}) == "uploading  24 MiB of 48 MiB  50 %");
    CHECK(progress_text({"reading", MiB(48), MiB(48), 4s, Bytes()}) == "reading  48 MiB of 48 MiB  100 %  12 MiB/s");
    CHECK(progress_text({"reading", Bytes(), Bytes(), 0s, Bytes()}) == "reading  0 B of 0 B  100 %");
    CHECK(progress_text({"uploading", MiB(36), MiB(48), 6s, MiB(12)}) ==
          "uploading  36 MiB of 48 MiB  75 %  4 MiB/s  3 s left");
}

TEST_CASE("the bar fits the terminal, in colour or without") {
    CHECK(progress_bar(half_way(), 100, ProgressStyle::bar) ==
          "[############------------] " + progress_text(half_way()));
    CHECK_THAT(progress_bar(half_way(), 100, ProgressStyle::colour),
               Catch::StartsWith("[\x1b[32m############\x1b[0m---"));
    CHECK(progress_bar(half_way(), 40, ProgressStyle::colour) == progress_text(half_way()).substr(0, 40));
}

TEST_CASE("a bar is drawn at most ten times a second") {
    Capture capture;
    Progress progress(capture.stream(), ProgressStyle::bar);
    for (int i = 0; i <= 1000; ++i)
        progress.show("uploading", Bytes(static_cast<std::uint64_t>(i)), Bytes(2000), TimePoint(i * 1ms));
    auto const text = capture.text();
    CHECK(std::count(text.begin(), text.end(), '\r') == 11);
    progress.say("a line");
    CHECK_THAT(capture.text(), Catch::EndsWith("\r\x1b[Ka line\n"));
}

TEST_CASE("where there is no terminal a line comes every five seconds, and none for what is over sooner") {
    Capture capture;
    Progress progress(capture.stream(), ProgressStyle::lines);
    for (std::uint64_t i = 0; i <= 120; ++i) progress.show("uploading", MiB(i), MiB(1000), TimePoint(i * 100ms));
    CHECK(capture.text() ==
          "uploading  50 MiB of 1000 MiB  5 %  10 MiB/s  1 min left\n"
          "uploading  100 MiB of 1000 MiB  10 %  10 MiB/s  1 min left\n");
    progress.show("reading", MiB(1), MiB(1), TimePoint(13s));
    progress.end();
    auto const text = capture.text();
    CHECK(std::count(text.begin(), text.end(), '\n') == 2);
}

TEST_CASE("silent progress writes nothing") {
    Capture capture;
    Progress progress(capture.stream(), ProgressStyle::silent);
    progress.show("uploading", MiB(1), MiB(2), TimePoint(9s));
    progress.say("a line");
    CHECK(capture.text().empty());
}

TEST_CASE("a stream that is no terminal gets lines") {
    Capture capture;
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> const null(fopen("/dev/null", "w"), fclose);
    CHECK(style_for(null.get()) == ProgressStyle::lines);
}

}  // namespace progress_bar_test
