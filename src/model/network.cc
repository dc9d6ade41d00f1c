#include "model/network.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <string>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace midinf {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr int kMostWidth = 2048;  // so that the MLP fits the kernels' 8,192 columns

constexpr std::size_t round_up(std::size_t value, std::size_t to) {
  return (value + to - 1) / to * to;
}

// Weights of one type stay as stored; what the source cannot hand out in place, and every vector, becomes float32.
DType type_in_memory(const Checkpoint& checkpoint, const TensorInfo& tensor) {
  return tensor.rows > 1 && checkpoint.stored(tensor.name) ? tensor.dtype : DType::kF32;
}

std::size_t bytes_in_memory(const Checkpoint& checkpoint, const TensorInfo& tensor) {
  return row_bytes(type_in_memory(checkpoint, tensor), tensor.columns) * static_cast<std::size_t>(tensor.rows);
}

}  // namespace

void Network::Free::operator()(std::byte* p) const {
  std::free(p);
}

Result<std::shared_ptr<const Network>> Network::load(const Checkpoint& checkpoint, const KernelSet& kernels,
                                                     const std::function<bool(double)>& progress) {
  auto network = std::make_shared<Network>();
  network->config_ = checkpoint.config();
  network->kernels_ = &kernels;
  if (network->config_.width > kMostWidth)
    return fail(ErrorCode::kUnsupported,
                fmt::format("the network is {} wide; at most {} is supported", network->config_.width, kMostWidth));

  for (const TensorInfo& tensor : checkpoint.tensors())
    network->size_ += round_up(bytes_in_memory(checkpoint, tensor), kAlignment);
  const std::size_t reserved = round_up(network->size_, kHugePage);
  network->memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kHugePage, reserved)));
  if (!network->memory_)
    return fail(ErrorCode::kOutOfMemory, fmt::format("no memory for {} MB of weights", reserved >> 20));
#if defined(__linux__)
  // One page-table entry for 2 MB: the weights are read from end to end for every id. Only advice; it may be refused.
  static_cast<void>(::madvise(network->memory_.get(), reserved, MADV_HUGEPAGE));
#endif

  std::byte* next = network->memory_.get();
  Result<void> status;
  const auto load = [&](const std::string& name) -> MatrixView {
    const TensorInfo* tensor = checkpoint.find(name);
    MIDINF_ASSERT(tensor);  // the checkpoint promises a full list
    const auto done = static_cast<double>(next - network->memory_.get());
    if (status && progress && !progress(done / static_cast<double>(network->size_)))
      status = fail(ErrorCode::kCancelled, "stopped while the weights were loaded");
    if (!status) return {};
    const MatrixView view{type_in_memory(checkpoint, *tensor), next, tensor->rows, tensor->columns};
    if (view.type == DType::kF32) {
      auto values = checkpoint.read(name);
      if (!values) {
        status = tl::make_unexpected(values.error());
        return {};
      }
      std::memcpy(next, values->data(), values->size() * sizeof(float));
    } else {
      const auto stored = *checkpoint.stored(name);
      std::memcpy(next, stored.data(), stored.size());
    }
    next += round_up(bytes_in_memory(checkpoint, *tensor), kAlignment);
    return view;
  };
  const auto vector = [&](const std::string& name) -> std::span<const float> {
    const MatrixView view = load(name);
    return {reinterpret_cast<const float*>(view.data), static_cast<std::size_t>(view.columns)};
  };
  const auto norm = [&](const std::string& name) { return Norm{vector(name + ".weight"), vector(name + ".bias")}; };
  const auto linear = [&](const std::string& name) { return Linear{load(name + ".weight"), vector(name + ".bias")}; };

  // In the order in which a pass reads them.
  network->position_embedding_ = load("position_embd.weight");
  for (int i = 0; i < network->config_.layers; ++i) {
    const std::string block = fmt::format("blk.{}.", i);
    network->layers_.push_back({norm(block + "attn_norm"), linear(block + "attn_qkv"), linear(block + "attn_output"),
                                norm(block + "ffn_norm"), linear(block + "ffn_up"), linear(block + "ffn_down")});
  }
  network->output_norm_ = norm("output_norm");
  network->token_embedding_ = load("token_embd.weight");
  if (!status) return tl::make_unexpected(status.error());
  return network;
}

}  // namespace midinf
