// Endless music for a listener: a generator kept a few seconds ahead of the playhead, that obeys at once.
//
// Whoever computes calls step() (StreamWorker does on a thread of its own); whoever plays either pulls notes or
// attaches a queue that a Scheduler empties; whoever turns knobs calls the functions under "changes". All of them may
// be called from any thread but the audio thread: one mutex guards the stream and is never held while the network
// computes. A change drops what was generated beyond the playhead and a moment, and the music goes on from there. Read
// next: generator.h, stream_worker.h, scheduler.h.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/compute_pool.h"
#include "model/forward.h"
#include "stream/generator.h"
#include "stream/live_controls.h"
#include "stream/note_queue.h"
#include "stream/scheduler.h"
#include "stream/velocity.h"

namespace midinf {

class SaveReader;
class SaveWriter;

struct StreamOptions {
  Seconds look_ahead{4};  ///< how far the music is generated beyond the playhead, in time as it plays
  /// A change is heard so long after the playhead, as it plays: the time to generate what comes then. While the music
  /// is paused it acts at the playhead itself.
  Seconds reaction{0.25};
  VelocityStyle velocity;
};

/// A note as it is played, and the number of its event.
struct StreamNote {
  Note note;
  EventIndex event = 0;

  bool operator==(const StreamNote&) const = default;
};

/// One way in which the music could go on from `from`, generated beside it.
struct TakeInfo {
  int id = 0;
  std::uint64_t seed = 0;
  Ticks10ms from;
  Ticks10ms generated_to;  ///< all of it up to here is known
  bool complete = false;
};

class Stream {
 public:
  /// Precondition: check_settings(settings). The network knows the AMT vocabulary. [main] Cost: memory for three
  /// windows of keys and values, each when it is first read; takes need the same once more.
  Stream(std::shared_ptr<const Network> network, std::shared_ptr<ComputePool> pool, Settings settings, Prompt prompt,
         StreamOptions options = {});
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // ---- playing

  /// The notes that begin before `until` and have not been pulled, transposed, muted and scaled as controls() say;
  /// volume and speed are left to the caller. The playhead moves to `until`, or to where the music has been generated
  /// if that is earlier, which counts as an underrun once music has begun. Beyond `most` notes the rest is left for the
  /// next call, and the playhead before it. Not together with attach. [the one that plays]
  std::vector<StreamNote> pull(Ticks10ms until, std::size_t most = std::numeric_limits<std::size_t>::max());
  /// From now on notes go into `queue`, which `scheduler` empties; both must outlive the stream or a detach. [main]
  void attach(NoteQueue& queue, const Scheduler& scheduler);
  void detach();
  /// What acts on music already generated; a scheduler made with them obeys them. [any thread]
  LiveControls& controls() { return controls_; }
  [[nodiscard]] Ticks10ms playhead() const;
  /// Every note that begins before this is known.
  [[nodiscard]] Ticks10ms generated_to() const;
  /// How far that is beyond the playhead, in time as it plays. Below 0 only when the player runs ahead. [any thread]
  [[nodiscard]] double seconds_ahead() const;
  [[nodiscard]] std::uint64_t underruns() const;
  [[nodiscard]] RecoveryCounts recovery_counts() const;
  /// How often the window slid.
  [[nodiscard]] std::uint64_t slides() const;
  /// The number of the first event that is generated; those before are the prompt's.
  [[nodiscard]] EventIndex first_event() const;
  [[nodiscard]] Seconds look_ahead() const { return options_.look_ahead; }
  /// The network computed infinities or no numbers: its file is damaged, and nothing more is generated.
  [[nodiscard]] bool failed() const;
  /// All notes that are still in history and known, the prompt's too, as they were generated (no live controls).
  /// `from`: only events of that number or higher.
  [[nodiscard]] std::vector<StreamNote> notes(EventIndex from = 0) const;

  // ---- changes: each is one step of undo

  [[nodiscard]] Settings settings() const;
  /// Errors: as check_settings; kNotFound when history has dropped the playhead. Then nothing changes.
  Result<void> change(Settings settings);
  /// The same as part of the change before, such as a slider that is still being dragged: one undo takes both back.
  Result<void> amend(Settings settings);
  /// Other music from the playhead on, under a new seed; from an earlier moment, `from`, the playhead goes back there.
  /// False when that is no longer in history.
  bool again(std::optional<Ticks10ms> from = std::nullopt);
  /// Begins `count` takes of `length` beside what plays, from the playhead on; they are generated when the music itself
  /// is far enough ahead. Takes not accepted are gone. Returns their ids; none, and nothing changes, when history has
  /// dropped the playhead. Precondition: 1 <= count <= 16, length > 0.
  std::vector<int> start_takes(int count, Seconds length);
  [[nodiscard]] std::vector<TakeInfo> takes() const;
  [[nodiscard]] std::vector<StreamNote> take_notes(int id) const;
  void drop_takes();
  /// The music becomes the take from where it branched off. When the playhead has passed its end, it goes back there.
  bool accept_take(int id);
  /// Takes the last change back, or makes it again: notes and settings are what they were, exactly. The playhead goes
  /// back to the change when it has passed what comes back. False when there is none, or history has dropped it.
  bool undo();
  bool redo();
  [[nodiscard]] std::size_t undo_steps() const;
  [[nodiscard]] std::size_t redo_steps() const;
  /// Moves the playhead to any moment in history that is generated; pending notes are dropped. Not a change.
  bool seek(Ticks10ms to);

  // ---- generating

  /// What step() does next, for whoever computes for several streams at once.
  struct Job {
    enum class Kind : std::uint8_t { kNone, kEvent, kTake, kRead, kReadAhead } kind = Kind::kNone;
    Decoder* decoder = nullptr;
    std::vector<TokenId> context;
    RowRanges rows;
    std::vector<Guess> guesses;
    std::span<float> logits;  // filled by compute(); empty when cancelled
    int take = 0;
    std::uint64_t epoch = 0;
    /// Nothing is drawn.
    [[nodiscard]] bool only_reads() const { return kind == Kind::kRead || kind == Kind::kReadAhead; }
  };
  /// False when nothing is to do. [worker]
  bool begin_step(Job& job);
  void end_step(Job& job);
  /// One id drawn, or some read. False when nothing is to do: the music is far enough ahead. [worker]
  bool step();
  /// While true, the network gives up what it computes and step() does nothing. [any thread]
  void cancel(bool cancelled);
  /// Called after every change, on the thread that made it, without any lock.
  void set_on_change(std::function<void()> on_change);

  // ---- keeping

  /// Notes, settings, takes and playhead as bytes, with `attachment` (the prompt's own file, say). Undo is left out.
  [[nodiscard]] std::vector<std::byte> save(std::span<const std::byte> attachment = {}) const;
  /// Errors: kCorrupt, kUnsupported. `attachment`, if not null, gets what was saved with it. Source: save.
  static Result<std::unique_ptr<Stream>> open(std::span<const std::byte> bytes, std::shared_ptr<const Network> network,
                                              std::shared_ptr<ComputePool> pool,
                                              std::vector<std::byte>* attachment = nullptr);

 private:
  struct Take {
    int id = 0;
    EventIndex at = 0;
    Ticks10ms from, until;
    Generator generator;
    [[nodiscard]] bool complete() const { return generator.now() >= until; }
  };
  // What an edit replaced; undoing swaps it with what stands.
  struct Edit {
    Ticks10ms time;
    Generator::Tail tail;
    Settings settings;
  };
  // The events from `at` on begin at `time` or later.
  struct Place {
    EventIndex at = 0;
    Ticks10ms time;
  };
  using Lock = std::unique_lock<std::mutex>;

  Stream(std::shared_ptr<const Network> network, std::shared_ptr<ComputePool> pool, Generator generator,
         StreamOptions options);

  // All of these with the mutex held.
  [[nodiscard]] Ticks10ms playhead_now() const;
  [[nodiscard]] bool stands() const;
  [[nodiscard]] Ticks10ms change_time() const;
  [[nodiscard]] Place place_of(Ticks10ms time) const;  // where what is changed from then on begins
  [[nodiscard]] Place place_of_change(const Settings& settings) const;
  [[nodiscard]] double ahead(Ticks10ms t) const;
  [[nodiscard]] bool wants_music() const;
  [[nodiscard]] StreamNote note_at(EventIndex event) const;
  [[nodiscard]] Generator* generator_of(const Job& job);
  [[nodiscard]] EventIndex kept() const;
  bool edit(Place place, Settings settings, bool with_last = false);
  Result<void> change(Settings settings, bool with_last);
  bool swap_edit(std::vector<Edit>& from, std::vector<Edit>& to);
  void replaced_from(Place place);
  void seek_to(Ticks10ms to);
  void retract_from(Place place);
  void hand_out();
  bool push(const QueueMessage& message);
  void changed(Lock& lock);

  const StreamOptions options_;
  std::shared_ptr<const Network> network_;
  std::shared_ptr<ComputePool> pool_;
  Decoder decoder_;                        // [worker] only
  std::unique_ptr<Decoder> take_decoder_;  // [worker] only
  std::atomic<bool> cancel_{false};
  std::atomic<bool> suspended_{false};
  LiveControls controls_;

  mutable std::mutex mutex_;
  Generator generator_;
  std::uint64_t epoch_ = 0;  // counts what makes a job under way worthless
  std::vector<Take> takes_;
  int next_take_ = 1;
  std::uint32_t branches_ = 0;  // seeds given out
  std::vector<Edit> undo_, redo_;

  // Where the player is: pulled up to, or what the scheduler says.
  Ticks10ms music_start_;  // the prompt's end: what is before it stays
  Ticks10ms pulled_;
  bool begun_ = false;  // notes have been pulled since the start or the last underrun
  std::uint64_t pull_underruns_ = 0;
  bool failed_ = false;
  EventIndex next_out_ = 0;  // the first event not handed out
  NoteQueue* queue_ = nullptr;
  const Scheduler* scheduler_ = nullptr;
  std::optional<Ticks10ms> cut_pending_, seek_pending_;  // to be queued before anything else
  std::uint64_t seeks_ = 0;  // queued; until the scheduler has obeyed, it is at seek_target_
  Ticks10ms seek_target_;
  Ticks10ms reach_out_;  // the last reach queued
  std::function<void()> on_change_;
};

/// Computes the logits of several streams' jobs, in one pass where they lack one id each, or reads ahead.
void compute(std::span<Stream::Job* const> jobs);

}  // namespace midinf
