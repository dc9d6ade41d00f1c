// Logits -> one id: the last step of sampling.
// Read next: stream/generator.cc, which calls it.
#pragma once

#include <span>

namespace midinf {

/// Draws an index with probability softmax(logits)[index], given `u` uniform in [0, 1). An index whose logit is
/// -infinity is never drawn. Precondition: at least one logit is finite, none is NaN.
int draw(std::span<const float> logits, double u);

}  // namespace midinf
