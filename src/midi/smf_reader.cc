// The reference reads files with mido 1.2.10; whatever mido reads gives the same notes here, to the last rounding.
//
// What ends an event (lengths, status and data bytes) is checked as strictly as there: one wrong byte shifts all that
// follow. What has a length of its own and does not concern us (texts, key signatures, system exclusive data) is
// stepped over unread. mido looks into it, and therefore refuses some sound files that are read here: those with a meta
// event that it does not know (a program name, say), an odd key or time signature, an escape (F7) of bytes over 127, a
// message over 1,000,000 bytes. Further differences: SMPTE divisions work (mido takes them for a negative resolution),
// a RIFF container is opened, a number of more than four bytes is an error (mido reads on for ever), a data byte where
// only a system exclusive event could run on is an error (mido takes it for the start of another), a file without notes
// is an empty song (the reference fails on an empty list). Read next: smf_tracks.cc for the bytes, smf_writer.cc for
// the way back.
#include "midi/smf_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "base/file.h"
#include "midi/smf_tracks.h"
#include "midi/smf_writer.h"

namespace midinf {
namespace {

constexpr Ticks10ms kUnclosedDuration{25};
constexpr Ticks10ms kLatest{kMaxSongSeconds * kTicksPerSecond};

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

}  // namespace

Result<MidiSong> read_midi(std::span<const std::byte> bytes) {
  MIDINF_TRY_ASSIGN(file, parse_smf(bytes));
  MergedTracks events(file);
  NoteCollector notes;
  bool time_stood_still = false;
  while (true) {
    MIDINF_TRY_ASSIGN(event, events.next());
    if (!event) break;
    const Message& message = event->message;
    switch (message.kind) {
      case Message::Kind::kNoteOn:
        if (notes.count() == kMaxMidiFileNotes)
          return unsupported_midi(event->at,
                                  fmt::format("more than {} notes; cut the file into parts", kMaxMidiFileNotes));
        notes.open(message.channel, message.first, message.second, event->seconds);
        break;
      case Message::Kind::kNoteOff:
        notes.close(message.channel, message.first, event->seconds);
        break;
      case Message::Kind::kProgram:
        notes.program(message.channel, message.first);
        break;
      case Message::Kind::kTempo:
        time_stood_still |= message.tempo == 0 && file.division.ticks_per_beat != 0;
        break;
      default:
        break;
    }
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
