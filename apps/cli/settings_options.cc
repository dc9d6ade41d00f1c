#include "settings_options.h"

#include <fmt/format.h>

#include "anticipation/ensemble.h"
#include "anticipation/pitch_ranges.h"
#include "anticipation/scale.h"
#include "tokens/vocabulary.h"

namespace midinf::cli {
namespace {

// An option whose text `parse` turns into a T.
template <class T>
CLI::Option* add_parsed(CLI::App& command, const std::string& name, T& value, Result<T> (*parse)(std::string_view),
                        const std::string& help) {
  return command.add_option_function<std::string>(
      name,
      [name, &value, parse](const std::string& text) {
        auto parsed = parse(text);
        if (!parsed) throw CLI::ValidationError(name, parsed.error().to_string());
        value = std::move(*parsed);
      },
      help);
}

Result<DensityUnit> parse_density_unit(std::string_view text) {
  if (text == "events") return DensityUnit::kEvents;
  if (text == "seconds") return DensityUnit::kSeconds;
  return fail(ErrorCode::kInvalidArgument, "no unit; write events or seconds", fmt::format("'{}'", text));
}

}  // namespace

CLI::Validator between(double low, double high) {
  return CLI::Validator(
      [low, high](std::string& text) -> std::string {
        double value = 0;
        if (CLI::detail::lexical_cast(text, value) && value >= low && value <= high) return {};
        return fmt::format("'{}' is no number from {} to {}", text, low, high);
      },
      fmt::format("{}..{}", low, high));
}

void add_settings_options(CLI::App& command, Settings& settings) {
  const auto number = [&](const char* name, auto& value, double low, double high, const char* type, const char* help) {
    command.add_option(name, value, help)->check(between(low, high))->capture_default_str()->type_name(type);
  };
  add_parsed(command, "--ensemble", settings.ensemble, parse_ensemble,
             "who may play: General MIDI names, families, drums or numbers, as in piano,bass,128 (all)")
      ->type_name("NAMES");
  number("--density", settings.density, 0, 3, "D", "call who has been silent, the longer the stronger");
  add_parsed(command, "--density-unit", settings.density_unit, parse_density_unit,
             "how long silence is counted: events or seconds (events)")
      ->type_name("UNIT");
  number("--instrument-cap", settings.instrument_cap, 0, kInstruments, "N",
         "at most so many instruments; 0 any number");
  number("--polyphony", settings.polyphony, 0, kMostPolyphony, "N", "at most so many notes at once; 0 any number");
  number("--pace", settings.pace, 0, kMostPace, "N", "at most so many notes begin within a second; 0 any number");
  add_parsed(command, "--pitch-range", settings.pitch_ranges, parse_pitch_ranges,
             "lowest and highest key of instruments, C4 being 60, as in bass:28-55,flute:C4-C7 (all)")
      ->type_name("RANGES");
  add_parsed(command, "--scale", settings.scale, parse_scale,
             "play only its notes, as in 'C minor pentatonic' or 0,2,4,5,7,9,11; drums go on (chromatic)")
      ->type_name("SCALE");
  number("--frequency-penalty", settings.frequency_penalty, -2, 2, "F",
         "above 0 against repeated notes, below 0 for them");
  number("--temperature", settings.temperature, 0, 10, "T", "below 1 tamer, above wilder, 0 always the likeliest");
  number("--top-k", settings.top_k, 0, kVocabulary, "K", "draw from the K likeliest ids; 0 from all");
  number("--top-p", settings.top_p, 0, 1, "P", "draw from the likeliest ids that together have this probability");
  number("--min-p", settings.min_p, 0, 1, "P", "draw no id less likely than this share of the likeliest");
  command.parse_complete_callback([&settings] {
    if (const auto checked = check_settings(settings); !checked)
      throw CLI::ValidationError(checked.error().where, checked.error().message);
  });
}

nlohmann::json settings_report(const Settings& settings) {
  nlohmann::json scale = nlohmann::json::array(), ranges = nlohmann::json::array();
  for (int pitch_class = 0; pitch_class < 12; ++pitch_class)
    if (settings.scale >> pitch_class & 1) scale.push_back(pitch_class);
  for (const PitchRange& range : settings.pitch_ranges)
    ranges.push_back({{"instrument", range.instrument}, {"lowest", range.lowest}, {"highest", range.highest}});
  return {{"ensemble", settings.ensemble},
          {"density", settings.density},
          {"density_unit", settings.density_unit == DensityUnit::kEvents ? "events" : "seconds"},
          {"instrument_cap", settings.instrument_cap},
          {"polyphony", settings.polyphony},
          {"pace", settings.pace},
          {"pitch_range", std::move(ranges)},
          {"scale", std::move(scale)},
          {"frequency_penalty", settings.frequency_penalty},
          {"temperature", settings.temperature},
          {"top_k", settings.top_k},
          {"top_p", settings.top_p},
          {"min_p", settings.min_p},
          {"recover", settings.recover}};
}

}  // namespace midinf::cli
