// The options that say what music is wanted, the same for every command that makes some.
// Read next: anticipation/settings.h, where they end up.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "anticipation/settings.h"

namespace midinf::cli {

/// Accepts the numbers from `low` to `high`. (CLI::Range lets "nan" pass.)
CLI::Validator between(double low, double high);

/// Adds --ensemble, --density … --polyphony, all of Settings but the seed. `settings` must outlive the parsing; what
/// cannot be together (check_settings) is wrong usage.
void add_settings_options(CLI::App& command, Settings& settings);

/// All settings but the seed, for --json, under the names of their options.
nlohmann::json settings_report(const Settings& settings);

}  // namespace midinf::cli
