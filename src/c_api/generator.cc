// midinf_generator: one note after the other.
#include "stream/generator.h"

#include <algorithm>
#include <atomic>
#include <limits>

#include "c_api/boundary.h"
#include "c_api/engine.h"
#include "c_api/notes.h"
#include "c_api/settings.h"
#include "model/forward.h"
#include "sampling/logits.h"
#include "stream/velocity.h"
#include "tokens/triplets.h"

using namespace midinf;

struct midinf_generator {
  midinf_generator(std::shared_ptr<Engine> its_engine, Generator its_generator)
      : engine(std::move(its_engine)), decoder(engine->network, engine->pool), generator(std::move(its_generator)) {
    decoder.set_cancel(&cancelled);
  }

  std::shared_ptr<Engine> engine;
  Decoder decoder;
  Generator generator;
  std::atomic<bool> cancelled{false};
  EventIndex taken_back_from = kNone;  // not told yet
  SettingsOut shown;

  static constexpr EventIndex kNone = std::numeric_limits<EventIndex>::max();
};

namespace {

midinf_note latest_note(const Generator& generator) {
  const auto history = generator.history();
  const EventIndex event = generator.end_index() - 1;
  Note note = to_notes(history.last(1)).front();
  note.velocity = velocity_of(history, history.size() - 1, event, {.seed = generator.settings().seed});
  return note_out(note, event);
}

// A processor, or a model at temperature 0, may allow nothing but rests: nobody waits for ever.
constexpr int kMostSilentEvents = 341;

Result<void> next_note(midinf_generator& g) {
  bool damaged = false;
  const LogitSource source = [&](const LogitRequest& request) -> std::span<float> {
    if (g.cancelled) return {};
    const std::span<float> logits = g.decoder.logits(request.context, request.rows, request.guesses);
    damaged = !all_finite(logits);
    return damaged ? std::span<float>{} : logits;
  };
  for (int events = 0; events < kMostSilentEvents; ++events) {
    const Step step = next_event(g.generator, source);
    if (step == Step::kCancelled && damaged)
      return fail(ErrorCode::kCorrupt, "the model computes infinities or no numbers; download or convert it again");
    if (step == Step::kCancelled) {
      g.cancelled = false;
      return fail(ErrorCode::kCancelled, "stopped by midinf_generator_cancel");
    }
    if (step == Step::kRecovery) g.taken_back_from = std::min(g.taken_back_from, g.generator.end_index());
    if (step == Step::kEvent && is_note(g.generator.history().back())) return {};
  }
  return fail(ErrorCode::kNotFound, "there was no note in a window of silence; call again, or change the settings");
}

}  // namespace

extern "C" {

midinf_status midinf_generator_create(const midinf_model* model, const midinf_settings* settings,
                                      const midinf_note* prompt, size_t prompt_count, midinf_generator** generator) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(model, "model"));
    MIDINF_TRY(require(generator, "generator"));
    MIDINF_TRY_ASSIGN(chosen, settings_in(settings));
    MIDINF_TRY_ASSIGN(start, prompt_in(prompt, prompt_count));
    *generator = new midinf_generator(model->engine, Generator(std::move(chosen), std::move(start)));
    return {};
  });
}

void midinf_generator_free(midinf_generator* generator) {
  delete generator;
}

midinf_status midinf_generator_next(midinf_generator* generator, midinf_note* note, uint64_t* taken_back_from) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(generator, "generator"));
    MIDINF_TRY(require(note, "note"));
    MIDINF_TRY(next_note(*generator));
    *note = latest_note(generator->generator);
    if (taken_back_from != nullptr) *taken_back_from = generator->taken_back_from;
    generator->taken_back_from = midinf_generator::kNone;
    return {};
  });
}

midinf_status midinf_generator_rewind(midinf_generator* generator, uint64_t event) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(generator, "generator"));
    if (event < generator->generator.prompt_end()) return refuse("belongs to the prompt", "event");
    if (generator->generator.rewind(event)) return {};
    return fail(ErrorCode::kNotFound, "has not been generated, or so long ago that it is forgotten", "event");
  });
}

midinf_status midinf_generator_set_settings(midinf_generator* generator, const midinf_settings* settings) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(generator, "generator"));
    MIDINF_TRY(require(settings, "settings"));
    MIDINF_TRY_ASSIGN(chosen, settings_in(settings));
    generator->generator.set_settings(std::move(chosen));
    return {};
  });
}

midinf_status midinf_generator_get_settings(midinf_generator* generator, midinf_settings* settings) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(generator, "generator"));
    MIDINF_TRY(check_struct(settings, "settings"));
    generator->shown.show(generator->generator.settings(), settings);
    return {};
  });
}

void midinf_generator_cancel(midinf_generator* generator) {
  if (generator != nullptr) generator->cancelled = true;
}

midinf_status midinf_generator_save(const midinf_generator* generator, void** bytes, size_t* size) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(generator, "generator"));
    MIDINF_TRY(require(bytes, "bytes"));
    MIDINF_TRY(require(size, "size"));
    bytes_out(generator->generator.save(), bytes, size);
    return {};
  });
}

midinf_status midinf_generator_restore(const midinf_model* model, const void* bytes, size_t size,
                                       midinf_generator** generator) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(model, "model"));
    MIDINF_TRY_ASSIGN(saved, bytes_in(bytes, size, "bytes"));
    MIDINF_TRY(require(generator, "generator"));
    MIDINF_TRY_ASSIGN(restored, Generator::restore(saved));
    *generator = new midinf_generator(model->engine, std::move(restored));
    return {};
  });
}
}
