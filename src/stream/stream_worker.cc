#include "stream/stream_worker.h"

#include <algorithm>
#include <chrono>
#include <new>
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
  idle_.wait(lock, [&] { return std::find(served_.begin(), served_.end(), &stream) == served_.end(); });
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
  std::vector<Stream::Job> jobs;
  std::vector<Stream*> served;
  bool reading = false;
  jobs.reserve(std::min(needy.size(), Decoder::kMostTogether));
  for (const auto& [ahead, stream] : needy) {
    if (!begin_serving(*stream)) continue;
    Stream::Job job;
    const bool wants = stream->begin_step(job);
    // What is read ahead waits for whoever is nearer to silence; a window that is needed now is read beside the others.
    const bool alone = job.kind == Stream::Job::Kind::kReadAhead;
    const bool reads = job.kind == Stream::Job::Kind::kRead;
    if (!wants || (alone && !jobs.empty()) || (reads && reading)) {
      end_serving(*stream);
      continue;
    }
    reading = reading || reads;
    jobs.push_back(std::move(job));
    served.push_back(stream);
    if (alone || jobs.size() == Decoder::kMostTogether) break;
  }
  std::vector<Stream::Job*> computed;
  for (Stream::Job& job : jobs) computed.push_back(&job);
  bool memory = true;
  try {
    compute(computed);
  } catch (const std::bad_alloc&) {
    memory = false;  // as if cancelled: asked again when the worker looks again
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    served[i]->end_step(jobs[i]);
    end_serving(*served[i]);
  }
  return memory && !jobs.empty();
}

// False when it has been removed since: then it is not touched any more.
bool StreamWorker::begin_serving(const Stream& stream) {
  const std::lock_guard lock(mutex_);
  if (std::none_of(streams_.begin(), streams_.end(), [&](const auto& each) { return each.get() == &stream; }))
    return false;
  served_.push_back(&stream);
  return true;
}

void StreamWorker::end_serving(const Stream& stream) {
  {
    const std::lock_guard lock(mutex_);
    std::erase(served_, &stream);
  }
  idle_.notify_all();
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
