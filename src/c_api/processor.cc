#include "c_api/processor.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

namespace midinf {
namespace {

// Logits beyond this say nothing more, and what comes after must be able to divide them by a small temperature.
constexpr float kMostLogit = 1e30F;

std::vector<int32_t> ids_of(const RowRanges& rows) {
  std::vector<int32_t> ids;
  ids.reserve(static_cast<std::size_t>(rows.size()));
  for (const RowRange& range : rows.ranges())
    for (TokenId id = range.begin; id < range.end; ++id) ids.push_back(id);
  return ids;
}

midinf_event event_of(const Triplet& t) {
  return {t.onset, t.duration, t.note};
}

// A StepContext as C sees it.
class Step {
 public:
  explicit Step(const StepContext& context) {
    history_.reserve(context.history.size());
    for (const Triplet& event : context.history) history_.push_back(event_of(event));
    step_ = {.struct_size = sizeof step_,
             .history = history_.data(),
             .history_count = history_.size(),
             .window_events = context.window_events,
             .window_origin = context.window_origin.count(),
             .now = context.now.count(),
             .slot = static_cast<midinf_slot>(context.slot),
             .drawn = event_of(context.drawn)};
  }
  [[nodiscard]] const midinf_step* get() const { return &step_; }

 private:
  std::vector<midinf_event> history_;
  midinf_step step_{};
};

}  // namespace

void CallbackProcessor::narrow(const StepContext& context, RowRanges& allowed) const {
  if (callbacks_.narrow == nullptr) return;
  const Step step(context);
  const std::vector<int32_t> ids = ids_of(allowed);
  const std::unique_ptr<bool[]> forbid(new bool[ids.size()]());
  callbacks_.narrow(callbacks_.user, step.get(), ids.data(), ids.size(), forbid.get());
  const auto* forbidden = reinterpret_cast<const unsigned char*>(forbid.get());  // C may have put anything there
  RowRanges kept;
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (forbidden[i] == 0) kept.add({ids[i], ids[i] + 1});
  if (!kept.empty()) allowed = std::move(kept);
}

void CallbackProcessor::edit(const StepContext& context, const RowRanges& allowed, std::span<float> logits) const {
  if (callbacks_.edit == nullptr) return;
  const Step step(context);
  const std::vector<int32_t> ids = ids_of(allowed);
  const std::vector<float> before(logits.begin(), logits.end());
  callbacks_.edit(callbacks_.user, step.get(), ids.data(), logits.data(), ids.size());
  bool any = false;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i]) || logits[i] == INFINITY) logits[i] = before[i];
    if (std::isinf(logits[i])) continue;
    logits[i] = std::clamp(logits[i], -kMostLogit, kMostLogit);
    any = true;
  }
  if (!any) std::copy(before.begin(), before.end(), logits.begin());
}

}  // namespace midinf
