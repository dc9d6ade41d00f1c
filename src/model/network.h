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

/// Immutable and shared: one network serves any number of decoders. [any thread]
class Network {
 public:
  struct Norm {
    std::span<const float> weight, bias;  // [width]
  };
  struct Linear {
    MatrixView weight;            // [outputs, inputs]
    std::span<const float> bias;  // [outputs]
  };
  struct Layer {
    Norm attention_norm;
    Linear qkv, attention_output;
    Norm mlp_norm;
    Linear mlp_up, mlp_down;
  };

  /// Copies the weights out of `checkpoint`, matrices as they are stored where it can hand out the bytes, as float32
  /// otherwise; `kernels` as from select_kernels. The checkpoint can be closed afterwards. `progress` is called before
  /// each tensor with the part of all bytes loaded so far, 0..1; false stops. Errors: kCorrupt from the source,
  /// kUnsupported for shapes beyond what the kernels take, kOutOfMemory, kCancelled.
  static Result<std::shared_ptr<const Network>> load(const Checkpoint& checkpoint, const KernelSet& kernels,
                                                     const std::function<bool(double)>& progress = {});

  [[nodiscard]] const Gpt2Config& config() const { return config_; }
  [[nodiscard]] const KernelSet& kernels() const { return *kernels_; }
  [[nodiscard]] const MatrixView& token_embedding() const { return token_embedding_; }  // also the output head
  [[nodiscard]] const MatrixView& position_embedding() const { return position_embedding_; }
  [[nodiscard]] std::span<const Layer> layers() const { return layers_; }
  [[nodiscard]] const Norm& output_norm() const { return output_norm_; }
  /// Bytes of all weights.
  [[nodiscard]] std::size_t bytes() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };

  Gpt2Config config_;
  const KernelSet* kernels_ = nullptr;
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t size_ = 0;
  MatrixView token_embedding_, position_embedding_;
  std::vector<Layer> layers_;
  Norm output_norm_;
};

}  // namespace midinf
