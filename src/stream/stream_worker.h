// The thread that keeps streams ahead of their listeners. One a model is enough: the stream with the least ahead is
// served first, and others that are due are computed with it, in one pass through the weights.
// Read next: stream.h.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "stream/stream.h"

namespace midinf {

/// Serves any number of streams, on a thread of its own or step by step where there are no threads.
class StreamWorker {
 public:
  StreamWorker() = default;
  /// Stops the thread.
  ~StreamWorker();
  StreamWorker(const StreamWorker&) = delete;
  StreamWorker& operator=(const StreamWorker&) = delete;

  /// [any thread]
  void add(std::shared_ptr<Stream> stream);
  /// Returns when the stream is no longer being served. [any thread but the worker]
  void remove(const Stream& stream);

  /// Serves the neediest stream once, and with it some of the others that want music. False when none has anything to
  /// do, or there was no memory for it: then nothing is lost. [worker: not while the thread runs]
  bool step();
  /// Starts the thread; false when the system gives none, or it runs. [main]
  bool start();
  /// Cancels what is being computed and ends the thread. [main]
  void stop();

 private:
  class Serving;

  void serve();
  bool serve_once();

  std::mutex mutex_;  // of streams_ and what follows
  std::condition_variable wake_, idle_;
  std::vector<std::shared_ptr<Stream>> streams_;
  std::vector<const Stream*> served_;  // at the moment
  bool stopping_ = false;
  bool woken_ = false;
  std::thread thread_;
};

}  // namespace midinf
