#include "schema/wire.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "schema/roles.hpp"

namespace lull::wire {

namespace {

constexpr std::size_t known_types = std::variant_size_v<AnyMessage>;

template <std::size_t... I>
constexpr std::array<MessageType, known_types> list_types(std::index_sequence<I...>) {
    return {std::variant_alternative_t<I, AnyMessage>::type...};
}
constexpr auto types = list_types(std::make_index_sequence<known_types>());

// Bounds on counts, which the size of the body alone leaves too wide.
Status bound(std::string_view what, std::size_t count, std::size_t most) {
    if (count <= most) return {};
    return fail(Fault::damaged, "{} {} are more than {}", count, what, most);
}

Status check_counts(Update const& m) {
    return bound("signatures", m.entry.update.signatures.size(), limits::signatures);
}
Status check_counts(Offer const& m) { return bound("builds", m.builds.size(), limits::builds_per_release); }
Status check_counts(Need const& m) { return bound("objects", m.objects.size(), limits::objects_per_message); }
Status check_counts(LogPage const& m) {
    return bound("log entries", m.entries.size(), limits::log_entries_per_message);
}
Status check_counts(Snapshot const& m) { return bound("releases", m.entries.size(), limits::log_entries_per_message); }
Status check_counts(Witness const& m) {
    return bound("signatures", m.entry.update.signatures.size(), limits::signatures);
}
Status check_counts(Fetch const& m) { return bound("objects", m.items.size(), limits::objects_per_message); }
Status check_counts(Hello const& m) {
    if (m.machine && m.machine->size() > limits::machine_text)
        return fail(Fault::damaged, "a machine's id is too long");
    if (!m.inventory) return {};
    auto const not_behind = [](InventoryItem const& a, InventoryItem const& b) { return !(a.software < b.software); };
    if (std::ranges::adjacent_find(*m.inventory, not_behind) != m.inventory->end())
        return fail(Fault::damaged, "an inventory is not ordered by software");
    return bound("pieces of software", m.inventory->size(), limits::inventory);
}
Status check_counts(Welcome const& m) {
    return bound("wanted reports", m.wanted ? m.wanted->size() : 0, limits::inventory);
}
Status check_counts(Admin const& m) { return bound("nodes", m.nodes ? m.nodes->size() : 0, limits::nodes_per_removal); }
Status check_counts(Report const& m) { return bound("holders", m.holders.size(), limits::holders_per_report); }
Status check_counts(Answer const& m) {
    return bound("rows",
                 m.status.size() + m.releases.size() + m.nodes.size() + (m.orders ? m.orders->size() : 0) +
                     (m.calls ? m.calls->size() : 0),
                 limits::rows_per_answer);
}
Status check_counts(Orders const& m) { return bound("orders", m.orders.size(), limits::orders_per_set); }
Status check_counts(ReleaseProgress const& m) {
    if (auto status = bound("states", m.nodes.size(), 256); !status) return status;
    return bound("failures", m.failures.size(), limits::failures_per_progress);
}
Status check_counts(Serve const& m) {
    if (auto status = bound("pieces of software", m.software.size(), limits::served_software); !status) return status;
    return bound("slots", m.slots, limits::call_slots);
}
Status check_arguments(std::vector<Buffer> const& arguments) {
    auto const add = [](std::size_t sum, Buffer const& argument) { return sum + argument.size(); };
    auto const bytes = std::accumulate(arguments.begin(), arguments.end(), std::size_t{0}, add);
    if (auto status = bound("arguments", arguments.size(), limits::call_arguments); !status) return status;
    return bound("bytes of arguments", bytes, limits::call_argument_bytes.count());
}
Status check_counts(Call const& m) { return check_arguments(m.arguments); }
Status check_counts(CallOffer const& m) {
    if (auto status = bound("signatures", m.entry.update.signatures.size(), limits::signatures); !status) return status;
    return check_arguments(m.arguments);
}
template <class M>
Status check_counts(M const&) {
    return {};
}

template <class M>
Result<Message> decode_as(View body) {
    auto message = decode<M>(body, limits::control_message);
    auto status = message ? check_counts(*message) : Status(pass(message.error()));
    if (!status) return fail(Fault::damaged, "cannot read {}: {}", to_text(M::type), status.error().message);
    return Message(std::move(*message));
}

template <std::size_t... I>
Result<Message> decode_known(MessageType type, View body, std::index_sequence<I...>) {
    using Decode = Result<Message> (*)(View);
    constexpr std::array<Decode, known_types> decoders = {decode_as<std::variant_alternative_t<I, AnyMessage>>...};
    auto const index = std::find(types.begin(), types.end(), type) - types.begin();
    return decoders[static_cast<std::size_t>(index)](body);
}

bool is_known(MessageType type) { return std::find(types.begin(), types.end(), type) != types.end(); }

tl::unexpected<Error> unknown(MessageType type) {
    return fail(Fault::damaged, "message type {} is unknown to protocol version {}", static_cast<unsigned>(type),
                version);
}

// Where what is announced begins, behind the topic; nothing: it is none that we know.
std::optional<std::size_t> end_of_topic(std::string_view frame) {
    if (frame.starts_with(everybody)) return everybody.size();
    if (!frame.starts_with(one_node)) return std::nullopt;
    auto const end = frame.find('/', one_node.size());
    if (end == std::string_view::npos || !NodeName::parse(frame.substr(one_node.size(), end - one_node.size())))
        return std::nullopt;
    return end + 1;
}

}  // namespace

Buffer encode_header(MessageType type) { return {std::byte{version}, static_cast<std::byte>(type), std::byte{0}}; }

Result<MessageType> decode_header(View frame) {
    if (frame.empty()) return fail(Fault::damaged, "a header is empty");
    auto const spoken = std::to_integer<unsigned>(frame[0]);
    if (spoken != version) {
        return fail(Fault::damaged,
                    "the other side speaks protocol version {}, this is version {}: update lull on the older side",
                    spoken, version);
    }
    if (frame.size() != header_size) {
        return fail(Fault::damaged, "a header has {} bytes instead of {}", frame.size(), header_size);
    }
    auto const flags = std::to_integer<unsigned>(frame[2]);
    if (flags != 0) return fail(Fault::damaged, "a header has unknown flags ({:#04x})", flags);
    auto const type = static_cast<MessageType>(frame[1]);
    if (!is_known(type)) return unknown(type);
    return type;
}

std::string topic_of(NodeName const& node) { return fmt::format("{}{}/", one_node, node.text()); }

Buffer encode_announcement(Message const& message) {
    auto const type = type_of(message);
    LULL_INVARIANT(is_announced(type));
    auto const* orders = std::get_if<Orders>(&message);
    auto frame = to_buffer(
        as_view(orders != nullptr && orders->node ? topic_of(*orders->node) : std::string(everybody)));
    auto const header = encode_header(type);
    auto const body = encode_body(message);
    frame.insert(frame.end(), header.begin(), header.end());
    frame.insert(frame.end(), body.begin(), body.end());
    return frame;
}

Result<Message> decode_announcement(View frame) {
    auto const topic = end_of_topic(as_text(frame));
    if (!topic)
        return fail(Fault::damaged, "an announcement begins neither with '{}' nor with '{}NAME/'", everybody, one_node);
    auto const rest = frame.subspan(*topic);
    if (rest.size() < header_size) return fail(Fault::damaged, "an announcement ends within its header");
    auto const type = decode_header(rest.first(header_size));
    if (!type) return pass(type.error());
    if (!is_announced(*type)) return fail(Fault::damaged, "{} is no announcement", to_text(*type));
    return decode_body(*type, rest.subspan(header_size));
}

Buffer encode_body(Message const& message) {
    return std::visit([](auto const& m) { return encode(m); }, message);
}

Result<Message> decode_body(MessageType type, View body) {
    if (!is_known(type)) return unknown(type);
    return decode_known(type, body, std::make_index_sequence<known_types>());
}

}  // namespace lull::wire
