#include "model/kv_cache.h"

#include "base/result.h"

namespace midinf {

KvCache::KvCache(const Gpt2Config& config)
    : heads_(config.heads), head_width_(config.head_width()), context_(config.context) {
  size_ = static_cast<std::size_t>(config.layers) * static_cast<std::size_t>(config.width) *
          static_cast<std::size_t>(config.context);
  ids_.reserve(static_cast<std::size_t>(config.context));
}

void KvCache::truncate(int length) {
  MIDINF_ASSERT(length >= 0 && length <= this->length());
  ids_.resize(static_cast<std::size_t>(length));
}

void KvCache::append(std::span<const TokenId> ids) {
  MIDINF_ASSERT(ids_.size() + ids.size() <= static_cast<std::size_t>(context_));
  if (keys_.empty()) keys_.resize(size_), values_.resize(size_);
  ids_.insert(ids_.end(), ids.begin(), ids.end());
}

std::size_t KvCache::offset(int layer, int head, int position) const {
  return ((static_cast<std::size_t>(layer) * static_cast<std::size_t>(heads_) + static_cast<std::size_t>(head)) *
              static_cast<std::size_t>(context_) +
          static_cast<std::size_t>(position)) *
         static_cast<std::size_t>(head_width_);
}

std::span<const float> KvCache::keys(int layer, int head, int positions) const {
  return {&keys_[offset(layer, head, 0)], static_cast<std::size_t>(positions * head_width_)};
}
std::span<const float> KvCache::values(int layer, int head, int positions) const {
  return {&values_[offset(layer, head, 0)], static_cast<std::size_t>(positions * head_width_)};
}
std::span<float> KvCache::key(int layer, int head, int position) {
  return {&keys_[offset(layer, head, position)], static_cast<std::size_t>(head_width_)};
}
std::span<float> KvCache::value(int layer, int head, int position) {
  return {&values_[offset(layer, head, position)], static_cast<std::size_t>(head_width_)};
}

}  // namespace midinf
