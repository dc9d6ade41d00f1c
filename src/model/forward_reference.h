// GPT-2 as plainly as it can be written: float32, one id at a time, no threads, no tricks. The oracle of every fast
// path and the page to read first. Read next: forward_reference.cc top to bottom, then forward.cc.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "base/row_ranges.h"
#include "model/checkpoint.h"

namespace midinf {

/// A network and the sequence that it has read so far. Cost: a second per hundred ids or so. [one thread]
class ReferenceNetwork {
 public:
  /// Copies all weights as float32.
  static Result<ReferenceNetwork> load(const Checkpoint& checkpoint);

  [[nodiscard]] const Gpt2Config& config() const { return config_; }
  /// The ids read so far.
  [[nodiscard]] std::span<const TokenId> ids() const { return ids_; }

  /// Reads one more id. Precondition: 0 <= id < vocabulary, ids().size() < context.
  void read(TokenId id);
  /// Makes `ids` what has been read: keeps the part in common with what was read before, reads the rest.
  void read_all(std::span<const TokenId> ids);

  /// The logits of `rows` (packed) for the id after ids(). Precondition: at least one id was read.
  [[nodiscard]] std::vector<float> logits(const RowRanges& rows) const;

 private:
  struct Linear {
    std::vector<float> weight;  // [outputs, inputs]
    std::vector<float> bias;    // [outputs]
    [[nodiscard]] std::vector<float> operator()(const std::vector<float>& x) const;
  };
  struct LayerNorm {
    std::vector<float> weight, bias;  // [width]
    [[nodiscard]] std::vector<float> operator()(const std::vector<float>& x, float epsilon) const;
  };
  struct Layer {
    LayerNorm attention_norm;
    Linear qkv;               // [3·width, width]
    Linear attention_output;  // [width, width]
    LayerNorm mlp_norm;
    Linear mlp_up;              // [4·width, width]
    Linear mlp_down;            // [width, 4·width]
    std::vector<float> keys;    // [ids read, width]
    std::vector<float> values;  // [ids read, width]
  };

  [[nodiscard]] std::vector<float> attention(Layer& layer, const std::vector<float>& x) const;

  Gpt2Config config_;
  std::vector<float> token_embedding_;     // [vocabulary, width], also the output head
  std::vector<float> position_embedding_;  // [context, width]
  std::vector<Layer> layers_;
  LayerNorm output_norm_;
  std::vector<TokenId> ids_;
  std::vector<float> hidden_;  // [width], after output_norm_, of the last id
};

}  // namespace midinf
