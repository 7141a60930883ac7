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

// Kernels follow each other within microseconds, and waking a sleeping thread
// takes tens of them: wait awake for about that long, then sleep.
constexpr int SPINS = 2000;

class Pool {
 public:
  explicit Pool(int threads) : owner(getpid()) {
    for (int i = 1; i < threads; ++i) workers.emplace_back([this] { work(); });
  }

  ~Pool() {
    {
      std::lock_guard lock(mutex);
      stopping = true;
      ++round;
    }
    wake.notify_all();
    for (auto& worker : workers) worker.join();
  }

  int size() const { return int(workers.size()) + 1; }

  void run(int64_t jobs, Job job, const void* context) {
    {
      std::lock_guard lock(mutex);
      this->job = job;
      this->context = context;
      this->jobs = jobs;
      next.store(0, std::memory_order_relaxed);
      busy.store(int(workers.size()), std::memory_order_relaxed);
      round.fetch_add(1, std::memory_order_release);
    }
    wake.notify_all();
    take_jobs();
    for (int spin = 0; busy.load(std::memory_order_acquire) > 0; ++spin) {
      if (spin < SPINS) {
        pause();
        continue;
      }
      std::unique_lock lock(mutex);
      done.wait(lock, [this] { return busy.load(std::memory_order_acquire) == 0; });
    }
  }

  const int owner;  // the process that the threads live in: a fork has none of them

 private:
  void take_jobs() {
    for (int64_t j; (j = next.fetch_add(1, std::memory_order_relaxed)) < jobs;) job(context, j);
  }

  void work() {
    for (uint64_t seen = 0;;) {
      for (int spin = 0; spin < SPINS && round.load(std::memory_order_acquire) == seen; ++spin)
        pause();
      if (round.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return round.load(std::memory_order_acquire) != seen; });
      }
      seen = round.load(std::memory_order_acquire);
      if (stopping) return;
      take_jobs();
      if (busy.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        std::lock_guard lock(mutex);
        done.notify_one();
      }
    }
  }

  std::vector<std::thread> workers;
  std::mutex mutex;
  std::condition_variable wake, done;
  std::atomic<uint64_t> round{0};
  std::atomic<int64_t> next{0};
  std::atomic<int> busy{0};
  bool stopping = false;
  Job job = nullptr;
  const void* context = nullptr;
  int64_t jobs = 0;
};

std::mutex entrance;  // one kernel at a time has the threads
int wanted = 0;       // 0: one thread per processor
Pool* pool = nullptr; // never freed at exit: threads must not be joined in a dying process

int thread_count() {
  if (wanted > 0) return wanted;
  const int processors = int(std::thread::hardware_concurrency());
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
