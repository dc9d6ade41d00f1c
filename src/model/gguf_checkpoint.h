// A GGUF file of architecture gpt2 as a Checkpoint: keys and tensor names are llama.cpp's.
// Must not know: Hugging Face names, kernels. Read next: gguf.h (the container), checkpoint.h (the interface).
// Source: llama.cpp's loader for gpt2 (src/models/gpt2.cpp, src/llama-model.cpp) for keys, names and shapes.
#pragma once

#include <memory>
#include <span>

#include "base/result.h"
#include "model/checkpoint.h"

namespace midinf {

/// A checkpoint over the bytes of a GGUF file, which `keep` keeps alive; stored() points into them. A separate
/// output.weight, which some converters write, is accepted when it equals the embedding. Errors: those of parse_gguf;
/// kCorrupt for keys or tensors that are missing or disagree, kUnsupported for other architectures, an output head of
/// its own, or tensors that a GPT-2 does not have. [any thread]
Result<std::unique_ptr<Checkpoint>> gguf_checkpoint(std::span<const std::byte> file, std::shared_ptr<const void> keep);

}  // namespace midinf
