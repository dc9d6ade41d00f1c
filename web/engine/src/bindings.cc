// midinfinite.hpp for JavaScript: what host.ts calls. Notes cross as six numbers each (kNumbersPerNote); what goes
// wrong is thrown as {code, message}. Times are seconds. Read next: core.ts, the same from the other side.
#include <emscripten/bind.h>
#include <emscripten/val.h>

#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "midinfinite/midinfinite.hpp"

using emscripten::val;
namespace mi = midinfinite;

namespace {

constexpr double kTicksPerSecond = 100;
constexpr std::size_t kNumbersPerNote = 6;

[[noreturn]] void raise(const char* code, const std::string& message) {
  val error = val::object();
  error.set("code", code);
  error.set("message", message);
  error.throw_();
  std::abort();
}

template <class Call>
auto guarded(const Call& call) {
  try {
    return call();
  } catch (const mi::error& error) {
    raise(midinf_status_name(error.status()), error.what());
  } catch (const std::bad_alloc&) {
    raise("out of memory", "there is not enough memory; close other tabs");
  }
}

val notes_out(std::span<const mi::Note> notes) {
  std::vector<double> numbers;
  numbers.reserve(notes.size() * kNumbersPerNote);
  for (const mi::Note& note : notes)
    numbers.insert(numbers.end(), {static_cast<double>(note.onset) / kTicksPerSecond, note.duration / kTicksPerSecond,
                                   static_cast<double>(note.instrument), static_cast<double>(note.pitch),
                                   static_cast<double>(note.velocity), static_cast<double>(note.event)});
  return val(emscripten::typed_memory_view(numbers.size(), numbers.data())).call<val>("slice");
}

std::vector<mi::Note> notes_in(const val& from) {
  const auto numbers = emscripten::convertJSArrayToNumberVector<double>(from);
  std::vector<mi::Note> notes;
  for (std::size_t i = 0; i + kNumbersPerNote <= numbers.size(); i += kNumbersPerNote)
    notes.push_back({.onset = std::llround(numbers[i] * kTicksPerSecond),
                     .duration = static_cast<std::int32_t>(std::lround(numbers[i + 1] * kTicksPerSecond)),
                     .instrument = static_cast<std::uint8_t>(numbers[i + 2]),
                     .pitch = static_cast<std::uint8_t>(numbers[i + 3]),
                     .velocity = static_cast<std::uint8_t>(numbers[i + 4]),
                     .reserved = 0,
                     .event = 0});
  return notes;
}

mi::Bytes bytes_in(const val& from) {
  mi::Bytes bytes(from["length"].as<std::size_t>());
  val(emscripten::typed_memory_view(bytes.size(), reinterpret_cast<unsigned char*>(bytes.data())))
      .call<void>("set", from);
  return bytes;
}

val bytes_out(std::span<const std::byte> bytes) {
  return val(emscripten::typed_memory_view(bytes.size(), reinterpret_cast<const unsigned char*>(bytes.data())))
      .call<val>("slice");
}

// A Processor in JavaScript, {url, narrow, edit}, called on the thread that made it: streams are stepped there.
class JsProcessor : public mi::Processor {
 public:
  explicit JsProcessor(val functions) : functions_(std::move(functions)) {}
  [[nodiscard]] val url() const { return functions_["url"]; }

  void narrow(const mi::Step& step, std::span<const std::int32_t> ids, std::span<bool> forbid) const override {
    if (!functions_["narrow"].as<bool>()) return;
    val forbidden = val::global("Uint8Array").new_(forbid.size());
    functions_.call<void>("narrow", step_out(step), ids_out(ids), forbidden);
    const auto answers = emscripten::convertJSArrayToNumberVector<unsigned char>(forbidden);
    for (std::size_t i = 0; i < forbid.size(); ++i) forbid[i] = answers[i] != 0;
  }
  void edit(const mi::Step& step, std::span<const std::int32_t> ids, std::span<float> logits) const override {
    if (!functions_["edit"].as<bool>()) return;
    val edited = val(emscripten::typed_memory_view(logits.size(), logits.data())).call<val>("slice");
    functions_.call<void>("edit", step_out(step), ids_out(ids), edited);
    const auto answers = emscripten::convertJSArrayToNumberVector<float>(edited);
    std::copy(answers.begin(), answers.end(), logits.begin());
  }

 private:
  static val ids_out(std::span<const std::int32_t> ids) {
    return val(emscripten::typed_memory_view(ids.size(), ids.data())).call<val>("slice");
  }
  static val step_out(const mi::Step& step) {
    val out = val::object();
    constexpr const char* kSlots[] = {"onset", "duration", "note"};
    out.set("slot", kSlots[step.slot]);
    out.set("now", static_cast<double>(step.now) / kTicksPerSecond);
    const auto* history = reinterpret_cast<const std::int32_t*>(step.history);
    out.set("history", ids_out({history, 3 * step.history_count}));
    const std::int32_t drawn[] = {step.drawn.onset, step.drawn.duration, step.drawn.note};
    out.set("drawn", ids_out({drawn, static_cast<std::size_t>(step.slot)}));
    return out;
  }

  val functions_;
};

// With `loaded`, the processor that `processor` names, or null.
mi::Settings settings_in(const val& from) {
  mi::Settings settings;
  settings.seed = static_cast<std::uint64_t>(from["seed"].as<double>());
  settings.ensemble = emscripten::convertJSArrayToNumberVector<std::int32_t>(from["ensemble"]);
  settings.temperature = from["temperature"].as<double>();
  settings.top_p = from["topP"].as<double>();
  settings.min_p = from["minP"].as<double>();
  settings.top_k = from["topK"].as<std::int32_t>();
  settings.density = from["density"].as<double>();
  settings.density_unit =
      from["densityUnit"].as<std::string>() == "seconds" ? MIDINF_DENSITY_SECONDS : MIDINF_DENSITY_EVENTS;
  settings.frequency_penalty = from["frequencyPenalty"].as<double>();
  settings.instrument_cap = from["instrumentCap"].as<std::int32_t>();
  settings.polyphony = from["polyphony"].as<std::int32_t>();
  settings.pace = from["pace"].as<std::int32_t>();
  settings.scale = from["scale"].as<std::uint16_t>();
  settings.recover = from["recover"].as<bool>();
  for (const val& range : emscripten::vecFromJSArray<val>(from["pitchRanges"]))
    settings.pitch_ranges.push_back({range["instrument"].as<std::int32_t>(), range["lowest"].as<std::int32_t>(),
                                     range["highest"].as<std::int32_t>()});
  if (const val loaded = from["loaded"]; loaded.as<bool>())
    settings.processors.push_back(loaded.as<std::shared_ptr<JsProcessor>>());
  return settings;
}

val settings_out(const mi::Settings& settings) {
  val out = val::object();
  out.set("seed", static_cast<double>(settings.seed));
  out.set("ensemble", val::array(settings.ensemble));
  out.set("temperature", settings.temperature);
  out.set("topP", settings.top_p);
  out.set("minP", settings.min_p);
  out.set("topK", settings.top_k);
  out.set("density", settings.density);
  out.set("densityUnit", settings.density_unit == MIDINF_DENSITY_SECONDS ? "seconds" : "events");
  out.set("frequencyPenalty", settings.frequency_penalty);
  out.set("instrumentCap", settings.instrument_cap);
  out.set("polyphony", settings.polyphony);
  out.set("pace", settings.pace);
  out.set("scale", settings.scale);
  out.set("recover", settings.recover);
  val ranges = val::array();
  for (const mi::PitchRange& range : settings.pitch_ranges) {
    val one = val::object();
    one.set("instrument", range.instrument);
    one.set("lowest", range.lowest);
    one.set("highest", range.highest);
    ranges.call<void>("push", one);
  }
  out.set("pitchRanges", ranges);
  const auto& processors = settings.processors;  // no others than ours, and one at most
  out.set("processor", processors.empty() ? val::null() : static_cast<const JsProcessor&>(*processors.front()).url());
  return out;
}

class Model {
 public:
  // From `size` bytes at `address`, which the caller frees.
  Model(std::uintptr_t address, std::size_t size, int threads)
      : model_(guarded([&] {
          return mi::Model(std::span(reinterpret_cast<const std::byte*>(address), size),
                           mi::ModelOptions{.threads = threads});
        })) {}
  [[nodiscard]] val info() const {
    const mi::ModelInfo info = model_.info();
    val out = val::object();
    out.set("layers", info.layers);
    out.set("width", info.width);
    out.set("parameters", static_cast<double>(info.parameters));
    out.set("threads", info.threads);
    out.set("kernels", std::string(info.kernels));
    return out;
  }
  [[nodiscard]] const mi::Model& get() const { return model_; }

 private:
  mi::Model model_;
};

class Stream {
 public:
  // Options: settings, prompt (notes), lookAhead, velocity; or session (bytes).
  Stream(const Model& model, const val& options) : stream_(guarded([&] { return make(model.get(), options); })) {}

  bool step() {
    return guarded([&] { return stream_.step(); });
  }
  // The playhead moves; how far it came.
  double advance(double to) {
    return guarded([&] {
      double reached = 0;
      static_cast<void>(stream_.pull(to, &reached));
      return reached;
    });
  }
  void set_playing(bool playing) { stream_.set_playing(playing); }
  void set_speed(double speed) { stream_.set_speed(speed); }
  [[nodiscard]] val notes_from(double event) const {
    return guarded([&] { return notes_out(stream_.notes(static_cast<std::uint64_t>(event))); });
  }
  void change(const val& settings, bool amend) {
    guarded([&] {
      const mi::Settings chosen = settings_in(settings);
      amend ? stream_.amend(chosen) : stream_.change(chosen);
    });
  }
  void again(double from) {
    guarded([&] { stream_.again(from); });
  }
  void undo() {
    guarded([&] { stream_.undo(); });
  }
  void redo() {
    guarded([&] { stream_.redo(); });
  }
  void seek(double to) {
    guarded([&] { stream_.seek(to); });
  }
  void start_takes(int count, double seconds) {
    guarded([&] { stream_.start_takes(count, seconds); });
  }
  [[nodiscard]] val take_notes(int id) const {
    return guarded([&] { return notes_out(stream_.take_notes(id)); });
  }
  void accept_take(int id) {
    guarded([&] { stream_.accept_take(id); });
  }
  void drop_takes() {
    guarded([&] { stream_.drop_takes(); });
  }
  [[nodiscard]] val save() const {
    return guarded([&] { return bytes_out(stream_.save()); });
  }
  [[nodiscard]] val state() {
    return guarded([&] {
      const mi::StreamState state = stream_.state();
      val out = val::object();
      out.set("playhead", state.playhead_seconds);
      out.set("generatedTo", state.generated_seconds);
      out.set("secondsAhead", state.seconds_ahead);
      out.set("underruns", static_cast<double>(state.underruns));
      out.set("recoveries", state.recoveries);
      out.set("givenUp", state.given_up);
      out.set("undoSteps", state.undo_steps);
      out.set("redoSteps", state.redo_steps);
      out.set("settings", settings_out(stream_.settings()));
      val takes = val::array();
      for (const mi::Take& take : stream_.takes()) {
        val one = val::object();
        one.set("id", take.id);
        one.set("seed", static_cast<double>(take.seed));
        one.set("from", take.from_seconds);
        one.set("generatedTo", take.generated_seconds);
        one.set("complete", take.complete);
        takes.call<void>("push", one);
      }
      out.set("takes", takes);
      return out;
    });
  }

 private:
  static mi::Stream make(const mi::Model& model, const val& options) {
    if (const val session = options["session"]; session.as<bool>()) return mi::Stream::open(model, bytes_in(session));
    mi::StreamOptions chosen;
    chosen.settings = settings_in(options["settings"]);
    const std::vector<mi::Note> prompt = notes_in(options["prompt"]);
    chosen.prompt = prompt;
    chosen.look_ahead_seconds = options["lookAhead"].as<double>();
    chosen.velocity = options["velocity"].as<int>();
    return mi::Stream(model, chosen);
  }

  mi::Stream stream_;
};

val midi_read(const val& file) {
  return guarded([&] { return notes_out(mi::midi_read(bytes_in(file))); });
}
val midi_write(const val& notes) {
  return guarded([&] { return bytes_out(mi::midi_write(notes_in(notes))); });
}
val midi_continue(const val& prompt, const val& notes) {
  return guarded([&] { return bytes_out(mi::midi_continue(bytes_in(prompt), notes_in(notes))); });
}

}  // namespace

EMSCRIPTEN_BINDINGS(midinfinite) {
  emscripten::class_<JsProcessor>("Processor").smart_ptr_constructor("Processor", &std::make_shared<JsProcessor, val>);
  emscripten::class_<Model>("Model").constructor<std::uintptr_t, std::size_t, int>().function("info", &Model::info);
  emscripten::class_<Stream>("Stream")
      .constructor<const Model&, val>()
      .function("step", &Stream::step)
      .function("advance", &Stream::advance)
      .function("setPlaying", &Stream::set_playing)
      .function("setSpeed", &Stream::set_speed)
      .function("notesFrom", &Stream::notes_from)
      .function("change", &Stream::change)
      .function("again", &Stream::again)
      .function("undo", &Stream::undo)
      .function("redo", &Stream::redo)
      .function("seek", &Stream::seek)
      .function("startTakes", &Stream::start_takes)
      .function("takeNotes", &Stream::take_notes)
      .function("acceptTake", &Stream::accept_take)
      .function("dropTakes", &Stream::drop_takes)
      .function("save", &Stream::save)
      .function("state", &Stream::state);
  emscripten::function("midiRead", &midi_read);
  emscripten::function("midiWrite", &midi_write);
  emscripten::function("midiContinue", &midi_continue);
  emscripten::function("version", &mi::version);
}
