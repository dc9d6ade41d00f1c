// The weights of a network in memory, as the fast path reads them.
// Read next: forward.h, which runs them; checkpoint.h, where they come from.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "kernels/kernels.h"
#include "model/checkpoint.h"

namespace midinf {

/// Immutable and shared: one network serves any number of decoders. Each layer is cut once and for all into shares, of
/// heads and of hidden units of the MLP: what a share adds to the residual stream is computed by one thread, and the
/// shares are added in order, so results do not depend on how many threads there are. Weights lie in memory in the
/// order in which a pass reads them. [any thread]
class Network {
 public:
  static constexpr int kMostShares = 4;

  struct Norm {
    std::span<const float> weight, bias;  // [width]
  };
  struct Share {
    IndexRange heads;
    PanelMatrix qkv;  // of these heads: their rows of q, then k, then v; [3 · heads · head_width, width]
    const float* qkv_bias = nullptr;
    PanelMatrix attention_output;                  // [width, heads · head_width]
    const float* attention_output_bias = nullptr;  // the first share has it

    IndexRange hidden;
    PanelMatrix mlp_up;  // [hidden, width]
    const float* mlp_up_bias = nullptr;
    PanelMatrix mlp_down;                  // [width, hidden]
    const float* mlp_down_bias = nullptr;  // the first share has it
  };
  struct Layer {
    Norm attention_norm, mlp_norm;
    std::vector<Share> shares;
  };

  struct LoadOptions {
    bool exact = false;  ///< quantised weights as float32, and all arithmetic: four times the memory, for measuring
    bool float_cache = false;  ///< keys and values in float32 beside quantised weights: four times their bytes
    std::function<bool(double)> progress;  ///< before each tensor, with the part of all bytes loaded; false stops
  };
  /// Takes the weights out of `checkpoint`, matrices as they are stored where it can hand out the bytes, as float32
  /// otherwise; `kernels` as from select_kernels. The checkpoint can be closed afterwards. Errors: kCorrupt from the
  /// source, kUnsupported for shapes beyond what the kernels take, kOutOfMemory, kCancelled.
  static Result<std::shared_ptr<const Network>> load(const Checkpoint& checkpoint, const KernelSet& kernels,
                                                     const LoadOptions& options);
  static Result<std::shared_ptr<const Network>> load(const Checkpoint& checkpoint, const KernelSet& kernels) {
    return load(checkpoint, kernels, LoadOptions());
  }

  [[nodiscard]] const Gpt2Config& config() const { return config_; }
  [[nodiscard]] const KernelSet& kernels() const { return *kernels_; }
  /// Activations are quantised.
  [[nodiscard]] bool quantizes() const { return quantizes_; }
  /// So are attention's keys and values.
  [[nodiscard]] bool quantizes_cache() const { return quantizes_ && !float_cache_; }
  [[nodiscard]] const PanelMatrix& token_embedding() const { return token_embedding_; }  // also the output head
  [[nodiscard]] const MatrixView& position_embedding() const { return position_embedding_; }
  [[nodiscard]] std::span<const Layer> layers() const { return layers_; }
  [[nodiscard]] const Norm& output_norm() const { return output_norm_; }
  /// Bytes of all weights.
  [[nodiscard]] std::size_t bytes() const { return size_; }

 private:
  class Loader;
  struct Free {
    void operator()(std::byte* p) const;
  };

  Gpt2Config config_;
  const KernelSet* kernels_ = nullptr;
  bool quantizes_ = false;
  bool float_cache_ = false;
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t size_ = 0;
  PanelMatrix token_embedding_;
  MatrixView position_embedding_;
  std::vector<Layer> layers_;
  Norm output_norm_;
};

}  // namespace midinf
