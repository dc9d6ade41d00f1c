// The fast path: a network, one sequence that it reads, and the threads that compute.
// Must not know: what ids mean. Read next: forward.cc (a layer as its steps), forward_reference.cc (the same, plainly).
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "base/compute_pool.h"
#include "base/row_ranges.h"
#include "model/kv_cache.h"
#include "model/network.h"

namespace midinf {

/// Reads ids and answers with logits. Results are the same bits for any number of threads and however the ids are cut
/// into calls: reading a window at once and id by id agree exactly, so dropping and reading again changes nothing.
/// [worker]
class Decoder {
 public:
  Decoder(std::shared_ptr<const Network> network, std::shared_ptr<ComputePool> pool);

  [[nodiscard]] const Gpt2Config& config() const { return network_->config(); }
  /// Logits of `rows`, packed, for the id after `context`. Two contexts stay in memory: that of them which has more in
  /// common with `context` is kept as far as it agrees and only the rest is read: one more id costs one pass, a step
  /// back into the window before the last slide nothing, a new window a prefill. Valid until the next call; empty when
  /// cancelled, and then nothing is lost but the time. Precondition: 1 <= context.size() <= config().context, every id
  /// in the vocabulary.
  std::span<float> logits(std::span<const TokenId> context, const RowRanges& rows);

  /// Reads up to `most` ids of what logits() will be asked about later, into the context not in use. Returns how many
  /// of `context` remain to be read.
  std::size_t read_ahead(std::span<const TokenId> context, std::size_t most);

  /// While `*cancel` is true, logits() gives up within a layer's time, as does read_ahead. nullptr: never.
  void set_cancel(const std::atomic<bool>* cancel) { cancel_ = cancel; }

  /// Forgets everything read, reads `ids` and returns their final hidden states: [ids, width]. Valid until the next
  /// call.
  std::span<const float> read_from_start(std::span<const TokenId> ids);

  /// logits[h · rows.size() + i] = the i-th row of `rows` times the h-th of `count` hidden states [count, width].
  void head(std::span<const float> hidden, int count, const RowRanges& rows, std::span<float> logits);

 private:
  bool read(KvCache& cache, std::span<const TokenId> ids, std::span<float> hidden);
  bool read_batch(KvCache& cache, std::span<const TokenId> ids, std::span<float> hidden);

  std::shared_ptr<const Network> network_;
  std::shared_ptr<ComputePool> pool_;
  std::array<KvCache, 2> caches_;
  std::size_t current_ = 0;  // the one that logits() read last
  const std::atomic<bool>* cancel_ = nullptr;
  std::vector<float> hidden_;  // [ids of the last call, width]
  std::vector<float> logits_;

  // Activations of one batch of at most kBatch ids.
  std::vector<float> x_;       // [batch, width], the residual stream
  std::vector<float> normed_;  // [batch, width]
  std::vector<float> qkv_;     // [batch, 3 · width]
  std::vector<float> mixed_;   // [batch, width], attention's output before its projection
  std::vector<float> added_;   // [batch, width], what a block adds to the residual stream
  std::vector<float> mlp_;     // [batch, 4 · width]
  std::vector<float> scores_;  // [threads, context]
};

}  // namespace midinf
