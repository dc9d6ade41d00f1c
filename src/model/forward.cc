// One pass: every thread walks through the same layers; between two steps all wait for each other. A thread computes
// whole outputs (heads, rows, tokens), never a part of a sum, which is why the number of threads changes no bit.
#include "model/forward.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

// Waits until all threads have come, spinning: the steps between are microseconds. Gives the processor away when it has
// been waiting for long, since another thread may need it to arrive.
class StepBarrier {
 public:
  explicit StepBarrier(int threads) : threads_(threads) {}
  void wait() {
    if (threads_ == 1) return;
    const unsigned step = step_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads_ - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      step_.store(step + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; step_.load(std::memory_order_acquire) == step; ++spins) {
      if (spins > 2000) {
        std::this_thread::yield();
        continue;
      }
#if defined(__x86_64__)
      _mm_pause();
#endif
    }
  }

 private:
  const int threads_;
  std::atomic<int> arrived_{0};
  std::atomic<unsigned> step_{0};
};

template <class Vector>
auto row_of(Vector& values, int row, int width) {
  return std::span(values).subspan(static_cast<std::size_t>(row) * static_cast<std::size_t>(width),
                                   static_cast<std::size_t>(width));
}

}  // namespace

Decoder::Decoder(std::shared_ptr<const Network> network, std::shared_ptr<ComputePool> pool)
    : network_(std::move(network)), pool_(std::move(pool)), cache_(network_->config()) {
  scores_.resize(static_cast<std::size_t>(pool_->threads()) * static_cast<std::size_t>(config().context));
}

void Decoder::read_batch(std::span<const TokenId> ids, std::span<float> hidden) {
  const Gpt2Config& shape = config();
  const KernelSet& kernels = network_->kernels();
  const int width = shape.width, head_width = shape.head_width();
  const int tokens = static_cast<int>(ids.size());
  const int first = cache_.length();
  const auto resize = [&](std::vector<float>& values, int columns) {
    values.resize(static_cast<std::size_t>(tokens) * static_cast<std::size_t>(columns));
  };
  resize(x_, width), resize(normed_, width), resize(qkv_, 3 * width), resize(mixed_, width), resize(added_, width);
  resize(mlp_, shape.mlp_width());
  cache_.append(ids);

  StepBarrier barrier(pool_->threads());
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
          std::copy(qkv + width + begin, qkv + width + end, cache_.key(layer, head, first + t).data());
          std::copy(qkv + 2 * width + begin, qkv + 2 * width + end, cache_.value(layer, head, first + t).data());
          const int seen = first + t + 1;
          kernels.attend(
              {qkv + begin, static_cast<std::size_t>(head_width)}, cache_.keys(layer, head, seen),
              cache_.values(layer, head, seen), scores.first(static_cast<std::size_t>(seen)),
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
      barrier.wait();
      attend_heads(i, layer.qkv);
      barrier.wait();
      add_to_stream(layer.attention_output, mixed_);
      barrier.wait();
      normalise(layer.mlp_norm, normed_);
      barrier.wait();
      expand_mlp(layer.mlp_up);
      barrier.wait();
      add_to_stream(layer.mlp_down, mlp_);
      barrier.wait();
    }
    normalise(network_->output_norm(), hidden);
  });
}

void Decoder::read(std::span<const TokenId> ids, std::span<float> hidden) {
  for (const TokenId id : ids) MIDINF_ASSERT(id >= 0 && id < config().vocabulary);
  const auto width = static_cast<std::size_t>(config().width);
  while (!ids.empty()) {
    const std::size_t now = std::min<std::size_t>(ids.size(), kBatch);
    read_batch(ids.first(now), hidden.first(now * width));
    ids = ids.subspan(now);
    hidden = hidden.subspan(now * width);
  }
}

std::span<float> Decoder::logits(std::span<const TokenId> context, const RowRanges& rows) {
  MIDINF_ASSERT(!context.empty() && context.size() <= static_cast<std::size_t>(config().context));
  // The last id is read again even when it is known: its hidden state is not kept.
  const std::size_t most = std::min(cache_.ids().size(), context.size() - 1);
  const auto held = cache_.ids().first(most);
  const std::size_t common =
      static_cast<std::size_t>(std::mismatch(held.begin(), held.end(), context.begin()).first - held.begin());
  cache_.truncate(static_cast<int>(common));
  const auto width = static_cast<std::size_t>(config().width);
  hidden_.resize((context.size() - common) * width);
  read(context.subspan(common), hidden_);
  logits_.resize(static_cast<std::size_t>(rows.size()));
  head(std::span(hidden_).last(width), 1, rows, logits_);
  return logits_;
}

std::span<const float> Decoder::read_from_start(std::span<const TokenId> ids) {
  cache_.truncate(0);
  hidden_.resize(ids.size() * static_cast<std::size_t>(config().width));
  read(ids, hidden_);
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
