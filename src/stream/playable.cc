#include "stream/playable.h"

#include <fmt/format.h>

#include "tokens/vocabulary.h"

namespace midinf {

Result<void> check_playable(const Gpt2Config& config) {
  if (config.vocabulary != kVocabulary)
    return fail(ErrorCode::kUnsupported,
                fmt::format("this network has {} ids where the arrival-time vocabulary has {}; only models of that "
                            "vocabulary can play",
                            config.vocabulary, kVocabulary));
  if (config.context < kContext)
    return fail(ErrorCode::kUnsupported,
                fmt::format("this network reads {} ids at once; {} are needed", config.context, kContext));
  return {};
}

}  // namespace midinf
