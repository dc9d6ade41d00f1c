#include "serve_command.h"

#include "terminal.h"

#ifndef MIDINF_HAVE_SERVER

namespace midinf::cli {

int run_serve(const ServeArguments&) {
  return report(Error{ErrorCode::kUnsupported,
                      "this program was built without a web server; install cpp-httplib (Debian: libcpp-httplib-dev) "
                      "and build it again",
                      "serve"});
}

}  // namespace midinf::cli

#else

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "app_location.h"
#include "base/file.h"
#include "server/app_server.h"

extern char** environ;  // NOLINT: POSIX's own

namespace midinf::cli {
namespace {

/// Asks the desktop to show `url`, if there is one; what that says and whether it works is nobody's business here.
class Browser {
 public:
  void show(std::string url) {
#ifdef __APPLE__
    std::string program = "open";
#else
    std::string program = "xdg-open";
    if (!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY")) return;
#endif
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    if (::posix_spawn_file_actions_init(&files) != 0) return;
    if (::posix_spawnattr_init(&attributes) == 0) {
      for (int descriptor = 0; descriptor <= 2; ++descriptor)
        ::posix_spawn_file_actions_addopen(&files, descriptor, "/dev/null", O_RDWR, 0);
      sigset_t usual;  // our Ctrl-C is not the browser's, nor what we ignore
      ::sigemptyset(&usual);
      for (const int signal : {SIGPIPE, SIGXFSZ}) ::sigaddset(&usual, signal);
      ::posix_spawnattr_setsigdefault(&attributes, &usual);
      ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
      char* arguments[] = {program.data(), url.data(), nullptr};
      if (::posix_spawnp(&child_, program.c_str(), &files, &attributes, arguments, environ) != 0) child_ = -1;
      ::posix_spawnattr_destroy(&attributes);
    }
    ::posix_spawn_file_actions_destroy(&files);
  }

  /// Takes note of its end, so that no dead process stays behind.
  void reap() {
    if (child_ > 0 && ::waitpid(child_, nullptr, WNOHANG) != 0) child_ = -1;
  }

 private:
  static bool is_set(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
  }

  pid_t child_ = -1;
};

Result<int> serve(const ServeArguments& arguments) {
  MIDINF_TRY_ASSIGN(folder, find_app(arguments.app));
  MIDINF_TRY_ASSIGN(server, server::AppServer::start(folder, arguments.port));
  const std::string line = arguments.json ? nlohmann::json{{"url", server->url()}}.dump() : server->url();
  MIDINF_TRY(write_file_whole("-", line + "\n"));
  Browser browser;
  if (arguments.open) browser.show(server->url());
  while (!interrupted()) {
    browser.reap();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return kDone;
}

}  // namespace

int run_serve(const ServeArguments& arguments) {
  const Result<int> done = serve(arguments);
  return done ? *done : report(done.error());
}

}  // namespace midinf::cli

#endif
