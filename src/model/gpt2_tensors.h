// Which tensors a GPT-2 network has, under which names and with which shapes (the list in checkpoint.h, as code).
// Must not know: files. Read next: huggingface.cc and gguf_checkpoint.cc, which look these up in theirs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"

namespace midinf {

/// One tensor that a network must have.
struct Gpt2Tensor {
  std::string name;       ///< "blk.3.attn_qkv.weight"
  std::string_view role;  ///< the name without the block: "attn_qkv.weight"
  int layer = -1;         ///< the block, or -1 outside of them
  int rows = 0;           ///< 1 for a vector
  int columns = 0;
  bool vector = false;  ///< one dimension; such tensors stay float32 in files
};

/// Every tensor of a network of these sizes, in the order in which we write them. [any thread]
std::vector<Gpt2Tensor> gpt2_tensors(const Gpt2Config& config);

/// The limits that any source of a Gpt2Config checks: far beyond what runs on a laptop, small enough that no product of
/// two sizes overflows 64 bits.
inline constexpr int kMaxLayers = 1024;
inline constexpr int kMaxSize = 1 << 24;

}  // namespace midinf
