// The fast path: a network, one sequence that it reads, and the threads that compute.
// Must not know: what ids mean. Read next: forward.cc (a layer as its steps), forward_reference.cc (the same, plainly).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
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
  /// `contexts`: 2 or more that stay in memory, each of which takes it when it is first used. [worker]
  Decoder(std::shared_ptr<const Network> network, std::shared_ptr<ComputePool> pool, std::size_t contexts = 3);

  [[nodiscard]] const Gpt2Config& config() const { return network_->config(); }
  /// Logits of `rows`, packed, for the id after `context`. Of the contexts in memory that which has most in common with
  /// `context` is kept as far as it agrees and only the rest is read: one more id costs one pass, a step back into a
  /// window that is still there nothing, a new window a prefill. Valid until the next call; empty when cancelled, and
  /// then nothing is lost but the time. Precondition: 1 <= context.size() <= config().context, every id in the
  /// vocabulary.
  ///
  /// `guesses`: ids of the vocabulary that may well come behind the context, one after the other, their chances
  /// falling. Those of which it pays are read in the same pass, kMostGuesses at most, and each that turns out to be
  /// right spares a later call its pass. They never change an answer.
  std::span<float> logits(std::span<const TokenId> context, const RowRanges& rows, std::span<const Guess> guesses = {});

  /// One of several decoders that are asked at once.
  struct Question {
    Decoder* decoder = nullptr;
    std::span<const TokenId> context;
    const RowRanges* rows = nullptr;
    std::span<const Guess> guesses = {};  ///< left out where several share a pass: only one alone gets on faster
    std::span<float> logits = {};         ///< the answer, as logits() gives it
  };
  /// By then the embedded model reads more for each alone, keys and values, than weights for all.
  static constexpr std::size_t kMostTogether = 8;
  /// logits() of several decoders. Those of one network and one pool that lack only the last id of their context read
  /// it together, in one pass through the weights; the answers are the same bits as alone. The pass is given up when
  /// all of these are cancelled. Precondition: no decoder twice.
  static void answer(std::span<Question> questions);

  /// Reads up to `most` ids of what logits() is asked about next, so that whoever computes can look up in between.
  /// Returns how many of `context` remain for logits() to read: at least one, or none where the answer is at hand.
  /// Precondition: as logits().
  std::size_t read_towards(std::span<const TokenId> context, std::size_t most);

  /// Reads up to `most` ids of what logits() will be asked about later, into a context not in use. Returns how many
  /// of `context` remain to be read; none while the context in use is the nearest to it.
  std::size_t read_ahead(std::span<const TokenId> context, std::size_t most);

  /// What keys and values of one id take in memory, in bytes: a pass reads those of the whole context.
  [[nodiscard]] std::size_t cache_bytes_per_id() const { return caches_.front().bytes_per_id(); }

  /// While `*cancel` is true, logits() gives up within a layer's time, as do read_towards and read_ahead. nullptr:
  /// never.
  void set_cancel(const std::atomic<bool>* cancel) { cancel_ = cancel; }

  /// Forgets everything read, reads `ids` and returns their final hidden states: [ids, width]. Valid until the next
  /// call.
  std::span<const float> read_from_start(std::span<const TokenId> ids);

  /// Reads `ids` behind what was read and returns the same of them.
  std::span<const float> read_on(std::span<const TokenId> ids);

  /// What a matrix is about to be multiplied with: `columns` of its inputs for `tokens` ids, [tokens, stride].
  struct Observed {
    int layer;                ///< -1 outside of them
    std::string_view matrix;  ///< "attn_qkv.weight", …, as checkpoint.h names them behind the layer
    IndexRange columns;
    const float* values;
    int stride;
    int tokens;
  };
  /// For quantisers, which measure what a network computes. Called on the threads of the pool, for different columns at
  /// a time. Empty: nobody looks.
  void set_observer(std::function<void(const Observed&)> observer) { observer_ = std::move(observer); }

  /// logits[h · rows.size() + i] = the i-th row of `rows` times the h-th of `count` hidden states [count, width].
  void head(std::span<const float> hidden, int count, const RowRanges& rows, std::span<float> logits);

 private:
  /// Activations [tokens, columns] with what the kernels make of them.
  struct Activations {
    std::vector<float> values;
    std::vector<std::int8_t> quantized;
    std::vector<float> scales;
    std::vector<std::int32_t> sums;
    int columns = 0;

    void resize(int tokens, int width, bool quantizes);
    [[nodiscard]] std::span<float> row(int token);
    void quantize(const KernelSet& kernels, IndexRange tokens);
    [[nodiscard]] ActivationView view() const;
  };
  /// What a thread has for itself.
  struct Scratch {
    std::vector<float> x;  // [tokens, width], the residual stream; that of the first where tokens are shared out
    Activations normed;    // [tokens, width], the same
    std::vector<float> qkv;
    Activations query;   // [tokens, heads of a share · head_width]
    Activations mixed;   // the same: attention's output before its projection
    Activations hidden;  // [tokens, hidden units of a share]
    std::vector<float> scores;
    std::vector<float> edge;  // a panel of logits that is not wanted whole: [hidden states, kPanelRows]
  };
  /// A panel of the output head of which rows are wanted.
  struct HeadPanel {
    int panel;
    std::size_t range;  // the first of the row ranges that reaches into it
    int packed;         // where the logits of its rows begin
  };
  class Pass;

  [[nodiscard]] std::size_t best_cache(std::span<const TokenId> context, std::size_t first) const;
  std::size_t turn_to(std::span<const TokenId> context);
  std::span<const TokenId> to_read(const Question& question, std::size_t known);
  std::span<float> finish(const Question& question, std::size_t known);
  bool read(KvCache& cache, std::span<const TokenId> ids, std::span<float> hidden);
  bool read_current(std::span<const TokenId> ids);

  std::shared_ptr<const Network> network_;
  std::shared_ptr<ComputePool> pool_;
  std::vector<KvCache> caches_;  // the first is the one that logits() read last, the last has been idle for longest
  const std::atomic<bool>* cancel_ = nullptr;
  std::function<void(const Observed&)> observer_;
  // Final hidden states [ids, width] of the latest ids of the current cache, and the position of the first of them.
  std::vector<float> hidden_;
  std::size_t hidden_from_ = 0;
  std::vector<float> read_ahead_;  // the same of what was read into another, which nobody asks for
  std::vector<TokenId> to_read_;
  std::vector<float> logits_;
  std::vector<float> asked_, packed_;  // of several: hidden states and logits
  std::vector<HeadPanel> head_panels_;
  std::vector<Scratch> scratch_;  // one a thread
  // What the shares of attention and of the MLP add to the residual stream: [shares, tokens, width].
  std::vector<float> attention_parts_, mlp_parts_;
  Activations head_input_;
};

}  // namespace midinf
