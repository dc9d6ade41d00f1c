// `midinfinite serve`: the web app for the browsers of this machine. Read next: server/app_server.h.
#pragma once

#include <string>

namespace midinf::cli {

struct ServeArguments {
  int port = 8'765;  ///< 0: any that is free
  std::string app;   ///< as for find_app
  bool open = false;
  bool json = false;
};

#ifdef MIDINF_HAVE_SERVER
inline constexpr bool kCanServe = true;
#else
inline constexpr bool kCanServe = false;  ///< built without cpp-httplib
#endif

/// Prints the address once the server answers, then serves until Ctrl-C or SIGTERM, which is success here.
int run_serve(const ServeArguments& arguments);

}  // namespace midinf::cli
