// The shape of a GPT-2 network. Read next: checkpoint.h, then forward_reference.cc.
#pragma once

namespace midinf {

/// The sizes of one network, checked by whoever fills them in (importer, GGUF reader).
struct Gpt2Config {
  int layers = 0;
  int heads = 0;
  int width = 0;    ///< of the residual stream; the MLP is 4 × width; a head is width / heads
  int context = 0;  ///< learned positions, 1,024 for AMT
  int vocabulary = 0;
  float layer_norm_epsilon = 1e-5F;

  [[nodiscard]] int head_width() const { return width / heads; }
  [[nodiscard]] int mlp_width() const { return 4 * width; }
  bool operator==(const Gpt2Config&) const = default;
};

}  // namespace midinf
