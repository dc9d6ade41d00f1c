// Source: Radford et al. 2019 (GPT-2); transformers' GPT2LMHeadModel, whose logits the golden tests hold.
#include "model/forward_reference.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace midinf {
namespace {

using Vector = std::vector<float>;

// Eight running sums instead of one: the compiler can then use vector registers without being allowed to reorder sums.
float dot(const float* a, const float* b, std::size_t n) {
  float sums[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  float sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (const float lane : sums) sum += lane;
  return sum;
}

float gelu(float x) {  // the tanh form, `gelu_new`
  constexpr float kSqrt2OverPi = std::numbers::sqrt2_v<float> * std::numbers::inv_sqrtpi_v<float>;
  return 0.5F * x * (1.0F + std::tanh(kSqrt2OverPi * (x + 0.044715F * x * x * x)));
}

void softmax(Vector& scores) {
  const float highest = *std::max_element(scores.begin(), scores.end());
  float sum = 0;
  for (float& score : scores) sum += score = std::exp(score - highest);
  for (float& score : scores) score /= sum;
}

void add_to(Vector& x, const Vector& y) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
}

}  // namespace

Vector ReferenceNetwork::LayerNorm::operator()(const Vector& x, float epsilon) const {
  float mean = 0;
  for (const float value : x) mean += value;
  mean /= static_cast<float>(x.size());
  float variance = 0;
  for (const float value : x) variance += (value - mean) * (value - mean);
  variance /= static_cast<float>(x.size());
  const float scale = 1.0F / std::sqrt(variance + epsilon);
  Vector y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
  return y;
}

Vector ReferenceNetwork::Linear::operator()(const Vector& x) const {
  Vector y(bias);
  for (std::size_t row = 0; row < y.size(); ++row) y[row] += dot(&weight[row * x.size()], x.data(), x.size());
  return y;
}

// Each head looks at all ids read so far with its own slice of queries, keys and values.
Vector ReferenceNetwork::attention(Layer& layer, const Vector& x) const {
  const auto width = static_cast<std::size_t>(config_.width);
  const auto head_width = static_cast<std::size_t>(config_.head_width());
  const Vector qkv = layer.qkv(x);
  layer.keys.insert(layer.keys.end(), qkv.begin() + config_.width, qkv.begin() + 2 * config_.width);
  layer.values.insert(layer.values.end(), qkv.begin() + 2 * config_.width, qkv.end());

  Vector mixed(width, 0.0F);
  for (std::size_t head = 0; head < width; head += head_width) {
    Vector scores(layer.keys.size() / width);
    for (std::size_t t = 0; t < scores.size(); ++t)
      scores[t] =
          dot(&qkv[head], &layer.keys[t * width + head], head_width) / std::sqrt(static_cast<float>(head_width));
    softmax(scores);
    for (std::size_t t = 0; t < scores.size(); ++t)
      for (std::size_t i = 0; i < head_width; ++i) mixed[head + i] += scores[t] * layer.values[t * width + head + i];
  }
  return layer.attention_output(mixed);
}

void ReferenceNetwork::read(TokenId id) {
  MIDINF_ASSERT(id >= 0 && id < config_.vocabulary && ids_.size() < static_cast<std::size_t>(config_.context));
  const auto width = static_cast<std::size_t>(config_.width);
  Vector x(width);
  for (std::size_t i = 0; i < width; ++i)
    x[i] = token_embedding_[static_cast<std::size_t>(id) * width + i] + position_embedding_[ids_.size() * width + i];
  ids_.push_back(id);

  for (Layer& layer : layers_) {
    add_to(x, attention(layer, layer.attention_norm(x, config_.layer_norm_epsilon)));
    Vector h = layer.mlp_up(layer.mlp_norm(x, config_.layer_norm_epsilon));
    for (float& value : h) value = gelu(value);
    add_to(x, layer.mlp_down(h));
  }
  hidden_ = output_norm_(x, config_.layer_norm_epsilon);
}

void ReferenceNetwork::read_all(std::span<const TokenId> ids) {
  MIDINF_ASSERT(!ids.empty());
  std::size_t common = 0;
  // The last id is read again even if it is known: its hidden state may be gone.
  while (common < ids_.size() && common + 1 < ids.size() && ids_[common] == ids[common]) ++common;
  ids_.resize(common);
  for (Layer& layer : layers_) {
    layer.keys.resize(common * static_cast<std::size_t>(config_.width));
    layer.values.resize(layer.keys.size());
  }
  for (const TokenId id : ids.subspan(common)) read(id);
}

Vector ReferenceNetwork::logits(const RowRanges& rows) const {
  MIDINF_ASSERT(!ids_.empty());
  Vector logits;
  logits.reserve(static_cast<std::size_t>(rows.size()));
  for (const RowRange& range : rows.ranges())
    for (TokenId row = range.begin; row < range.end; ++row)
      logits.push_back(
          dot(&token_embedding_[static_cast<std::size_t>(row) * hidden_.size()], hidden_.data(), hidden_.size()));
  return logits;
}

Result<ReferenceNetwork> ReferenceNetwork::load(const Checkpoint& checkpoint) {
  ReferenceNetwork network;
  network.config_ = checkpoint.config();
  Result<void> status;  // the first failure
  const auto read = [&](const std::string& name) -> Vector {
    auto values = checkpoint.read(name);
    if (values) return std::move(*values);
    if (status) status = tl::make_unexpected(values.error());
    return {};
  };
  const auto linear = [&](const std::string& name) { return Linear{read(name + ".weight"), read(name + ".bias")}; };
  const auto norm = [&](const std::string& name) { return LayerNorm{read(name + ".weight"), read(name + ".bias")}; };

  network.token_embedding_ = read("token_embd.weight");
  network.position_embedding_ = read("position_embd.weight");
  for (int i = 0; i < network.config_.layers; ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    network.layers_.push_back({norm(block + "attn_norm"),
                               linear(block + "attn_qkv"),
                               linear(block + "attn_output"),
                               norm(block + "ffn_norm"),
                               linear(block + "ffn_up"),
                               linear(block + "ffn_down"),
                               {},
                               {}});
  }
  network.output_norm_ = norm("output_norm");
  if (!status) return tl::make_unexpected(status.error());
  return network;
}

}  // namespace midinf
