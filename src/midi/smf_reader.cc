// The reference reads files with mido 1.2.10; whatever mido reads gives the same notes here, to the last rounding.
//
// What ends an event (lengths, status and data bytes) is checked as strictly as there: one wrong byte shifts all that
// follow. What has a length of its own and does not concern us (texts, key signatures, system exclusive data) is
// stepped over unread. mido looks into it, and therefore refuses some sound files that are read here: those with a meta
// event that it does not know (a program name, say), an odd key or time signature, an escape (F7) of bytes over 127, a
// message over 1,000,000 bytes. Further differences: SMPTE divisions work (mido takes them for a negative resolution),
// a RIFF container is opened, a number of more than four bytes is an error (mido reads on for ever), a data byte where
// only a system exclusive event could run on is an error (mido takes it for the start of another), a file without notes
// is an empty song (the reference fails on an empty list). Read next: base/bytes.h for the cursor, smf_writer.cc for
// the way back.
#include "midi/smf_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <optional>
#include <queue>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/bytes.h"
#include "base/file.h"
#include "midi/smf_writer.h"

namespace midinf {
namespace {

constexpr int kDrumChannel = 9;
constexpr std::uint32_t kDefaultTempo = 500'000;  // microseconds per beat
constexpr Ticks10ms kUnclosedDuration{25};
constexpr Ticks10ms kLatest{kMaxSongSeconds * kTicksPerSecond};

// Halves to even (the default rounding mode), as Python's round.
Ticks10ms to_steps(double seconds) {
  return Ticks10ms(static_cast<std::int64_t>(std::nearbyint(static_cast<double>(kTicksPerSecond) * seconds)));
}

tl::unexpected<Error> not_midi(std::size_t at, std::string message) {
  return fail(ErrorCode::kCorrupt, std::move(message), fmt::format("byte {}", at));
}

tl::unexpected<Error> corrupt(std::size_t at, std::string_view message) {
  return not_midi(at, fmt::format("{}: the file is damaged or cut off; export it or download it again", message));
}

tl::unexpected<Error> unsupported(std::size_t at, std::string message) {
  return fail(ErrorCode::kUnsupported, std::move(message), fmt::format("byte {}", at));
}

// How long a tick is. Of a beat, which tempo events stretch, or of a second (SMPTE), which nothing does.
struct Division {
  int ticks_per_beat = 0;       // 0: SMPTE
  double seconds_per_tick = 0;  // SMPTE only

  [[nodiscard]] double seconds_per_tick_at(std::uint32_t tempo) const {
    // In this order of operations, as mido has it: another order rounds some onsets to another step.
    return ticks_per_beat == 0 ? seconds_per_tick : static_cast<double>(tempo) * 1e-6 / ticks_per_beat;
  }
};

Result<Division> parse_division(std::uint16_t word, std::size_t at) {
  if (word == 0) return corrupt(at, "the header says 0 ticks per beat");
  if (word < 0x8000) return Division{word, 0};
  const int frames = 256 - (word >> 8);
  const int ticks_per_frame = word & 0xFF;
  if (frames != 24 && frames != 25 && frames != 29 && frames != 30)
    return corrupt(at, fmt::format("the header says {} SMPTE frames per second; only 24, 25, 29 and 30 exist", frames));
  if (ticks_per_frame == 0) return corrupt(at, "the header says 0 ticks per SMPTE frame");
  const double frames_per_second = frames == 29 ? 30'000.0 / 1'001.0 : frames;  // 29 stands for 29.97
  return Division{0, 1.0 / (frames_per_second * ticks_per_frame)};
}

// What one event of a track means to us.
struct Message {
  enum class Kind : std::uint8_t { kOther, kNoteOn, kNoteOff, kProgram, kTempo, kEndOfTrack };
  Kind kind = Kind::kOther;
  std::uint8_t channel = 0;
  std::uint8_t first = 0;   // pitch or program
  std::uint8_t second = 0;  // velocity
  std::uint32_t tempo = 0;
};

// Steps through one MTrk chunk. `bytes` is the whole file up to the chunk's end, so that positions are the file's.
class TrackReader {
 public:
  TrackReader(std::span<const std::byte> bytes, std::size_t begin) : cursor_(bytes) {
    MIDINF_ASSERT(cursor_.seek(begin));
  }

  [[nodiscard]] std::size_t position() const { return cursor_.position(); }
  [[nodiscard]] bool at_end() const { return cursor_.at_end(); }
  [[nodiscard]] std::int64_t tick() const { return tick_; }

  // Reads the time of the next event; then read_message must follow. Precondition: !at_end().
  Result<void> read_delta() {
    MIDINF_TRY_ASSIGN(delta, variable_length("a delta time"));
    tick_ += delta;  // at most 2^26 bytes of events of at most 2^28 ticks: no overflow
    return {};
  }

  Result<Message> read_message() {
    const std::size_t at = position();
    const auto first = cursor_.u8();
    if (!first) return ends_inside("an event");
    std::optional<std::uint8_t> data;
    std::uint8_t status = *first;
    if (status < 0x80) {
      if (running_status_ == 0)
        return corrupt(at, fmt::format("data byte {:02x} where a status byte must stand", status));
      if (running_status_ == 0xF0 || running_status_ == 0xF7)
        return corrupt(
            at, fmt::format("data byte {:02x} after a system exclusive event, which ends running status", status));
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

 private:
  tl::unexpected<Error> ends_inside(std::string_view what) const {
    return corrupt(position(), fmt::format("the track ends inside {}", what));
  }

  Result<std::uint32_t> variable_length(std::string_view what) {
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

  Result<Message> read_meta() {
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
  Result<Message> read_short(std::size_t at, std::uint8_t status, std::optional<std::uint8_t> data) {
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
      default:
        break;
    }
    return message;
  }

  // How many data bytes follow a status byte, or -1 if MIDI does not define it.
  static int data_bytes(std::uint8_t status) {
    if (status < 0xF0) return (status & 0xE0) == 0xC0 ? 1 : 2;
    constexpr std::array<int, 16> kSystem{-1, 1, 2, 1, -1, -1, 0, -1, 0, -1, 0, 0, 0, -1, 0, -1};
    return kSystem[status & 0x0F];
  }

  ByteCursor cursor_;
  std::int64_t tick_ = 0;
  std::uint8_t running_status_ = 0;  // 0: none yet
};

// The notes as they come, in merged order, and the ones still open.
class NoteCollector {
 public:
  [[nodiscard]] std::size_t count() const { return notes_.size(); }

  void program(int channel, std::uint8_t program) { programs_[channel] = program; }

  void open(int channel, std::uint8_t pitch, std::uint8_t velocity, double seconds) {
    const int instrument = instrument_on(channel);
    open_[key(instrument, pitch, channel)].notes.push_back({notes_.size(), seconds});
    notes_.push_back({to_steps(seconds), {}, static_cast<std::uint8_t>(instrument), pitch, velocity});
    set_duration(notes_.back(), kUnclosedDuration);
    ++open_count_;
  }

  // The oldest open note of the key, of the instrument that the channel has *now*.
  void close(int channel, std::uint8_t pitch, double seconds) {
    const auto found = open_.find(key(instrument_on(channel), pitch, channel));
    if (found == open_.end() || found->second.next == found->second.notes.size()) return;
    Queue& queue = found->second;
    const OpenNote& note = queue.notes[queue.next++];
    // From the unrounded times: the difference of the rounded ones may be a step off.
    set_duration(notes_[note.index], to_steps(seconds - note.seconds));
    --open_count_;
    if (queue.next == queue.notes.size()) {
      queue.notes.clear();
      queue.next = 0;
    }
  }

  [[nodiscard]] std::size_t open_count() const { return open_count_; }
  std::vector<Note> take_notes() { return std::move(notes_); }

 private:
  struct OpenNote {
    std::size_t index;
    double seconds;
  };
  struct Queue {
    std::vector<OpenNote> notes;
    std::size_t next = 0;
  };

  [[nodiscard]] int instrument_on(int channel) const { return channel == kDrumChannel ? kDrums : programs_[channel]; }
  static int key(int instrument, int pitch, int channel) { return (instrument * 128 + pitch) * 16 + channel; }
  // No note ends after kLatest, so that whatever is read can be written.
  static void set_duration(Note& note, Ticks10ms duration) { note.duration = std::min(duration, kLatest - note.onset); }

  std::array<std::uint8_t, 16> programs_{};
  std::unordered_map<int, Queue> open_;
  std::vector<Note> notes_;
  std::size_t open_count_ = 0;
};

struct File {
  Division division;
  std::vector<TrackReader> tracks;
  std::vector<std::string> warnings;
};

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

Result<File> parse_chunks(std::span<const std::byte> all_bytes) {
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
  File file;
  if (*format == 2)
    return unsupported(header_at,
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

}  // namespace

Result<MidiSong> read_midi(std::span<const std::byte> bytes) {
  if (bytes.size() > kMaxMidiFileBytes)
    return unsupported(kMaxMidiFileBytes,
                       fmt::format("a MIDI file may have {} MiB; this one has more", kMaxMidiFileBytes >> 20));
  MIDINF_TRY_ASSIGN(file, parse_chunks(bytes));

  // The tracks' next events by tick, then track: the order of a stable sort, without holding all events at once.
  using Next = std::pair<std::int64_t, std::size_t>;
  std::priority_queue<Next, std::vector<Next>, std::greater<>> next_events;
  const auto queue_next = [&](std::size_t index) -> Result<void> {
    TrackReader& track = file.tracks[index];
    if (track.at_end()) return {};
    MIDINF_TRY(track.read_delta());
    next_events.emplace(track.tick(), index);
    return {};
  };
  for (std::size_t i = 0; i < file.tracks.size(); ++i) MIDINF_TRY(queue_next(i));

  NoteCollector notes;
  std::uint32_t tempo = kDefaultTempo;
  std::int64_t tick = 0;
  double seconds = 0;
  bool time_stood_still = false;
  while (!next_events.empty()) {
    const auto [event_tick, index] = next_events.top();
    next_events.pop();
    TrackReader& track = file.tracks[index];
    const std::size_t at = track.position();
    MIDINF_TRY_ASSIGN(message, track.read_message());
    // Every event adds to the sum of seconds, whether it concerns us or not, since where a sum of doubles is cut shows
    // in its last bit, and at a half of a step in the onset. Only ends of tracks are left out, as in mido.
    if (message.kind != Message::Kind::kEndOfTrack) {
      if (event_tick > tick)
        seconds += static_cast<double>(event_tick - tick) * file.division.seconds_per_tick_at(tempo);
      tick = event_tick;
      if (seconds > 2.0 * static_cast<double>(kMaxSongSeconds) ||
          to_steps(seconds) > kLatest)  // may not fit an integer
        return unsupported(at, fmt::format("the song goes on for more than {} days; the file is damaged or must be cut",
                                           kMaxSongSeconds / 86'400));
    }
    switch (message.kind) {
      case Message::Kind::kNoteOn:
        if (notes.count() == kMaxMidiFileNotes)
          return unsupported(at, fmt::format("more than {} notes; cut the file into parts", kMaxMidiFileNotes));
        notes.open(message.channel, message.first, message.second, seconds);
        break;
      case Message::Kind::kNoteOff:
        notes.close(message.channel, message.first, seconds);
        break;
      case Message::Kind::kProgram:
        notes.program(message.channel, message.first);
        break;
      case Message::Kind::kTempo:
        tempo = message.tempo;
        time_stood_still |= tempo == 0 && file.division.ticks_per_beat != 0;
        break;
      case Message::Kind::kOther:
      case Message::Kind::kEndOfTrack:
        break;
    }
    MIDINF_TRY(queue_next(index));
  }

  MidiSong song;
  song.warnings = std::move(file.warnings);
  if (time_stood_still) song.warnings.emplace_back("a tempo of 0: time stands still until the next tempo");
  if (notes.open_count() != 0)
    song.warnings.push_back(fmt::format("{} notes never end; they get 250 ms", notes.open_count()));
  song.notes = notes.take_notes();
  return song;
}

Result<MidiSong> read_midi_file(const std::string& path) {
  auto bytes = read_file(path, kMaxMidiFileBytes);
  if (!bytes) return tl::make_unexpected(std::move(bytes).error());
  auto song = read_midi(*bytes);
  if (!song) return tl::make_unexpected(with_context(std::move(song).error(), path));
  return song;
}

}  // namespace midinf
