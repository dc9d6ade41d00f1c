// Shows that the audio side allocates nothing, locks nothing and makes no system call. This program replaces the
// allocator and pthread_mutex_lock by ones that count, a counter a thread; each proof comes with a test that it fails
// when it should. Under a sanitizer, which replaces the same functions, only operator new is counted.

#include <gtest/gtest.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "stream/note_queue.h"
#include "stream/scheduler.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MIDINF_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MIDINF_SANITIZED 1
#endif
#if defined(__GLIBC__) && !defined(MIDINF_SANITIZED)
#define MIDINF_INTERPOSES 1
#include <dlfcn.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace {
// Volatile, for compilers know that operator new changes nothing a program can see.
thread_local volatile std::uint64_t allocations = 0;  // and frees
thread_local volatile std::uint64_t locks = 0;
}  // namespace

#ifdef MIDINF_INTERPOSES
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t size) {
  allocations = allocations + 1;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  allocations = allocations + 1;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  allocations = allocations + 1;
  return __libc_realloc(memory, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  allocations = allocations + 1;
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return memalign(alignment, size);
}
void free(void* memory) {
  allocations = allocations + 1;
  __libc_free(memory);
}
int pthread_mutex_lock(pthread_mutex_t* mutex) {
  using Lock = int (*)(pthread_mutex_t*);
  static const Lock real = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  locks = locks + 1;
  return real(mutex);
}
}
#else
void* operator new(std::size_t size) {
  allocations = allocations + 1;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {  // inlined, g++ takes it for a mismatch
  allocations = allocations + 1;
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  allocations = allocations + 1;
  std::free(memory);
}
#endif

namespace midinf {
namespace {

struct Counted {
  std::uint64_t allocations = 0;
  std::uint64_t locks = 0;
};

template <class Work>
Counted count_during(Work&& work) {
  const Counted before{allocations, locks};
  work();
  return {allocations - before.allocations, locks - before.locks};
}

// Hours of random music, and everything that may happen to it; only the audio side's calls are handed to `audio`.
class Session {
 public:
  Session() : scheduler_({.sample_rate = 48'000, .pending = 256}, queue_, controls_), out_(16) {}

  template <class Audio>
  void play(int blocks, Audio&& audio) {
    for (int i = 0; i < blocks; ++i) {
      prepare();
      audio([&] { scheduler_.process(512, out_); });
    }
  }
  [[nodiscard]] const Scheduler& scheduler() const { return scheduler_; }
  [[nodiscard]] std::uint64_t notes() const { return event_; }

 private:
  int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }

  // The other threads' part.
  void prepare() {
    const auto push = [&](const QueueMessage& message) { static_cast<void>(queue_.try_push(message)); };
    const std::int64_t now = scheduler_.playhead().count();
    if (below(500) == 0) push(QueueMessage::cut_from(Ticks10ms(onset_ = now + 30 - below(60))));
    if (below(2000) == 0) push(QueueMessage::seek(Ticks10ms(onset_ = below(1'000'000))));
    if (below(800) != 0 && onset_ < now + 400) {
      for (int i = below(12); i > 0; --i) {
        push(QueueMessage::note(
            {Ticks10ms(onset_), Ticks10ms(below(200)), static_cast<std::uint8_t>(below(kInstruments)),
             static_cast<std::uint8_t>(below(128)), 90},
            event_++));
        onset_ += below(2) * below(10);
      }
      push(QueueMessage::reach(Ticks10ms(onset_)));
    }
    if (below(3000) == 0) onset_ += 500;  // a hole, then notes late or an underrun
    if (below(200) == 0) controls_.speed = 250 + below(3751);
    if (below(200) == 0) controls_.transpose = below(73) - 36;
    if (below(50) == 0)
      controls_.volume[static_cast<std::size_t>(below(kInstruments))] = static_cast<std::uint8_t>(below(128));
    if (below(50) == 0) controls_.muted[static_cast<std::size_t>(below(kInstruments))] = below(3) == 0;
    if (below(200) == 0) controls_.playing = below(5) != 0;
    if (below(1000) == 0) controls_.panic();
  }

  std::mt19937 random_{7};
  NoteQueue queue_{512};
  LiveControls controls_;
  Scheduler scheduler_;
  std::vector<MidiMessage> out_;
  std::int64_t onset_ = 0;
  std::uint64_t event_ = 0;
};

TEST(SchedulerRealTime, AllocatesAndLocksNothingInHoursOfMusic) {
  Session session;
  Counted total;
#ifdef MIDINF_SANITIZED
  constexpr int kMinutes = 15;  // slow, and the proof is the other builds'
#else
  constexpr int kMinutes = 180;
#endif
  session.play(kMinutes * 60 * 48'000 / 512, [&](const auto& process) {
    const Counted counted = count_during(process);
    total.allocations += counted.allocations;
    total.locks += counted.locks;
  });
  EXPECT_EQ(total.allocations, 0U);
  EXPECT_EQ(total.locks, 0U);
  EXPECT_GT(session.notes(), 10'000U);
  EXPECT_GT(session.scheduler().seeks(), 10U);
  EXPECT_GT(session.scheduler().underruns(), 10U);
  EXPECT_GT(session.scheduler().late(), 0U);
  EXPECT_GT(session.scheduler().dropped(), 0U);
  EXPECT_GT(session.scheduler().stolen(), 100U);
}

TEST(SchedulerRealTime, TheCounterSeesAllocations) {
  std::vector<int> vector;
  EXPECT_GT(count_during([&] { vector.push_back(1); }).allocations, 0U);
  EXPECT_GT(count_during([&] { vector = std::vector<int>(); }).allocations, 0U) << "frees too";
  std::shared_ptr<std::string> text;
  EXPECT_GT(count_during([&] { text = std::make_shared<std::string>(100, 'x'); }).allocations, 1U);
  EXPECT_EQ(text->size(), 100U);
#ifdef MIDINF_INTERPOSES
  void* volatile memory = nullptr;
  EXPECT_GT(count_during([&] { memory = std::malloc(8); }).allocations, 0U);
  EXPECT_GT(count_during([&] { memory = std::realloc(memory, 4000); }).allocations, 0U);
  std::free(memory);
#endif
}

#ifdef MIDINF_INTERPOSES

TEST(SchedulerRealTime, TheCounterSeesLocks) {
  std::mutex mutex;
  EXPECT_EQ(count_during([&] { const std::lock_guard lock(mutex); }).locks, 1U);
}

// Runs `work` in a child process that the kernel kills at its first system call. Whether it lived, or why it is not
// known.
enum class Fate { kLived, kKilled, kUnknown };
template <class Work>
Fate run_without_system_calls(Work&& work) {
  constexpr int kNotAllowed = 3;
  const pid_t child = fork();
  if (child < 0) return Fate::kUnknown;
  if (child == 0) {
    if (prctl(PR_SET_SECCOMP, 1 /* SECCOMP_MODE_STRICT */) != 0) _exit(kNotAllowed);
    work();
    syscall(SYS_exit, 0);  // the only way out that strict mode allows
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return Fate::kUnknown;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return Fate::kKilled;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? Fate::kLived : Fate::kUnknown;
}

TEST(SchedulerRealTime, MakesNoSystemCall) {
  Session session;
  const Fate fate = run_without_system_calls([&] { session.play(50'000, [](const auto& process) { process(); }); });
  if (fate == Fate::kUnknown) GTEST_SKIP() << "this system does not let a process give up system calls";
  EXPECT_EQ(fate, Fate::kLived);
}

TEST(SchedulerRealTime, ASystemCallIsNoticed) {
  const Fate fate = run_without_system_calls([] { static_cast<void>(syscall(SYS_getpid)); });
  if (fate == Fate::kUnknown) GTEST_SKIP() << "this system does not let a process give up system calls";
  EXPECT_EQ(fate, Fate::kKilled);
}

#endif

}  // namespace
}  // namespace midinf
