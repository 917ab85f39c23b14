#include "subscriber/notify/notice_text.hpp"

#include "fixture.hpp"

namespace lull::subscriber::test::notice_text_test {

namespace {

Notice const notice{software("app"), VersionName::parse("1.0").value(), VersionName::parse("2.0").value()};

Holder holder() {
    Holder made;
    made.pid = 4711;
    made.uid = 1001;
    made.user = "kim";
    made.command = "app";
    made.since = WallTime{1'780'000'000'000'000};
    return made;
}

}  // namespace

TEST_CASE("an operator's words are filled in, for terminals and for logs") {
    auto const text = NoticeText::parse(
                          "{software} {ready} wartet auf {command}/{pid} ({user}).\nSeit {since}: {running} {{x}\n\n")
                          .value();
    CHECK(text.for_terminal(notice, holder()) ==
          "\r\napp 2.0 wartet auf app/4711 (kim).\r\nSeit 2026-05-28T20:26:40Z: 1.0 {x}\r\n");
    CHECK(text.for_log(notice, holder()) == "app 2.0 wartet auf app/4711 (kim). Seit 2026-05-28T20:26:40Z: 1.0 {x}");
    CHECK(NoticeText::parse("eine Zeile\r\nzwei\r\n").value().for_terminal(notice, holder()) ==
          "\r\neine Zeile\r\nzwei\r\n");
}

TEST_CASE("what users and programs are called is not looked through again, and steers no terminal") {
    auto odd = holder();
    odd.command = "{pid}{{\x1b[2J\n" + std::string(5000, 'x');
    odd.user = "k\xc3\xa4te\a";
    auto const text =
        NoticeText::parse("<{command}> <{user}> \x1b]0;x\x07 gr\xc3\xbc\xc3\x9f").value().for_terminal(notice, odd);
    CHECK(text.starts_with("\r\n<{pid}{{?[2J?xxx"));
    CHECK(text.find("<k??te?>") != std::string::npos);
    CHECK(text.size() < 300);
    CHECK(
        std::all_of(text.begin(), text.end(), [](char c) { return (c >= ' ' && c <= '~') || c == '\r' || c == '\n'; }));
    CHECK(std::count(text.begin(), text.end(), '\n') == 2);
}

TEST_CASE("words that cannot be filled in, or are too many, are refused with what is wrong") {
    for (auto const* wrong :
         {"", " \n\n", "{}", "{version}", "{software", "{ software}", "a {Software} b", "{", "x\xff"}) {
        CAPTURE(wrong);
        auto const text = NoticeText::parse(wrong);
        REQUIRE_FALSE(text);
        CHECK(text.error().fault == Fault::usage);
    }
    CHECK(NoticeText::parse("{version}")
              .error()
              .message.find("{software}, {ready}, {running}, {command}, {pid}, {user}, {since}") != std::string::npos);
    CHECK_FALSE(NoticeText::parse(std::string(2049, 'x')));
    CHECK(NoticeText::parse(std::string(2048, 'x')));
    CHECK_FALSE(NoticeText::parse("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n"));
    CHECK(NoticeText::parse("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"));
}

TEST_CASE("words come from a file, which an error names") {
    lull::test::TemporaryDirectory directory;
    auto const path = directory / "notice";
    CHECK(NoticeText::load(path).error().fault == Fault::not_found);
    write_text(path, "{software}\n");
    CHECK(NoticeText::load(path).value().for_log(notice, holder()) == "app");
    write_text(path, "{nothing}\n");
    CHECK(NoticeText::load(path).error().message.starts_with(path.string()));
}

}  // namespace lull::subscriber::test::notice_text_test
