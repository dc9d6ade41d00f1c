// Settings of C as ours, and back; processors of C as LogitProcessors.
#pragma once

#include <vector>

#include "anticipation/settings.h"
#include "base/result.h"
#include "c_api/boundary.h"

namespace midinf {

/// NULL gives the defaults. Errors: kInvalidArgument, also those of check_settings.
Result<Settings> settings_in(const midinf_settings* given);

/// Settings for a caller to read: the arrays that it points into.
class SettingsOut {
 public:
  /// Precondition: check_struct(out).
  void show(const Settings& settings, midinf_settings* out);

 private:
  std::vector<int32_t> ensemble_;
  std::vector<midinf_pitch_range> pitch_ranges_;
  std::vector<midinf_processor> processors_;
};

}  // namespace midinf
