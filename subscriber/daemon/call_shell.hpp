#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "core/workers.hpp"
#include "subscriber/disk/tree_access.hpp"
#include "subscriber/install/installer.hpp"
#include "subscriber/sandbox/sandbox_run.hpp"

namespace lull::subscriber {

struct CallShellSettings {
    SandboxSettings sandbox{};
    SandboxLimits limits{};            // time and output come with each call
    std::set<SoftwareName> network{};  // software whose programs reach the network

    bool operator==(CallShellSettings const&) const = default;
};

// Does what the executor decides: trees of calls on the disk, programs in the sandbox. Belongs to the loop's thread,
// which is the one that ends the process.
class CallShell {
public:
    // `raise` runs on the loop with CallHappened; `send` takes a message with its payload.
    struct Handlers {
        std::function<void(Event)> raise;
        std::function<void(Message const&, View payload)> send;
    };
    struct FoundTree {
        ReleaseId release;
        Bytes size;
    };

    // Makes the directory of trees, and tries the sandbox out.
    [[nodiscard]] static Result<std::unique_ptr<CallShell>> open(EventLoop& loop, Layout const& layout,
                                                                 InstallerSettings installer,
                                                                 CallShellSettings settings, Log& log,
                                                                 Handlers handlers);
    ~CallShell();
    CallShell(CallShell const&) = delete;
    CallShell& operator=(CallShell const&) = delete;

    // What earlier processes have left, in order.
    [[nodiscard]] Result<std::vector<FoundTree>> find_trees();

    // `payload`: of the message that is being decided about.
    void perform(CallAction const& action, Frame const& payload);

private:
    CallShell(EventLoop& loop, Layout layout, InstallerSettings installer, CallShellSettings settings, Sandbox sandbox,
              Log& log, Handlers handlers);
    void raise(CallEvent event) { handlers_.raise(CallHappened{std::move(event)}); }
    void installed(Event event);

    void perform(PlanCallTree const& action, Frame const& payload);
    void perform(StageCallTree const& action, Frame const& payload);
    void perform(VerifyCallTree const& action, Frame const& payload);
    void perform(RemoveCallTree const& action, Frame const& payload);
    void perform(StartCall const& action, Frame const& payload);
    void perform(FeedCall const& action, Frame const& payload);
    void perform(AllowOutput const& action, Frame const& payload);
    void perform(SendOutput const& action, Frame const& payload);
    void perform(StopCall const& action, Frame const& payload);

    EventLoop& loop_;
    Log& log_;
    Layout layout_;
    TrustedKeys trusted_;
    CallShellSettings settings_;
    Sandbox sandbox_;
    Handlers handlers_;
    std::map<CallId, std::unique_ptr<SandboxRun>> runs_;
    Buffer written_;  // by the program that the executor is being told of
    TreeAccess trees_;
    Installer installer_;
    Workers workers_;
};

}  // namespace lull::subscriber
