#include "stream/stream_worker.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <system_error>
#include <utility>

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

// While it lives, remove() waits for the stream.
class StreamWorker::Serving {
 public:
  // begun() is false when the stream has been removed since: then it is not touched any more.
  Serving(StreamWorker& worker, Stream& stream) : worker_(&worker), stream_(&stream) {
    const std::lock_guard lock(worker.mutex_);
    begun_ = std::any_of(worker.streams_.begin(), worker.streams_.end(),
                         [&](const auto& each) { return each.get() == &stream; });
    if (begun_) worker.served_.push_back(&stream);
  }
  Serving(Serving&& other) noexcept
      : worker_(other.worker_), stream_(other.stream_), begun_(std::exchange(other.begun_, false)) {}
  Serving& operator=(Serving&&) = delete;
  ~Serving() {
    if (!begun_) return;
    {
      const std::lock_guard lock(worker_->mutex_);
      std::erase(worker_->served_, stream_);
    }
    worker_->idle_.notify_all();
  }
  [[nodiscard]] bool begun() const { return begun_; }
  [[nodiscard]] Stream& stream() const { return *stream_; }

 private:
  StreamWorker* worker_;
  Stream* stream_;
  bool begun_ = false;
};

bool StreamWorker::step() {
  try {
    return serve_once();
  } catch (const std::bad_alloc&) {
    return false;  // as if cancelled: asked again when the worker looks again
  }
}

bool StreamWorker::serve_once() {
  std::vector<std::shared_ptr<Stream>> streams;
  {
    const std::lock_guard lock(mutex_);
    streams = streams_;
  }
  std::vector<std::pair<double, Stream*>> needy;
  for (const auto& stream : streams) needy.emplace_back(stream->seconds_ahead(), stream.get());
  std::sort(needy.begin(), needy.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Stream::Job> jobs;
  std::vector<Serving> served;
  jobs.reserve(std::min(needy.size(), Decoder::kMostTogether));
  served.reserve(jobs.capacity());
  bool reading = false;
  for (const auto& [ahead, stream] : needy) {
    Serving serving(*this, *stream);
    if (!serving.begun()) continue;
    Stream::Job job;
    const bool wants = stream->begin_step(job);
    // What is read ahead waits for whoever is nearer to silence; a window that is needed now is read beside the others.
    const bool alone = job.kind == Stream::Job::Kind::kReadAhead;
    const bool reads = job.kind == Stream::Job::Kind::kRead;
    if (!wants || (alone && !jobs.empty()) || (reads && reading)) continue;
    reading = reading || reads;
    jobs.push_back(std::move(job));
    served.push_back(std::move(serving));
    if (alone || jobs.size() == Decoder::kMostTogether) break;
  }
  std::vector<Stream::Job*> computed;
  for (Stream::Job& job : jobs) computed.push_back(&job);
  compute(computed);
  for (std::size_t i = 0; i < jobs.size(); ++i) served[i].stream().end_step(jobs[i]);
  return !jobs.empty();
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
