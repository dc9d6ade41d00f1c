// One pass: every thread walks through the same layers; between two steps all wait for each other. A thread computes
// whole outputs (heads, rows, tokens), never a part of a sum, which is why the number of threads changes no bit.
#include "model/forward.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "base/spin_wait.h"

namespace midinf {
namespace {

constexpr int kBatch = 256;      // ids per pass: enough to use every weight many times, few enough to stay in the cache
constexpr int kRowMultiple = 8;  // threads' shares of rows are multiples of what the kernels take at once

// The share of one thread in 0..count-1, in multiples of `multiple`.
RowBlock share(int count, int multiple, int thread, int threads) {
  const int units = (count + multiple - 1) / multiple;
  const auto cut = [&](int i) {
    return std::min(count, static_cast<int>(std::int64_t{units} * i / threads) * multiple);
  };
  return {cut(thread), cut(thread + 1)};
}

// Where all threads wait for each other between two steps, and where they learn together that the pass is cancelled.
class StepBarrier {
 public:
  StepBarrier(int threads, const std::atomic<bool>* cancel) : threads_(threads), cancel_(cancel) {}
  // Returns when all have come; false when they are to stop.
  bool wait() {
    const std::uint32_t step = step_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads_ - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      cancelled_ = cancel_ != nullptr && cancel_->load(std::memory_order_relaxed);
      step_.store(step + 1, std::memory_order_release);
      step_.notify_all();
    } else {
      spin_wait(step_, step);
    }
    return !cancelled_;
  }
  [[nodiscard]] bool cancelled() const { return cancelled_; }

 private:
  const int threads_;
  const std::atomic<bool>* cancel_;
  std::atomic<int> arrived_{0};
  std::atomic<std::uint32_t> step_{0};
  bool cancelled_ = false;  // written by the last to come, before it lets the others go
};

template <class Vector>
auto row_of(Vector& values, int row, int width) {
  return std::span(values).subspan(static_cast<std::size_t>(row) * static_cast<std::size_t>(width),
                                   static_cast<std::size_t>(width));
}

}  // namespace

Decoder::Decoder(std::shared_ptr<const Network> network, std::shared_ptr<ComputePool> pool)
    : network_(std::move(network)),
      pool_(std::move(pool)),
      caches_{KvCache(network_->config()), KvCache(network_->config())} {
  scores_.resize(static_cast<std::size_t>(pool_->threads()) * static_cast<std::size_t>(config().context));
}

bool Decoder::read_batch(KvCache& cache, std::span<const TokenId> ids, std::span<float> hidden) {
  const Gpt2Config& shape = config();
  const KernelSet& kernels = network_->kernels();
  const int width = shape.width, head_width = shape.head_width();
  const int tokens = static_cast<int>(ids.size());
  const int first = cache.length();
  const auto resize = [&](std::vector<float>& values, int columns) {
    values.resize(static_cast<std::size_t>(tokens) * static_cast<std::size_t>(columns));
  };
  resize(x_, width), resize(normed_, width), resize(qkv_, 3 * width), resize(mixed_, width), resize(added_, width);
  resize(mlp_, shape.mlp_width());
  cache.append(ids);

  StepBarrier barrier(pool_->threads(), cancel_);
  pool_->run([&](int thread) {
    const int threads = pool_->threads();
    const RowBlock my_tokens = share(tokens, 1, thread, threads);
    const RowBlock my_heads = share(shape.heads, 1, thread, threads);
    const RowBlock my_rows = share(width, kRowMultiple, thread, threads);
    const RowBlock my_mlp_rows = share(shape.mlp_width(), kRowMultiple, thread, threads);
    const auto scores = row_of(scores_, thread, shape.context);

    const auto embed = [&] {
      for (int t = my_tokens.begin; t < my_tokens.end; ++t) {
        const auto x = row_of(x_, t, width), position = row_of(normed_, t, width);
        read_row(network_->token_embedding(), ids[static_cast<std::size_t>(t)], x);
        read_row(network_->position_embedding(), first + t, position);
        for (std::size_t i = 0; i < x.size(); ++i) x[i] += position[i];
      }
    };
    const auto normalise = [&](const Network::Norm& norm, auto& out) {
      for (int t = my_tokens.begin; t < my_tokens.end; ++t)
        kernels.layer_norm(row_of(x_, t, width), norm.weight, norm.bias, shape.layer_norm_epsilon,
                           row_of(out, t, width));
    };
    const auto multiply = [&](const Network::Linear& linear, RowBlock rows, const std::vector<float>& in,
                              std::vector<float>& out) {
      kernels.multiply(linear.weight, rows, linear.bias, in, tokens, out.data() + rows.begin, linear.weight.rows);
    };
    const auto attend_heads = [&](int layer, const Network::Linear& linear) {
      for (int head = my_heads.begin; head < my_heads.end; ++head) {
        const int begin = head * head_width, end = begin + head_width;
        for (const int part : {0, width, 2 * width}) multiply(linear, {part + begin, part + end}, normed_, qkv_);
        for (int t = 0; t < tokens; ++t) {
          const float* qkv = &qkv_[static_cast<std::size_t>(t) * static_cast<std::size_t>(3 * width)];
          std::copy(qkv + width + begin, qkv + width + end, cache.key(layer, head, first + t).data());
          std::copy(qkv + 2 * width + begin, qkv + 2 * width + end, cache.value(layer, head, first + t).data());
          const int seen = first + t + 1;
          kernels.attend(
              {qkv + begin, static_cast<std::size_t>(head_width)}, cache.keys(layer, head, seen),
              cache.values(layer, head, seen), scores.first(static_cast<std::size_t>(seen)),
              row_of(mixed_, t, width).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(head_width)));
        }
      }
    };
    const auto add_to_stream = [&](const Network::Linear& linear, const std::vector<float>& in) {
      multiply(linear, my_rows, in, added_);
      for (int t = 0; t < tokens; ++t) {
        const auto x = row_of(x_, t, width), added = row_of(added_, t, width);
        for (auto i = static_cast<std::size_t>(my_rows.begin); i < static_cast<std::size_t>(my_rows.end); ++i)
          x[i] += added[i];
      }
    };
    const auto expand_mlp = [&](const Network::Linear& linear) {
      multiply(linear, my_mlp_rows, normed_, mlp_);
      for (int t = 0; t < tokens; ++t)
        kernels.gelu(row_of(mlp_, t, shape.mlp_width())
                         .subspan(static_cast<std::size_t>(my_mlp_rows.begin),
                                  static_cast<std::size_t>(my_mlp_rows.end - my_mlp_rows.begin)));
    };

    embed();
    for (int i = 0; i < shape.layers; ++i) {
      const Network::Layer& layer = network_->layers()[static_cast<std::size_t>(i)];
      normalise(layer.attention_norm, normed_);
      if (!barrier.wait()) return;
      attend_heads(i, layer.qkv);
      if (!barrier.wait()) return;
      add_to_stream(layer.attention_output, mixed_);
      if (!barrier.wait()) return;
      normalise(layer.mlp_norm, normed_);
      if (!barrier.wait()) return;
      expand_mlp(layer.mlp_up);
      if (!barrier.wait()) return;
      add_to_stream(layer.mlp_down, mlp_);
      if (!barrier.wait()) return;
    }
    normalise(network_->output_norm(), hidden);
  });
  if (barrier.cancelled()) cache.truncate(first);
  return !barrier.cancelled();
}

bool Decoder::read(KvCache& cache, std::span<const TokenId> ids, std::span<float> hidden) {
  for (const TokenId id : ids) MIDINF_ASSERT(id >= 0 && id < config().vocabulary);
  const auto width = static_cast<std::size_t>(config().width);
  while (!ids.empty()) {
    const std::size_t now = std::min<std::size_t>(ids.size(), kBatch);
    if (!read_batch(cache, ids.first(now), hidden.first(now * width))) return false;
    ids = ids.subspan(now);
    hidden = hidden.subspan(now * width);
  }
  return true;
}

namespace {

// How many of the first ids of `context` the cache holds; `most` at most.
std::size_t common_prefix(const KvCache& cache, std::span<const TokenId> context, std::size_t most) {
  const auto held = cache.ids().first(std::min(cache.ids().size(), most));
  return static_cast<std::size_t>(std::mismatch(held.begin(), held.end(), context.begin()).first - held.begin());
}

}  // namespace

std::span<float> Decoder::logits(std::span<const TokenId> context, const RowRanges& rows) {
  MIDINF_ASSERT(!context.empty() && context.size() <= static_cast<std::size_t>(config().context));
  // The last id is read again even when it is known: its hidden state is not kept.
  const std::size_t most = context.size() - 1;
  const std::size_t here = common_prefix(caches_[current_], context, most);
  const std::size_t there = common_prefix(caches_[1 - current_], context, most);
  // A new window goes where less is lost by it: the one before it stays for a step back.
  const bool loses = here < static_cast<std::size_t>(caches_[current_].length());
  if (there > here || (there == here && loses)) current_ = 1 - current_;
  KvCache& cache = caches_[current_];
  const std::size_t common = std::max(here, there);
  cache.truncate(static_cast<int>(common));
  const auto width = static_cast<std::size_t>(config().width);
  hidden_.resize((context.size() - common) * width);
  if (!read(cache, context.subspan(common), hidden_)) return {};
  logits_.resize(static_cast<std::size_t>(rows.size()));
  head(std::span(hidden_).last(width), 1, rows, logits_);
  return logits_;
}

std::size_t Decoder::read_ahead(std::span<const TokenId> context, std::size_t most) {
  MIDINF_ASSERT(context.size() <= static_cast<std::size_t>(config().context));
  KvCache& cache = caches_[1 - current_];
  const std::size_t common = common_prefix(cache, context, context.size());
  const auto unread = context.subspan(common);
  if (most > 0 && !unread.empty()) {
    cache.truncate(static_cast<int>(common));
    const auto now = unread.first(std::min(unread.size(), most));
    hidden_.resize(now.size() * static_cast<std::size_t>(config().width));
    read(cache, now, hidden_);
    return context.size() - static_cast<std::size_t>(cache.length());
  }
  return unread.size();
}

std::span<const float> Decoder::read_from_start(std::span<const TokenId> ids) {
  caches_[current_].truncate(0);
  hidden_.resize(ids.size() * static_cast<std::size_t>(config().width));
  read(caches_[current_], ids, hidden_);
  return hidden_;
}

void Decoder::head(std::span<const float> hidden, int count, const RowRanges& rows, std::span<float> logits) {
  const int total = rows.size();
  MIDINF_ASSERT(logits.size() == static_cast<std::size_t>(total) * static_cast<std::size_t>(count));
  pool_->run([&](int thread) {
    const RowBlock mine = share(total, kRowMultiple, thread, pool_->threads());
    int packed = 0;  // where the range's first row stands among the packed ones
    for (const RowRange& range : rows.ranges()) {
      const int begin = std::max(mine.begin, packed), end = std::min(mine.end, packed + range.size());
      if (begin < end)
        network_->kernels().multiply(network_->token_embedding(),
                                     {range.begin + begin - packed, range.begin + end - packed}, {}, hidden, count,
                                     logits.data() + begin, total);
      packed += range.size();
    }
  });
}

}  // namespace midinf
