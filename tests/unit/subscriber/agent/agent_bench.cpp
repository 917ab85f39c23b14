#include "agent_bench.hpp"

namespace lull::subscriber::test {

Bench::Bench(JournalState state, std::map<SoftwareName, ReleaseId> installed, SigningKey publisher, NodeRules rules,
             Holds holds, std::optional<OwnProgram> own_program)
    : key(std::move(publisher)),
      agent(settings(key, std::move(rules), std::move(own_program)), std::move(state), installed, std::move(holds)) {}

Bench::~Bench() = default;

Actions Bench::start() { return take(agent.start(now)); }

Actions Bench::on(Event event) { return take(agent.on(std::move(event), now)); }

Actions Bench::hear(Message message, Bytes payload) { return on(MessageHeard{std::move(message), payload}); }

Actions Bench::announce(LogEntry const& entry) { return on(AnnouncementHeard{Update{epoch, entry}}); }

void Bench::pass(Duration time) {
    now.point += time;
    now.wall.micros += std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

Actions Bench::idle(Duration time) {
    Actions everything;
    auto const end = now.point + time;
    for (auto wake = agent.wake(); wake && *wake <= end; wake = agent.wake()) {
        pass(*wake - now.point);
        append(everything, on(Tick{}));
    }
    pass(end - now.point);
    return everything;
}

Actions Bench::one_durable() {
    REQUIRE_FALSE(pending.empty());
    auto const persist = std::move(pending.front());
    pending.pop_front();
    durable.push_back(persist.batch);
    return on(BatchDone{persist.ticket, {}});
}

Actions Bench::all_durable() {
    Actions everything;
    while (!pending.empty()) append(everything, one_durable());
    return everything;
}

Actions Bench::welcome(std::uint64_t head) {
    auto actions = on(ExchangeReady{});
    REQUIRE(sent<Hello>(actions).size() == 1);
    append(actions, hear(Welcome{epoch, Seq{head}, now.wall}));
    return actions;
}

Actions Bench::reconnect(std::uint64_t head) {
    if (agent.link().state() == Link::State::closed) idle(std::chrono::minutes(2));
    return welcome(head);
}

LogEntry Bench::release(std::uint64_t seq, std::string_view name) const {
    auto info = info_of(seq, name);
    info.policy = policy;
    info.activation = activation;
    info.rollout = rollout;
    return entry_of(key, seq, info);
}

UpdateInfo Bench::info_of(std::uint64_t seq, std::string_view name) {
    return {software(name),
            version(seq),
            {},
            {{*ArchitectureName::parse("any"), manifest(seq), Bytes(100), Bytes(50), 1}},
            {}};
}

LogEntry Bench::entry_of(SigningKey const& by, std::uint64_t seq, UpdateInfo const& info) {
    return {Seq{seq}, Seq{seq - 1}, {}, seal(encode(info), domain::update_info, by)};
}

Actions Bench::object_comes(Digest const& object, Bytes size) {
    auto actions = hear(Data{{object, ObjectCodec::raw, size, size}, Bytes()}, size);
    REQUIRE(only<StoreFrame>(actions).then == StoreFrame::Then::finish);
    append(actions, on(ObjectFinished{object, {}}));
    append(actions, all_durable());
    return actions;
}

Actions Bench::to_fetching(std::uint64_t seq, std::string_view name) {
    auto actions = object_comes(manifest(seq), Bytes(100));
    REQUIRE(only<MakePlan>(actions).materials.release == id(seq, name));
    return on(PlanMade{id(seq, name), Plan{{segment(seq)}}});
}

Actions Bench::to_staged(std::uint64_t seq, std::string_view name) {
    to_fetching(seq, name);
    auto const actions = object_comes(segment(seq).digest, Bytes(50));
    REQUIRE(only<StageRelease>(actions).materials.release == id(seq, name));
    on(StageEnded{id(seq, name), {}, {}});
    return all_durable();
}

Actions Bench::to_active(std::uint64_t seq, std::string_view name) {
    auto actions = to_staged(seq, name);
    if (any<ProbeUse>(actions)) {
        on(UseFound{software(name), UseAnswer::free, {}, ""});
        actions = all_durable();
    }
    REQUIRE(only<SwitchCurrent>(actions).release == id(seq, name));
    on(SwitchEnded{id(seq, name), {}});
    return all_durable();
}

Actions Bench::record(std::uint64_t seq, std::string_view name) {
    auto actions = announce(release(seq, name));
    append(actions, all_durable());
    if (any<OpenExchange>(actions)) append(actions, welcome(seq));
    return actions;
}

void Bench::check_in(std::uint64_t head) {
    REQUIRE(any<OpenExchange>(start()));
    welcome(head);
}

AgentSettings Bench::settings(SigningKey const& key, NodeRules rules, std::optional<OwnProgram> own_program) {
    AgentSettings settings;
    settings.own_program = std::move(own_program);
    settings.rules = std::move(rules);
    settings.node = *NodeName::parse("till-17");
    settings.architecture = *ArchitectureName::parse("amd64");
    settings.trusted = TrustedKeys({key.public_key()});
    return settings;
}

Actions Bench::take(Actions actions) {
    if (answers_plans) {
        for (auto const& plan : sent<PatchQuery>(actions)) {
            append(
                actions,
                agent.on(MessageHeard{PatchOffer{plan.software, plan.from, plan.to, std::nullopt, Bytes(), 0}, Bytes()},
                         now));
        }
    }
    for (auto const& persist : all<Persist>(actions)) pending.push_back(persist);
    return actions;
}

void Bench::append(Actions& to, Actions from) { to.insert(to.end(), from.begin(), from.end()); }

}  // namespace lull::subscriber::test
