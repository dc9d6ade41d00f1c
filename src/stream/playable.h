// Which networks can make music: those that speak the arrival-time vocabulary.
// Read next: tokens/vocabulary.h.
#pragma once

#include "base/result.h"
#include "model/config.h"

namespace midinf {

/// Errors: kUnsupported for a network of another vocabulary, or that reads fewer ids at once than a window has.
Result<void> check_playable(const Gpt2Config& config);

}  // namespace midinf
