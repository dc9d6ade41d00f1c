// For tests and bench/: a network of any shape with random weights, so that they need no file.
#pragma once

#include <cmath>
#include <map>
#include <random>
#include <string>
#include <string_view>

#include "model/checkpoint.h"
#include "model/gpt2_tensors.h"
#include "model/quantize.h"

namespace midinf {

/// Weights of a plausible size (normal, 1.5 / √inputs) for `config`, all float32, none stored in place.
class RandomCheckpoint : public Checkpoint {
 public:
  RandomCheckpoint(const Gpt2Config& config, unsigned seed) {
    config_ = config;
    std::mt19937 random(seed);
    for (const Gpt2Tensor& tensor : gpt2_tensors(config)) {
      tensors_.push_back({tensor.name, DType::kF32, tensor.rows, tensor.columns});
      const bool norm = tensor.name.find("norm.weight") != std::string::npos;
      std::normal_distribution<float> normal(norm ? 1.0F : 0.0F,
                                             tensor.rows > 1 ? 1.5F / std::sqrt(float(tensor.columns)) : 0.1F);
      std::vector<float>& values = values_[tensor.name];
      values.resize(static_cast<std::size_t>(tensor.rows) * static_cast<std::size_t>(tensor.columns));
      for (float& value : values) value = normal(random);
    }
  }
  [[nodiscard]] Result<std::vector<float>> read(std::string_view name) const override {
    return values_.at(std::string(name));
  }
  [[nodiscard]] std::optional<std::span<const std::byte>> stored(std::string_view name) const override {
    const auto found = stored_.find(std::string(name));
    return found == stored_.end() ? std::nullopt : std::optional<std::span<const std::byte>>(found->second);
  }
  /// From now on all matrices whose names begin with `prefix` are stored as `type`, and read as what is stored.
  void quantize(DType type, std::string_view prefix = "") {
    for (TensorInfo& tensor : tensors_) {
      if (tensor.rows == 1 || !tensor.name.starts_with(prefix)) continue;
      tensor.dtype = type;
      std::vector<float>& values = values_[tensor.name];
      std::vector<std::byte>& bytes = stored_[tensor.name];
      bytes = *encode(type, values, tensor.columns);
      decode(type, bytes, values);
    }
  }

 private:
  std::map<std::string, std::vector<float>> values_;
  std::map<std::string, std::vector<std::byte>> stored_;
};

}  // namespace midinf
