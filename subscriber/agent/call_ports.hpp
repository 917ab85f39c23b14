#pragma once

#include "subscriber/agent/effects.hpp"
#include "subscriber/agent/object_transfer.hpp"
#include "subscriber/executor/executor.hpp"

namespace lull::subscriber {

// The node around the executor: one exchange, one transfer of objects.
class CallPorts final : public ExecutorPorts {
public:
    CallPorts(Effects& effects, ObjectTransfer& objects) : effects_(effects), objects_(objects) {}

    void send(Message message) override { effects_.send(std::move(message)); }
    void perform(CallAction action) override { effects_.perform(DoForCall{std::move(action)}); }
    void log(LogLevel level, std::string text) override { effects_.log(level, std::move(text)); }
    void want(ReleaseId const& release, Segment const& object) override {
        objects_.fetcher().want(release, object.digest, object.size, Wanter::Purpose::call);
    }
    void unwant(SoftwareName const& software) override {
        objects_.fetcher().unwant({software, Wanter::Purpose::call});
        objects_.collect_garbage();
    }
    [[nodiscard]] bool has_all(SoftwareName const& software) const override {
        return objects_.fetcher().has_all({software, Wanter::Purpose::call});
    }
    [[nodiscard]] std::map<Digest, ObjectShape> shapes(SoftwareName const& software) const override {
        return objects_.fetcher().shapes({software, Wanter::Purpose::call});
    }

private:
    Effects& effects_;
    ObjectTransfer& objects_;
};

}  // namespace lull::subscriber
