#include "c_api/settings.h"

#include <fmt/format.h>

#include "base/note.h"
#include "c_api/processor.h"
#include "tokens/vocabulary.h"

namespace midinf {
namespace {

constexpr std::size_t kMostEnsemble = 1'024;  // more than all instruments, a few times over
constexpr std::size_t kMostProcessors = 64;

midinf_settings defaults() {
  const Settings ours;
  return {.struct_size = sizeof(midinf_settings),
          .seed = ours.seed,
          .temperature = ours.temperature,
          .top_p = ours.top_p,
          .min_p = ours.min_p,
          .top_k = ours.top_k,
          .instrument_cap = ours.instrument_cap,
          .polyphony = ours.polyphony,
          .density_unit = MIDINF_DENSITY_EVENTS,
          .density = ours.density,
          .frequency_penalty = ours.frequency_penalty,
          .scale = ours.scale,
          .recover = ours.recover,
          .ensemble = nullptr,
          .ensemble_count = 0,
          .pitch_ranges = nullptr,
          .pitch_range_count = 0,
          .processors = nullptr,
          .processor_count = 0};
}

// An array of structs whose size the caller's header decides.
Result<void> add_processors(const midinf_settings& given, Settings& settings) {
  if (given.processor_count == 0) return {};
  if (given.processor_count > kMostProcessors)
    return refuse(fmt::format("has {}; at most {} act", given.processor_count, kMostProcessors), "processors");
  MIDINF_TRY(check_struct(given.processors, "processors"));
  const auto* bytes = reinterpret_cast<const std::byte*>(given.processors);
  const std::size_t stride = given.processors->struct_size;
  for (std::size_t i = 0; i < given.processor_count; ++i, bytes += stride) {
    midinf_processor processor{};
    std::memcpy(&processor, bytes, std::min(stride, sizeof processor));
    if (processor.struct_size != stride)
      return refuse(fmt::format("[{}] has another struct_size than [0]", i), "processors");
    settings.processors.push_back(std::make_shared<CallbackProcessor>(processor));
  }
  return {};
}

}  // namespace

Result<Settings> settings_in(const midinf_settings* pointer) {
  Settings settings;
  if (pointer == nullptr) return settings;
  MIDINF_TRY_ASSIGN(given, struct_in(pointer, defaults(), "settings"));
  const int unit = raw_number(given.density_unit);
  MIDINF_TRY(check_range(unit, 0, 1, "density_unit"));
  settings.seed = given.seed;
  settings.temperature = given.temperature;
  settings.top_p = given.top_p;
  settings.min_p = given.min_p;
  settings.top_k = given.top_k;
  settings.instrument_cap = given.instrument_cap;
  settings.polyphony = given.polyphony;
  settings.pace = given.pace;
  settings.density_unit = static_cast<DensityUnit>(unit);
  settings.density = given.density;
  settings.frequency_penalty = given.frequency_penalty;
  settings.scale = given.scale;
  settings.recover = raw_number(given.recover) != 0;
  MIDINF_TRY_ASSIGN(ensemble, array_in(given.ensemble, given.ensemble_count, "ensemble"));
  if (ensemble.size() > kMostEnsemble) return refuse("has more instruments than there are", "ensemble");
  settings.ensemble.assign(ensemble.begin(), ensemble.end());
  MIDINF_TRY_ASSIGN(ranges, array_in(given.pitch_ranges, given.pitch_range_count, "pitch_ranges"));
  if (ranges.size() > kInstruments) return refuse("has more ranges than instruments", "pitch_ranges");
  for (const midinf_pitch_range& range : ranges)
    settings.pitch_ranges.push_back({range.instrument, range.lowest, range.highest});
  MIDINF_TRY(add_processors(given, settings));
  MIDINF_TRY(check_settings(settings));
  return settings;
}

void SettingsOut::show(const Settings& settings, midinf_settings* out) {
  ensemble_.assign(settings.ensemble.begin(), settings.ensemble.end());
  pitch_ranges_.clear();
  for (const PitchRange& range : settings.pitch_ranges)
    pitch_ranges_.push_back({range.instrument, range.lowest, range.highest});
  processors_.clear();
  for (const auto& processor : settings.processors)
    if (const auto* callback = dynamic_cast<const CallbackProcessor*>(processor.get())) {
      processors_.push_back(callback->callbacks());
      processors_.back().struct_size = sizeof(midinf_processor);
    }
  midinf_settings shown = defaults();
  shown.seed = settings.seed;
  shown.temperature = settings.temperature;
  shown.top_p = settings.top_p;
  shown.min_p = settings.min_p;
  shown.top_k = settings.top_k;
  shown.instrument_cap = settings.instrument_cap;
  shown.polyphony = settings.polyphony;
  shown.pace = settings.pace;
  shown.density_unit = static_cast<midinf_density_unit>(settings.density_unit);
  shown.density = settings.density;
  shown.frequency_penalty = settings.frequency_penalty;
  shown.scale = settings.scale;
  shown.recover = settings.recover;
  shown.ensemble = ensemble_.data(), shown.ensemble_count = ensemble_.size();
  shown.pitch_ranges = pitch_ranges_.data(), shown.pitch_range_count = pitch_ranges_.size();
  shown.processors = processors_.data(), shown.processor_count = processors_.size();
  struct_out(shown, out);
}

}  // namespace midinf

void midinf_settings_init(midinf_settings* settings) {
  midinf::struct_init(settings, midinf::defaults());
}
