// A real server on a free port of 127.0.0.1, asked by a real client, and by bare sockets for what no client would send.
#include "server/app_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

namespace midinf::server {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// A connection that sends what it is told to.
class Socket {
 public:
  explicit Socket(int port) : number_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(number_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Socket() { ::close(number_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] int number() const { return number_; }
  bool send(std::string_view bytes) const {
    return ::send(number_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  /// All that comes until the server ends the connection, `enough` is in it, or nothing comes for ten seconds.
  [[nodiscard]] std::string receive(std::string_view enough = "no such bytes") const {
    std::string all;
    std::vector<char> bytes(65'536);
    for (;;) {
      pollfd wait{number_, POLLIN, 0};
      if (::poll(&wait, 1, 10'000) != 1) return all + "(nothing for ten seconds)";
      const ssize_t count = ::recv(number_, bytes.data(), bytes.size(), 0);
      if (count <= 0) return all;
      all.append(bytes.data(), static_cast<std::size_t>(count));
      if (all.find(enough) != std::string::npos) return all;
    }
  }

 private:
  int number_;
  bool connected_ = false;
};

class AppServerTest : public testing::Test {
 protected:
  AppServerTest() {
    fs::create_directories(root_ / "assets");
    put("index.html", "<!doctype html>page");
    put("assets/index-Bq3xR9_d.js", "go()");
    put("engine.wasm", "wasm");
    put("empty.txt", "");
    put("app.webmanifest", "{}");
    model_.resize(3'000'000);
    for (std::size_t i = 0; i < model_.size(); ++i) model_[i] = static_cast<char>((i * 2'654'435'761u) >> 13);
    put("mini.gguf", model_);
    start();
  }
  ~AppServerTest() override {
    server_.reset();
    fs::remove_all(folder_);
  }
  void put(const char* name, const std::string& text) const { std::ofstream(root_ / name, std::ios::binary) << text; }
  void start(const ServerLimits& limits = {}) {
    auto started = AppServer::start(root_.string(), 0, limits);
    ASSERT_TRUE(started) << started.error().to_string();
    server_ = std::move(*started);
    client_ = std::make_unique<httplib::Client>("127.0.0.1", server_->port());
    client_->set_keep_alive(true);
  }
  [[nodiscard]] std::string head(const std::string& line, const std::string& more = "") const {
    return line + "\r\nHost: 127.0.0.1:" + std::to_string(server_->port()) + "\r\n" + more + "\r\n";
  }
  // The answer to bytes that are all this client ever says.
  [[nodiscard]] std::string answer(const std::string& bytes) const {
    const Socket socket(server_->port());
    socket.send(bytes);
    return socket.receive();
  }
  // What the client gets; status 0 where it gets nothing.
  [[nodiscard]] httplib::Response fetch(const std::string& target, const httplib::Headers& headers = {}) const {
    const auto result = client_->Get(target, headers);
    return result ? *result : httplib::Response();
  }
  [[nodiscard]] std::string get(const std::string& target, const std::string& more = "") const {
    return answer(head("GET " + target + " HTTP/1.1", "Connection: close\r\n" + more));
  }

  fs::path folder_ = fs::temp_directory_path() / ("midinf_app_server_" + std::to_string(::getpid()));
  fs::path root_ = folder_ / "app";
  std::string model_;
  std::unique_ptr<AppServer> server_;
  std::unique_ptr<httplib::Client> client_;
};

const std::vector<std::pair<std::string, std::string>> kPromised{{"Cross-Origin-Opener-Policy", "same-origin"},
                                                                 {"Cross-Origin-Embedder-Policy", "require-corp"},
                                                                 {"Cross-Origin-Resource-Policy", "same-origin"},
                                                                 {"X-Content-Type-Options", "nosniff"},
                                                                 {"Referrer-Policy", "no-referrer"}};

TEST_F(AppServerTest, SendsThePageIsolatedAndUncached) {
  EXPECT_EQ(server_->url(), "http://127.0.0.1:" + std::to_string(server_->port()) + "/");
  const auto page = fetch("/?from=link");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, "<!doctype html>page");
  EXPECT_EQ(page.get_header_value("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.get_header_value("Cache-Control"), "no-cache");
  for (const auto& [name, value] : kPromised) {
    EXPECT_EQ(page.get_header_value(name), value);
    EXPECT_EQ(page.get_header_value_count(name), 1u) << name;
  }
}

TEST_F(AppServerTest, EveryAnswerCarriesTheHeaders) {
  const auto etag = fetch("/").get_header_value("ETag");
  for (const std::string& sent :
       {get("/none"), get("/%00"), get("/mini.gguf", "Range: bytes=0-9\r\n"),
        get("/mini.gguf", "Range: bytes=9999999-\r\n"), get("/", "If-None-Match: " + etag + "\r\n"), get("/empty.txt"),
        answer(head("POST / HTTP/1.1")), answer("nonsense\r\n\r\n"),
        answer("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")})
    for (const auto& [name, value] : kPromised) EXPECT_THAT(sent, HasSubstr(name + ": " + value + "\r\n"));
}

TEST_F(AppServerTest, SaysWhatAFileIsAndHowLongToKeepIt) {
  EXPECT_THAT(get("/engine.wasm"), HasSubstr("Content-Type: application/wasm\r\n"));
  EXPECT_THAT(get("/app.webmanifest"), HasSubstr("Content-Type: application/manifest+json\r\n"));
  EXPECT_THAT(get("/empty.txt"), testing::AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Length: 0\r\n"),
                                                HasSubstr("Content-Type: text/plain; charset=utf-8\r\n")));
  const auto script = fetch("/assets/index-Bq3xR9_d.js");
  EXPECT_EQ(script.get_header_value("Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(script.get_header_value("Cache-Control"), "public, max-age=31536000, immutable");
  const auto compressed = fetch("/index.html", {{"Accept-Encoding", "br, gzip"}});
  EXPECT_FALSE(compressed.has_header("Content-Encoding"));
  const auto none = fetch("/none");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.body, "there is no such file\n");
  EXPECT_EQ(none.get_header_value("Cache-Control"), "no-store");
}

TEST_F(AppServerTest, DoesNotSendAgainWhatTheBrowserHas) {
  const std::string etag = fetch("/").get_header_value("ETag");
  ASSERT_THAT(etag, testing::AllOf(StartsWith("\""), testing::EndsWith("\"")));
  for (const std::string& named : {etag, "W/" + etag, "\"old\", " + etag, std::string("*")}) {
    const std::string unchanged = get("/", "If-None-Match: " + named + "\r\n");
    EXPECT_THAT(unchanged, StartsWith("HTTP/1.1 304 Not Modified\r\n")) << named;
    EXPECT_THAT(unchanged, testing::EndsWith("\r\n\r\n"));
    EXPECT_THAT(unchanged, HasSubstr("ETag: " + etag + "\r\n"));
    EXPECT_THAT(unchanged, HasSubstr("Cache-Control: no-cache\r\n"));
    EXPECT_THAT(unchanged, Not(HasSubstr("Content-Length"))) << "it would be the file's";
  }
  EXPECT_EQ(fetch("/", {{"If-None-Match", "\"old\""}}).status, 200);
  put("index.html", "<!doctype html>next");  // of the same length
  const auto changed = fetch("/", {{"If-None-Match", etag}});
  EXPECT_EQ(changed.status, 200);
  EXPECT_EQ(changed.body, "<!doctype html>next");
}

TEST_F(AppServerTest, HeadTellsWhatGetWouldSend) {
  const auto told = client_->Head("/mini.gguf");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->status, 200);
  EXPECT_EQ(told->get_header_value("Content-Length"), "3000000");
  EXPECT_EQ(told->get_header_value("Accept-Ranges"), "bytes");
  EXPECT_EQ(told->body, "");
  EXPECT_THAT(answer(head("HEAD /none HTTP/1.1", "Connection: close\r\n")), testing::EndsWith("\r\n\r\n"));
  EXPECT_THAT(answer("HEAD / HTTP/1.1\r\nHost: evil.example\r\n\r\n"), testing::EndsWith("\r\n\r\n"));
}

TEST_F(AppServerTest, StreamsTheModelWholeAndInParts) {
  const auto whole = fetch("/mini.gguf");
  EXPECT_EQ(whole.get_header_value("Content-Type"), "application/octet-stream");
  EXPECT_TRUE(whole.body == model_);
  const std::string etag = whole.get_header_value("ETag");

  // A download that broke off goes on, and only in the same file.
  const auto rest = fetch("/mini.gguf", {{"Range", "bytes=1000001-"}, {"If-Range", etag}});
  EXPECT_EQ(rest.status, 206);
  EXPECT_EQ(rest.get_header_value("Content-Range"), "bytes 1000001-2999999/3000000");
  EXPECT_EQ(rest.get_header_value("Content-Length"), "1999999");
  EXPECT_EQ(rest.get_header_value("ETag"), etag);
  EXPECT_TRUE(rest.body == model_.substr(1'000'001));
  const auto other = fetch("/mini.gguf", {{"Range", "bytes=1000001-"}, {"If-Range", "\"old\""}});
  EXPECT_EQ(other.status, 200);
  EXPECT_EQ(other.body.size(), model_.size());

  EXPECT_EQ(fetch("/mini.gguf", {{"Range", "bytes=5-7"}}).body, model_.substr(5, 3));
  EXPECT_EQ(fetch("/mini.gguf", {{"Range", "bytes=-4"}}).body, model_.substr(model_.size() - 4));
}

TEST_F(AppServerTest, HostileRangesGetAtMostTheFile) {
  const auto outside = fetch("/mini.gguf", {{"Range", "bytes=3000000-"}});
  EXPECT_EQ(outside.status, 416);
  EXPECT_EQ(outside.get_header_value("Content-Range"), "bytes */3000000");
  EXPECT_THAT(get("/empty.txt", "Range: bytes=0-\r\n"), StartsWith("HTTP/1.1 416 "));
  std::string many = "bytes=0-";
  while (many.size() < 7'000) many += ",0-";
  for (const std::string& range : {many, std::string("bytes=") + std::string(7'000, '9') + "-x", std::string("bytes=-"),
                                   std::string("bytes=9-1"), std::string(7'000, '-')}) {
    const std::string sent = get("/engine.wasm", "Range: " + range + "\r\n");
    EXPECT_THAT(sent, StartsWith("HTTP/1.1 200 ")) << range.substr(0, 20);
    EXPECT_THAT(sent, testing::EndsWith("\r\n\r\nwasm")) << range.substr(0, 20);
  }
  EXPECT_THAT(get("/engine.wasm", "Range: bytes=" + std::string(7'000, '9') + "-\r\n"), StartsWith("HTTP/1.1 416 "));
  EXPECT_THAT(get("/engine.wasm", "Range: bytes=0-1\r\nRange: bytes=0-2\r\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AppServerTest, AnswersToItsOwnNamesOnly) {
  const std::string port = std::to_string(server_->port());
  const auto asked_as = [&](const std::string& host) {
    return answer("GET / HTTP/1.1\r\nConnection: close\r\nHost: " + host + "\r\n\r\n");
  };
  EXPECT_THAT(asked_as("localhost:" + port), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(asked_as("[::1]:" + port), StartsWith("HTTP/1.1 200 "));
  const std::string refused = asked_as("evil.example:" + port);
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 421 Misdirected Request\r\n"));
  EXPECT_THAT(refused, testing::EndsWith("this server answers to " + server_->url() + " only\n"));
  EXPECT_THAT(refused, Not(HasSubstr("doctype")));
  // Not on this machine's other addresses either: all of 127/8 is this machine, one address of it is bound.
  const int other = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(server_->port()));
  address.sin_addr.s_addr = htonl(0x7f000002);
  EXPECT_NE(::connect(other, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(other);
}

TEST_F(AppServerTest, RefusesOtherMethodsAndNonsense) {
  const std::string refused = answer(head("POST / HTTP/1.1", "Content-Length: 5\r\n") + "hello");
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(refused, HasSubstr("Allow: GET, HEAD\r\n"));
  EXPECT_THAT(answer(head("OPTIONS / HTTP/1.1")), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(answer(head("GET / HTTP/1.1", "Content-Length: 4000000\r\n") + std::string(100'000, 'x')),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(answer("\x16\x03\x01\x02\x01\r\n\r\n"), StartsWith("HTTP/1.1 400 ")) << "https";
  EXPECT_THAT(answer(head("GET http://127.0.0.1/ HTTP/1.1")), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer(head("GET /" + std::string(5'000, 'a') + " HTTP/1.1")), StartsWith("HTTP/1.1 414 "));
  EXPECT_THAT(answer(head("GET / HTTP/1.1", "A: " + std::string(9'000, 'a') + "\r\n")), StartsWith("HTTP/1.1 431 "));
  std::string headers;
  for (int i = 0; i < 10'000; ++i) headers += "A: b\r\n";
  EXPECT_THAT(answer(head("GET / HTTP/1.1", headers)), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(answer(std::string(1'000'000, 'a')), StartsWith("HTTP/1.1 431 "));
  EXPECT_EQ(fetch("/").status, 200) << "it goes on";
}

TEST_F(AppServerTest, LeadsNowhereElse) {
  std::ofstream(folder_ / "secret") << "secret";
  fs::create_symlink("../secret", root_ / "link");
  put(".hidden", "secret");
  for (const char* target : {"/../secret", "/%2e%2e/secret", "/assets/../../secret", "/..%2fsecret",
                             "/assets/..%2f..%2fsecret", "/..%5csecret", "/link", "/.hidden", "//secret",
                             "/%00/../secret", "/%u002e%u002e/secret", "/..%c0%afsecret", "/%252e%252e/secret"}) {
    const std::string sent = get(target);
    EXPECT_THAT(sent, testing::AnyOf(StartsWith("HTTP/1.1 404 "), StartsWith("HTTP/1.1 400 "))) << target;
    EXPECT_THAT(sent, Not(HasSubstr("secret"))) << target;
  }
}

TEST_F(AppServerTest, AnswersOneRequestAfterTheOther) {
  const Socket socket(server_->port());
  socket.send(head("GET /none HTTP/1.1") + head("GET /engine.wasm HTTP/1.1") + head("GET /empty.txt HTTP/1.0"));
  const std::string sent = socket.receive();
  EXPECT_THAT(sent, testing::ContainsRegex("^HTTP/1.1 404 .*no such file\n"
                                           "HTTP/1.1 200 .*\r\n\r\nwasmHTTP/1.1 200 .*Connection: close\r\n"));
  ServerLimits few;
  few.requests = 2;
  start(few);
  const Socket another(server_->port());
  for (int i = 0; i < 3; ++i) another.send(head("GET /engine.wasm HTTP/1.1"));
  const std::string twice = another.receive();
  const std::size_t second = twice.find("HTTP/1.1 200 ", 1);
  EXPECT_NE(second, std::string::npos);
  EXPECT_EQ(twice.rfind("HTTP/1.1 200 "), second) << "two answers, then the end";
}

TEST_F(AppServerTest, SlowClientsAreSentAway) {
  ServerLimits impatient;
  impatient.connections = 2;
  impatient.idle = 200ms;
  impatient.head = 400ms;
  impatient.write = 400ms;
  start(impatient);
  const auto begin = Clock::now();
  const Socket silent(server_->port()), drop_by_drop(server_->port());
  std::thread dropping([&] {
    for (const char c : head("GET / HTTP/1.1", "A: " + std::string(1'000, 'a') + "\r\n")) {
      if (!drop_by_drop.send({&c, 1})) return;
      std::this_thread::sleep_for(20ms);
    }
  });
  // Both threads of the server are taken; the next client waits until they are free, and is answered.
  EXPECT_EQ(fetch("/").status, 200);
  EXPECT_EQ(silent.receive(), "");
  EXPECT_THAT(drop_by_drop.receive(), StartsWith("HTTP/1.1 408 "));
  EXPECT_LT(Clock::now() - begin, 5s);
  dropping.join();

  // Asks for more than the system's buffers hold and reads none of it.
  put("mini.gguf", std::string(30'000'000, 'x'));
  const Socket deaf(server_->port()), deaf_too(server_->port());
  for (const Socket* socket : {&deaf, &deaf_too}) socket->send(head("GET /mini.gguf HTTP/1.1"));
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(fetch("/").status, 200);
  // For that, one of the two had to go; the other goes at about the same time.
  EXPECT_LT(std::min(deaf.receive().size(), deaf_too.receive().size()), 30'000'000u);
}

TEST_F(AppServerTest, ServesManyAtOnce) {
  std::vector<std::thread> clients;
  std::atomic<int> whole = 0;
  for (int i = 0; i < 40; ++i)
    clients.emplace_back([&] {
      httplib::Client client("127.0.0.1", server_->port());
      client.set_read_timeout(60);
      const auto sent = client.Get("/mini.gguf");
      whole += sent && sent->body == model_;
    });
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(whole, 40);
}

TEST_F(AppServerTest, AFileCutShortEndsTheConnection) {
  put("mini.gguf", std::string(30'000'000, 'x'));
  const Socket socket(server_->port());
  socket.send(head("GET /mini.gguf HTTP/1.1"));
  std::string sent = socket.receive("xxx");
  fs::resize_file(root_ / "mini.gguf", 10);
  sent += socket.receive();
  EXPECT_THAT(sent.substr(0, 20), StartsWith("HTTP/1.1 200 "));
  EXPECT_LT(sent.size(), 30'000'000u);
  EXPECT_THAT(sent, Not(testing::EndsWith("seconds)")));
}

TEST_F(AppServerTest, EndsAtOnceWithConnectionsOpen) {
  put("mini.gguf", std::string(30'000'000, 'x'));
  const Socket silent(server_->port()), half(server_->port()), deaf(server_->port());
  half.send("GET / HT");
  deaf.send(head("GET /mini.gguf HTTP/1.1"));
  EXPECT_THAT(deaf.receive("xxx"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(fetch("/").status, 200);
  const int port = server_->port();
  const auto begin = Clock::now();
  server_.reset();
  EXPECT_LT(Clock::now() - begin, 1s);
  EXPECT_EQ(silent.receive(), "");
  EXPECT_FALSE(Socket(port).connected());
  EXPECT_TRUE(AppServer::start(root_.string(), port)) << "the port is free again at once";
}

TEST_F(AppServerTest, SharesItsPortWithNobody) {
  const auto second = AppServer::start(root_.string(), server_->port());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().to_string(),
            "port " + std::to_string(server_->port()) +
                ": it is in use; choose another one with --port N, or --port 0 for any that "
                "is free");
  EXPECT_FALSE(AppServer::start((root_ / "none").string(), 0));
}

}  // namespace
}  // namespace midinf::server
