// What a midinf_model is made of, shared by everything made from it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "base/compute_pool.h"
#include "base/result.h"
#include "model/network.h"
#include "stream/stream_worker.h"

namespace midinf {

/// A network, the threads that compute, and one more that keeps streams ahead, while there is any to serve.
class Engine {
 public:
  Engine(std::shared_ptr<const Network> its_network, int threads, std::uint64_t its_parameters)
      : network(std::move(its_network)), pool(shared_compute_pool(threads)), parameters(its_parameters) {}

  const std::shared_ptr<const Network> network;
  const std::shared_ptr<ComputePool> pool;
  const std::uint64_t parameters;

  /// Errors: kUnsupported when the system gives no thread. [any thread but the worker, as the next]
  Result<void> serve(const std::shared_ptr<Stream>& stream) {
    const std::lock_guard lock(mutex_);
    worker_.add(stream);
    if (served_ == 0 && !worker_.start()) {
      worker_.remove(*stream);
      return fail(ErrorCode::kUnsupported, "the system gives no thread; generate with midinf_stream_step");
    }
    ++served_;
    return {};
  }
  /// Precondition: served.
  void leave(const Stream& stream) {
    const std::lock_guard lock(mutex_);
    worker_.remove(stream);
    if (--served_ == 0) worker_.stop();
  }

 private:
  std::mutex mutex_;  // of what follows
  int served_ = 0;
  StreamWorker worker_;
};

}  // namespace midinf

struct midinf_model {
  std::shared_ptr<midinf::Engine> engine;
};
