// Waiting for another thread that is microseconds away, without burning a processor when it is not.
// Read next: compute_pool.cc, model/forward.cc (StepBarrier).
#pragma once

#include <atomic>
#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace midinf {

/// Returns when `value` is no longer `old`. A matrix-vector product takes some ten microseconds, waking a sleeping
/// thread about as long: spins for some tens of microseconds, then sleeps, so that on a busy machine the thread that is
/// waited for gets the processor. Whoever changes the value calls notify_all on it. Returns how long it slept.
template <class T>
std::chrono::nanoseconds spin_wait(const std::atomic<T>& value, T old) {
  using Clock = std::chrono::steady_clock;
#if defined(__EMSCRIPTEN__)
  constexpr std::chrono::microseconds kSpinFor{1'000};  // browsers take hundreds to wake a worker
#else
  constexpr std::chrono::microseconds kSpinFor{50};
#endif
  constexpr int kSpinsPerLook = 64;  // at the clock: a pause takes 10 to 140 cycles, processors differ
  const auto spin = [&] {
    for (int spins = 0; spins < kSpinsPerLook; ++spins) {
      if (value.load(std::memory_order_acquire) != old) return true;
#if defined(__x86_64__)
      _mm_pause();
#elif defined(__aarch64__)
      __asm__ volatile("isb" ::: "memory");
#endif
    }
    return false;
  };
  if (spin()) return {};  // mostly; in WebAssembly looking at the clock is a call into JavaScript
  const auto until = Clock::now() + kSpinFor;
  do {
    if (spin()) return {};
  } while (Clock::now() < until);
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
  return Clock::now() - until;
}

}  // namespace midinf
