// From notes in stream time to MIDI messages at sample offsets, block by block, on the audio thread: it allocates
// nothing, locks nothing, makes no system call and throws nothing.
// Must not know: who generates, what device plays. Read next: note_queue.h (what it is told), live_controls.h (what it
// obeys).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "stream/live_controls.h"
#include "stream/note_queue.h"

namespace midinf {

/// One message for a synthesizer, `offset` samples into the block.
struct MidiMessage {
  static constexpr std::uint64_t kNoEvent = ~std::uint64_t{0};

  std::uint32_t offset = 0;
  std::uint8_t size = 0;                ///< bytes used, 2 or 3
  std::array<std::uint8_t, 3> bytes{};  ///< channel messages only, status first
  std::uint8_t instrument = 0;          ///< 0..128, whose channel it is
  std::uint64_t event = kNoEvent;       ///< of note-on and note-off: the QueueMessage's

  bool operator==(const MidiMessage&) const = default;
};

struct SchedulerSettings {
  int sample_rate = 48000;  ///< 1,000..1,000,000 Hz
  Ticks10ms start;          ///< where the clock stands at first
  /// How many notes that have not started it holds, rounded up to a power of two; more wait in the queue, and so do a
  /// cut or a seek behind them: queue fewer than this ahead of the playhead.
  std::size_t pending = 8192;
  int rebuffer_ms = 250;           ///< how much must be ahead, in ms of playing, before the clock starts or goes on
  Ticks10ms late = Ticks10ms(10);  ///< a note that comes at most this late is played at once, a later one dropped
};

/// Plays what the queue brings.
///
/// Time is a whole number of 1/(1,000 · sample rate) seconds of music; a sample lasts `speed` of them. A note starts on
/// the first sample that is not before its onset: exact at any speed, for ever.
///
/// Order: offsets do not decrease; at one offset note-offs precede note-ons, and a channel's program and volume precede
/// the notes that they are for. A key struck again while it sounds is released first; one struck twice on the same
/// sample sounds once, to the later end. Each note-on has one note-off, on the channel and key that it was struck on.
/// Notes last at least one tick.
///
/// Underrun: the clock does not pass the reach. It stands there, what sounds is released, and it goes on, without
/// losing a note, once `rebuffer_ms` are ahead. Before the first music and after a seek it waits the same way, which is
/// no underrun. Music that ends for good ends with a reach far ahead.
///
/// Channels: drums have channel 10. Any other instrument keeps a channel of its own while there is one among the other
/// fifteen; then the one idle for longest changes its program; if none is idle, the one with the fewest notes (of
/// those, the one struck longest ago) releases them, as a synthesizer short of voices does: the new note matters more
/// than the tail of an old one. A sixteenth instrument on one and the same sample is dropped.
class Scheduler {
 public:
  enum class State : std::uint8_t { kWaiting, kPlaying, kUnderrun, kPaused };

  /// `queue` and `controls` must outlive it. All memory is taken here. [main]
  Scheduler(const SchedulerSettings& settings, NoteQueue& queue, const LiveControls& controls);

  /// Plays the next `frames` samples: writes the messages due to `out` and returns how many. When `out` is full, time
  /// goes on and the rest follows in the next calls at offset 0, note-offs first: nothing is lost. 64 is plenty, 1
  /// works. Cost: grows with the notes that start and sound, not with those that wait. [audio]
  std::size_t process(std::uint32_t frames, std::span<MidiMessage> out) noexcept;

  // As of the end of the last process(). [any thread]
  [[nodiscard]] State state() const noexcept { return state_.load(std::memory_order_relaxed); }
  /// Where the music is, rounded down to a tick.
  [[nodiscard]] Ticks10ms playhead() const noexcept;
  [[nodiscard]] Seconds playhead_seconds() const noexcept;
  /// How many kSeek were obeyed. Read before playhead(): a playhead read after it is not older than these seeks.
  [[nodiscard]] std::uint64_t seeks() const noexcept { return seeks_.load(std::memory_order_acquire); }
  [[nodiscard]] int sounding() const noexcept { return sounding_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t underruns() const noexcept { return underruns_.load(std::memory_order_relaxed); }
  /// Notes that came after their onset but were played.
  [[nodiscard]] std::uint64_t late() const noexcept { return late_.load(std::memory_order_relaxed); }
  /// Notes not played because they came too late or because there was no channel left at that sample.
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }
  /// Of those, the ones without a channel.
  [[nodiscard]] std::uint64_t crowded_out() const noexcept { return crowded_out_.load(std::memory_order_relaxed); }
  /// How often an instrument lost its channel while it sounded.
  [[nodiscard]] std::uint64_t stolen() const noexcept { return stolen_.load(std::memory_order_relaxed); }

 private:
  using Units = std::int64_t;  // of music, 1/(1,000 · sample rate) s

  static constexpr int kChannels = 16;
  static constexpr int kDrumChannel = 9;
  static constexpr int kKeys = 128;

  struct Pending {
    Units onset = 0;
    Units length = 0;
    std::uint64_t event = 0;
    std::uint8_t instrument = 0;
    std::uint8_t pitch = 0;
    std::uint8_t velocity = 0;
  };

  // The notes that have not started, in order of onset, in a ring.
  class PendingNotes {
   public:
    explicit PendingNotes(std::size_t capacity);
    [[nodiscard]] bool full() const noexcept { return size_ > mask_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] const Pending& operator[](std::size_t i) const noexcept { return slots_[(first_ + i) & mask_]; }
    void insert(const Pending& note) noexcept;  // after those of the same onset
    void pop_front() noexcept;
    void cut_from(Units onset) noexcept;
    void clear() noexcept { size_ = 0; }

   private:
    std::vector<Pending> slots_;
    std::size_t mask_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
  };

  // A key of a channel, while it sounds.
  struct Voice {
    Units end = 0;
    std::int64_t struck = 0;  // the sample, counted from the first process()
    std::uint64_t event = 0;
    std::uint8_t instrument = 0;
  };

  struct Channel {
    int instrument = -1;  // none yet
    bool program_sent = false;
    int volume_sent = -1;
    std::int64_t used = -1;  // the sample that last needed it
  };

  // One call's view of the controls, and where its messages go. emit() is false when there is no room.
  struct Block {
    std::span<MidiMessage> out;
    std::uint32_t frames;
    int speed;
    int transpose;
    int velocity;
    bool playing;
    std::array<bool, kInstruments> muted{};
    std::size_t count = 0;

    bool emit(const MidiMessage& message) noexcept;
    [[nodiscard]] bool silences(const Pending& note) const noexcept { return velocity == 0 || muted[note.instrument]; }
  };

  // A moment of a block at which something happens.
  struct Instant {
    std::uint32_t offset = 0;
    std::int64_t sample = 0;  // the same, counted from the first process()
    Units time = 0;
  };

  // Those that emit return false when `out` is full; called again in the next block, they go on where they stopped.
  void drain(int speed) noexcept;
  void take_note(const QueueMessage& message, int speed) noexcept;
  void obey(const Block& block) noexcept;
  bool silence_and_retune(Block& block) noexcept;
  void play(Block& block, bool room) noexcept;
  bool play_instant(Block& block, const Instant& now) noexcept;
  bool release_due(Block& block, const Instant& now) noexcept;
  bool strike(Block& block, const Pending& note, const Instant& now) noexcept;
  bool set_program(Block& block, int channel, std::uint32_t offset) noexcept;
  bool set_volume(Block& block, int channel, std::uint32_t offset) noexcept;

  [[nodiscard]] Units units(Ticks10ms t) const noexcept;
  [[nodiscard]] std::int64_t samples_until(Units time, int speed) const noexcept;
  [[nodiscard]] int channel_for(int instrument, std::int64_t sample) noexcept;
  [[nodiscard]] int sounding_on(int channel) const noexcept;
  [[nodiscard]] static constexpr std::size_t voice_index(int channel, int key) noexcept {
    return static_cast<std::size_t>(channel * kKeys + key);
  }
  [[nodiscard]] bool is_on(std::size_t voice) const noexcept { return (on_[voice / 64] >> (voice % 64) & 1) != 0; }
  template <class Visit>
  bool each_voice_while(Visit&& visit) const noexcept;
  void release_all() noexcept;

  const Units units_per_tick_;
  const Units late_limit_;
  const Units rebuffer_;  // at speed 1000
  NoteQueue& queue_;
  const LiveControls& controls_;

  // [audio] only
  PendingNotes pending_;
  std::vector<Voice> voices_;                               // [channel][key]
  std::array<std::uint64_t, kChannels * kKeys / 64> on_{};  // which of them sound, a bit each
  std::array<Channel, kChannels> channels_;
  std::uint32_t all_notes_off_ = 0;  // channels that are still to be told so, a bit each
  std::uint32_t all_sound_off_ = 0;
  Units position_;
  Units reach_;
  std::int64_t samples_ = 0;  // since the first process()
  std::uint32_t panics_seen_;
  State clock_ = State::kWaiting;  // never kPaused

  std::atomic<State> state_{State::kWaiting};
  std::atomic<Units> playhead_;
  std::atomic<std::uint64_t> seeks_{0};
  std::atomic<std::uint64_t> underruns_{0};
  std::atomic<std::uint64_t> late_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::uint64_t> crowded_out_{0};
  std::atomic<std::uint64_t> stolen_{0};
  std::atomic<int> sounding_{0};
  static_assert(std::atomic<State>::is_always_lock_free && std::atomic<Units>::is_always_lock_free);
};

}  // namespace midinf
