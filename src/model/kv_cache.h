// What attention remembers of the ids read so far: one key and one value vector per id, head and layer.
// Read next: forward.cc, which fills it.
#pragma once

#include <span>
#include <vector>

#include "base/token.h"
#include "model/config.h"

namespace midinf {

/// Keys and values of one sequence, and its ids. Dropping the last ids is free; a copy costs length() · 8 · width ·
/// layers bytes. Float32. [worker]
class KvCache {
 public:
  explicit KvCache(const Gpt2Config& config);

  [[nodiscard]] int length() const { return static_cast<int>(ids_.size()); }
  [[nodiscard]] std::span<const TokenId> ids() const { return ids_; }
  /// Forgets all but the first `length` ids. Precondition: 0 <= length <= length().
  void truncate(int length);
  /// Makes room for `ids` behind those held; whoever calls this must fill their keys and values.
  void append(std::span<const TokenId> ids);

  /// The first `positions` keys (values) of one head: [positions, head_width].
  [[nodiscard]] std::span<const float> keys(int layer, int head, int positions) const;
  [[nodiscard]] std::span<const float> values(int layer, int head, int positions) const;
  /// One of them, to be filled: [head_width].
  [[nodiscard]] std::span<float> key(int layer, int head, int position);
  [[nodiscard]] std::span<float> value(int layer, int head, int position);

 private:
  [[nodiscard]] std::size_t offset(int layer, int head, int position) const;

  int heads_, head_width_, context_;
  std::size_t size_;  // floats of all keys; allocated with the first id
  std::vector<TokenId> ids_;
  std::vector<float> keys_, values_;  // [layers, heads, context, head_width]
};

}  // namespace midinf
