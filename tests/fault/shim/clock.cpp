// The wall clock as a test sets it: CLOCK_REALTIME moved by the seconds that stand in the file LULL_FAULT_CLOCK (8
// bytes, of this machine's order). The monotonic clock stays what it is, unless LULL_FAULT_DRIFT says by how many
// millionths it is fast from the start on.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>

#include "tests/fault/shim/kernel.hpp"

namespace {

using namespace lull::fault;

std::int64_t const volatile* map_offset() {
    static std::int64_t const none = 0;
    char const* const path = std::getenv("LULL_FAULT_CLOCK");
    if (path == nullptr) return &none;
    auto const file = static_cast<int>(kernel(SYS_open, as_word(path), O_RDONLY | O_CLOEXEC));
    if (file < 0) return &none;
    void* const place = mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, file, 0);
    kernel(SYS_close, file);
    return place == MAP_FAILED ? &none : static_cast<std::int64_t const volatile*>(place);
}

std::int64_t offset() {
    static std::int64_t const volatile* const seconds = map_offset();
    return *seconds;
}

constexpr std::int64_t second = 1'000'000'000;

std::int64_t nanoseconds(timespec const& time) { return time.tv_sec * second + time.tv_nsec; }

// A clock that runs fast by a share of what has passed since the first look at it.
void drift(timespec& time) {
    static std::int64_t const millionths = [] {
        char const* const text = std::getenv("LULL_FAULT_DRIFT");
        return text == nullptr ? 0 : std::strtoll(text, nullptr, 10);
    }();
    static std::int64_t const begun = nanoseconds(time);
    auto const shown = nanoseconds(time) + (nanoseconds(time) - begun) / 1'000'000 * millionths;
    time = {shown / second, shown % second};
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
    auto const result = call_kernel(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_MONOTONIC) drift(*time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += offset();
    return static_cast<int>(result);
}

int gettimeofday(timeval* time, void* zone) noexcept {
    auto const result = call_kernel(SYS_gettimeofday, time, zone);
    if (result == 0) time->tv_sec += offset();
    return static_cast<int>(result);
}

std::time_t time(std::time_t* into) noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    if (into != nullptr) *into = now.tv_sec;
    return now.tv_sec;
}
}
