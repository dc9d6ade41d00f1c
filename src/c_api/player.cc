// midinf_player: the audio side of a stream.
#include <array>

#include "c_api/boundary.h"
#include "c_api/session.h"
#include "stream/note_queue.h"
#include "stream/scheduler.h"

using namespace midinf;

namespace {

constexpr std::size_t kQueued = 8'192;      // as many as the scheduler holds
constexpr std::size_t kMostMessages = 512;  // a call; what is more follows in the next

constexpr midinf_player_params kDefaults{sizeof(midinf_player_params), 48'000, 250};

}  // namespace

struct midinf_player {
  midinf_player(std::shared_ptr<Session> its_session, const SchedulerSettings& settings)
      : session(std::move(its_session)), queue(kQueued), scheduler(settings, queue, session->stream->controls()) {
    session->stream->attach(queue, scheduler);
  }
  ~midinf_player() {
    session->stream->detach();
    session->has_player = false;
  }

  std::shared_ptr<Session> session;
  NoteQueue queue;
  Scheduler scheduler;
  std::array<MidiMessage, kMostMessages> block;  // [audio]
};

extern "C" {

void midinf_player_params_init(midinf_player_params* params) {
  struct_init(params, kDefaults);
}

midinf_status midinf_player_create(midinf_stream* stream, const midinf_player_params* given, midinf_player** player) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(stream, "stream"));
    MIDINF_TRY(require(player, "player"));
    midinf_player_params params = kDefaults;
    if (given != nullptr) {
      MIDINF_TRY_ASSIGN(read, struct_in(given, kDefaults, "params"));
      params = read;
    }
    MIDINF_TRY(check_range(params.sample_rate, 1'000, 1'000'000, "sample_rate"));
    MIDINF_TRY(check_range(params.rebuffer_ms, 0, 60'000, "rebuffer_ms"));
    const std::shared_ptr<Session>& session = stream->session;
    if (session->has_player.exchange(true)) return refuse("has a player already", "stream");
    // A clock that waited for more than the stream generates would wait for ever.
    const auto look_ahead_ms = static_cast<int>(session->stream->look_ahead().count() * 1000);
    try {
      *player = new midinf_player(session, {.sample_rate = params.sample_rate,
                                            .start = session->stream->playhead(),
                                            .rebuffer_ms = std::min(params.rebuffer_ms, look_ahead_ms)});
    } catch (...) {
      session->has_player = false;
      throw;
    }
    return {};
  });
}

void midinf_player_free(midinf_player* player) {
  delete player;
}

size_t midinf_player_process(midinf_player* player, uint32_t frames, midinf_message* messages, size_t capacity) {
  if (player == nullptr) return 0;
  if (messages == nullptr) capacity = 0;
  const std::size_t count =
      player->scheduler.process(frames, std::span(player->block).first(std::min(capacity, kMostMessages)));
  for (std::size_t i = 0; i < count; ++i) {
    const MidiMessage& message = player->block[i];
    messages[i] = {.offset = message.offset,
                   .size = message.size,
                   .bytes = {message.bytes[0], message.bytes[1], message.bytes[2]},
                   .instrument = message.instrument,
                   .reserved = {},
                   .event = message.event};
  }
  return count;
}

midinf_status midinf_player_get_state(const midinf_player* player, midinf_player_state* state) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(player, "player"));
    MIDINF_TRY(check_struct(state, "state"));
    const Scheduler& scheduler = player->scheduler;
    struct_out({.struct_size = sizeof *state,
                .playhead_seconds = scheduler.playhead_seconds().count(),
                .sounding = scheduler.sounding(),
                .underruns = scheduler.underruns(),
                .late = scheduler.late(),
                .dropped = scheduler.dropped(),
                .stolen = scheduler.stolen()},
               state);
    return {};
  });
}
}
