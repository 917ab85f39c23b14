#pragma once

#include <sys/syscall.h>

#include <cerrno>
#include <concepts>
#include <string>
#include <string_view>

// System calls without the C library, whose functions this library takes the place of.

namespace lull::fault {

template <class T>
long as_word(T value) {
    if constexpr (std::integral<T>)
        return static_cast<long>(value);
    else
        return reinterpret_cast<long>(value);
}

// The kernel's own answer: a negative error number, or the result.
inline long kernel(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
    long result = 0;
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    register long r9 asm("r9") = f;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

// The answer in the form of the C library: -1 and errno.
inline long answer(long result) {
    if (result >= 0 || result < -4095) return result;
    errno = static_cast<int>(-result);
    return -1;
}

template <class... Words>
long call_kernel(long number, Words... words) {
    return answer(kernel(number, as_word(words)...));
}

// The path that a descriptor was opened by; empty if there is none.
std::string path_of(int file);
// The path that a name means to a call that takes a directory's descriptor.
std::string path_of(int directory, char const* name);
// Whether a descriptor is a regular file, so that writing to it changes a disk.
bool is_file(int file);

}  // namespace lull::fault
