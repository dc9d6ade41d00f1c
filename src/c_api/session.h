// What a midinf_stream is made of, shared with its player: whoever goes last ends it.
#pragma once

#include <atomic>
#include <memory>

#include "c_api/engine.h"
#include "c_api/settings.h"
#include "stream/stream.h"

namespace midinf {

struct Session {
  Session(std::shared_ptr<Engine> its_engine, std::shared_ptr<Stream> its_stream)
      : engine(std::move(its_engine)), stream(std::move(its_stream)) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { stop(); }

  void stop() {
    if (served.exchange(false)) engine->leave(*stream);
  }

  const std::shared_ptr<Engine> engine;
  const std::shared_ptr<Stream> stream;
  std::atomic<bool> served{false};  // by the engine's thread
  std::atomic<bool> has_player{false};
  SettingsOut shown;
};

}  // namespace midinf

struct midinf_stream {
  std::shared_ptr<midinf::Session> session;
};
