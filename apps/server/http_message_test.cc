// What is refused before anything looks for a file, and which part of a file a Range header means.
#include "server/http_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace midinf::server {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int kPort = 8'765;

std::string request(const std::string& line, const std::string& headers = "Host: 127.0.0.1:8765\r\n") {
  return line + "\r\n" + headers + "\r\n";
}

std::string host_header(const std::string& host) {
  return "Host: " + host + "\r\n";
}

int status_of(const std::string& head, int port = kPort) {
  const auto parsed = parse_request_head(head, port);
  return parsed ? 200 : parsed.error().status;
}

TEST(RequestHead, TellsTheLibraryOnlyWhatIsSound) {
  const auto head = parse_request_head(request("GET /a%20b?x=%zz?y HTTP/1.1",
                                               "HOST: LocalHost:8765\r\nRange:  bytes=0-1 \r\nAccept-Encoding: br\r\n"
                                               "Expect: 100-continue\r\nContent-Length: 0\r\nIf-Range: \"a\"\r\n"),
                                       kPort);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->forwarded, "GET /a%20b HTTP/1.1\r\nHOST: LocalHost:8765\r\nIf-Range: \"a\"\r\n\r\n");
  EXPECT_EQ(head->range, "bytes=0-1");
  EXPECT_TRUE(head->keep_alive);
}

TEST(RequestHead, AnswersToThisMachinesNamesOnly) {
  for (const char* host : {"127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765"})
    EXPECT_EQ(status_of(request("GET / HTTP/1.1", host_header(host))), 200) << host;
  for (const char* host :
       {"evil.example", "evil.example:8765", "127.0.0.1", "localhost", "127.0.0.1:80", "127.0.0.2:8765",
        "localhost.evil.example:8765", "127.0.0.1:8765.evil.example", "127.0.0.1:08765", "",
        "localhost:8765,evil.example", "user@localhost:8765", "[::1]", "::1:8765"})
    EXPECT_EQ(status_of(request("GET / HTTP/1.1", host_header(host))), 421) << host;
  EXPECT_EQ(status_of(request("GET / HTTP/1.1", host_header("localhost")), 80), 200);
  EXPECT_EQ(status_of(request("GET / HTTP/1.1", "")), 400);
  EXPECT_EQ(status_of(request("GET / HTTP/1.0", "")), 421);
  EXPECT_EQ(status_of(request("GET / HTTP/1.1", host_header("localhost:8765") + host_header("evil.example"))), 400);
  EXPECT_EQ(status_of(request("POST / HTTP/1.1", host_header("evil.example"))), 421) << "the host before all else";
}

TEST(RequestHead, RefusesOtherMethodsAndBodies) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "PRI", "get", "BREW"})
    EXPECT_EQ(status_of(request(std::string(method) + " / HTTP/1.1")), 405) << method;
  const std::string host = host_header("localhost:8765");
  EXPECT_EQ(status_of(request("GET / HTTP/1.1", host + "Content-Length: 5\r\n")), 413);
  EXPECT_EQ(status_of(request("GET / HTTP/1.1", host + "Content-Length: 0\r\nContent-Length: 5\r\n")), 413);
  EXPECT_EQ(status_of(request("GET / HTTP/1.1", host + "Transfer-Encoding: chunked\r\n")), 413);
}

TEST(RequestHead, RefusesWhatIsNotHttp) {
  using namespace std::string_literals;
  const std::string host = host_header("localhost:8765");
  for (const std::string& line :
       {""s, "GET"s, "GET /"s, "GET / "s, "GET / HTTP/1.1 "s, " GET / HTTP/1.1"s, "GET  / HTTP/1.1"s, "GET / FTP/1.1"s,
        "GET index.html HTTP/1.1"s, "GET http://evil.example/ HTTP/1.1"s, "GET * HTTP/1.1"s, "GET /a\0b HTTP/1.1"s,
        "GET /a\rb HTTP/1.1"s, "GET /a\nX: y HTTP/1.1"s, "GET /a#b HTTP/1.1"s, "G\xc3\x89T / HTTP/1.1"s,
        "\x16\x03\x01\x02"s})
    EXPECT_THAT(status_of(request(line)), testing::AnyOf(400, 505)) << testing::PrintToString(line);
  EXPECT_EQ(status_of(request("GET / HTTP/2.0")), 505);
  EXPECT_EQ(status_of(request("GET / HTTP/1.10")), 505);
  for (const std::string& header : {"no colon\r\n"s, ": no name\r\n"s, "Name : space\r\n"s, " folded: line\r\n"s,
                                    "A: b\nc: d\r\n"s, "A: b\rc\r\n"s, "A: \0\r\n"s, "A\0: b\r\n"s})
    EXPECT_EQ(status_of(request("GET / HTTP/1.1", host + header)), 400) << testing::PrintToString(header);
  EXPECT_EQ(status_of(request("GET /" + std::string(kMostTargetBytes, 'a') + " HTTP/1.1")), 414);
  EXPECT_EQ(status_of(request("GET / HTTP/1.1", host + "A: " + std::string(9'000, 'a') + "\r\n")), 431);
}

TEST(RequestHead, KnowsWhichClientsGoOn) {
  const std::string host = host_header("localhost:8765");
  EXPECT_FALSE(parse_request_head(request("GET / HTTP/1.1", host + "Connection: Close\r\n"), kPort)->keep_alive);
  EXPECT_FALSE(parse_request_head(request("GET / HTTP/1.1", host + "Connection: a, close\r\n"), kPort)->keep_alive);
  EXPECT_FALSE(parse_request_head(request("GET / HTTP/1.0", host), kPort)->keep_alive);
  EXPECT_TRUE(parse_request_head(request("GET / HTTP/1.1", host + "Connection: keep-alive\r\n"), kPort)->keep_alive);
}

TEST(PathOfTarget, DecodesOnce) {
  EXPECT_EQ(path_of_target("/").value(), "/");
  EXPECT_EQ(path_of_target("/a%20b/%C3%BC.js?v=1").value(), "/a b/\xc3\xbc.js");
  EXPECT_EQ(path_of_target("/a%2Fb").value(), "/a/b");
  EXPECT_EQ(path_of_target("/%252e%252e/x").value(), "/%2e%2e/x");
  EXPECT_EQ(path_of_target("/sub/").value(), "/sub/");
}

TEST(PathOfTarget, LeadsNowhereElse) {
  for (const char* target :
       {"/..", "/../x", "/a/../../x", "/%2e%2e/x", "/.%2e/x", "/a/..%2f..%2fx", "/a%2f..", "/./x", "/.git/config",
        "/.env", "/a/.hidden", "//etc/passwd", "/a//b", "/%2fetc/passwd", "/a/%2e%2E/", "/..?x", "/..;/x"})
    EXPECT_EQ(path_of_target(target).error().status, 404) << target;
  for (const char* target :
       {"", "a", "%2fa", "/%", "/%4", "/a%zz", "/%00", "/a%00.html", "/a%0d%0ab", "/a\\..\\x", "/..%5cx", "/%7f"})
    EXPECT_EQ(path_of_target(target).error().status, 400) << target;
}

// The part as text, whatever the answer.
std::string range(const std::string& header, std::uint64_t size) {
  const auto part = parse_range(header, size);
  if (!part) return std::to_string(part.error().status);
  return *part ? std::to_string((*part)->first) + "+" + std::to_string((*part)->length) : "all";
}

TEST(ParseRange, FindsThePart) {
  EXPECT_EQ(range("bytes=0-", 10), "0+10");
  EXPECT_EQ(range("bytes=0-0", 10), "0+1");
  EXPECT_EQ(range("Bytes = 3-7", 10), "3+5");
  EXPECT_EQ(range("bytes=9-", 10), "9+1");
  EXPECT_EQ(range("bytes=5-99", 10), "5+5");
  EXPECT_EQ(range("bytes=-3", 10), "7+3");
  EXPECT_EQ(range("bytes=-99", 10), "0+10");
  EXPECT_EQ(range("bytes=4-99999999999999999999999", 10), "4+6");
}

TEST(ParseRange, RefusesWhatLiesOutside) {
  EXPECT_EQ(range("bytes=10-", 10), "416");
  EXPECT_EQ(range("bytes=-0", 10), "416");
  EXPECT_EQ(range("bytes=18446744073709551615-", 10), "416");
  EXPECT_EQ(range("bytes=99999999999999999999999-", 10), "416");
  EXPECT_EQ(range("bytes=0-", 0), "416");
  EXPECT_EQ(range("bytes=-1", 0), "416");
}

TEST(ParseRange, SendsAllWhereNoSingleRangeIsAskedFor) {
  std::string many = "bytes=0-";
  for (int i = 0; i < 1'000; ++i) many += ",0-";
  for (const std::string& header :
       {std::string(), std::string("bytes"), std::string("bytes="), std::string("bytes=-"), std::string("bytes=7-3"),
        std::string("bytes=a-b"), std::string("bytes=0x0-1"), std::string("bytes=1--2"), std::string("bytes=--2"),
        std::string("bytes=+1-2"), std::string("bytes=0-1,3-4"), std::string("lines=0-1"), many})
    EXPECT_EQ(range(header, 10), "all") << header;
}

TEST(NamesEtag, ReadsLists) {
  EXPECT_TRUE(names_etag("\"a\"", "\"a\""));
  EXPECT_TRUE(names_etag("\"x\", W/\"a\"", "\"a\""));
  EXPECT_TRUE(names_etag("*", "\"a\""));
  EXPECT_FALSE(names_etag("", "\"a\""));
  EXPECT_FALSE(names_etag("a", "\"a\""));
  EXPECT_FALSE(names_etag("\"ab\"", "\"a\""));
}

TEST(RefusalMessage, IsWholeAndIsolatedToo) {
  const std::string message = refusal_message({405, "no"}, false);
  EXPECT_THAT(message, testing::StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_THAT(message, testing::EndsWith("\r\n\r\nno\n"));
  for (const char* line : {"Allow: GET, HEAD\r\n", "Content-Length: 3\r\n", "Connection: close\r\n",
                           "Cross-Origin-Resource-Policy: same-origin\r\n"})
    EXPECT_THAT(message, HasSubstr(line));
  EXPECT_THAT(refusal_message({421, "no"}, true),
              testing::AllOf(testing::EndsWith("\r\n\r\n"), Not(HasSubstr("Allow"))));
}

}  // namespace
}  // namespace midinf::server
