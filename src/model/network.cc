#include "model/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <string>

#include "base/shares.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace midinf {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr int kMostWidth = 2048;

constexpr std::size_t round_up(std::size_t value, std::size_t to) {
  return (value + to - 1) / to * to;
}

// The rows from..to-1 of each of the three parts of attn_qkv.
std::vector<int> qkv_rows(int width, int from, int to) {
  std::vector<int> rows;
  for (const int part : {0, width, 2 * width})
    for (int r = from; r < to; ++r) rows.push_back(part + r);
  return rows;
}
std::vector<int> all_rows(IndexRange range) {
  std::vector<int> rows(static_cast<std::size_t>(range.size()));
  std::iota(rows.begin(), rows.end(), range.begin);
  return rows;
}

}  // namespace

void Network::Free::operator()(std::byte* p) const {
  std::free(p);
}

// Lays out the weights twice: first to learn how much memory they need, then into it.
class Network::Loader {
 public:
  Loader(Network& network, const Checkpoint& checkpoint, const LoadOptions& options)
      : network_(network), checkpoint_(checkpoint), options_(options) {}

  Result<void> load() {
    shares_ = share_count();
    lay_out();
    network_.size_ = used_;
    const std::size_t reserved = round_up(used_, kHugePage);
    network_.memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kHugePage, reserved)));
    if (!network_.memory_)
      return fail(ErrorCode::kOutOfMemory, fmt::format("no memory for {} MB of weights", reserved >> 20));
#if defined(__linux__)
    // One page-table entry for 2 MB: the weights are read from end to end for every id. Only advice; it may be refused.
    static_cast<void>(::madvise(network_.memory_.get(), reserved, MADV_HUGEPAGE));
#endif
    used_ = 0;
    lay_out();
    return status_;
  }

 private:
  [[nodiscard]] bool measuring() const { return network_.memory_ == nullptr; }

  // One tensor of the checkpoint. Weights of one type stay as stored; what the source cannot hand out in place, and
  // every vector, becomes float32.
  struct Source {
    MatrixView view;
    std::vector<float> values;  // what view shows, where it is not the checkpoint's own bytes
  };
  Source open(const std::string& name) {
    const TensorInfo* tensor = checkpoint_.find(name);
    MIDINF_ASSERT(tensor);  // the checkpoint promises a full list
    const bool expand = tensor->rows == 1 || (options_.exact && is_quantized(tensor->dtype));
    const auto stored = expand ? std::nullopt : checkpoint_.stored(name);
    Source source{{stored ? tensor->dtype : DType::kF32, nullptr, tensor->rows, tensor->columns}, {}};
    if (measuring()) return source;
    if (status_ && options_.progress &&
        !options_.progress(static_cast<double>(used_) / static_cast<double>(network_.size_)))
      status_ = fail(ErrorCode::kCancelled, "stopped while the weights were loaded");
    if (!status_) return source;
    if (stored) {
      source.view.data = stored->data();
      if (!has_finite_scales(source.view))
        status_ =
            fail(ErrorCode::kCorrupt, "a block's scale is no finite number; download or convert the model again", name);
      return source;
    }
    auto values = checkpoint_.read(name);
    if (values)
      source.values = std::move(*values);
    else
      status_ = tl::make_unexpected(values.error());
    source.view.data = reinterpret_cast<const std::byte*>(source.values.data());
    return source;
  }

  std::byte* place(std::size_t bytes) {
    std::byte* at = measuring() ? nullptr : network_.memory_.get() + used_;
    used_ += round_up(bytes, kAlignment);
    return at;
  }

  PanelMatrix panels(const Source& source, std::span<const int> rows, IndexRange columns) {
    const PanelMatrix packed{source.view.type, nullptr, static_cast<int>(rows.size()), columns.size()};
    if (is_quantized(packed.type) && network_.kernels_->quantizes) network_.quantizes_ = true;
    std::byte* to = place(packed.bytes());
    return measuring() || !status_ ? packed : pack(source.view, rows, columns, to);
  }
  // As many numbers as panels of these rows have.
  const float* bias(const Source& source, std::span<const int> rows) {
    const std::size_t count = round_up(rows.size(), kPanelRows);
    auto* to = reinterpret_cast<float*>(place(count * sizeof(float)));
    if (measuring() || !status_) return to;
    std::fill(to, to + count, 0.0F);
    for (std::size_t i = 0; i < rows.size(); ++i) to[i] = source.values[static_cast<std::size_t>(rows[i])];
    return to;
  }
  std::span<const float> vector(const std::string& name) {
    const Source source = open(name);
    const auto rows = all_rows({0, source.view.columns});
    return {bias(source, rows), rows.size()};
  }
  Norm norm(const std::string& name) { return {vector(name + ".weight"), vector(name + ".bias")}; }

  // As many as there may be in every layer while quantised columns are cut between blocks.
  int share_count() {
    const Gpt2Config& shape = network_.config_;
    bool quantized = false;
    for (int i = 0; i < shape.layers; ++i)
      quantized = quantized || is_quantized(open(fmt::format("blk.{}.attn_output.weight", i)).view.type);
    for (int count = std::min(kMostShares, shape.heads); count > 1; --count) {
      bool fits = true;
      for (int s = 0; s < count; ++s)
        fits = fits && share(shape.heads, 1, s, count).begin * shape.head_width() % kQuantBlock == 0;
      if (fits || !quantized) return count;
    }
    return 1;
  }

  Layer layer(const std::string& block) {
    const Gpt2Config& shape = network_.config_;
    Layer layer;
    layer.attention_norm = norm(block + "attn_norm");
    const Source qkv = open(block + "attn_qkv.weight"), qkv_bias = open(block + "attn_qkv.bias");
    const Source output = open(block + "attn_output.weight"), output_bias = open(block + "attn_output.bias");
    const auto rows = all_rows({0, shape.width});
    for (int s = 0; s < shares_; ++s) {
      Share& mine = layer.shares.emplace_back();
      mine.heads = share(shape.heads, 1, s, shares_);
      const IndexRange columns{mine.heads.begin * shape.head_width(), mine.heads.end * shape.head_width()};
      const auto qkv_of_heads = qkv_rows(shape.width, columns.begin, columns.end);
      mine.qkv = panels(qkv, qkv_of_heads, {0, shape.width});
      mine.qkv_bias = bias(qkv_bias, qkv_of_heads);
      mine.attention_output = panels(output, rows, columns);
      if (s == 0) mine.attention_output_bias = bias(output_bias, rows);
    }
    layer.mlp_norm = norm(block + "ffn_norm");
    const Source up = open(block + "ffn_up.weight"), up_bias = open(block + "ffn_up.bias");
    const Source down = open(block + "ffn_down.weight"), down_bias = open(block + "ffn_down.bias");
    for (int s = 0; s < shares_; ++s) {
      Share& mine = layer.shares[static_cast<std::size_t>(s)];
      mine.hidden = share(shape.mlp_width(), kQuantBlock, s, shares_);
      const auto hidden = all_rows(mine.hidden);
      mine.mlp_up = panels(up, hidden, {0, shape.width});
      mine.mlp_up_bias = bias(up_bias, hidden);
      mine.mlp_down = panels(down, rows, mine.hidden);
      if (s == 0) mine.mlp_down_bias = bias(down_bias, rows);
    }
    return layer;
  }

  // In the order in which a pass reads them.
  void lay_out() {
    network_.layers_.clear();
    const Source position = open("position_embd.weight");
    network_.position_embedding_ = position.view;
    const std::size_t bytes =
        row_bytes(position.view.type, position.view.columns) * static_cast<std::size_t>(position.view.rows);
    std::byte* to = place(bytes);
    if (!measuring() && status_) std::memcpy(to, position.view.data, bytes);
    network_.position_embedding_.data = to;
    for (int i = 0; i < network_.config_.layers; ++i) network_.layers_.push_back(layer(fmt::format("blk.{}.", i)));
    network_.output_norm_ = norm("output_norm");
    const Source embedding = open("token_embd.weight");
    network_.token_embedding_ = panels(embedding, all_rows({0, embedding.view.rows}), {0, embedding.view.columns});
  }

  Network& network_;
  const Checkpoint& checkpoint_;
  const LoadOptions& options_;
  int shares_ = 1;  // of each layer
  std::size_t used_ = 0;
  Result<void> status_;
};

Result<std::shared_ptr<const Network>> Network::load(const Checkpoint& checkpoint, const KernelSet& kernels,
                                                     const LoadOptions& options) {
  auto network = std::make_shared<Network>();
  network->config_ = checkpoint.config();
  network->kernels_ = &kernels;
  network->float_cache_ = options.float_cache;
  if (network->config_.width > kMostWidth)
    return fail(ErrorCode::kUnsupported,
                fmt::format("the network is {} wide; at most {} is supported", network->config_.width, kMostWidth));
  MIDINF_TRY(Loader(*network, checkpoint, options).load());
  return network;
}

}  // namespace midinf
