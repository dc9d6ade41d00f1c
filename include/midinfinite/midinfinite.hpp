// midinfinite for C++20: the objects of midinfinite.h with owners, vectors and spans. Header-only; nothing of it is in
// the library, so that any compiler and any flags will do.
//
//   midinfinite::Model model("mini-q8_0.gguf");
//   midinfinite::Settings settings;
//   settings.ensemble = midinfinite::parse_ensemble("piano,bass,drums");
//   midinfinite::Stream stream(model, {.settings = settings});
//   stream.start();                                        // a thread keeps the music ahead
//   for (double now = 0;; now += 0.01)                     // every 10 ms, as time passes
//     for (const midinfinite::Note& note : stream.pull(now)) play(note);
//
// Conventions.
//   Errors   what fails throws midinfinite::error with the status and one line that says what, where and what to do; it
//            has changed nothing. The library itself never throws: exceptions live in this header only. A constructor
//            cannot return a status, and a change that fails should not be overlooked. What an audio callback calls is
//            noexcept and does not fail.
//   Owners   are moved, not copied. A moved-from one may be destroyed or assigned to and throws otherwise. They may go
//            in any order: a stream keeps its model alive, a player its stream, and both the processors that they use.
//   Threads  as tagged in midinfinite.h, which has the whole contract of each function: [any] from any thread, [main]
//            not beside another call with the same object, [worker] as main, and it computes, [audio] for the callback.
//   Time     onsets and durations are steps of 10 ms; what is called seconds is seconds of music since it began.
#ifndef MIDINFINITE_MIDINFINITE_HPP
#define MIDINFINITE_MIDINFINITE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "midinfinite.h"

namespace midinfinite {

/// A call that failed: what() says in one line what, where and what to do.
class error : public std::runtime_error {
 public:
  /// For `status` and `message`.
  error(midinf_status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  /// What kind of failure it was.
  [[nodiscard]] midinf_status status() const noexcept { return status_; }

 private:
  midinf_status status_;
};

using Note = midinf_note;                 ///< A note: onset and duration in steps of 10 ms.
using Event = midinf_event;               ///< One event as the model's three ids.
using Step = midinf_step;                 ///< What a Processor may look at.
using PitchRange = midinf_pitch_range;    ///< The keys that one instrument may play.
using ModelInfo = midinf_model_info;      ///< The shape of a network.
using StreamState = midinf_stream_state;  ///< Where a stream is.
using Take = midinf_take;                 ///< One way in which the music could go on.
using Message = midinf_message;           ///< A MIDI message at a sample offset.
using PlayerState = midinf_player_state;  ///< How a player does.
using Bytes = std::vector<std::byte>;     ///< A file or a saved session in memory.

inline constexpr int kDrums = MIDINF_DRUMS;              ///< The instrument number of the drum kit.
inline constexpr int kInstruments = MIDINF_INSTRUMENTS;  ///< 0..127 are General MIDI programs, 128 is drums.

/// How far long work is, 0..1; returning false cancels it, and it throws MIDINF_STATUS_CANCELLED. What the function
/// throws cancels too and comes out of the call.
using Progress = std::function<bool(double done)>;

namespace detail {

// Throws what this thread's last call reported.
inline void check(midinf_status status) {
  if (status == MIDINF_STATUS_OK) return;
  if (status == MIDINF_STATUS_OUT_OF_MEMORY) throw std::bad_alloc();
  throw error(status, midinf_last_error());
}

template <class T>
T sized() {
  T value{};
  value.struct_size = sizeof(T);
  return value;
}

// Asks how many there are, then for all of them; again if there are more by then.
template <class T, class Call>
std::vector<T> all(const Call& call) {
  std::vector<T> values;
  for (std::size_t count = 0;;) {
    check(call(values.data(), values.size(), &count));
    const bool complete = count <= values.size();
    values.resize(count);
    if (complete) return values;
  }
}

// The bytes that a call allocated, as ours.
template <class Call>
Bytes bytes(const Call& call) {
  struct Buffer {
    void* data = nullptr;
    std::size_t size = 0;
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { midinf_buffer_free(data); }
  } buffer;
  check(call(&buffer.data, &buffer.size));
  const auto* begin = static_cast<const std::byte*>(buffer.data);
  return begin == nullptr ? Bytes() : Bytes(begin, begin + buffer.size);
}

// Carries a Progress through C.
struct ProgressCall {
  explicit ProgressCall(const Progress& progress) : function(progress) {}
  const Progress& function;
  std::exception_ptr thrown;

  [[nodiscard]] midinf_progress_fn callback() const { return function ? &call : nullptr; }
  static bool call(void* user, double done) noexcept {
    auto* self = static_cast<ProgressCall*>(user);
    try {
      return self->function(done);
    } catch (...) {
      self->thrown = std::current_exception();
      return false;
    }
  }
  void check(midinf_status status) const {
    if (thrown) std::rethrow_exception(thrown);
    detail::check(status);
  }
};

}  // namespace detail

/// "0.1.0": of the library that is running. [any]
inline std::string version() {
  return midinf_version();
}
/// "Acoustic Grand Piano" … "Drums"; "" for numbers that no instrument has. [any]
inline std::string instrument_name(int instrument) {
  const char* name = midinf_instrument_name(instrument);
  return name != nullptr ? name : "";
}
/// Reads "piano,bass,drums" or "0,33,128". [any]
inline std::vector<std::int32_t> parse_ensemble(const std::string& text) {
  return detail::all<std::int32_t>([&](std::int32_t* instruments, std::size_t capacity, std::size_t* count) {
    return midinf_parse_ensemble(text.c_str(), instruments, capacity, count);
  });
}
/// Reads "C major", "f# minor pentatonic" … as a mask: bit n allows pitch class n, C is 0. [any]
inline std::uint16_t parse_scale(const std::string& text) {
  std::uint16_t mask = 0;
  detail::check(midinf_parse_scale(text.c_str(), &mask));
  return mask;
}

/// The notes of a Standard MIDI File, in order of onset. [any]
inline std::vector<Note> midi_read(std::span<const std::byte> file) {
  return detail::all<Note>([&](Note* notes, std::size_t capacity, std::size_t* count) {
    return midinf_midi_read(file.data(), file.size(), notes, capacity, count);
  });
}
/// A Standard MIDI File of `notes` (any order). [any]
inline Bytes midi_write(std::span<const Note> notes) {
  return detail::bytes(
      [&](void** bytes, std::size_t* size) { return midinf_midi_write(notes.data(), notes.size(), bytes, size); });
}
/// The file `prompt` with every event of its own, and `notes` in new tracks. [any]
inline Bytes midi_continue(std::span<const std::byte> prompt, std::span<const Note> notes) {
  return detail::bytes([&](void** bytes, std::size_t* size) {
    return midinf_midi_continue(prompt.data(), prompt.size(), notes.data(), notes.size(), bytes, size);
  });
}
/// Notes as the model's ids, three an event. [any]
inline std::vector<std::int32_t> tokens_from_notes(std::span<const Note> notes) {
  return detail::all<std::int32_t>([&](std::int32_t* ids, std::size_t capacity, std::size_t* count) {
    return midinf_tokens_from_notes(notes.data(), notes.size(), ids, capacity, count);
  });
}
/// And back: rests and controls are dropped. [any]
inline std::vector<Note> tokens_to_notes(std::span<const std::int32_t> ids) {
  return detail::all<Note>([&](Note* notes, std::size_t capacity, std::size_t* count) {
    return midinf_tokens_to_notes(ids.data(), ids.size(), notes, capacity, count);
  });
}

/// A rule or a taste of your own. Derive from it, override one function or both, and put it into Settings::processors.
/// Both must be pure (same arguments, same result), quick, callable from the thread that computes, and must not throw:
/// that ends the program. How-to: docs/howto/write-a-processor.md.
class Processor {
 public:
  virtual ~Processor() = default;
  /// Narrows what may be drawn: sets forbid[i] for each of `ids` that may not. Called once an id drawn; where
  /// everything is forbidden the processor is overruled. [worker]
  virtual void narrow(const Step& step, std::span<const std::int32_t> ids, std::span<bool> forbid) const {
    static_cast<void>(step), static_cast<void>(ids), static_cast<void>(forbid);
  }
  /// Changes the logits of the ids that are left; -infinity forbids. [worker]
  virtual void edit(const Step& step, std::span<const std::int32_t> ids, std::span<float> logits) const {
    static_cast<void>(step), static_cast<void>(ids), static_cast<void>(logits);
  }
};

/// What a musician may choose about the music: midinf_settings, with arrays of its own.
struct Settings {
  /// The defaults, as midinf_settings_init gives them.
  Settings() : Settings(defaults()) {}
  /// `c` with arrays of its own; its processors, of which C knows functions only, are left out.
  explicit Settings(const midinf_settings& c)
      : seed(c.seed),
        temperature(c.temperature),
        top_p(c.top_p),
        min_p(c.min_p),
        top_k(c.top_k),
        instrument_cap(c.instrument_cap),
        polyphony(c.polyphony),
        pace(c.pace),
        density_unit(c.density_unit),
        density(c.density),
        frequency_penalty(c.frequency_penalty),
        scale(c.scale),
        recover(c.recover),
        ensemble(c.ensemble, c.ensemble + c.ensemble_count),
        pitch_ranges(c.pitch_ranges, c.pitch_ranges + c.pitch_range_count) {}

  std::uint64_t seed;                    ///< The same seed and settings make the same music.
  double temperature;                    ///< 0..10: below 1 tamer, above wilder, 0 the likeliest.
  double top_p;                          ///< 0..1: draw from the likeliest ids that together have this probability.
  double min_p;                          ///< 0..1: drop ids less likely than this share of the likeliest.
  std::int32_t top_k;                    ///< Draw from so many likeliest ids; 0: all.
  std::int32_t instrument_cap;           ///< At most so many instruments within the window; 0: any number.
  std::int32_t polyphony;                ///< At most so many notes at once; 0: any number.
  std::int32_t pace;                     ///< At most so many notes begin within a second; 0: any number.
  midinf_density_unit density_unit;      ///< What density counts.
  double density;                        ///< 0..3: how strongly silent instruments are called.
  double frequency_penalty;              ///< -2..2: taken from a note's logit each time it stands in the window.
  std::uint16_t scale;                   ///< Bit n: pitch class n may sound; drums aside. See parse_scale().
  bool recover;                          ///< Leave music that has died.
  std::vector<std::int32_t> ensemble;    ///< Instruments that may play; empty: all. See parse_ensemble().
  std::vector<PitchRange> pitch_ranges;  ///< At most one an instrument.
  std::vector<std::shared_ptr<const Processor>> processors;  ///< Act after the built-in ones, in this order.

 private:
  static midinf_settings defaults() {
    auto c = detail::sized<midinf_settings>();
    midinf_settings_init(&c);
    return c;
  }
};

namespace detail {

// Settings as C takes them; valid while it and the Settings live.
class CSettings {
 public:
  explicit CSettings(const Settings& s) {
    midinf_settings_init(&c_);
    c_.seed = s.seed, c_.temperature = s.temperature, c_.top_p = s.top_p, c_.min_p = s.min_p, c_.top_k = s.top_k;
    c_.instrument_cap = s.instrument_cap, c_.polyphony = s.polyphony, c_.pace = s.pace;
    c_.density_unit = s.density_unit, c_.density = s.density, c_.frequency_penalty = s.frequency_penalty;
    c_.scale = s.scale, c_.recover = s.recover;
    c_.ensemble = s.ensemble.data(), c_.ensemble_count = s.ensemble.size();
    c_.pitch_ranges = s.pitch_ranges.data(), c_.pitch_range_count = s.pitch_ranges.size();
    for (const auto& processor : s.processors) {
      if (!processor) throw error(MIDINF_STATUS_INVALID_ARGUMENT, "processors: one of them is null");
      auto c = sized<midinf_processor>();
      c.user = const_cast<Processor*>(processor.get());  // C has no const void* here; both functions are const
      c.narrow = [](void* user, const midinf_step* step, const std::int32_t* ids, std::size_t count,
                    bool* forbid) noexcept {
        static_cast<const Processor*>(user)->narrow(*step, {ids, count}, {forbid, count});
      };
      c.edit = [](void* user, const midinf_step* step, const std::int32_t* ids, float* logits,
                  std::size_t count) noexcept {
        static_cast<const Processor*>(user)->edit(*step, {ids, count}, {logits, count});
      };
      processors_.push_back(c);
    }
    c_.processors = processors_.data(), c_.processor_count = processors_.size();
  }
  CSettings(const CSettings&) = delete;
  CSettings& operator=(const CSettings&) = delete;
  [[nodiscard]] const midinf_settings* get() const { return &c_; }

 private:
  midinf_settings c_ = sized<midinf_settings>();
  std::vector<midinf_processor> processors_;
};

// The processors that an object has used so far. Undo may bring any of them back, and what was made from the object may
// outlive it: all share one of these.
class KeptProcessors {
 public:
  void add(const Settings& settings) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& processor : settings.processors)
      if (std::find(kept_.begin(), kept_.end(), processor) == kept_.end()) kept_.push_back(processor);
  }
  std::shared_ptr<const Processor> find(const void* user) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const auto& kept) { return kept.get() == user; });
    return found != kept_.end() ? *found : nullptr;
  }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<const Processor>> kept_;
};

// Frees an object of the library, then lets go of the processors that it used.
template <class T, void (*Free)(T*)>
struct Deleter {
  std::shared_ptr<KeptProcessors> kept;
  void operator()(T* object) const noexcept { Free(object); }
  void keep(const Settings& settings) const {
    if (kept) kept->add(settings);
  }
  Settings settings(const midinf_settings& c) const {
    Settings settings(c);
    for (std::size_t i = 0; i < c.processor_count; ++i)
      if (auto processor = kept->find(c.processors[i].user)) settings.processors.push_back(std::move(processor));
    return settings;
  }
};
template <class T, void (*Free)(T*)>
using Handle = std::unique_ptr<T, Deleter<T, Free>>;

}  // namespace detail

/// How a Model is loaded.
struct ModelOptions {
  int threads = 0;           ///< That compute together; 0: one a processor, at most 4. The music does not depend on it.
  std::string kernels;       ///< "plain", "avx2", "avx512_vnni", …; empty: the fastest that this processor has.
  Progress progress;         ///< Called now and then while it loads.
  bool float_cache = false;  ///< A quantised model keeps attention's keys and values in float32, not in int8.
};

/// A network, immutable and shared by everything made from it.
class Model {
 public:
  /// Loads a .gguf file or a checkpoint folder. [any] Cost: reads the file once.
  explicit Model(const std::string& path, const ModelOptions& options = {}) {
    load(options, [&](const midinf_model_params* params, midinf_model** model) {
      return midinf_model_load_file(path.c_str(), params, model);
    });
  }
  /// The same from the bytes of a .gguf file, which may go afterwards. [any]
  explicit Model(std::span<const std::byte> file, const ModelOptions& options = {}) {
    load(options, [&](const midinf_model_params* params, midinf_model** model) {
      return midinf_model_load_memory(file.data(), file.size(), params, model);
    });
  }
  /// Its shape. [any]
  [[nodiscard]] ModelInfo info() const {
    auto info = detail::sized<ModelInfo>();
    detail::check(midinf_model_get_info(get(), &info));
    return info;
  }
  /// For the functions of midinfinite.h; stays ours.
  [[nodiscard]] midinf_model* get() const noexcept { return handle_.get(); }

 private:
  template <class Call>
  void load(const ModelOptions& options, const Call& call) {
    detail::ProgressCall progress(options.progress);
    auto params = detail::sized<midinf_model_params>();
    midinf_model_params_init(&params);
    params.threads = options.threads;
    if (!options.kernels.empty()) params.kernels = options.kernels.c_str();
    params.progress = progress.callback();
    params.progress_user = &progress;
    params.float_cache = options.float_cache ? 1 : 0;
    midinf_model* model = nullptr;
    progress.check(call(&params, &model));
    handle_.reset(model);
  }

  detail::Handle<midinf_model, midinf_model_free> handle_;
};

/// Writes the checkpoint `source` (a Hugging Face folder, .safetensors, .bin or .gguf) as the .gguf file `destination`,
/// whole or not at all; `type` is "f32", "f16", "q8_0" or "q4_0". [any]
inline void convert(const std::string& source, const std::string& destination, const std::string& type = "q8_0",
                    const Progress& progress = {}) {
  detail::ProgressCall call(progress);
  auto params = detail::sized<midinf_convert_params>();
  midinf_convert_params_init(&params);
  params.type = type.c_str();
  params.progress = call.callback();
  params.progress_user = &call;
  call.check(midinf_convert(source.c_str(), destination.c_str(), &params));
}

/// Music one note after the other, for programs that keep time themselves.
class Generator {
 public:
  /// A note, and whether music had died before it and was revived.
  struct Next {
    Note note;  ///< The note.
    /// Forget earlier notes whose event has this number or a higher one.
    std::optional<std::uint64_t> taken_back_from;
  };

  /// Music from nothing, or that goes on from the last onset of `prompt`. [main]
  explicit Generator(const Model& model, const Settings& settings = {}, std::span<const Note> prompt = {}) {
    handle_.get_deleter().keep(settings);
    const detail::CSettings c(settings);
    midinf_generator* generator = nullptr;
    detail::check(midinf_generator_create(model.get(), c.get(), prompt.data(), prompt.size(), &generator));
    handle_.reset(generator);
  }
  /// What save() gave; processors are not saved: set_settings() brings them back. [main]
  static Generator restore(const Model& model, std::span<const std::byte> saved) {
    Generator restored{nullptr};
    midinf_generator* generator = nullptr;
    detail::check(midinf_generator_restore(model.get(), saved.data(), saved.size(), &generator));
    restored.handle_.reset(generator);
    return restored;
  }
  /// Draws until a note stands. It throws MIDINF_STATUS_CANCELLED after cancel(), MIDINF_STATUS_NOT_FOUND when a whole
  /// window (341 events) is silent; the next call goes on. [worker]
  Next next() {
    Next next{};
    std::uint64_t taken_back_from = UINT64_MAX;
    detail::check(midinf_generator_next(get(), &next.note, &taken_back_from));
    if (taken_back_from != UINT64_MAX) next.taken_back_from = taken_back_from;
    return next;
  }
  /// Goes back to before the event with that number: with nothing changed the same music follows. [main]
  void rewind(std::uint64_t event) { detail::check(midinf_generator_rewind(get(), event)); }
  /// Acts from the next event on. [main]
  void set_settings(const Settings& settings) {
    const detail::CSettings c(settings);
    handle_.get_deleter().keep(settings);
    detail::check(midinf_generator_set_settings(get(), c.get()));
  }
  /// The settings that act. [main]
  [[nodiscard]] Settings settings() {
    auto c = detail::sized<midinf_settings>();
    detail::check(midinf_generator_get_settings(get(), &c));
    return handle_.get_deleter().settings(c);
  }
  /// Ends a call of next() in another thread within 50 ms, or the next one; nothing is lost. [any]
  void cancel() noexcept { midinf_generator_cancel(get()); }
  /// The whole generator. [main]
  [[nodiscard]] Bytes save() const {
    return detail::bytes([&](void** bytes, std::size_t* size) { return midinf_generator_save(get(), bytes, size); });
  }
  /// For the functions of midinfinite.h; stays ours.
  [[nodiscard]] midinf_generator* get() const noexcept { return handle_.get(); }

 private:
  explicit Generator(std::nullptr_t) {}

  detail::Handle<midinf_generator, midinf_generator_free> handle_{nullptr,
                                                                  {std::make_shared<detail::KeptProcessors>()}};
};

/// How a Stream begins.
struct StreamOptions {
  double look_ahead_seconds = 4;      ///< How far the music is generated beyond the playhead.
  double reaction_seconds = 0.25;     ///< A change is heard so long after the playhead.
  int velocity = 0;                   ///< 1..127: every note so hard; 0: a player's accents.
  Settings settings = {};             ///< Who plays, and how.
  std::span<const Note> prompt = {};  ///< To go on from; may be empty. Copied.
};

/// Music that plays for ever, a few seconds ahead of a listener, and obeys at once. After start() a thread generates;
/// without one, call step(). The notes are pulled, or played by a Player.
class Stream {
 public:
  /// Music from nothing or from options.prompt. [any]
  explicit Stream(const Model& model, const StreamOptions& options = {}) {
    handle_.get_deleter().keep(options.settings);
    const detail::CSettings settings(options.settings);
    auto params = detail::sized<midinf_stream_params>();
    midinf_stream_params_init(&params);
    params.look_ahead_seconds = options.look_ahead_seconds;
    params.reaction_seconds = options.reaction_seconds;
    params.velocity = options.velocity;
    params.settings = settings.get();
    params.prompt = options.prompt.data();
    params.prompt_count = options.prompt.size();
    midinf_stream* stream = nullptr;
    detail::check(midinf_stream_create(model.get(), &params, &stream));
    handle_.reset(stream);
  }
  /// A session that save() gave, and the bytes saved with it. Processors are not saved: change() brings them back.
  /// [any]
  static Stream open(const Model& model, std::span<const std::byte> session, Bytes* attachment = nullptr) {
    Stream opened{nullptr};
    Bytes attached = detail::bytes([&](void** bytes, std::size_t* size) {
      midinf_stream* stream = nullptr;
      const midinf_status status =
          midinf_stream_open(model.get(), session.data(), session.size(), &stream, bytes, size);
      if (status == MIDINF_STATUS_OK) opened.handle_.reset(stream);
      return status;
    });
    if (attachment != nullptr) *attachment = std::move(attached);
    return opened;
  }

  // ---- generating

  /// Generates on a thread of the model's, which serves all its streams. [main]
  void start() { detail::check(midinf_stream_start(get())); }
  /// Ends that. [main]
  void stop() noexcept { midinf_stream_stop(get()); }
  /// Without a thread: generates one id, or reads a few that were there before; false when the music is far enough
  /// ahead. [worker]
  bool step() {
    bool more = false;
    detail::check(midinf_stream_step(get(), &more));
    return more;
  }

  // ---- playing

  /// The notes that begin before `until_seconds` and have not been pulled. The playhead moves there, or to the end of
  /// what is generated (`*reached_seconds`). Not while a Player exists. [any, one thread at a time]
  std::vector<Note> pull(double until_seconds, double* reached_seconds = nullptr) {
    std::vector<Note> notes;
    pull(until_seconds, notes, reached_seconds);
    return notes;
  }
  /// The same, appended to `notes`: for callers that want to keep the memory.
  void pull(double until_seconds, std::vector<Note>& notes, double* reached_seconds = nullptr) {
    constexpr std::size_t kAtOnce = 64;
    for (std::size_t count = kAtOnce; count >= kAtOnce;) {
      const std::size_t before = notes.size();
      notes.resize(before + kAtOnce);
      const midinf_status status =
          midinf_stream_pull(get(), until_seconds, notes.data() + before, kAtOnce, &count, reached_seconds);
      notes.resize(before + (status == MIDINF_STATUS_OK ? (count < kAtOnce ? count : kAtOnce) : 0));
      detail::check(status);
    }
  }
  /// Where it is, and how it does. [any]
  [[nodiscard]] StreamState state() const {
    auto state = detail::sized<StreamState>();
    detail::check(midinf_stream_get_state(get(), &state));
    return state;
  }
  /// All notes known, the prompt's too; or those whose event has the number `from` or a higher one. [any]
  [[nodiscard]] std::vector<Note> notes(std::uint64_t from = 0) const {
    return detail::all<Note>([&](Note* notes, std::size_t capacity, std::size_t* count) {
      return midinf_stream_get_notes_from(get(), from, notes, capacity, count);
    });
  }

  // ---- changes: each is one step of undo and heard at once. [any]

  /// Other settings from a moment after the playhead on.
  void change(const Settings& settings) {
    const detail::CSettings c(settings);
    handle_.get_deleter().keep(settings);
    detail::check(midinf_stream_change(get(), c.get()));
  }
  /// The same as part of the change before, such as a slider that is still being dragged: one undo takes both back.
  void amend(const Settings& settings) {
    const detail::CSettings c(settings);
    handle_.get_deleter().keep(settings);
    detail::check(midinf_stream_amend(get(), c.get()));
  }
  /// The settings that act (an undo brings back earlier ones). [main]
  [[nodiscard]] Settings settings() {
    auto c = detail::sized<midinf_settings>();
    detail::check(midinf_stream_get_settings(get(), &c));
    return handle_.get_deleter().settings(c);
  }
  /// Other music from the playhead on.
  void again() { again(-1); }
  /// Other music from an earlier moment on: the playhead goes back there.
  void again(double from_seconds) { detail::check(midinf_stream_again(get(), from_seconds)); }
  /// Takes the last change back: notes and settings are what they were, exactly.
  void undo() { detail::check(midinf_stream_undo(get())); }
  /// Makes it again.
  void redo() { detail::check(midinf_stream_redo(get())); }
  /// Moves the playhead to any moment that is generated; no change, so not undone.
  void seek(double to_seconds) { detail::check(midinf_stream_seek(get(), to_seconds)); }

  // ---- takes: ways in which the music could go on from now, generated beside it. [any]

  /// Begins `count` (1..16) of them, of that length; those there were are dropped.
  void start_takes(int count, double seconds) { detail::check(midinf_stream_start_takes(get(), count, seconds)); }
  /// Those there are.
  [[nodiscard]] std::vector<Take> takes() const {
    std::vector<Take> takes;
    for (auto take = detail::sized<Take>();; takes.push_back(take)) {
      const midinf_status status = midinf_stream_get_take(get(), takes.size(), &take);
      if (status == MIDINF_STATUS_NOT_FOUND) return takes;
      detail::check(status);
    }
  }
  /// What is known of one.
  [[nodiscard]] std::vector<Note> take_notes(std::int32_t id) const {
    return detail::all<Note>([&](Note* notes, std::size_t capacity, std::size_t* count) {
      return midinf_stream_get_take_notes(get(), id, notes, capacity, count);
    });
  }
  /// The music becomes that take; a step of undo.
  void accept_take(std::int32_t id) { detail::check(midinf_stream_accept_take(get(), id)); }
  /// Forgets them all.
  void drop_takes() { detail::check(midinf_stream_drop_takes(get())); }

  // ---- what acts on music already generated and rewinds nothing. [any]

  void set_playing(bool playing) noexcept { midinf_stream_set_playing(get(), playing); }  ///< False: paused.
  void set_speed(double speed) noexcept { midinf_stream_set_speed(get(), speed); }        ///< 0.25..4.
  /// -36..36, drums aside.
  void set_transpose(int semitones) noexcept { midinf_stream_set_transpose(get(), semitones); }
  void set_velocity(int percent) noexcept { midinf_stream_set_velocity(get(), percent); }  ///< 0..200.
  /// Of an instrument, 0..127.
  void set_volume(int instrument, int volume) noexcept { midinf_stream_set_volume(get(), instrument, volume); }
  /// Of an instrument.
  void set_muted(int instrument, bool muted) noexcept { midinf_stream_set_muted(get(), instrument, muted); }
  void panic() noexcept { midinf_stream_panic(get()); }  ///< Silences everything; the music goes on.

  // ---- keeping

  /// The session (notes, settings, takes, playhead) with bytes of your own. [any]
  [[nodiscard]] Bytes save(std::span<const std::byte> attachment = {}) const {
    return detail::bytes([&](void** bytes, std::size_t* size) {
      return midinf_stream_save(get(), attachment.data(), attachment.size(), bytes, size);
    });
  }
  /// For the functions of midinfinite.h; stays ours.
  [[nodiscard]] midinf_stream* get() const noexcept { return handle_.get(); }

 private:
  friend class Player;
  explicit Stream(std::nullptr_t) {}

  detail::Handle<midinf_stream, midinf_stream_free> handle_{nullptr, {std::make_shared<detail::KeptProcessors>()}};
};

/// How a Player plays.
struct PlayerOptions {
  int sample_rate = 48000;  ///< 1000..1000000.
  int rebuffer_ms = 250;    ///< Music that must be ahead before it starts or goes on; at most the look-ahead.
};

/// The audio side of a stream: MIDI messages at sample offsets. One a stream.
class Player {
 public:
  /// From now on the stream's notes go here. [main]
  explicit Player(Stream& stream, const PlayerOptions& options = {})
      : handle_(nullptr, {stream.handle_.get_deleter().kept}) {
    auto params = detail::sized<midinf_player_params>();
    midinf_player_params_init(&params);
    params.sample_rate = options.sample_rate;
    params.rebuffer_ms = options.rebuffer_ms;
    midinf_player* player = nullptr;
    detail::check(midinf_player_create(stream.get(), &params, &player));
    handle_.reset(player);
  }
  /// Plays the next `frames` samples: writes what is due, in order of offset, and returns that part of `messages`. What
  /// does not fit follows in the next calls: 64 is plenty. [audio]
  std::span<Message> process(std::uint32_t frames, std::span<Message> messages) noexcept {
    return messages.first(midinf_player_process(get(), frames, messages.data(), messages.size()));
  }
  /// How it does. [any]
  [[nodiscard]] PlayerState state() const {
    auto state = detail::sized<PlayerState>();
    detail::check(midinf_player_get_state(get(), &state));
    return state;
  }
  /// For the functions of midinfinite.h; stays ours.
  [[nodiscard]] midinf_player* get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<midinf_player, midinf_player_free> handle_;
};

}  // namespace midinfinite

#endif  // MIDINFINITE_MIDINFINITE_HPP
