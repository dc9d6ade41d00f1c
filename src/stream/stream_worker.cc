#include "stream/stream_worker.h"

#include <algorithm>
#include <chrono>
#include <system_error>

namespace midinf {
namespace {

// How often a worker with nothing to do looks whether a playhead has moved on: the audio side must not wake it.
constexpr std::chrono::milliseconds kLookAgain{10};

}  // namespace

StreamWorker::~StreamWorker() {
  stop();
  for (const auto& stream : streams_) stream->set_on_change({});
}

void StreamWorker::add(std::shared_ptr<Stream> stream) {
  stream->set_on_change([this] {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    wake_.notify_one();
  });
  {
    const std::lock_guard lock(mutex_);
    streams_.push_back(std::move(stream));
    woken_ = true;
  }
  wake_.notify_one();
}

void StreamWorker::remove(const Stream& stream) {
  std::shared_ptr<Stream> removed;
  std::unique_lock lock(mutex_);
  const auto found =
      std::find_if(streams_.begin(), streams_.end(), [&](const auto& each) { return each.get() == &stream; });
  if (found == streams_.end()) return;
  removed = std::move(*found);
  streams_.erase(found);
  lock.unlock();
  removed->set_on_change({});
  removed->cancel(true);
  lock.lock();
  idle_.wait(lock, [&] { return served_ != &stream; });
  lock.unlock();
  removed->cancel(false);
}

bool StreamWorker::step() {
  std::vector<std::shared_ptr<Stream>> streams;
  {
    const std::lock_guard lock(mutex_);
    streams = streams_;
  }
  std::vector<std::pair<double, Stream*>> needy;
  for (const auto& stream : streams) needy.emplace_back(stream->seconds_ahead(), stream.get());
  std::sort(needy.begin(), needy.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [ahead, stream] : needy) {
    {
      // It may have been removed since: then it is not touched any more.
      const std::lock_guard lock(mutex_);
      const Stream* const it = stream;
      if (std::none_of(streams_.begin(), streams_.end(), [&](const auto& each) { return each.get() == it; })) continue;
      served_ = stream;
    }
    const bool done = stream->step();
    {
      const std::lock_guard lock(mutex_);
      served_ = nullptr;
    }
    idle_.notify_all();
    if (done) return true;
  }
  return false;
}

bool StreamWorker::start() {
  if (thread_.joinable()) return false;
  stopping_ = false;
  try {
    thread_ = std::thread([this] { serve(); });
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

void StreamWorker::serve() {
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      woken_ = false;
    }
    if (step()) continue;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kLookAgain, [&] { return stopping_ || woken_; });
  }
}

void StreamWorker::stop() {
  if (!thread_.joinable()) return;
  std::vector<std::shared_ptr<Stream>> streams;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    streams = streams_;
  }
  for (const auto& stream : streams) stream->cancel(true);
  wake_.notify_all();
  thread_.join();
  for (const auto& stream : streams) stream->cancel(false);
}

}  // namespace midinf
