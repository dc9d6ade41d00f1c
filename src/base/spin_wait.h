// Waiting for another thread that is microseconds away, without burning a processor when it is not.
// Read next: compute_pool.cc, model/forward.cc (StepBarrier).
#pragma once

#include <atomic>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace midinf {

/// Returns when `value` is no longer `old`. A matrix-vector product takes some ten microseconds, waking a sleeping
/// thread about as long: spins for some tens of microseconds, then sleeps, so that on a busy machine the thread that is
/// waited for gets the processor. Whoever changes the value calls notify_all on it.
template <class T>
void spin_wait(const std::atomic<T>& value, T old) {
  constexpr int kSpins = 2'000;
  for (int spins = 0; spins < kSpins; ++spins) {
    if (value.load(std::memory_order_acquire) != old) return;
#if defined(__x86_64__)
    _mm_pause();
#endif
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

}  // namespace midinf
