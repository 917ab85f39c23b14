#pragma once

#include <string>
#include <vector>

namespace lull::subscriber::test {

// The calls of this process that make something durable or give it its final name, in their order.
struct DiskCall {
    enum class Kind { wrote, synced, synced_all, named };
    Kind kind = Kind::wrote;
    std::string path;  // of `named` the new name
};

// Records calls while it lives; of any thread.
class DiskCalls {
public:
    DiskCalls();
    ~DiskCalls();
    DiskCalls(DiskCalls const&) = delete;
    DiskCalls& operator=(DiskCalls const&) = delete;
    [[nodiscard]] std::vector<DiskCall> calls() const;
};

// From now on, until it is called with false, syncfs(2) fails with EIO.
void fail_syncfs(bool fails);

}  // namespace lull::subscriber::test
