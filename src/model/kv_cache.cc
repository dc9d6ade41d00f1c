#include "model/kv_cache.h"

#include <array>
#include <cstring>

#include "base/float16.h"
#include "base/result.h"

namespace midinf {

KvCache::KvCache(const Gpt2Config& config, bool quantized)
    : layers_(config.layers),
      heads_(config.heads),
      head_width_(config.head_width()),
      context_(config.context),
      quantized_(quantized && config.head_width() % kQuantBlock == 0) {
  key_bytes_ = PanelMatrix{quantized_ ? DType::kQ8_0 : DType::kF32, nullptr, context_, head_width_}.bytes();
}

std::size_t KvCache::bytes_per_id() const {
  const auto width = static_cast<std::size_t>(head_width_);
  const std::size_t key = row_bytes(quantized_ ? DType::kQ8_0 : DType::kF32, head_width_);
  const std::size_t value = quantized_ ? width + width / kQuantBlock * sizeof(float) : width * sizeof(float);
  return head_index(layers_, 0) * (key + value);
}

void KvCache::truncate(int length) {
  MIDINF_ASSERT(length >= 0 && length <= this->length());
  ids_.resize(static_cast<std::size_t>(length));
}

void KvCache::allocate() {
  ids_.reserve(static_cast<std::size_t>(context_));  // here, since a copy has no room
  if (!keys_.empty()) return;
  const std::size_t all = head_index(layers_, 0);
  const std::size_t numbers = all * static_cast<std::size_t>(context_) * static_cast<std::size_t>(head_width_);
  if (quantized_)
    quantized_values_.resize(numbers), scales_.resize(numbers / kQuantBlock);
  else
    values_.resize(numbers);
  keys_.resize(all * key_bytes_);  // the last: where they are, all is
}

void KvCache::append(std::span<const TokenId> ids) {
  MIDINF_ASSERT(ids_.size() + ids.size() <= static_cast<std::size_t>(context_));
  ids_.insert(ids_.end(), ids.begin(), ids.end());
}

PanelMatrix KvCache::keys(int layer, int head) const {
  return {quantized_ ? DType::kQ8_0 : DType::kF32, &keys_[head_index(layer, head) * key_bytes_], context_, head_width_};
}

ValueView KvCache::values(int layer, int head) const {
  const std::size_t at =
      head_index(layer, head) * static_cast<std::size_t>(context_) * static_cast<std::size_t>(head_width_);
  if (!quantized_) return {.values = &values_[at], .stride = head_width_};
  return {.quantized = &quantized_values_[at], .scales = &scales_[at / kQuantBlock], .stride = head_width_};
}

void KvCache::put(int layer, int head, int position, const KernelSet& kernels, const float* key, const float* value) {
  const PanelMatrix rows = keys(layer, head);
  const std::size_t first = head_index(layer, head) * key_bytes_;
  std::byte* panel = &keys_[first + static_cast<std::size_t>(position / kPanelRows) * rows.panel_bytes()];
  const int row = position % kPanelRows;
  const std::size_t at =
      (head_index(layer, head) * static_cast<std::size_t>(context_) + static_cast<std::size_t>(position)) *
      static_cast<std::size_t>(head_width_);
  if (!quantized_) {
    for (int c = 0; c < head_width_; ++c) std::memcpy(panel + 4 * (c * kPanelRows + row), key + c, 4);
    std::memcpy(&values_[at], value, static_cast<std::size_t>(head_width_) * sizeof(float));
    return;
  }
  for (int c = 0; c < head_width_; c += kQuantBlock) {
    std::array<std::int8_t, kQuantBlock> q;
    float scale;
    std::int32_t sum;
    kernels.quantize(key + c, kQuantBlock, kMostCached, q.data(), &scale, &sum);
    const std::uint16_t half = f32_to_f16(scale);
    std::memcpy(panel + scale_at(DType::kQ8_0, row, c), &half, 2);
    for (int i = 0; i < kQuantBlock; i += 4)
      std::memcpy(panel + bytes_at(DType::kQ8_0, row, c, i), &q[static_cast<std::size_t>(i)], 4);
    kernels.quantize(value + c, kQuantBlock, kMostCached, &quantized_values_[at + static_cast<std::size_t>(c)],
                     &scales_[(at + static_cast<std::size_t>(c)) / kQuantBlock], &sum);
  }
}

}  // namespace midinf
