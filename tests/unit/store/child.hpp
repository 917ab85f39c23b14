#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace lull::store::test {

// Runs `work` in a child process and returns its exit status (128 + signal if one killed it). Neither Catch2's report
// nor any destructor of the parent's objects runs there. What `work` returns is the exit status.
template <class Work>
int in_child(Work work) {
    auto const child = fork();
    if (child < 0) std::abort();
    if (child == 0) _exit(work());
    int status = 0;
    if (waitpid(child, &status, 0) != child) std::abort();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace lull::store::test
