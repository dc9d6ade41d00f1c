// Serves the web app's folder to browsers on this machine, and to nobody else.
// Read next: http_message.h (what is refused), static_folder.h (what is found).
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"

namespace midinf::server {

/// What one client can take up.
struct ServerLimits {
  int connections = 32;                     ///< served at once, a thread each; more wait in the system's queue
  int requests = 1'000;                     ///< on one connection
  std::chrono::milliseconds idle{5'000};    ///< between two requests, before the connection is closed
  std::chrono::milliseconds head{10'000};   ///< from a request's first byte to the end of its headers
  std::chrono::milliseconds write{30'000};  ///< for each 64 KiB of an answer
};

/// A web server on 127.0.0.1 for the files of one folder: GET and HEAD, parts of a file (Range), and 304 for what the
/// browser has. A page served by it is cross-origin isolated. It runs from `start` until it is destroyed.
class AppServer {
 public:
  /// Begins to answer; `port` 0 takes a free one. Errors: kNotFound without the folder; kIo when the port is taken or
  /// not allowed. [main]
  static Result<std::unique_ptr<AppServer>> start(const std::string& folder, int port, const ServerLimits& limits = {});

  /// Ends at once, open connections included.
  ~AppServer();

  [[nodiscard]] int port() const;
  /// "http://127.0.0.1:8765/"
  [[nodiscard]] std::string url() const;

 private:
  class Implementation;
  explicit AppServer(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace midinf::server
