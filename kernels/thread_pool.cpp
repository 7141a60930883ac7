#include "thread_pool.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#if defined(_WIN32)
#include <process.h>
#define getpid _getpid
#else
#include <unistd.h>
#endif

namespace ondevice {
namespace {

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// Kernels follow each other within some hundred microseconds, and waking a sleeping
// thread takes tens of them, in a virtual machine more: wait awake for about a
// millisecond, then sleep.
constexpr int SPINS = 20000;

constexpr uint64_t CLOSED = 0xffffffff;  // the next job of a round that has none: lower half

class Pool {
 public:
  explicit Pool(int threads) : owner(getpid()) {
    for (int i = 1; i < threads; ++i) workers.emplace_back([this] { work(); });
  }

  ~Pool() {
    {
      std::lock_guard lock(mutex);
      stopping.store(true, std::memory_order_release);
      jobs.store(0, std::memory_order_relaxed);
      ticket.store(((ticket.load(std::memory_order_relaxed) >> 32) + 1) << 32,
                   std::memory_order_release);
    }
    wake.notify_all();
    for (auto& worker : workers) worker.join();
  }

  int size() const { return int(workers.size()) + 1; }

  void run(int64_t jobs, Job job, const void* context) {
    {
      std::lock_guard lock(mutex);
      const uint64_t round = this->round();
      ticket.store(round << 32 | CLOSED, std::memory_order_relaxed);
      finished.store(0, std::memory_order_relaxed);
      this->job.store(job, std::memory_order_release);
      this->context.store(context, std::memory_order_release);
      this->jobs.store(jobs, std::memory_order_release);
      ticket.store((round + 1) << 32, std::memory_order_release);
    }
    wake.notify_all();
    take_jobs();
    // Only jobs are waited for, never threads: where other programs keep the processors busy, a
    // worker that has not woken up yet is not needed any more.
    for (int spin = 0; finished.load(std::memory_order_acquire) < jobs; ++spin) {
      if (spin < SPINS) {
        pause();
        continue;
      }
      std::unique_lock lock(mutex);
      done.wait(lock, [&] { return finished.load(std::memory_order_acquire) == jobs; });
    }
  }

  const int owner;  // the process that the threads live in: a fork has none of them

 private:
  // Claims jobs one after the other until none is left. A late worker cannot claim a job of one
  // round with what it read of another: the ticket is closed before the next round is written,
  // so whoever has read a part of that cannot exchange the old ticket any more.
  void take_jobs() {
    for (;;) {
      uint64_t seen = ticket.load(std::memory_order_acquire);
      const Job job = this->job.load(std::memory_order_acquire);
      const void* context = this->context.load(std::memory_order_acquire);
      const int64_t jobs = this->jobs.load(std::memory_order_acquire);
      const int64_t index = int64_t(seen & CLOSED);
      if (index >= jobs) return;
      if (!ticket.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel)) continue;
      job(context, index);
      if (finished.fetch_add(1, std::memory_order_acq_rel) + 1 == jobs) {
        std::lock_guard lock(mutex);
        done.notify_one();
      }
    }
  }

  uint64_t round() const { return ticket.load(std::memory_order_acquire) >> 32; }

  void work() {
    for (uint64_t seen = 0;;) {
      for (int spin = 0; spin < SPINS && round() == seen; ++spin) pause();
      if (round() == seen) {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return round() != seen; });
      }
      seen = round();
      if (stopping.load(std::memory_order_acquire)) return;
      take_jobs();
    }
  }

  std::vector<std::thread> workers;
  std::mutex mutex;
  std::condition_variable wake, done;
  std::atomic<uint64_t> ticket{0};  // round in the upper half, next job of it in the lower
  std::atomic<int64_t> finished{0};
  std::atomic<bool> stopping{false};
  std::atomic<Job> job{nullptr};
  std::atomic<const void*> context{nullptr};
  std::atomic<int64_t> jobs{0};
};

std::mutex entrance;  // one kernel at a time has the threads
int wanted = 0;       // 0: one thread per processor
Pool* pool = nullptr; // never freed at exit: threads must not be joined in a dying process

int thread_count() {
  if (wanted > 0) return wanted;
  // Asked once: on Linux the answer is read from a file, and this is called for every kernel.
  static const int processors = int(std::thread::hardware_concurrency());
  return processors > 0 ? processors : 1;
}

Pool& ready_pool() {
  const bool forked = pool && pool->owner != int(getpid());
  if (forked) pool = nullptr;  // its threads stayed in the parent
  if (pool && pool->size() != thread_count()) {
    delete pool;
    pool = nullptr;
  }
  if (!pool) pool = new Pool(thread_count());
  return *pool;
}

}  // namespace

void set_threads(int n) {
  std::lock_guard lock(entrance);
  wanted = n;
}

int threads() {
  std::lock_guard lock(entrance);
  return thread_count();
}

void run_jobs(int64_t jobs, Job job, const void* context) {
  std::lock_guard lock(entrance);
  if (jobs <= 1 || thread_count() == 1) {
    for (int64_t j = 0; j < jobs; ++j) job(context, j);
    return;
  }
  ready_pool().run(jobs, job, context);
}

}  // namespace ondevice
