// Hugging Face GPT-2 checkpoints as Checkpoints: config.json says what the network is, the tensors must agree with it.
// Linears are stored [in, out] there and handed on [out, in]; scale_attn_by_inverse_layer_idx is folded into the query
// rows, so that what is handed on is a plain GPT-2.
// Must not know: GGUF, kernels. Read next: safetensors.h and pytorch_bin.h (the containers), checkpoint.h (the result).
// Source: the published configs and tensor names (AMT.md, "Checkpoints").
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "model/checkpoint.h"
#include "model/raw_tensor.h"

namespace midinf {

/// What config.json says, checked by itself.
struct HuggingFaceConfig {
  Gpt2Config network;
  bool tied_head = true;             ///< the output head is the embedding
  bool inverse_layer_scale = false;  ///< attention scores of layer N are divided by N + 1 too
};

/// Reads the text of a config.json. Errors: kCorrupt for text that is no JSON or sizes that make no sense,
/// kUnsupported for a network that is not the GPT-2 we run, each naming the key. [any thread]
Result<HuggingFaceConfig> parse_huggingface_config(std::string_view json);

/// A checkpoint over tensors already found; `files` are what their bytes lie in, kept as long as the checkpoint.
/// Accepts a "transformer." prefix, mask buffers and a copy of the embedding as lm_head.weight. Errors: kCorrupt for a
/// tensor that lacks or misfits (with its name, the expected and the found shape), kUnsupported for tensors that a
/// GPT-2 does not have or element types that are no weights. [any thread]
Result<std::unique_ptr<Checkpoint>> huggingface_checkpoint(const HuggingFaceConfig& config,
                                                           std::vector<RawTensor> tensors,
                                                           std::vector<MappedFile> files);

/// Opens a folder with config.json and model.safetensors or pytorch_model.bin (safetensors where both lie; either may
/// be split with an index file), or one such file with config.json beside it. Errors: as above, kNotFound, kIo. [main]
Result<std::unique_ptr<Checkpoint>> open_huggingface(const std::string& path);

/// The weight files that open_huggingface(path) reads, config.json first: for hashing. Errors: kNotFound, kCorrupt.
Result<std::vector<std::string>> huggingface_files(const std::string& path);

}  // namespace midinf
