// PyTorch checkpoints (torch.save since 1.6): a stored zip archive with one pickle and a file for each storage.
// Must not know: networks, what a tensor is for. Read next: stored_zip.h, pickle.h (the two halves), huggingface.h.
// Source: torch/serialization.py (the archive's layout).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"
#include "model/raw_tensor.h"

namespace midinf {

/// Whether a file that begins like this may be a PyTorch checkpoint; one from before 1.6 counts, and is then refused.
bool looks_like_pytorch_bin(std::span<const std::byte> file);

/// The tensors of a checkpoint, in the order of its state dict; they point into `file`. Float, half and bfloat16
/// storages get a dtype, the others are listed without. Views of any stride are handled. Errors: those of
/// parse_stored_zip and parse_pickled_tensors; kCorrupt when a tensor reaches past its storage or a storage's size is
/// not what the pickle says; kUnsupported for the format from before PyTorch 1.6. [any thread]
Result<std::vector<RawTensor>> parse_pytorch_bin(std::span<const std::byte> file);

}  // namespace midinf
