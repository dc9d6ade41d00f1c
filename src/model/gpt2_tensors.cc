#include "model/gpt2_tensors.h"

#include <fmt/format.h>

namespace midinf {

std::vector<Gpt2Tensor> gpt2_tensors(const Gpt2Config& config) {
  const int width = config.width;
  const int mlp = config.mlp_width();
  std::vector<Gpt2Tensor> tensors;
  const auto matrix = [&](int layer, std::string_view role, int rows, int columns) {
    std::string name = layer < 0 ? std::string(role) : fmt::format("blk.{}.{}", layer, role);
    tensors.push_back({std::move(name), role, layer, rows, columns, /*vector=*/false});
  };
  const auto vector = [&](int layer, std::string_view role, int size) {
    matrix(layer, role, 1, size);
    tensors.back().vector = true;
  };
  matrix(-1, "token_embd.weight", config.vocabulary, width);
  matrix(-1, "position_embd.weight", config.context, width);
  for (int layer = 0; layer < config.layers; ++layer) {
    vector(layer, "attn_norm.weight", width);
    vector(layer, "attn_norm.bias", width);
    matrix(layer, "attn_qkv.weight", 3 * width, width);
    vector(layer, "attn_qkv.bias", 3 * width);
    matrix(layer, "attn_output.weight", width, width);
    vector(layer, "attn_output.bias", width);
    vector(layer, "ffn_norm.weight", width);
    vector(layer, "ffn_norm.bias", width);
    matrix(layer, "ffn_up.weight", mlp, width);
    vector(layer, "ffn_up.bias", mlp);
    matrix(layer, "ffn_down.weight", width, mlp);
    vector(layer, "ffn_down.bias", width);
  }
  vector(-1, "output_norm.weight", width);
  vector(-1, "output_norm.bias", width);
  return tensors;
}

}  // namespace midinf
