// What attention remembers of the ids read so far: one key and one value vector per id, head and layer.
// Read next: forward.cc, which fills it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/token.h"
#include "kernels/kernels.h"
#include "model/config.h"

namespace midinf {

/// Keys and values of one sequence, and its ids. Dropping the last ids is free. Keys lie in panels, as the rows of a
/// matrix that is multiplied by queries, values one after the other. Float32, or int8 with a scale for each 32: 8 or 2
/// and 3/16 bytes per id, layer and unit of width. [worker]
class KvCache {
 public:
  /// `quantized` takes effect where a head is a multiple of 32 wide.
  KvCache(const Gpt2Config& config, bool quantized);

  [[nodiscard]] int length() const { return static_cast<int>(ids_.size()); }
  [[nodiscard]] std::span<const TokenId> ids() const { return ids_; }
  [[nodiscard]] bool quantized() const { return quantized_; }
  /// What one id takes in all layers, in bytes.
  [[nodiscard]] std::size_t bytes_per_id() const;
  /// Forgets all but the first `length` ids. Precondition: 0 <= length <= length().
  void truncate(int length);
  /// Takes the memory for a whole context, if that has not happened yet.
  void allocate();
  /// Holds `ids` too from now on, behind those held, whose keys and values have been put. Precondition: allocate().
  void append(std::span<const TokenId> ids);

  /// The keys of one head: [context, head_width]; those not put yet are anything.
  [[nodiscard]] PanelMatrix keys(int layer, int head) const;
  /// The values of one head: [context, head_width].
  [[nodiscard]] ValueView values(int layer, int head) const;
  /// key, value: [head_width].
  void put(int layer, int head, int position, const KernelSet& kernels, const float* key, const float* value);

 private:
  [[nodiscard]] std::size_t head_index(int layer, int head) const {
    return static_cast<std::size_t>(layer * heads_ + head);
  }

  int layers_, heads_, head_width_, context_;
  bool quantized_;
  std::vector<TokenId> ids_;
  // Per layer and head; allocated with the first id.
  std::size_t key_bytes_;
  std::vector<std::byte> keys_;
  std::vector<float> values_;                  // [context, head_width], or
  std::vector<std::int8_t> quantized_values_;  // [context, head_width]
  std::vector<float> scales_;                  // [context, head_width / kQuantBlock]
};

}  // namespace midinf
