#include "broker/delivery/governor/reason.hpp"

namespace lull::broker {

std::string_view to_text(Reason reason) {
    switch (reason) {
        case Reason::none: return "the line is quiet";
        case Reason::measuring: return "the delay of the path is being measured";
        case Reason::path_busy: return "others use the way to this node";
        case Reason::path_shared: return "a router on the way shares the line with others";
        case Reason::line_busy: return "others use the broker's line";
        case Reason::window: return "the time window allows no more";
        case Reason::cap: return "the cap of the group is reached";
        case Reason::place_in_queue: return "other transfers come first";
        case Reason::path_queued: return "a queue on the way to this node has to drain";
        case Reason::only_quiet: return "nothing flows until the line is quiet";
    }
    return "unknown";
}

}  // namespace lull::broker
