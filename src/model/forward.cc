// One pass: every thread walks through the same layers. A layer is two steps, attention and MLP, and between two steps
// all threads wait for each other. In a step a thread computes whole shares (network.h), from the normed input to what
// the share adds to the residual stream, and never a part of a sum: the number of threads changes no bit.
#include "model/forward.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/shares.h"
#include "base/spin_wait.h"

namespace midinf {
namespace {

constexpr int kBatch = 256;  // ids per pass: enough to use every weight many times, few enough to stay in the cache
// Ids that contexts which have nothing to do with each other may have in common: music often begins alike. To read so
// many again takes no time worth a context.
constexpr std::size_t kByChance = 48;
constexpr int kTokensAttended = 16;   // whose scores are in the works at once
constexpr int kFewTokens = 8;         // of a pass whose time says how fast its threads are
constexpr float kMostOneMore = 0.8F;  // what one more id costs at most, whatever KernelSet::one_more says

// Where all threads wait for each other between two steps, and where they learn together that nobody wants the pass any
// more.
class StepBarrier {
 public:
  StepBarrier(int threads, std::vector<const std::atomic<bool>*> cancels)
      : threads_(threads), cancels_(std::move(cancels)) {}
  // Returns when all have come; false when they are to stop.
  bool wait() {
    const std::uint32_t step = step_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads_ - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      cancelled_ = failed_.load(std::memory_order_relaxed) ||
                   std::all_of(cancels_.begin(), cancels_.end(), [](const std::atomic<bool>* cancel) {
                     return cancel != nullptr && cancel->load(std::memory_order_relaxed);
                   });
      step_.store(step + 1, std::memory_order_release);
      step_.notify_all();
    } else {
      waited_.fetch_add(spin_wait(step_, step).count(), std::memory_order_relaxed);
    }
    return !cancelled_;
  }
  // In place of wait(), for a thread that cannot go on: then all are to stop.
  void fail() {
    failed_.store(true, std::memory_order_relaxed);
    wait();
  }
  [[nodiscard]] bool cancelled() const { return cancelled_; }
  // How long they slept for each other, all together.
  [[nodiscard]] std::chrono::nanoseconds waited() const { return std::chrono::nanoseconds(waited_.load()); }

 private:
  const int threads_;
  const std::vector<const std::atomic<bool>*> cancels_;
  std::atomic<int> arrived_{0};
  std::atomic<std::uint32_t> step_{0};
  std::atomic<std::int64_t> waited_{0};  // nanoseconds
  std::atomic<bool> failed_{false};
  bool cancelled_ = false;  // written by the last to come, before it lets the others go
};

}  // namespace

void Decoder::Activations::resize(int tokens, int width, bool quantizes) {
  columns = width;
  const auto count = static_cast<std::size_t>(tokens) * static_cast<std::size_t>(width);
  values.resize(count);
  const std::size_t rounded = quantizes && width % kQuantBlock == 0 ? count : 0;
  quantized.resize(rounded), scales.resize(rounded / kQuantBlock), sums.resize(rounded / kQuantBlock);
}

std::span<float> Decoder::Activations::row(int token) {
  const auto width = static_cast<std::size_t>(columns);
  return std::span(values).subspan(static_cast<std::size_t>(token) * width, width);
}

void Decoder::Activations::quantize(const KernelSet& kernels, IndexRange tokens) {
  if (quantized.empty()) return;
  const auto at = static_cast<std::size_t>(tokens.begin) * static_cast<std::size_t>(columns);
  kernels.quantize(&values[at], tokens.size() * columns, kMostActivation, &quantized[at], &scales[at / kQuantBlock],
                   &sums[at / kQuantBlock]);
}

ActivationView Decoder::Activations::view() const {
  if (quantized.empty()) return {.values = values.data(), .stride = columns};
  return {values.data(), quantized.data(), scales.data(), sums.data(), columns};
}

Decoder::Decoder(std::shared_ptr<const Network> network, std::shared_ptr<ComputePool> pool, std::size_t contexts)
    : network_(std::move(network)),
      pool_(std::move(pool)),
      caches_(contexts, KvCache(network_->config(), network_->quantizes_cache())),
      scratch_(static_cast<std::size_t>(pool_->threads())) {}

// What all threads of one pass know. `decoder` lends its memory; the ids may belong to others too.
class Decoder::Pass {
 public:
  struct Sequence {
    KvCache* cache;
    std::span<const TokenId> ids;  // to be read behind what it holds
  };

  Pass(Decoder& decoder, std::span<const Sequence> sequences, std::vector<const std::atomic<bool>*> cancels)
      : decoder_(decoder),
        network_(*decoder.network_),
        kernels_(network_.kernels()),
        shape_(network_.config()),
        part_width_((shape_.width + kPanelRows - 1) / kPanelRows * kPanelRows),
        threads_(decoder.pool_->ready()),
        sequences_(sequences),
        barrier_(threads_, std::move(cancels)) {
    for (const Sequence& sequence : sequences_) {
      sequence.cache->allocate();
      int position = sequence.cache->length();
      for (const TokenId id : sequence.ids) {
        MIDINF_ASSERT(id >= 0 && id < shape_.vocabulary && position < shape_.context);
        tokens_.push_back({sequence.cache, id, position++});
      }
    }
    allocate();
  }

  // Final hidden states to `hidden` [tokens, width]. False: cancelled. Then, and when a thread throws, the caches are
  // as they were.
  bool run(std::span<float> hidden) {
    std::chrono::steady_clock::time_point began;  // when its turn has come
    decoder_.pool_->run(threads_, [&](int thread) {
      if (thread == 0) began = std::chrono::steady_clock::now();
      try {
        walk(thread, hidden);
      } catch (...) {
        barrier_.fail();  // nothing behind the last one throws
        throw;
      }
    });
    if (barrier_.cancelled()) return false;
    decoder_.pool_->report(threads_, work(), std::chrono::steady_clock::now() - began, barrier_.waited());
    for (const Sequence& sequence : sequences_) sequence.cache->append(sequence.ids);
    return true;
  }

 private:
  struct Token {
    KvCache* cache;
    TokenId id;
    int position;
  };

  // What a pass of few ids costs beside others, this network's or another's; those of many are too few to compare.
  [[nodiscard]] double work() const {
    if (count() > kFewTokens) return 0;
    const double more = std::min(kernels_.one_more, kMostOneMore);
    return (1 + more * (count() - 1)) * shape_.layers * shape_.width * shape_.width;
  }

  // What the threads need, so that they do not ask for memory on their way.
  void allocate() {
    const auto tokens = tokens_.size();
    const auto all = static_cast<std::size_t>(Network::kMostShares) * static_cast<std::size_t>(count() * part_width_);
    for (auto* parts : {&decoder_.attention_parts_, &decoder_.mlp_parts_}) parts->resize(all);
    int heads = 0, qkv = 0, hidden = 0, last = 0;
    for (const Network::Share& share : network_.layers().front().shares) {
      heads = std::max(heads, share.heads.size());
      qkv = std::max(qkv, share.qkv.panels() * kPanelRows);
      hidden = std::max(hidden, share.mlp_up.panels() * kPanelRows);
    }
    for (const Token& token : tokens_) last = std::max(last, token.position);
    const auto positions = static_cast<std::size_t>(last / kPanelRows + 1) * kPanelRows;
    for (int thread = 0; thread < threads_; ++thread) {
      Scratch& mine = decoder_.scratch_[static_cast<std::size_t>(thread)];
      if (thread == 0 || alone()) {
        mine.x.resize(tokens * static_cast<std::size_t>(shape_.width));
        mine.normed.resize(count(), shape_.width, network_.quantizes());
      }
      mine.qkv.resize(tokens * static_cast<std::size_t>(qkv));
      mine.query.resize(count(), heads * shape_.head_width(), token(0).cache->quantized());
      mine.mixed.resize(count(), heads * shape_.head_width(), network_.quantizes());
      mine.hidden.resize(count(), hidden, network_.quantizes());
      mine.scores.resize(std::min<std::size_t>(tokens, kTokensAttended) * positions);
    }
  }

  [[nodiscard]] int count() const { return static_cast<int>(tokens_.size()); }
  [[nodiscard]] const Token& token(int t) const { return tokens_[static_cast<std::size_t>(t)]; }
  // One id is so little that every thread keeps the residual stream for itself rather than wait for others once more.
  [[nodiscard]] bool alone() const { return count() == 1; }
  Scratch& stream(int thread) { return decoder_.scratch_[alone() ? 0U + static_cast<std::size_t>(thread) : 0U]; }

  void walk(int thread, std::span<float> hidden) {
    const IndexRange tokens = alone() ? IndexRange{0, 1} : share(count(), 1, thread, threads_);
    embed(thread, tokens);
    const std::vector<float>* added = nullptr;
    std::size_t shares = 0;
    for (int i = 0; i < shape_.layers; ++i) {
      const Network::Layer& layer = network_.layers()[static_cast<std::size_t>(i)];
      const auto each_of_mine = [&](auto&& compute) {
        const IndexRange mine = share(static_cast<int>(layer.shares.size()), 1, thread, threads_);
        for (int s = mine.begin; s < mine.end; ++s) compute(layer.shares[static_cast<std::size_t>(s)], s);
      };
      if (!begin_step(thread, tokens, added, shares, layer.attention_norm)) return;
      each_of_mine(
          [&](const Network::Share& share, int s) { attend(thread, i, share, s, part(decoder_.attention_parts_, s)); });
      if (!barrier_.wait()) return;
      shares = layer.shares.size();
      if (!begin_step(thread, tokens, &decoder_.attention_parts_, shares, layer.mlp_norm)) return;
      each_of_mine([&](const Network::Share& share, int s) { mlp(thread, i, share, s, part(decoder_.mlp_parts_, s)); });
      if (!barrier_.wait()) return;
      added = &decoder_.mlp_parts_;
    }
    if (alone() && thread > 0) return;
    for (int t = tokens.begin; t < tokens.end; ++t) {
      add(thread, t, added, shares);
      normalise(thread, t, network_.output_norm(), row(hidden, t));
    }
  }

  template <class Floats>
  [[nodiscard]] std::span<float> row(Floats&& values, int token) const {
    const auto width = static_cast<std::size_t>(shape_.width);
    return std::span<float>(values).subspan(static_cast<std::size_t>(token) * width, width);
  }
  float* part(std::vector<float>& parts, int share) const {
    return &parts[static_cast<std::size_t>(share) * static_cast<std::size_t>(count() * part_width_)];
  }

  void embed(int thread, IndexRange tokens) {
    Scratch& mine = stream(thread);
    for (int t = tokens.begin; t < tokens.end; ++t) {
      const auto x = row(mine.x, t), position = mine.normed.row(t);
      read_row(network_.token_embedding(), token(t).id, x);
      read_row(network_.position_embedding(), token(t).position, position);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += position[i];
    }
  }

  // x += what the shares of the step before have to add, in order.
  void add(int thread, int t, const std::vector<float>* parts, std::size_t shares) {
    if (parts == nullptr) return;
    const auto x = row(stream(thread).x, t);
    for (std::size_t s = 0; s < shares; ++s) {
      const float* part =
          parts->data() + (s * tokens_.size() + static_cast<std::size_t>(t)) * static_cast<std::size_t>(part_width_);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += part[i];
    }
  }
  void normalise(int thread, int token, const Network::Norm& norm, std::span<float> out) {
    kernels_.layer_norm(row(stream(thread).x, token), norm.weight, norm.bias, shape_.layer_norm_epsilon, out);
  }
  // The input of a step, for this thread or, of many tokens, by all for all.
  bool begin_step(int thread, IndexRange tokens, const std::vector<float>* added, std::size_t shares,
                  const Network::Norm& norm) {
    Activations& normed = stream(thread).normed;
    for (int t = tokens.begin; t < tokens.end; ++t) {
      add(thread, t, added, shares);
      normalise(thread, t, norm, normed.row(t));
    }
    normed.quantize(kernels_, tokens);
    return alone() || barrier_.wait();
  }

  void multiply(const PanelMatrix& w, const float* bias, const ActivationView& x, float* y, int y_stride) {
    kernels_.multiply(w, {0, w.panels()}, bias, x, count(), y, y_stride);
  }

  void observe(int layer, std::string_view matrix, IndexRange columns, const Activations& inputs) {
    if (decoder_.observer_) decoder_.observer_({layer, matrix, columns, inputs.values.data(), inputs.columns, count()});
  }

  // Share `s` of attention, all tokens.
  void attend(int thread, int layer, const Network::Share& share, int s, float* out) {
    Scratch& mine = decoder_.scratch_[static_cast<std::size_t>(thread)];
    const int head_width = shape_.head_width(), heads = share.heads.size(), width = heads * head_width;
    const int stride = share.qkv.panels() * kPanelRows;
    if (s == 0) observe(layer, "attn_qkv.weight", {0, shape_.width}, stream(thread).normed);
    multiply(share.qkv, share.qkv_bias, stream(thread).normed.view(), mine.qkv.data(), stride);

    mine.query.resize(count(), width, token(0).cache->quantized());
    mine.mixed.resize(count(), width, network_.quantizes());
    for (int t = 0; t < count(); ++t) {
      const float* qkv = &mine.qkv[static_cast<std::size_t>(t) * static_cast<std::size_t>(stride)];
      std::copy(qkv, qkv + width, mine.query.row(t).data());
      for (int h = 0; h < heads; ++h)
        token(t).cache->put(layer, share.heads.begin + h, token(t).position, kernels_, qkv + width + h * head_width,
                            qkv + 2 * width + h * head_width);
    }
    mine.query.quantize(kernels_, {0, count()});
    for (int t = 0, together; t < count(); t += together) {
      // Those behind it in the same sequence look at the same keys.
      for (together = 1; t + together < count() && together < kTokensAttended; ++together)
        if (token(t + together).cache != token(t).cache) break;
      for (int h = 0; h < heads; ++h) attend_head(mine, layer, share.heads.begin + h, h * head_width, t, together);
    }
    observe(layer, "attn_output.weight", {share.heads.begin * head_width, share.heads.end * head_width}, mine.mixed);
    mine.mixed.quantize(kernels_, {0, count()});
    multiply(share.attention_output, share.attention_output_bias, mine.mixed.view(), out, part_width_);
  }

  // out[t] = Σ_p softmax_p(q_t · keys[p] / √head_width) · values[p] over the positions up to t's own.
  void attend_head(Scratch& mine, int layer, int head, int column, int from, int tokens) {
    const int head_width = shape_.head_width();
    const Token& first = token(from);
    const PanelMatrix keys = first.cache->keys(layer, head);
    const ValueView values = first.cache->values(layer, head);
    const int panels = (first.position + tokens + kPanelRows - 1) / kPanelRows, stride = panels * kPanelRows;
    kernels_.multiply(keys, {0, panels}, nullptr, mine.query.view().from(column).token(from), tokens,
                      mine.scores.data(), stride);
    const float scale = 1.0F / std::sqrt(static_cast<float>(head_width));
    std::array<float, kTokensAttended> inverse;
    for (int t = 0; t < tokens; ++t)
      inverse[static_cast<std::size_t>(t)] =
          kernels_.softmax(std::span(mine.scores)
                               .subspan(static_cast<std::size_t>(t) * static_cast<std::size_t>(stride),
                                        static_cast<std::size_t>(first.position + t + 1)),
                           scale);
    const MixWeights weights{mine.scores.data(), stride, first.position + 1, tokens, inverse.data(),
                             mine.mixed.columns};
    kernels_.mix(values, weights, head_width, mine.mixed.row(from).data() + column);
  }

  // Share `s` of the MLP, all tokens.
  void mlp(int thread, int layer, const Network::Share& share, int s, float* out) {
    Activations& hidden = decoder_.scratch_[static_cast<std::size_t>(thread)].hidden;
    const int stride = share.mlp_up.panels() * kPanelRows;
    hidden.resize(count(), stride, network_.quantizes());
    if (s == 0) observe(layer, "ffn_up.weight", {0, shape_.width}, stream(thread).normed);
    multiply(share.mlp_up, share.mlp_up_bias, stream(thread).normed.view(), hidden.values.data(), stride);
    kernels_.gelu(hidden.values);
    observe(layer, "ffn_down.weight", share.hidden, hidden);
    hidden.quantize(kernels_, {0, count()});
    multiply(share.mlp_down, share.mlp_down_bias, hidden.view(), out, part_width_);
  }

  Decoder& decoder_;
  const Network& network_;
  const KernelSet& kernels_;
  const Gpt2Config& shape_;
  std::vector<Token> tokens_;
  const int part_width_;  // of a row of parts: whole panels
  const int threads_;
  const std::span<const Sequence> sequences_;
  StepBarrier barrier_;
};

bool Decoder::read(KvCache& cache, std::span<const TokenId> ids, std::span<float> hidden) {
  const auto width = static_cast<std::size_t>(config().width);
  while (!ids.empty()) {
    const std::size_t now = std::min<std::size_t>(ids.size(), kBatch);
    const Pass::Sequence sequence{&cache, ids.first(now)};
    if (!Pass(*this, {&sequence, 1}, {cancel_}).run(hidden.first(now * width))) return false;
    if (observer_)
      observer_({-1, "token_embd.weight", {0, config().width}, hidden.data(), config().width, static_cast<int>(now)});
    ids = ids.subspan(now);
    hidden = hidden.subspan(now * width);
  }
  return true;
}

namespace {

IndexRange panels_of(const RowRange& rows) {
  return {rows.begin / kPanelRows, (rows.end + kPanelRows - 1) / kPanelRows};
}

// How many of the first ids of `context` the cache holds; `most` at most.
std::size_t common_prefix(const KvCache& cache, std::span<const TokenId> context, std::size_t most) {
  const auto held = cache.ids().first(std::min(cache.ids().size(), most));
  return static_cast<std::size_t>(std::mismatch(held.begin(), held.end(), context.begin()).first - held.begin());
}

}  // namespace

// The cache from `first` on that has most of `context`; rather than that a window is lost for what agrees by chance,
// one that holds next to nothing, or else the one that has been idle for longest.
std::size_t Decoder::best_cache(std::span<const TokenId> context, std::size_t first) const {
  const auto common = [&](std::size_t i) { return common_prefix(caches_[i], context, context.size()); };
  const auto held = [&](std::size_t i) { return static_cast<std::size_t>(caches_[i].length()); };
  std::size_t best = first;
  for (std::size_t i = first + 1; i < caches_.size(); ++i)
    if (common(i) > common(best)) best = i;
  // Wrong guesses do not make a window another one.
  if (common(best) + kMostGuesses >= held(best) || common(best) > kByChance) return best;
  for (std::size_t i = first; i < caches_.size(); ++i)
    if (held(i) <= kByChance) return i;
  return caches_.size() - 1;
}

// Makes the best cache the current one, and forgets what differs. Returns how many ids are known: all if the hidden
// state of the last is still there, or else never the last, which is read again even when it is.
std::size_t Decoder::turn_to(std::span<const TokenId> context) {
  MIDINF_ASSERT(!context.empty() && context.size() <= static_cast<std::size_t>(config().context));
  if (const std::size_t best = best_cache(context, 0); best != 0) {
    std::rotate(caches_.begin(), caches_.begin() + static_cast<std::ptrdiff_t>(best),
                caches_.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    hidden_.clear();
  }
  const std::size_t known = common_prefix(caches_.front(), context, context.size());
  const std::size_t states = hidden_.size() / static_cast<std::size_t>(config().width);
  if (known == context.size() && known > hidden_from_ && known <= hidden_from_ + states) return known;
  const std::size_t kept = std::min(known, context.size() - 1);
  caches_.front().truncate(static_cast<int>(kept));  // what replaces it replaces hidden_ too
  return kept;
}

// What a pass has to read of a question, and behind it the guesses that pay.
std::span<const TokenId> Decoder::to_read(const Question& question, std::size_t known) {
  to_read_.assign(question.context.begin() + static_cast<std::ptrdiff_t>(known), question.context.end());
  const std::size_t room = static_cast<std::size_t>(config().context) - question.context.size();
  for (const Guess& guess : question.guesses.first(std::min({question.guesses.size(), room, kMostGuesses}))) {
    if (guess.chance < network_->kernels().one_more) break;
    to_read_.push_back(guess.id);
  }
  return to_read_;
}

std::span<float> Decoder::finish(const Question& question, std::size_t known) {
  const bool answered = known == question.context.size();
  if (answered ? cancel_ != nullptr && *cancel_ : !read_current(to_read(question, known))) return {};
  const auto width = static_cast<std::size_t>(config().width);
  const std::size_t last = question.context.size() - 1 - hidden_from_;
  logits_.resize(static_cast<std::size_t>(question.rows->size()));
  head(std::span(hidden_).subspan(last * width, width), 1, *question.rows, logits_);
  return logits_;
}

std::span<float> Decoder::logits(std::span<const TokenId> context, const RowRanges& rows,
                                 std::span<const Guess> guesses) {
  return finish({this, context, &rows, guesses}, turn_to(context));
}

void Decoder::answer(std::span<Question> questions) {
  std::vector<Question*> together;
  for (Question& question : questions) {
    question.logits = {};
    const Decoder& decoder = *question.decoder;
    const std::size_t known = question.decoder->turn_to(question.context);
    const bool fits = together.empty() || (decoder.network_ == together.front()->decoder->network_ &&
                                           decoder.pool_ == together.front()->decoder->pool_);
    if (fits && known + 1 == question.context.size())
      together.push_back(&question);
    else
      question.logits = question.decoder->finish(question, known);
  }
  if (together.empty()) return;
  if (together.size() == 1) {
    Question& only = *together.front();
    only.logits = only.decoder->finish(only, only.context.size() - 1);
    return;
  }
  // In an order in which those that want the same rows of the head follow each other; equals as they were asked.
  const auto place = [](const Question* q) { return std::pair(q->rows->ranges().front().begin, q); };
  std::sort(together.begin(), together.end(),
            [&](const Question* a, const Question* b) { return place(a) < place(b); });
  Decoder& lender = *together.front()->decoder;
  std::vector<Pass::Sequence> sequences;
  std::vector<const std::atomic<bool>*> cancels;
  for (const Question* question : together) {
    Decoder& decoder = *question->decoder;
    sequences.push_back({&decoder.caches_.front(), question->context.last(1)});
    cancels.push_back(decoder.cancel_);
    decoder.hidden_.clear();
  }
  const auto width = static_cast<std::size_t>(lender.config().width);
  lender.asked_.resize(together.size() * width);
  if (!Pass(lender, sequences, std::move(cancels)).run(lender.asked_)) return;
  for (std::size_t first = 0, last; first < together.size(); first = last) {
    // Rows that several want are read once: all that overlap share a product.
    RowRanges rows = *together[first]->rows;
    for (last = first + 1; last < together.size(); ++last) {
      if (together[last]->rows->ranges().front().begin >= rows.ranges().back().end) break;
      rows.unite(*together[last]->rows);
    }
    const std::size_t count = last - first, all = static_cast<std::size_t>(rows.size());
    lender.packed_.resize(count * all);
    lender.head(std::span(lender.asked_).subspan(first * width, count * width), static_cast<int>(count), rows,
                lender.packed_);
    for (std::size_t i = 0; i < count; ++i) {
      Question& question = *together[first + i];
      std::vector<float>& logits = question.decoder->logits_;
      logits.clear();
      auto from = lender.packed_.begin() + static_cast<std::ptrdiff_t>(i * all);
      auto united = rows.ranges().begin();
      for (const RowRange& range : question.rows->ranges()) {
        for (; united->end < range.end; ++united) from += united->size();
        const auto begin = from + (range.begin - united->begin);
        logits.insert(logits.end(), begin, begin + range.size());
      }
      question.logits = logits;
    }
  }
}

std::size_t Decoder::read_towards(std::span<const TokenId> context, std::size_t most) {
  const std::size_t known = turn_to(context);
  if (known == context.size()) return 0;
  const std::size_t now = std::min(context.size() - 1 - known, most);
  if (now > 0) read_current(context.subspan(known, now));
  return context.size() - static_cast<std::size_t>(caches_.front().length());
}

std::size_t Decoder::read_ahead(std::span<const TokenId> context, std::size_t most) {
  MIDINF_ASSERT(context.size() <= static_cast<std::size_t>(config().context));
  if (best_cache(context, 0) == 0) return 0;
  KvCache& cache = caches_[best_cache(context, 1)];
  const std::size_t common = common_prefix(cache, context, context.size());
  const auto unread = context.subspan(common);
  if (most > 0 && !unread.empty()) {
    cache.truncate(static_cast<int>(common));
    const auto now = unread.first(std::min(unread.size(), most));
    read_ahead_.resize(now.size() * static_cast<std::size_t>(config().width));
    read(cache, now, read_ahead_);
    return context.size() - static_cast<std::size_t>(cache.length());
  }
  return unread.size();
}

std::span<const float> Decoder::read_from_start(std::span<const TokenId> ids) {
  caches_.front().truncate(0);
  return read_on(ids);
}

std::span<const float> Decoder::read_on(std::span<const TokenId> ids) {
  read_current(ids);
  return hidden_;
}

// Reads `ids` behind what the current cache holds. False: cancelled.
bool Decoder::read_current(std::span<const TokenId> ids) {
  hidden_from_ = static_cast<std::size_t>(caches_.front().length());
  hidden_.resize(ids.size() * static_cast<std::size_t>(config().width));
  const bool done = read(caches_.front(), ids, hidden_);
  if (!done) hidden_.clear();
  return done;
}

void Decoder::head(std::span<const float> hidden, int count, const RowRanges& rows, std::span<float> logits) {
  const int total = rows.size();
  const PanelMatrix& matrix = network_->token_embedding();
  MIDINF_ASSERT(logits.size() == static_cast<std::size_t>(total) * static_cast<std::size_t>(count));
  head_input_.resize(count, config().width, network_->quantizes());
  std::copy(hidden.begin(), hidden.end(), head_input_.values.begin());
  head_input_.quantize(network_->kernels(), {0, count});
  head_panels_.clear();
  for (std::size_t r = 0, packed = 0; const RowRange& range : rows.ranges()) {
    const IndexRange panels = panels_of(range);
    for (int p = panels.begin; p < panels.end; ++p)
      if (head_panels_.empty() || head_panels_.back().panel != p)
        head_panels_.push_back({p, r, static_cast<int>(packed) + std::max(p * kPanelRows - range.begin, 0)});
    packed += static_cast<std::size_t>(range.size()), ++r;
  }
  const std::size_t edge_size = static_cast<std::size_t>(count) * kPanelRows;
  for (Scratch& scratch : scratch_) scratch.edge.resize(std::max(scratch.edge.size(), edge_size));
  const int threads = pool_->ready();
  pool_->run(threads, [&](int thread) {
    std::vector<float>& edge = scratch_[static_cast<std::size_t>(thread)].edge;
    const IndexRange mine = share(static_cast<int>(head_panels_.size()), 1, thread, threads);
    for (int i = mine.begin; i < mine.end; ++i) {
      const HeadPanel& wanted = head_panels_[static_cast<std::size_t>(i)];
      const IndexRange panel{wanted.panel * kPanelRows, (wanted.panel + 1) * kPanelRows};
      const auto multiply = [&](float* out, int stride) {
        network_->kernels().multiply(matrix, {wanted.panel, wanted.panel + 1}, nullptr, head_input_.view(), count, out,
                                     stride);
      };
      float* out = logits.data() + wanted.packed;
      const auto ranges = rows.ranges().subspan(wanted.range);
      if (ranges.front().begin <= panel.begin && panel.end <= ranges.front().end) {
        multiply(out, total);
        continue;
      }
      // Of this panel some rows are not wanted.
      multiply(edge.data(), kPanelRows);
      for (const RowRange& range : ranges) {
        if (range.begin >= panel.end) break;
        const int from = std::max(range.begin, panel.begin), to = std::min(range.end, panel.end);
        for (int h = 0; h < count; ++h)
          std::copy_n(&edge[static_cast<std::size_t>(h * kPanelRows + from - panel.begin)], to - from,
                      out + static_cast<std::ptrdiff_t>(h) * total);
        out += to - from;
      }
    }
  });
}

}  // namespace midinf
