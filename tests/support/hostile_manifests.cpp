#include "tests/support/hostile_manifests.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include "core/text.hpp"

namespace lull::test {

namespace {

constexpr auto huge = std::numeric_limits<std::uint64_t>::max();
constexpr char const* dots = "'.' or '..'";
constexpr char const* empty_component = "empty component";
constexpr char const* control = "control character";
constexpr char const* not_utf8 = "not UTF-8";
constexpr char const* outside = "outside of the release";

std::vector<std::string> const bad_utf8 = {"\xff",
                                           "\xfe",
                                           "\x80",
                                           "\xbf",
                                           "\xc3",
                                           "\xc0\xaf",
                                           "\xc1\x81",
                                           "\xe2\x82",
                                           "\xe0\x80\xaf",
                                           "\xed\xa0\x80",
                                           "\xed\xbf\xbf",
                                           "\xf0\x80\x80\xaf",
                                           "\xf4\x90\x80\x80",
                                           "\xf5\x80\x80\x80",
                                           "\xc0\xae\xc0\xae",
                                           "\xf8\x88\x80\x80\x80"};

Entry& at(Manifest& m, std::string_view path) {
    auto const found = std::find_if(m.entries.begin(), m.entries.end(),
                                    [&](Entry const& entry) { return entry.path == path; });
    LULL_INVARIANT(found != m.entries.end());
    return *found;
}

void insert(Manifest& m, Entry entry) {
    auto const place = std::lower_bound(m.entries.begin(), m.entries.end(), entry,
                                        [](auto const& a, auto const& b) { return a.path < b.path; });
    m.entries.insert(place, std::move(entry));
}

Entry made(std::string path, EntryType type) {
    Entry entry;
    entry.path = std::move(path);
    entry.type = type;
    if (type == EntryType::file) entry.digest = sha256({});
    if (type == EntryType::symlink) entry.target = "data";
    return entry;
}

Entry link(std::string path, std::string target) {
    auto entry = made(std::move(path), EntryType::symlink);
    entry.target = std::move(target);
    return entry;
}

char const* name_of(EntryType type) {
    switch (type) {
        case EntryType::file: return "file";
        case EntryType::directory: return "directory";
        case EntryType::symlink: break;
    }
    return "link";
}

constexpr EntryType all_types[] = {EntryType::file, EntryType::directory, EntryType::symlink};

// Collects what becomes of the good manifest.
class Collection {
public:
    explicit Collection(Manifest const& good) : good_(good) {}

    using Change = std::function<void(Manifest&)>;
    void add(std::string const& group, std::string what, std::string path, std::string reason, Change const& change) {
        auto m = good_;
        change(m);
        auto payload = encode(m);
        made_.push_back({group, std::move(what), std::move(payload), std::move(m), std::move(path), std::move(reason)});
    }
    void add_raw(std::string const& group, std::string what, std::string reason, Buffer payload) {
        made_.push_back({group, std::move(what), std::move(payload), std::nullopt, "", std::move(reason)});
    }
    [[nodiscard]] Manifest const& good() const { return good_; }
    [[nodiscard]] std::vector<HostileManifest> take() { return std::move(made_); }

private:
    Manifest const& good_;
    std::vector<HostileManifest> made_;
};

void add_paths(Collection& all) {
    for (auto const& [path, reason] : hostile_paths()) {
        for (auto const type : all_types) {
            all.add("path", fmt::format("a {} at {}", name_of(type), lull::quoted(path)), path, reason,
                    [&, type](Manifest& m) { insert(m, made(path, type)); });
        }
    }
}

void add_places(Collection& all) {
    for (auto const& entry : all.good().entries) {
        auto const& path = entry.path;
        for (auto const type : all_types) {
            all.add("duplicate", fmt::format("{} again as {}", path, name_of(type)), path, "listed twice",
                    [&, type](Manifest& m) {
                        auto const place = std::find_if(m.entries.begin(), m.entries.end(),
                                                        [&](auto const& e) { return e.path == path; });
                        m.entries.insert(place + 1, made(path, type));
                    });
        }
        if (entry.type == EntryType::directory) continue;
        for (auto const type : all_types) {
            all.add("child of what is no directory", fmt::format("a {} below {}", name_of(type), path), path + "/x",
                    "is no directory", [&, type](Manifest& m) { insert(m, made(path + "/x", type)); });
        }
    }
    for (auto const& path :
         {"none/x", "LIB/x", "Lib/deep/x", "li/x", "lib/Deep/x", "lib/none/x", "bin/none/deeper/x"}) {
        all.add("child of nothing", path, path, "is not listed",
                [&](Manifest& m) { insert(m, made(path, EntryType::file)); });
    }
    for (auto const& [directory, child] :
         {std::pair{"bin", "bin/app"}, {"lib", "lib/deep"}, {"lib/deep", "lib/deep/data"}}) {
        all.add("child of nothing", fmt::format("{} is taken away", directory), child, "is not listed",
                [&](Manifest& m) { std::erase_if(m.entries, [&](auto const& e) { return e.path == directory; }); });
    }
}

void add_orders(Collection& all) {
    auto const& entries = all.good().entries;
    for (std::size_t i = 0; i + 1 < entries.size(); ++i) {
        bool const parent = entries[i + 1].path.starts_with(entries[i].path + "/");
        all.add("order", fmt::format("{} before {}", entries[i + 1].path, entries[i].path),
                parent ? entries[i + 1].path : entries[i].path, parent ? "is not listed" : "sorted bytewise",
                [&](Manifest& m) { std::swap(m.entries[i], m.entries[i + 1]); });
    }
    all.add("order", "from the last to the first", entries.back().path, "is not listed",
            [](Manifest& m) { std::reverse(m.entries.begin(), m.entries.end()); });
}

void add_links(Collection& all) {
    for (auto const& [path, target, reason] : hostile_links()) {
        all.add("link", fmt::format("{} -> {}", path, lull::quoted(target)), path, reason,
                [&](Manifest& m) { insert(m, link(path, target)); });
    }
    all.add("link", "without target", "bin/run", "needs a target",
            [](Manifest& m) { at(m, "bin/run").target.reset(); });
}

void add_loops(Collection& all) {
    std::vector<std::vector<std::pair<std::string, std::string>>> const loops = {
        {{"l", "l"}},
        {{"l", "./l"}},
        {{"l", ".//l/"}},
        {{"l", "l/x"}},
        {{"lib/l", "l"}},
        {{"lib/l", "../lib/l"}},
        {{"lib/deep/l", "../deep/./l"}},
        {{"a", "b"}, {"b", "a"}},
        {{"a", "lib/b"}, {"lib/b", "../a"}},
        {{"a", "b/x"}, {"b", "a/y"}},
        {{"a", "b"}, {"b", "c"}, {"c", "a"}},
        {{"a", "b/x/y"}, {"b", "lib/c"}, {"lib/c", "../a/z"}},
    };
    for (auto const& loop : loops) {
        std::string what;
        for (auto const& [path, target] : loop) what += path + " -> " + target + " ";
        all.add("link loop", what, loop.front().first, "in a circle", [&](Manifest& m) {
            for (auto const& [path, target] : loop) insert(m, link(path, target));
        });
    }
}

// What only files have, on all that is no file.
void add_attributes(Collection& all) {
    for (auto const& entry : all.good().entries) {
        if (entry.type == EntryType::file) continue;
        auto const& path = entry.path;
        auto const add = [&](char const* what, std::function<void(Entry&)> const& change) {
            all.add("attribute", fmt::format("{} of {}", what, path), path, "only a file",
                    [&](Manifest& m) { change(at(m, path)); });
        };
        add("executable bit", [](Entry& e) { e.executable = true; });
        add("size", [](Entry& e) { e.size = Bytes(1); });
        add("digest", [](Entry& e) { e.digest = sha256({}); });
        add("segment", [](Entry& e) { e.segment = 0; });
        add("offset", [](Entry& e) { e.offset = Bytes(0); });
    }
    for (auto const& path : {"bin/app", "data", "lib/empty", "bin", "lib/deep"}) {
        all.add("attribute", fmt::format("link target of {}", path), path, "no link target",
                [&](Manifest& m) { at(m, path).target = "data"; });
    }
    for (auto const& path : {"bin/app", "data", "lib/empty"}) {
        all.add("digest", fmt::format("none of {}", path), path, "needs the digest",
                [&](Manifest& m) { at(m, path).digest.reset(); });
        all.add("digest", fmt::format("zeros of {}", path), path, "needs the digest",
                [&](Manifest& m) { at(m, path).digest = Digest(); });
    }
    all.add("attribute", "an empty file in a segment", "lib/empty", "empty file",
            [](Manifest& m) { at(m, "lib/empty").segment = 0; });
    all.add("attribute", "an empty file at an offset", "lib/empty", "empty file",
            [](Manifest& m) { at(m, "lib/empty").offset = Bytes(0); });
}

void add_sizes(Collection& all) {
    auto const segments = all.good().segments.size();
    for (auto const& path : {"bin/app", "data", "lib/deep/data"}) {
        auto const add = [&](std::string what, char const* reason, std::function<void(Entry&)> const& change) {
            all.add("size", fmt::format("{} of {}", what, path), path, reason,
                    [&](Manifest& m) { change(at(m, path)); });
        };
        for (auto const size : {huge, huge - 1, huge - 100, huge / 2 + 1, huge / 2, std::uint64_t{1} << 42}) {
            add(fmt::format("size {}", size), "end before it does", [size](Entry& e) { e.size = Bytes(size); });
        }
        for (auto const offset : {huge, huge / 2 + 1, std::uint64_t{1} << 32, limits::segment.count()}) {
            add(fmt::format("offset {}", offset), "behind the end of its segment",
                [offset](Entry& e) { e.offset = Bytes(offset); });
        }
        for (auto const segment : {segments, segments + 1, std::size_t{1} << 31, std::size_t{0xffff'ffff}}) {
            add(fmt::format("segment {}", segment), "it begins in segment",
                [segment](Entry& e) { e.segment = static_cast<std::uint32_t>(segment); });
        }
        add("no segment", "needs a segment", [](Entry& e) { e.segment.reset(); });
        add("no offset", "needs a segment", [](Entry& e) { e.offset.reset(); });
        add("size 0 with contents", "empty file", [](Entry& e) { e.size = Bytes(0); });
    }
}

void add_segments(Collection& all) {
    auto const add = [&](std::string what, char const* reason, Collection::Change const& change) {
        all.add("segments", std::move(what), "", reason, change);
    };
    for (std::size_t i = 0; i < all.good().segments.size(); ++i) {
        for (auto const size : {std::uint64_t{0}, limits::segment.count() + 1, huge, huge / 2 + 1}) {
            add(fmt::format("{} of {} bytes", i, size), "instead of 1 to",
                [i, size](Manifest& m) { m.segments[i].size = Bytes(size); });
        }
        add(fmt::format("{} without digest", i), "has no digest",
            [i](Manifest& m) { m.segments[i].digest = Digest(); });
    }
    add("one that nobody uses", "no file uses segment", [](Manifest& m) {
        m.segments.push_back({sha256(as_view("x")), Bytes(5)});
    });
    add("two sizes of one digest", "two sizes", [](Manifest& m) {
        m.segments[1] = m.segments[0];
        m.segments[1].size += Bytes(1);
    });
    add("too many", "more than 262144",
        [](Manifest& m) { m.segments.resize(limits::segments_per_manifest + 1, m.segments[0]); });
    all.add("segments", "none", "bin/app", "of 0", [](Manifest& m) { m.segments.clear(); });
}

void add_starts(Collection& all) {
    auto const add = [&](std::string what, char const* reason, std::vector<std::string> start) {
        all.add("start", std::move(what), "", reason, [&](Manifest& m) { m.start = start; });
    };
    for (auto const& program :
         {"none", "/bin/sh", "../bin/sh", "../../../../bin/sh", "./bin/app", "bin/./app", "bin/../bin/app", "bin//app",
          "bin/app/", "/bin/app", "BIN/APP", "Bin/app", "", ".", "..", "/", "lib/root/bin/app", "bin/app x"}) {
        add(fmt::format("program {}", lull::quoted(program)), "is not in the release", {program, "-c", "x"});
    }
    for (auto const& program : {"bin", "lib/deep", "data", "lib/empty"})
        add(fmt::format("program {}", program), "no executable file", {program});
    add("a word with NUL", "no text", {"bin/app", std::string("a\0b", 3)});
    add("a program with NUL", "no text", {std::string("bin/app\0", 8)});
    for (auto const& word : bad_utf8) add(fmt::format("word {}", lull::quoted(word)), "no text", {"bin/app", word});
    add("a word that is too long", "too long", {"bin/app", std::string(limits::text + 1, 'x')});
    add("too many words", "more than 64", std::vector<std::string>(limits::start_words + 1, "bin/app"));
}

void add_heads(Collection& all) {
    all.add("head", "no software", "", "is not set", [](Manifest& m) { m.software = {}; });
    all.add("head", "no version", "", "is not set", [](Manifest& m) { m.version = {}; });
    all.add("head", "no architecture", "", "is not set", [](Manifest& m) { m.architecture = {}; });
}

// ---- what no value can hold ----

using WriteValue = std::function<void(Encoder&)>;
using Fields = std::vector<std::pair<std::string, WriteValue>>;

struct FieldsOf {
    Fields& fields;
    template <class T>
    void operator()(char const* key, T const& value) {
        if constexpr (codec::IsOptional<T>::value) {
            if (value) fields.emplace_back(key, [&inner = *value](Encoder& out) { codec::write(out, inner); });
        } else {
            fields.emplace_back(key, [&value](Encoder& out) { codec::write(out, value); });
        }
    }
};

template <class T>
Fields fields_of(T const& value) {
    Fields fields;
    FieldsOf visit{fields};
    T::describe(value, visit);
    return fields;
}

void write(Encoder& out, Fields const& fields) {
    out.map(fields.size());
    for (auto const& [key, value] : fields) {
        out.text(key);
        value(out);
    }
}

using Edit = std::function<void(Fields&)>;

WriteValue& field(Fields& fields, std::string_view key) {
    for (auto& [name, value] : fields) {
        if (name == key) return value;
    }
    return fields.emplace_back(key, nullptr).second;
}

Edit replaced(std::string key, WriteValue value) {
    return [key = std::move(key), value = std::move(value)](Fields& fields) { field(fields, key) = value; };
}
Edit removed(std::string key) {
    return [key = std::move(key)](Fields& fields) {
        std::erase_if(fields, [&](auto const& f) { return f.first == key; });
    };
}
Edit doubled(std::string key) {
    return [key = std::move(key)](Fields& fields) { fields.emplace_back(key, field(fields, key)); };
}

WriteValue number(std::uint64_t value) {
    return [value](Encoder& out) { out.number(value); };
}
WriteValue integer(std::int64_t value) {
    return [value](Encoder& out) { out.integer(value); };
}
WriteValue text(std::string value) {
    return [value = std::move(value)](Encoder& out) { out.text(value); };
}
WriteValue binary(std::size_t size) {
    return [size](Encoder& out) { out.binary(Buffer(size, std::byte{7})); };
}
WriteValue array(std::size_t size) {
    return [size](Encoder& out) {
        out.array(size);
        for (std::size_t i = 0; i < size; ++i) out.number(0);
    };
}

Buffer edited_head(Manifest const& m, Edit const& edit) {
    auto fields = fields_of(m);
    edit(fields);
    Encoder out;
    write(out, fields);
    return out.take();
}

// With one element of a list changed.
template <class T>
Buffer edited(Manifest const& m, std::string const& list, std::vector<T> const& elements, std::size_t index,
              Edit const& edit) {
    return edited_head(m, replaced(list, [&](Encoder& out) {
                           out.array(elements.size());
                           for (std::size_t i = 0; i < elements.size(); ++i) {
                               auto fields = fields_of(elements[i]);
                               if (i == index) edit(fields);
                               write(out, fields);
                           }
                       }));
}

std::vector<std::pair<std::string, Edit>> entry_edits() {
    std::vector<std::pair<std::string, Edit>> edits;
    for (auto const type : {std::uint64_t{3}, std::uint64_t{4}, std::uint64_t{6}, std::uint64_t{8}, std::uint64_t{12},
                            std::uint64_t{255}, std::uint64_t{0x6000}, huge}) {
        edits.emplace_back(fmt::format("type {}", type), replaced("t", number(type)));
    }
    edits.emplace_back("type -1", replaced("t", integer(-1)));
    for (auto const* type : {"file", "device", "FILE", ""})
        edits.emplace_back(fmt::format("type '{}'", type), replaced("t", text(type)));
    for (auto const mode : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{0755},
                            std::uint64_t{02755}, std::uint64_t{04755}, std::uint64_t{06777}}) {
        edits.emplace_back(fmt::format("mode {:04o}", mode), replaced("x", number(mode)));
    }
    for (auto const size : {std::size_t{0}, std::size_t{1}, std::size_t{16}, std::size_t{20}, std::size_t{31},
                            std::size_t{33}, std::size_t{64}}) {
        edits.emplace_back(fmt::format("digest of {} bytes", size), replaced("d", binary(size)));
    }
    edits.emplace_back("digest as text", replaced("d", text(std::string(64, 'a'))));
    edits.emplace_back("size -1", replaced("z", integer(-1)));
    edits.emplace_back("size as text", replaced("z", text("1")));
    edits.emplace_back("segment of 33 bits", replaced("g", number(std::uint64_t{1} << 32)));
    edits.emplace_back("segment -1", replaced("g", integer(-1)));
    edits.emplace_back("offset -1", replaced("o", integer(-1)));
    edits.emplace_back("path as bytes", replaced("p", binary(4)));
    edits.emplace_back("path as number", replaced("p", number(4)));
    edits.emplace_back("path as list", replaced("p", array(2)));
    edits.emplace_back("target as list", replaced("l", array(2)));
    for (auto const* key : {"p", "t", "x", "z"}) edits.emplace_back(fmt::format("no field {}", key), removed(key));
    for (auto const* key : {"p", "t", "x", "z", "d"})
        edits.emplace_back(fmt::format("field {} twice", key), doubled(key));
    return edits;
}

void add_encodings(Collection& all) {
    auto const& m = all.good();
    auto const add = [&](std::string what, Buffer payload) {
        all.add_raw("encoding", std::move(what), "field '", std::move(payload));
    };
    for (auto const& [what, edit] : entry_edits()) add("an entry with " + what, edited(m, "e", m.entries, 1, edit));
    for (auto const size : {std::size_t{0}, std::size_t{31}, std::size_t{33}}) {
        add(fmt::format("a segment with a digest of {} bytes", size),
            edited(m, "g", m.segments, 0, replaced("d", binary(size))));
    }
    add("a segment of -1 bytes", edited(m, "g", m.segments, 0, replaced("z", integer(-1))));
    for (auto const* key : {"n", "v", "a", "e", "g"})
        add(fmt::format("no field {}", key), edited_head(m, removed(key)));
    for (auto const* key : {"n", "v", "a", "e", "g"})
        add(fmt::format("field {} twice", key), edited_head(m, doubled(key)));
    for (auto const* key : {"n", "v", "a"}) {
        for (auto const* name : {".", "..", "../x", "a/b", "/x", ".lull", "a\nb", "a\xff"}) {
            add(fmt::format("field {} is {}", key, lull::quoted(name)), edited_head(m, replaced(key, text(name))));
        }
    }
    add("entries as a map", edited_head(m, replaced("e", [](Encoder& out) { out.map(0); })));
    add("start as text", edited_head(m, replaced("r", text("bin/app"))));
}

void add_broken_bytes(Collection& all) {
    auto const whole = encode(all.good());
    for (std::size_t const cut : {std::size_t{1}, std::size_t{2}, whole.size() / 2, whole.size() - 2}) {
        all.add_raw("bytes", fmt::format("cut by {}", cut), "",
                    Buffer(whole.begin(), whole.end() - static_cast<std::ptrdiff_t>(cut)));
    }
    auto longer = whole;
    longer.push_back(std::byte{0xc0});
    all.add_raw("bytes", "one more at the end", "", std::move(longer));
    all.add_raw("bytes", "none", "", {});
    all.add_raw("bytes", "nothing but nesting", "", Buffer(1000, std::byte{0x91}));
}

}  // namespace

std::vector<HostilePath> hostile_paths() {
    std::vector<HostilePath> all = {{"", "the path is empty"}};
    for (auto const* path :
         {"/", "//", "/x", "/etc/passwd", "//etc/passwd", "/../x", "/./x", "/proc/self/root/x", "/lib/x"})
        all.push_back({path, "absolute"});
    for (auto const* path :
         {".", "..", "./x", "../x", "../../x", "../../../../../../../../etc/passwd", "lib/.", "lib/..", "lib/./x",
          "lib/../x", "lib/../../x", "lib/deep/../../../x", "lib/deep/./../x", "lib/root/../x"}) {
        all.push_back({path, dots});
    }
    for (auto const* path : {"lib/", "lib//x", "lib/x/", "x//", "../", "./", "lib/../", "lib///x", "x/"})
        all.push_back({path, empty_component});
    for (int letter = 0; letter < 0x20; ++letter)
        all.push_back({std::string("lib/a") + static_cast<char>(letter) + "b", control});
    all.push_back({"lib/a\x7f", control});
    for (int letter = 0x80; letter < 0xA0; ++letter)
        all.push_back({std::string("lib/\xc2") + static_cast<char>(letter), control});
    for (auto const& bytes : bad_utf8) all.push_back({"lib/" + bytes, not_utf8});
    for (std::size_t const length : {std::size_t{256}, std::size_t{300}, std::size_t{1000}})
        all.push_back({"lib/" + std::string(length, 'x'), "longer than 255"});
    all.push_back({std::string(1025, 'x'), "longer than 1024"});
    std::string deep = "lib";
    while (deep.size() <= limits::path_bytes) deep += "/deep";
    all.push_back({deep, "longer than 1024"});
    return all;
}

std::vector<HostileLink> hostile_links() {
    std::vector<HostileLink> all;
    std::size_t levels = 0;
    for (std::string const place : {"l", "lib/l", "lib/deep/l"}) {
        ++levels;
        std::set<std::string> climbing;
        for (std::string const front : {"", "./", ".//", "././"}) {
            for (std::string const between : {"/", "//", "/./"}) {
                for (std::string const tail : {"", "/", "/x", "//x", "/./x", "/../x"}) {
                    auto target = front + "..";
                    for (std::size_t level = 1; level < levels; ++level) target += between + "..";
                    climbing.insert(target + tail);
                }
            }
        }
        for (auto const& target : climbing) all.push_back({place, target, outside});
        for (auto const* target : {"/", "//", "/.", "/..", "/etc/passwd", "//etc/passwd", "/proc/self/root/etc",
                                   "/proc/self/cwd", "/dev/sda"}) {
            all.push_back({place, target, "has to be relative"});
        }
        for (auto const* target :
             {"x/..", "deep/../..", "x/../../../etc", "./x/../..", "x//../..", "a/b/../../../..", "root/.."}) {
            all.push_back({place, target, "only at the front"});
        }
    }
    all.push_back({"lib/l", "", "to nothing"});
    for (int letter = 0; letter < 0x20; ++letter)
        all.push_back({"lib/l", std::string("a") + static_cast<char>(letter), control});
    all.push_back({"lib/l", std::string("a\0/../../..", 11), control});
    for (auto const& bytes : bad_utf8) all.push_back({"lib/l", bytes, not_utf8});
    all.push_back({"lib/l", std::string(256, 'x'), "too long"});
    all.push_back({"lib/l", std::string(1025, 'x'), "longer than 1024"});
    return all;
}

std::vector<HostileManifest> hostile_manifests(Manifest const& good) {
    Collection all(good);
    add_paths(all);
    add_places(all);
    add_orders(all);
    add_links(all);
    add_loops(all);
    add_attributes(all);
    add_sizes(all);
    add_segments(all);
    add_starts(all);
    add_heads(all);
    add_encodings(all);
    add_broken_bytes(all);
    return all.take();
}

}  // namespace lull::test
