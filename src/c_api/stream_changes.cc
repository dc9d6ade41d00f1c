// midinf_stream: what turns the music elsewhere, and what acts on it as it plays.
#include <cmath>

#include "c_api/boundary.h"
#include "c_api/notes.h"
#include "c_api/session.h"
#include "c_api/settings.h"
#include "stream/stream.h"

using namespace midinf;

namespace {

constexpr int kMostTakes = 16;
constexpr double kLongestTake = 600;

Result<void> found(bool done, const char* message) {
  if (done) return {};
  return fail(ErrorCode::kNotFound, message);
}

// A live control of `stream`, if there is one.
template <class Set>
void live(midinf_stream* stream, const Set& set) {
  if (stream != nullptr) set(stream->session->stream->controls());
}

bool is_instrument(int32_t instrument) {
  return instrument >= 0 && instrument < kInstruments;
}

}  // namespace

extern "C" {

midinf_status midinf_stream_change(midinf_stream* stream, const midinf_settings* settings) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(stream, "stream"));
    MIDINF_TRY(require(settings, "settings"));
    MIDINF_TRY_ASSIGN(chosen, settings_in(settings));
    return stream->session->stream->change(std::move(chosen));
  });
}

midinf_status midinf_stream_amend(midinf_stream* stream, const midinf_settings* settings) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(stream, "stream"));
    MIDINF_TRY(require(settings, "settings"));
    MIDINF_TRY_ASSIGN(chosen, settings_in(settings));
    return stream->session->stream->amend(std::move(chosen));
  });
}

midinf_status midinf_stream_get_settings(midinf_stream* stream, midinf_settings* settings) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(stream, "stream"));
    MIDINF_TRY(check_struct(settings, "settings"));
    stream->session->shown.show(stream->session->stream->settings(), settings);
    return {};
  });
}

midinf_status midinf_stream_again(midinf_stream* stream, double from_seconds) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(stream, "stream"));
    MIDINF_TRY_ASSIGN(from, ticks_in(from_seconds, "from_seconds"));
    Stream& music = *stream->session->stream;
    if (from > std::max(music.playhead(), music.generated_to()))
      return refuse("lies beyond what has been generated", "from_seconds");
    return found(music.again(from_seconds < 0 ? std::nullopt : std::optional(from)), "that moment is forgotten");
  });
}

midinf_status midinf_stream_undo(midinf_stream* stream) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(stream, "stream"));
    return found(stream->session->stream->undo(), "there is nothing to undo");
  });
}

midinf_status midinf_stream_redo(midinf_stream* stream) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(stream, "stream"));
    return found(stream->session->stream->redo(), "there is nothing to redo");
  });
}

midinf_status midinf_stream_seek(midinf_stream* stream, double to_seconds) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(stream, "stream"));
    MIDINF_TRY_ASSIGN(to, ticks_in(to_seconds, "to_seconds"));
    return found(stream->session->stream->seek(to), "that moment has not been generated, or is forgotten");
  });
}

midinf_status midinf_stream_start_takes(midinf_stream* stream, int32_t count, double seconds) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(stream, "stream"));
    MIDINF_TRY(check_range(count, 1, kMostTakes, "count"));
    MIDINF_TRY(check_range(seconds, 0.01, kLongestTake, "seconds"));
    return found(!stream->session->stream->start_takes(count, Seconds(seconds)).empty(),
                 "the music at the playhead is forgotten: seek to a later moment");
  });
}

midinf_status midinf_stream_get_take(const midinf_stream* stream, size_t index, midinf_take* take) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(stream, "stream"));
    MIDINF_TRY(check_struct(take, "take"));
    const auto takes = stream->session->stream->takes();
    MIDINF_TRY(found(index < takes.size(), "there are fewer takes"));
    const TakeInfo& info = takes[index];
    struct_out({.struct_size = sizeof *take,
                .id = info.id,
                .complete = info.complete,
                .seed = info.seed,
                .from_seconds = to_seconds(info.from).count(),
                .generated_seconds = to_seconds(info.generated_to).count()},
               take);
    return {};
  });
}

midinf_status midinf_stream_get_take_notes(const midinf_stream* stream, int32_t id, midinf_note* notes, size_t capacity,
                                           size_t* count) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(stream, "stream"));
    MIDINF_TRY(check_array_out(notes, capacity, count, "notes"));
    const auto takes = stream->session->stream->takes();
    const bool known = std::any_of(takes.begin(), takes.end(), [id](const TakeInfo& take) { return take.id == id; });
    MIDINF_TRY(found(known, "there is no such take"));
    array_out(stream->session->stream->take_notes(id), notes, capacity, count, stream_note_out);
    return {};
  });
}

midinf_status midinf_stream_accept_take(midinf_stream* stream, int32_t id) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(stream, "stream"));
    return found(stream->session->stream->accept_take(id), "there is no such take, or where it began is forgotten");
  });
}

midinf_status midinf_stream_drop_takes(midinf_stream* stream) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(stream, "stream"));
    stream->session->stream->drop_takes();
    return {};
  });
}

void midinf_stream_set_playing(midinf_stream* stream, bool playing) {
  live(stream, [&](LiveControls& controls) { controls.playing = raw_number(playing) != 0; });
}

void midinf_stream_set_speed(midinf_stream* stream, double speed) {
  if (std::isnan(speed)) return;
  constexpr double kMin = LiveControls::kMinSpeed, kMax = LiveControls::kMaxSpeed;
  live(stream, [&](LiveControls& controls) {
    controls.speed = static_cast<int>(std::lround(std::clamp(speed * 1000, kMin, kMax)));
  });
}

void midinf_stream_set_transpose(midinf_stream* stream, int32_t semitones) {
  live(stream, [&](LiveControls& controls) { controls.transpose = semitones; });
}

void midinf_stream_set_velocity(midinf_stream* stream, int32_t percent) {
  live(stream, [&](LiveControls& controls) { controls.velocity = percent; });
}

void midinf_stream_set_volume(midinf_stream* stream, int32_t instrument, int32_t volume) {
  if (!is_instrument(instrument)) return;
  live(stream, [&](LiveControls& controls) {
    controls.volume[static_cast<std::size_t>(instrument)] = static_cast<std::uint8_t>(std::clamp(volume, 0, 127));
  });
}

void midinf_stream_set_muted(midinf_stream* stream, int32_t instrument, bool muted) {
  if (!is_instrument(instrument)) return;
  live(stream,
       [&](LiveControls& controls) { controls.muted[static_cast<std::size_t>(instrument)] = raw_number(muted) != 0; });
}

void midinf_stream_panic(midinf_stream* stream) {
  live(stream, [](LiveControls& controls) { controls.panic(); });
}
}
