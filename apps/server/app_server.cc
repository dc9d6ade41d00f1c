// cpp-httplib routes requests and writes answers. What its version 0.11 leaves open is done here, before it sees a
// request: that reads lines and headers of any length, waits for each byte anew, holds any number of connections,
// shares its port with other programs (SO_REUSEPORT) and ends when accepting fails once.
#include "server/app_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <httplib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <span>
#include <thread>
#include <vector>

#include "server/http_message.h"
#include "server/static_folder.h"

namespace midinf::server {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kPieceBytes = 65'536;
#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;  // SIGPIPE is ignored, here as in the library
#endif

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {
    if (number_ >= 0) ::fcntl(number_, F_SETFD, FD_CLOEXEC);
  }
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  [[nodiscard]] int get() const { return number_; }
  void reset() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_;
};

enum class Wait { kReady, kLate, kStopped };

// Until `socket` is ready for `events`, the deadline has passed, or the other end of the pipe `stop` was closed.
Wait wait_for(int socket, short events, int stop, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd waits[] = {{socket, events, 0}, {stop, POLLIN, 0}};
    const int ready = ::poll(waits, 2, static_cast<int>(std::clamp<long long>(left.count(), 0, 3'600'000)));
    if (waits[1].revents != 0) return Wait::kStopped;
    if (ready > 0) return Wait::kReady;
    if (Clock::now() >= deadline) return Wait::kLate;
  }
}

/// One client: its requests come out one head at a time, all answers go in.
class Connection final : public httplib::Stream {
 public:
  Connection(Descriptor socket, int stop, const ServerLimits& limits)
      : socket_(std::move(socket)), stop_(stop), limits_(limits) {
    ::fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
    const int yes = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
#ifdef SO_NOSIGPIPE
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof yes);
#endif
  }

  /// The next request up to its empty line; a refusal, with status 0 when there is nobody to refuse.
  tl::expected<std::string, Refusal> receive_head() {
    const auto nobody = tl::make_unexpected(Refusal{0, {}});
    auto deadline = Clock::now() + (received_.empty() ? limits_.idle : limits_.head);
    for (;;) {
      if (const std::size_t end = received_.find("\r\n\r\n"); end != std::string::npos) {
        std::string head = received_.substr(0, end + 4);
        received_.erase(0, end + 4);
        return head;
      }
      if (received_.size() >= kMostHeadBytes) return tl::make_unexpected(Refusal{431, "the headers are too long"});
      switch (wait_for(socket_.get(), POLLIN, stop_, deadline)) {
        case Wait::kReady:
          break;
        case Wait::kStopped:
          return nobody;
        case Wait::kLate:
          if (received_.empty()) return nobody;
          return tl::make_unexpected(Refusal{408, "the request took too long"});
      }
      std::array<char, 4'096> bytes;  // NOLINT: filled by recv
      const ssize_t count = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (count <= 0) return nobody;
      if (received_.empty()) deadline = Clock::now() + limits_.head;
      received_.append(bytes.data(), static_cast<std::size_t>(count));
    }
  }

  /// What the library reads next; it never waits for more.
  void hand_over(std::string head) {
    head_ = std::move(head);
    handed_ = 0;
  }

  /// Answers and ends. What the client still sends is taken for a moment: closing over unread bytes would reset the
  /// connection and the answer with it.
  void refuse(const Refusal& refusal, bool to_head) {
    const std::string message = refusal_message(refusal, to_head);
    if (!send_all(message) || ::shutdown(socket_.get(), SHUT_WR) != 0) return;
    const auto deadline = Clock::now() + std::min(limits_.head, std::chrono::milliseconds(500));
    std::array<char, 4'096> bytes;  // NOLINT: filled by recv
    for (int pieces = 0; pieces < 64; ++pieces) {
      if (wait_for(socket_.get(), POLLIN, stop_, deadline) != Wait::kReady) return;
      if (::recv(socket_.get(), bytes.data(), bytes.size(), 0) <= 0) return;
    }
  }

  // The library's interface; which of these it asks for depends on its version, so none says override.
  [[nodiscard]] bool is_readable() const { return handed_ < head_.size(); }
  [[nodiscard]] bool is_writable() const { return true; }
  [[nodiscard]] bool wait_readable() const { return is_readable(); }
  [[nodiscard]] bool wait_writable() const { return true; }
  [[nodiscard]] time_t duration() const { return 0; }
  ssize_t read(char* bytes, std::size_t size) {
    const std::size_t count = std::min(size, head_.size() - handed_);
    std::memcpy(bytes, head_.data() + handed_, count);
    handed_ += count;
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* bytes, std::size_t size) {
    return send_all({bytes, size}) ? static_cast<ssize_t>(size) : -1;
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const {
    ip = "127.0.0.1";
    port = 0;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const { get_remote_ip_and_port(ip, port); }
  [[nodiscard]] socket_t socket() const { return socket_.get(); }

 private:
  bool send_all(std::string_view bytes) {
    const auto deadline = Clock::now() + limits_.write;
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), kSendFlags);
      if (count >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(count));
      } else if (errno == EAGAIN) {
        if (wait_for(socket_.get(), POLLOUT, stop_, deadline) != Wait::kReady) return false;
      } else if (errno != EINTR) {
        return false;
      }
    }
    return true;
  }

  Descriptor socket_;
  int stop_;
  const ServerLimits& limits_;
  std::string received_;
  std::string head_;
  std::size_t handed_ = 0;
};

Result<Descriptor> listen_on(int port) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);  // past connections do not keep the port
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  constexpr int kWaiting = 64;
  if (socket.get() >= 0 && ::fcntl(socket.get(), F_SETFL, O_NONBLOCK) == 0 &&
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(socket.get(), kWaiting) == 0)
    return socket;
  const int error = errno;
  const char* const advice = "choose another one with --port N, or --port 0 for any that is free";
  const std::string where = fmt::format("port {}", port);
  if (error == EADDRINUSE) return fail(ErrorCode::kIo, fmt::format("it is in use; {}", advice), where);
  return fail(ErrorCode::kIo, fmt::format("{}; {}", std::strerror(error), advice), where);  // NOLINT(concurrency-*)
}

void answer_with_text(httplib::Response& response, const Refusal& refusal) {
  response.status = refusal.status;
  response.set_header("Cache-Control", "no-store");
  response.set_content(refusal.text + "\n", "text/plain; charset=utf-8");
}

}  // namespace

class AppServer::Implementation : private httplib::Server {
 public:
  Implementation(StaticFolder folder, Descriptor listener, int port, const ServerLimits& limits)
      : folder_(std::move(folder)), listener_(std::move(listener)), port_(port), limits_(limits) {
    set_keep_alive_max_count(static_cast<std::size_t>(limits_.requests));
    set_keep_alive_timeout(std::chrono::duration_cast<std::chrono::seconds>(limits_.idle).count());
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      answer(request, response);
      return HandlerResponse::Handled;
    });
    set_post_routing_handler([](const httplib::Request&, httplib::Response& response) {
      for (const auto& [name, value] : kSecurityHeaders) response.set_header(name, value);
      if (response.status == 304) response.headers.erase("Content-Length");  // 0, which would be the file's length
    });
    set_exception_handler([](const httplib::Request&, httplib::Response& response, std::exception_ptr) {
      response.headers.clear();
      answer_with_text(response, {500, "the server failed"});
    });
  }

  ~Implementation() override {
    svr_sock_ = INVALID_SOCKET;  // the library stops sending
    stopper_.reset();
    for (std::thread& thread : threads_) thread.join();
  }

  Result<void> run() {
    int ends[2] = {-1, -1};
    const bool piped = ::pipe(ends) == 0;
    stop_ = Descriptor(ends[0]);
    stopper_ = Descriptor(ends[1]);
    if (!piped) return fail(ErrorCode::kIo, "the system gives no more files; close some programs");
    svr_sock_ = listener_.get();  // or the library takes itself for stopped
    try {
      for (int i = 0; i < limits_.connections; ++i) threads_.emplace_back([this] { accept_and_serve(); });
    } catch (const std::system_error&) {
      if (threads_.empty()) return fail(ErrorCode::kIo, "the system gives no more threads; close some programs");
    }
    return {};
  }

  [[nodiscard]] int port() const { return port_; }

 private:
  void accept_and_serve() {
    for (;;) {
      const Wait wait = wait_for(listener_.get(), POLLIN, stop_.get(), Clock::time_point::max());
      if (wait == Wait::kStopped) return;
      Descriptor client(::accept(listener_.get(), nullptr, nullptr));
      if (client.get() >= 0) {
        serve(std::move(client));
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        // The client still waits: no busy loop until there is room.
        if (wait_for(-1, 0, stop_.get(), Clock::now() + std::chrono::milliseconds(50)) == Wait::kStopped) return;
      }
    }
  }

  void serve(Descriptor client) {
    Connection connection(std::move(client), stop_.get(), limits_);
    try {
      for (int requests = 1; requests <= limits_.requests; ++requests) {
        const auto received = connection.receive_head();
        if (!received) {
          if (received.error().status != 0) connection.refuse(received.error(), false);
          return;
        }
        const auto head = parse_request_head(*received, port_);
        if (!head) return connection.refuse(head.error(), received->starts_with("HEAD "));
        const bool last = !head->keep_alive || requests == limits_.requests;
        connection.hand_over(head->forwarded);
        bool closed = false;
        const auto with_range = [&](httplib::Request& request) {
          if (!head->range.empty()) request.headers.emplace("Range", head->range);
        };
        if (!process(*this, connection, last, closed, with_range) || last || closed) return;
      }
    } catch (const std::exception&) {  // no memory for this client
    }
  }

  // From 0.18 on the library asks for the addresses too. A template, for only one of the two calls compiles.
  template <class Self>
  static bool process(Self& self, Connection& connection, bool last, bool& closed,
                      const std::function<void(httplib::Request&)>& prepare) {
    if constexpr (requires { self.process_request(connection, last, closed, prepare); })
      return self.process_request(connection, last, closed, prepare);
    else
      return self.process_request(connection, "127.0.0.1", 0, "127.0.0.1", self.port_, last, closed, prepare);
  }

  void answer(const httplib::Request& request, httplib::Response& response) const {
    const auto path = path_of_target(request.target);
    if (!path) return answer_with_text(response, path.error());
    const std::shared_ptr<const OpenFile> file = folder_.find(*path);
    if (!file) return answer_with_text(response, {404, "there is no such file"});

    response.set_header("Accept-Ranges", "bytes");
    if (names_etag(request.get_header_value("If-None-Match"), file->etag())) {
      response.status = 304;
    } else {
      // A part only of the very file that the client has the beginning of.
      const bool same = !request.has_header("If-Range") || request.get_header_value("If-Range") == file->etag();
      const bool whole = request.method != "GET" || !same;
      const auto part = parse_range(whole ? std::string() : request.get_header_value("Range"), file->size());
      if (!part) {
        response.set_header("Content-Range", fmt::format("bytes */{}", file->size()));
        return answer_with_text(response, part.error());
      }
      send(response, file, *part, media_type(*path));
    }
    response.set_header("ETag", file->etag());
    response.set_header("Cache-Control", cache_policy(*path));
  }

  static void send(httplib::Response& response, const std::shared_ptr<const OpenFile>& file,
                   const std::optional<ByteRange>& part, const char* type) {
    const ByteRange range = part.value_or(ByteRange{0, file->size()});
    response.status = part ? 206 : 200;
    if (part)
      response.set_header("Content-Range",
                          fmt::format("bytes {}-{}/{}", range.first, range.first + range.length - 1, file->size()));
    if (range.length == 0) return response.set_header("Content-Type", type);
    response.set_content_provider(
        range.length, type,
        [file, first = range.first](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
          std::array<char, kPieceBytes> piece;  // NOLINT: filled by read
          const std::size_t count = file->read(first + offset, std::span(piece).first(std::min(length, piece.size())));
          return count > 0 && sink.write(piece.data(), count);  // a file cut short meanwhile ends the connection
        });
  }

  StaticFolder folder_;
  Descriptor listener_;
  int port_;
  ServerLimits limits_;
  Descriptor stop_, stopper_;  // a pipe: closing the second end wakes everyone who waits
  std::vector<std::thread> threads_;
};

Result<std::unique_ptr<AppServer>> AppServer::start(const std::string& folder, int port, const ServerLimits& limits) {
  MIDINF_TRY_ASSIGN(files, StaticFolder::open(folder));
  MIDINF_TRY_ASSIGN(listener, listen_on(port));
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return fail(ErrorCode::kIo, "the system does not say which port it is");
  auto implementation =
      std::make_unique<Implementation>(std::move(files), std::move(listener), ntohs(address.sin_port), limits);
  MIDINF_TRY(implementation->run());
  return std::unique_ptr<AppServer>(new AppServer(std::move(implementation)));
}

AppServer::AppServer(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
AppServer::~AppServer() = default;

int AppServer::port() const {
  return implementation_->port();
}

std::string AppServer::url() const {
  return fmt::format("http://127.0.0.1:{}/", port());
}

}  // namespace midinf::server
