#include "subscriber/programs/use_control.hpp"

namespace lull::subscriber {

namespace {

constexpr std::size_t most_told = 8;                             // the rest is a number
constexpr Duration longest_for_units = std::chrono::minutes(5);  // systemd's own limit is usually 90 s

std::string text_of(std::vector<StoppedHolder> const& stopped) {
    std::string text;
    std::size_t told = 0;
    std::size_t others = 0;
    for (auto const& holder : stopped) {
        if (holder.end == HolderEnd::gone) continue;
        if (told++ < most_told) {
            text += (text.empty() ? "" : ", ") + to_text(holder);
        } else {
            ++others;
        }
    }
    return others == 0 ? text : fmt::format("{}, and {} more", text, others);
}

}  // namespace

// Marks that an earlier daemon has left would keep programs waiting that it ended.
UseControl::UseControl(EventLoop& loop, Layout const& layout, Log& log, Tell tell)
    : log_(log),
      tell_(std::move(tell)),
      marks_(layout),
      stopper_(loop),
      units_(loop) {
    if (auto cleared = marks_.clear_all(); !cleared) log_.warn("{}", cleared.error().message);
}

void UseControl::end(EndUse const& order) {
    if (order.units.empty()) return end_holders(order, "");
    auto const& software = order.active.software;
    stopping_[software] = units_.stop(order.units, longest_for_units, [this, order](Status const& status) {
        stopping_.erase(order.active.software);
        end_holders(order, status ? fmt::format("{} stopped", fmt::join(order.units, ", ")) : status.error().message);
    });
}

void UseControl::end_holders(EndUse const& order, std::string const& said) {
    auto const& software = order.active.software;
    std::vector<std::uint64_t> pids;
    for (auto const& holder : order.holders) pids.push_back(holder.pid);
    auto const tell = [this, software, said](std::string const& what) {
        tell_(UseEnded{software, said + (said.empty() || what.empty() ? "" : "; ") + what});
    };
    // Without the mark a supervisor would take it for the program's own end.
    if (auto marked = marks_.set(software, pids); !marked)
        return tell(fmt::format("no process was ended: {}", marked.error().message));
    stopper_.stop(software, order.holders, order.grace,
                  [tell](std::vector<StoppedHolder> const& stopped) { tell(text_of(stopped)); });
}

void UseControl::cancel_end(SoftwareName const& software) {
    auto const stopping = stopping_.extract(software);
    if (stopping.empty()) return stopper_.cancel(software);
    units_.cancel(stopping.mapped());
    tell_(UseEnded{software, "cancelled while its services were being stopped; no process was ended"});
}

void UseControl::start(StartUse const& order) {
    auto const& software = order.software;
    if (auto cleared = marks_.clear(software); !cleared) log_.warn("{}: {}", software.text(), cleared.error().message);
    if (order.units.empty()) return tell_(UseStarted{software, {}});
    starting_[software] = units_.start(order.units, longest_for_units, [this, software](Status const& status) {
        starting_.erase(software);
        tell_(UseStarted{software, status});
    });
}

void UseControl::cancel_start(SoftwareName const& software) {
    auto const starting = starting_.extract(software);
    if (starting.empty()) return;
    units_.cancel(starting.mapped());
    tell_(UseStarted{software, fail(Fault::cancelled, "starting the services of {} was cancelled", software.text())});
}

}  // namespace lull::subscriber
