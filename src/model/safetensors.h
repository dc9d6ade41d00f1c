// The safetensors container: a length, a JSON header that names tensors, their bytes.
// Must not know: networks, what a tensor is for. Read next: huggingface.h.
// Source: the format's own description (huggingface/safetensors README, "Format").
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"
#include "model/raw_tensor.h"

namespace midinf {

/// Whether a file that begins like this is a safetensors file.
bool looks_like_safetensors(std::span<const std::byte> file);

/// The tensors of a safetensors file, in the order of their bytes; they point into `file`. Any element type is listed,
/// F32, F16 and BF16 get a dtype. Errors: kCorrupt when the header is not what the format says, a name stands twice, or
/// a tensor lies outside the file, overlaps another or has a size that does not follow from its shape. [any thread]
Result<std::vector<RawTensor>> parse_safetensors(std::span<const std::byte> file);

}  // namespace midinf
