// The weights of a network wherever they come from: one interface over Hugging Face folders, safetensors, PyTorch .bin
// and GGUF files. Everything is named and laid out as in llama.cpp's GGUF, so nothing above knows where it came from:
//
//   token_embd.weight [vocabulary, width]   position_embd.weight [context, width]   output_norm.{weight,bias} [width]
//   blk.N.attn_norm.{weight,bias} [width]   blk.N.ffn_norm.{weight,bias} [width]
//   blk.N.attn_qkv.weight [3·width, width]  .bias [3·width]      rows: queries, keys, values; attention scores are
//                                                                divided by √head_width and by nothing else
//   blk.N.attn_output.weight [width, width] .bias                blk.N.ffn_up.weight [4·width, width]   .bias
//   blk.N.ffn_down.weight [width, 4·width]  .bias                the output head is token_embd.weight
//
// Read next: huggingface.h and gguf.h (the two sources), network.h (what the fast path makes of it).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/result.h"
#include "model/config.h"

namespace midinf {

/// One weight: a matrix [rows, columns], row = output; a vector has one row.
struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  int rows = 0;
  int columns = 0;
};

/// The weights of one network, read on demand. Immutable. [any thread]
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;

  [[nodiscard]] const Gpt2Config& config() const { return config_; }
  /// Every tensor of the list above, in file order; the constructor's factory has checked that none lacks or misfits.
  [[nodiscard]] const std::vector<TensorInfo>& tensors() const { return tensors_; }
  [[nodiscard]] const TensorInfo* find(std::string_view name) const;

  /// The tensor as float32, row-major [rows, columns]. Errors: kNotFound, kCorrupt.
  [[nodiscard]] virtual Result<std::vector<float>> read(std::string_view name) const = 0;

  /// The bytes as stored, when the source keeps this tensor in exactly this layout (GGUF does); valid while the
  /// checkpoint lives.
  [[nodiscard]] virtual std::optional<std::span<const std::byte>> stored(std::string_view name) const = 0;

 protected:
  Gpt2Config config_;
  std::vector<TensorInfo> tensors_;
};

/// Opens a Hugging Face folder, a .safetensors or .bin file beside its config.json, or a .gguf file (told apart by
/// content, not by name). Errors say what is wrong with which file.
Result<std::unique_ptr<Checkpoint>> open_checkpoint(const std::string& path);

}  // namespace midinf
