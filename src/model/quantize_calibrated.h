// Four bits that know what a matrix is multiplied with: each number is rounded so that its error is made good by those
// behind it. Must not know: files, networks. Read next: calibrate.h, where the moments come from.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"

namespace midinf {

/// `values`, rows of `columns` numbers, as q4_0, so that |W·x - Q·x|² is small over the inputs x of which `moments` is
/// Σ x · xᵀ [columns, columns]. GPTQ (Frantar et al. 2023): column after column is rounded, and the columns behind it
/// take up the error. A block's scale is the best of sixteen candidates, its numbers weighed by how badly the columns
/// behind can make good for them. Precondition: columns is a multiple of kQuantBlock. `progress` as in convert.h.
/// Errors: kInvalidArgument for a value that is not finite or too large, kCancelled. The result does not depend on
/// `threads`. Cost: columns³ + rows · columns² multiplications; memory 20 · columns² bytes. [any thread]
Result<std::vector<std::byte>> encode_q4_calibrated(std::span<const float> values, int columns,
                                                    std::span<const float> moments, int threads,
                                                    const std::function<bool()>& go_on);

}  // namespace midinf
