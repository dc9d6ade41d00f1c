// What the matrices of a network are multiplied with, measured on examples, so that a quantiser knows which errors are
// heard. Must not know: how weights are stored. Read next: quantize_calibrated.h, its user; forward.h (set_observer).
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "model/checkpoint.h"

namespace midinf {

/// For each matrix measured, by name: Σ x · xᵀ over all inputs x that it was multiplied with, row by
/// row; [columns, columns].
using InputMoments = std::map<std::string, std::vector<float>>;

/// Reads `rows`, each a sequence of at most config().context ids of its own, with `threads` threads and in float32
/// throughout, and measures the matrices `of` which that returns true (empty: all but the position embedding). Memory:
/// the network in float32 and the moments, 76 · width² bytes a layer. `progress` gets the part of the rows read, 0..1;
/// false stops. Errors: those of Network::load, kInvalidArgument for a row longer than the context or an id outside the
/// vocabulary, kCancelled. Cost: mini, 256 rows: minutes. [main]
Result<InputMoments> measure_inputs(const Checkpoint& checkpoint, std::span<const std::vector<TokenId>> rows,
                                    int threads, const std::function<bool(double)>& progress,
                                    const std::function<bool(const TensorInfo&)>& of = {});

}  // namespace midinf
