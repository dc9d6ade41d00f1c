// What ends an event (lengths, status and data bytes) is checked as strictly as mido 1.2.10 does, which the reference
// reads files with; smf_reader.cc lists the differences. Read next: base/bytes.h for the cursor.
#include "midi/smf_tracks.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "midi/smf_reader.h"
#include "midi/smf_writer.h"

namespace midinf {
namespace {

constexpr Ticks10ms kLatest{kMaxSongSeconds * kTicksPerSecond};

tl::unexpected<Error> not_midi(std::size_t at, std::string message) {
  return fail(ErrorCode::kCorrupt, std::move(message), fmt::format("byte {}", at));
}

tl::unexpected<Error> corrupt(std::size_t at, std::string_view message) {
  return not_midi(at, fmt::format("{}: the file is damaged or cut off; export it or download it again", message));
}

Result<Division> parse_division(std::uint16_t word, std::size_t at) {
  if (word == 0) return corrupt(at, "the header says 0 ticks per beat");
  if (word < 0x8000) return Division{word, word, 0};
  const int frames = 256 - (word >> 8);
  const int ticks_per_frame = word & 0xFF;
  if (frames != 24 && frames != 25 && frames != 29 && frames != 30)
    return corrupt(at, fmt::format("the header says {} SMPTE frames per second; only 24, 25, 29 and 30 exist", frames));
  if (ticks_per_frame == 0) return corrupt(at, "the header says 0 ticks per SMPTE frame");
  const double frames_per_second = frames == 29 ? 30'000.0 / 1'001.0 : frames;  // 29 stands for 29.97
  return Division{word, 0, 1.0 / (frames_per_second * ticks_per_frame)};
}

// How many data bytes follow a status byte, or -1 if MIDI does not define it.
int data_bytes(std::uint8_t status) {
  if (status < 0xF0) return (status & 0xE0) == 0xC0 ? 1 : 2;
  constexpr std::array<int, 16> kSystem{-1, 1, 2, 1, -1, -1, 0, -1, 0, -1, 0, 0, 0, -1, 0, -1};
  return kSystem[status & 0x0F];
}

// The part of a RIFF container that is a MIDI file: [begin, end).
struct Extent {
  std::size_t begin;
  std::size_t end;
};

Result<Extent> find_midi(std::span<const std::byte> bytes) {
  ByteCursor cursor(bytes);
  if (const auto magic = cursor.take_text(4); !magic || *magic != "RIFF") return Extent{0, bytes.size()};
  static_cast<void>(cursor.take(4));  // the container's size: the chunks inside say enough
  if (const auto form = cursor.take_text(4); !form || *form != "RMID")
    return not_midi(8, "a RIFF file without MIDI in it (no 'RMID'); choose a MIDI file");
  while (true) {
    const std::size_t at = cursor.position();
    const auto name = cursor.take_text(4);
    const auto size = cursor.little_endian<std::uint32_t>();
    if (!name || !size) return corrupt(at, "the RIFF container has no 'data' chunk");
    if (*name == "data") {
      if (*size > cursor.remaining())
        return corrupt(
            at, fmt::format("the RIFF container says {} bytes of MIDI, but {} are left", *size, cursor.remaining()));
      return Extent{cursor.position(), cursor.position() + *size};
    }
    if (!cursor.take(std::uint64_t{*size} + (*size & 1)))  // chunks are padded to even sizes
      return corrupt(at, "a chunk of the RIFF container is longer than the file");
  }
}

}  // namespace

Ticks10ms to_steps(double seconds) {
  return Ticks10ms(static_cast<std::int64_t>(std::nearbyint(static_cast<double>(kTicksPerSecond) * seconds)));
}

tl::unexpected<Error> unsupported_midi(std::size_t at, std::string message) {
  return fail(ErrorCode::kUnsupported, std::move(message), fmt::format("byte {}", at));
}

TrackReader::TrackReader(std::span<const std::byte> bytes, std::size_t begin) : cursor_(bytes) {
  MIDINF_ASSERT(cursor_.seek(begin));
}

Result<void> TrackReader::read_delta() {
  MIDINF_TRY_ASSIGN(delta, variable_length("a delta time"));
  tick_ += delta;  // at most 2^26 bytes of events of at most 2^28 ticks: no overflow
  return {};
}

Result<Message> TrackReader::read_message() {
  const std::size_t at = position();
  const auto first = cursor_.u8();
  if (!first) return ends_inside("an event");
  std::optional<std::uint8_t> data;
  std::uint8_t status = *first;
  if (status < 0x80) {
    if (running_status_ == 0)
      return corrupt(at, fmt::format("data byte {:02x} where a status byte must stand", status));
    if (running_status_ == 0xF0 || running_status_ == 0xF7)
      return corrupt(at,
                     fmt::format("data byte {:02x} after a system exclusive event, which ends running status", status));
    data = status;
    status = running_status_;
  } else if (status != 0xFF) {
    running_status_ = status;  // also by system messages, as mido does; meta events leave it alone
  }
  if (status == 0xFF) return read_meta();
  if (status == 0xF0 || status == 0xF7) {
    MIDINF_TRY_ASSIGN(length, variable_length("the length of a system exclusive event"));
    if (!cursor_.take(length)) return ends_inside("a system exclusive event");
    return Message{};
  }
  return read_short(at, status, data);
}

tl::unexpected<Error> TrackReader::ends_inside(std::string_view what) const {
  return corrupt(position(), fmt::format("the track ends inside {}", what));
}

Result<std::uint32_t> TrackReader::variable_length(std::string_view what) {
  const std::size_t at = position();
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const auto byte = cursor_.u8();
    if (!byte) return ends_inside(what);
    value = value << 7 | (*byte & 0x7FU);
    if (*byte < 0x80) return value;
  }
  return corrupt(at, fmt::format("{} is longer than four bytes", what));
}

Result<Message> TrackReader::read_meta() {
  const auto type = cursor_.u8();
  if (!type) return ends_inside("a meta event");
  MIDINF_TRY_ASSIGN(length, variable_length("the length of a meta event"));
  const std::size_t at = position();
  const auto payload = cursor_.take(length);
  if (!payload) return ends_inside("a meta event");
  Message message;
  if (*type == 0x2F) message.kind = Message::Kind::kEndOfTrack;
  if (*type == 0x51) {
    if (length < 3) return corrupt(at, fmt::format("a tempo of {} bytes, not 3", length));
    message.kind = Message::Kind::kTempo;
    for (int i = 0; i < 3; ++i) message.tempo = message.tempo << 8 | std::to_integer<std::uint32_t>((*payload)[i]);
  }
  return message;
}

// A channel message or a system message of fixed length. `data` is its first data byte if running status spent it.
Result<Message> TrackReader::read_short(std::size_t at, std::uint8_t status, std::optional<std::uint8_t> data) {
  const int size = data_bytes(status);
  if (size < 0) return corrupt(at, fmt::format("status byte {:02x} is not defined", status));
  if (size == 0 && data)
    return corrupt(at, fmt::format("data byte {:02x} after message {:02x}, which has none", *data, status));
  std::array<std::uint8_t, 2> values{};
  for (int i = 0; i < size; ++i) {
    const auto byte = i == 0 && data ? data : cursor_.u8();
    if (!byte) return ends_inside("an event");
    if (*byte > 127)
      return corrupt(position() - 1,
                     fmt::format("{:02x} where message {:02x} wants a data byte (00..7f)", *byte, status));
    values[i] = *byte;
  }
  Message message;
  message.channel = status & 0x0F;
  message.first = values[0];
  message.second = values[1];
  switch (status & 0xF0) {
    case 0x80:
      message.kind = Message::Kind::kNoteOff;
      break;
    case 0x90:
      message.kind = values[1] == 0 ? Message::Kind::kNoteOff : Message::Kind::kNoteOn;
      break;
    case 0xC0:
      message.kind = Message::Kind::kProgram;
      break;
    case 0xB0:
      message.kind = Message::Kind::kController;
      break;
    case 0xA0:
    case 0xD0:
    case 0xE0:
      message.kind = Message::Kind::kExpression;
      break;
    default:
      break;
  }
  return message;
}

Result<SmfFile> parse_smf(std::span<const std::byte> all_bytes) {
  if (all_bytes.size() > kMaxMidiFileBytes)
    return unsupported_midi(kMaxMidiFileBytes,
                            fmt::format("a MIDI file may have {} MiB; this one has more", kMaxMidiFileBytes >> 20));
  MIDINF_TRY_ASSIGN(extent, find_midi(all_bytes));
  const auto bytes = all_bytes.first(extent.end);
  ByteCursor cursor(bytes);
  MIDINF_ASSERT(cursor.seek(extent.begin));
  if (cursor.at_end()) return not_midi(extent.begin, "the file is empty; choose a MIDI file");
  if (const auto name = cursor.take_text(4); !name || *name != "MThd")
    return not_midi(extent.begin, "no 'MThd' at the start; choose a MIDI file");
  const std::size_t size_at = cursor.position();
  const auto header_size = cursor.big_endian<std::uint32_t>();
  if (!header_size || *header_size > cursor.remaining()) return corrupt(size_at, "the file ends inside its header");
  if (*header_size < 6) return corrupt(size_at, fmt::format("a header of {} bytes, not 6", *header_size));

  const std::size_t header_at = cursor.position();
  const auto format = cursor.big_endian<std::uint16_t>();
  const auto track_count = cursor.big_endian<std::uint16_t>();
  const auto division = cursor.big_endian<std::uint16_t>();
  MIDINF_ASSERT(format && track_count && division && cursor.take(*header_size - 6));
  SmfFile file;
  if (*format == 2)
    return unsupported_midi(header_at,
                            "a format 2 file: its tracks are separate songs; save the one you want as format 0 or 1");
  if (*format > 2) file.warnings.push_back(fmt::format("format {} does not exist; read as format 1", *format));
  MIDINF_TRY_ASSIGN(parsed_division, parse_division(*division, header_at + 4));
  file.division = parsed_division;

  for (int i = 1; i <= *track_count; ++i) {
    const std::size_t at = cursor.position();
    const auto name = cursor.take_text(4);
    const auto size = cursor.big_endian<std::uint32_t>();
    if (!name || !size) return corrupt(at, fmt::format("the file ends before track {} of {}", i, *track_count));
    if (*name != "MTrk") return corrupt(at, fmt::format("no 'MTrk' where track {} of {} must begin", i, *track_count));
    const std::size_t begin = cursor.position();
    if (!cursor.take(*size))
      return corrupt(
          at, fmt::format("track {} of {} says {} bytes, but {} are left", i, *track_count, *size, cursor.remaining()));
    file.tracks.emplace_back(bytes.first(cursor.position()), begin);
  }
  if (!cursor.at_end())
    file.warnings.push_back(
        fmt::format("{} bytes after the last track ignored, from byte {} on", cursor.remaining(), cursor.position()));
  return file;
}

Result<void> MergedTracks::queue(std::size_t track) {
  if (tracks_[track].at_end()) return {};
  MIDINF_TRY(tracks_[track].read_delta());
  next_.emplace(tracks_[track].tick(), track);
  return {};
}

Result<std::optional<TimedMessage>> MergedTracks::next() {
  if (last_) {
    MIDINF_TRY(queue(*last_));
  } else {
    for (std::size_t i = 0; i < tracks_.size(); ++i) MIDINF_TRY(queue(i));
  }
  if (next_.empty()) return std::nullopt;
  const auto [event_tick, index] = next_.top();
  next_.pop();
  last_ = index;
  TrackReader& track = tracks_[index];
  const std::size_t at = track.position();
  MIDINF_TRY_ASSIGN(message, track.read_message());
  // Every event adds to the sum of seconds, whether it concerns us or not, since where a sum of doubles is cut shows
  // in its last bit, and at a half of a step in the onset. Only ends of tracks are left out, as in mido.
  if (message.kind != Message::Kind::kEndOfTrack) {
    if (event_tick > tick_) seconds_ += static_cast<double>(event_tick - tick_) * seconds_per_tick();
    tick_ = event_tick;
    if (seconds_ > 2.0 * static_cast<double>(kMaxSongSeconds) ||
        to_steps(seconds_) > kLatest)  // may not fit an integer
      return unsupported_midi(at, fmt::format("the song goes on for more than {} days; the file is damaged or must be "
                                              "cut",
                                              kMaxSongSeconds / 86'400));
  }
  if (message.kind == Message::Kind::kTempo) tempo_ = message.tempo;
  return TimedMessage{message, event_tick, seconds_, at};
}

}  // namespace midinf
