#include "tests/fuzz/seeds.hpp"

#include "schema/identity.hpp"
#include "schema/patch.hpp"
#include "schema/wire.hpp"
#include "store/address_delta.hpp"
#include "store/compression.hpp"
#include "store/delta.hpp"
#include "tests/unit/schema/samples.hpp"
#include "tests/unit/store/program.hpp"

namespace lull::fuzz {

namespace {

Buffer bytes_of(std::string_view text) { return to_buffer(as_view(text)); }

std::string const hex(64, '5');

// One order of each kind.
OrderSet order_set() {
    OrderSet set;
    set.revision = 5;
    for (auto const kind : {OrderKind::hold, OrderKind::force, OrderKind::pause, OrderKind::withdraw, OrderKind::share,
                            OrderKind::retry}) {
        Order order;
        order.kind = kind;
        order.software = test::named<SoftwareName>("kiosk");
        if (kind != OrderKind::hold) order.seq = Seq{8};
        if (kind == OrderKind::hold) order.until = WallTime{9};
        if (kind == OrderKind::force) order.restart = true;
        if (kind == OrderKind::share) order.upto = 7;
        order.by = "anna";
        order.why = "because";
        set.put(std::move(order));
    }
    return set;
}

test::Program old_program() { return {1, {.size = 6000}}; }
test::Program new_program() { return {1, {.size = 6000, .grown = 20, .edits = 10}}; }

}  // namespace

std::vector<Buffer> message_seeds() {
    std::vector<Buffer> seeds;
    for (auto const& message : test::messages()) {
        Buffer seed{static_cast<std::byte>(seeds.size())};  // fuzz::message() reads it as the number of the message
        auto const body = wire::encode_body(message);
        seed.insert(seed.end(), body.begin(), body.end());
        seeds.push_back(std::move(seed));
    }
    seeds.push_back(wire::encode_announcement(Update{Epoch{1}, test::log_entry()}));
    seeds.push_back(wire::encode_announcement(Head{Epoch{1}, Seq{2}, WallTime{3}, 4, 5}));
    auto const orders = order_set();
    seeds.push_back(wire::encode_announcement(Orders{std::nullopt, 5, 4, orders.orders[0].software, orders.orders}));
    seeds.push_back(wire::encode_announcement(
        Orders{test::named<NodeName>("till-17"), 5, std::nullopt, std::nullopt, orders.orders}));
    return seeds;
}

std::vector<Buffer> manifest_seeds() {
    auto small = test::manifest();
    small.entries = {test::link_entry("l", "a/b"), test::link_entry("m", "./.")};
    small.segments.clear();
    small.start = {"l"};
    return {encode(test::manifest()), encode(test::manifest_2()), encode(small)};
}

std::vector<Buffer> patch_seeds() {
    Step const object{0, {{1, Bytes(5), Bytes(10)}, {2, {}, {}}}, sha256(bytes_of("delta")), std::nullopt, Bytes(7)};
    Step const inside{3, {{1, {}, {}}}, std::nullopt, bytes_of("frame"), Bytes()};
    Patch const patch{sha256(bytes_of("old")), sha256(bytes_of("new")), bytes_of("manifest"), {object, inside}};
    return {encode(patch), encode(Patch{})};
}

Buffer delta_base() { return old_program().bytes(); }

Buffer delta_result() { return new_program().bytes(); }

Buffer address_delta() {
    return *store::make_address_delta(old_program().bytes(), old_program().space(), new_program().bytes(),
                                      new_program().space());
}

std::vector<Buffer> delta_seeds() {
    auto const frame = address_delta();
    return {*store::make_delta(delta_base(), delta_result(), store::small_level),
            *store::make_delta({}, View(delta_result()).first(500), store::quick_level), frame,
            test::AddressDeltaParts(frame).side};
}

std::vector<Buffer> path_seeds() {
    return {bytes_of("a"),       bytes_of("bin/kiosk"),        bytes_of("a/b/c\n../../x"), bytes_of("a/b\n./..//x/"),
            bytes_of("a\n../b"), bytes_of("\xc3\xbc/..x\n...")};
}

std::vector<Buffer> envelope_seeds() {
    auto const manifest = Envelope{encode(test::manifest()), {Signature{test::counted<32>(3), test::counted<64>(1)}}};
    return {encode(test::envelope()), encode(manifest), encode(test::update_info())};
}

std::vector<Buffer> identity_seeds() {
    return {
        bytes_of("tcp://broker.example:7700/" + hex),
        bytes_of("tcp://10.0.0.1:1/" + hex),
        bytes_of("tcp://[2001:db8::1]:65532/" + hex),
        bytes_of("kiosk-browser"),
        bytes_of(
            fmt::format(R"({{"kind": "lull public key 1", "name": "ci", "curve": "{0}", "signing": "{0}"}})", hex)),
        bytes_of(fmt::format(R"({{"kind": "lull join bundle 1", "node": "till-17", "broker": "tcp://b:7700/{0}", )"
                             R"("curve_secret": "{0}", "trusted": ["{0}"]}})",
                             hex)),
    };
}

std::vector<Buffer> order_seeds() {
    return {encode(order_set()),       encode(Rollout{{100, 1000, all_nodes}, 600, 200}),
            bytes_of("1%, 10 %,100%"), bytes_of("failed > 0.05%"),
            bytes_of("1.4.1+back-8"),  bytes_of("1+back-2+back-3")};
}

}  // namespace lull::fuzz
