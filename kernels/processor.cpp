#include "processor.h"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>

#if defined(__x86_64__) || defined(_M_X64)
#define ON_X86 1
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) || defined(_M_ARM64)
#define ON_ARM 1
#if defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#endif

namespace ondevice {
namespace {

struct Features {
  bool avx2 = false, fma = false, f16c = false;
  bool avx512f = false, avx512bw = false, avx512vl = false, avx512dq = false, avx512bf16 = false;
  bool amx_tile = false, amx_bf16 = false;
  bool neon = false, arm_bf16 = false;
};

#if defined(ON_X86)

struct Registers {
  uint32_t eax, ebx, ecx, edx;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r{};
#if defined(_MSC_VER)
  int out[4];
  __cpuidex(out, static_cast<int>(leaf), static_cast<int>(subleaf));
  r = {uint32_t(out[0]), uint32_t(out[1]), uint32_t(out[2]), uint32_t(out[3])};
#else
  __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
#endif
  return r;
}

// XCR0: which register state the operating system saves on a context switch.
uint64_t saved_state() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t(high) << 32) | low;
#endif
}

// Linux saves the tile registers only for processes that asked for it.
bool may_use_tiles() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr int REQUEST_PERMISSION = 0x1023, TILE_DATA = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE
  return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
  return false;
#endif
}

bool bit(uint32_t word, int i) { return (word >> i) & 1; }

Features detect() {
  Features f;
  const uint32_t leaves = cpuid(0, 0).eax;
  const Registers one = cpuid(1, 0);
  const bool os_uses_xsave = bit(one.ecx, 27);
  if (leaves < 7 || !os_uses_xsave) return f;

  const uint64_t state = saved_state();
  const bool ymm = (state & 0x06) == 0x06;         // xmm and upper halves of ymm
  const bool zmm = ymm && (state & 0xe0) == 0xe0;  // mask registers, zmm0-15, zmm16-31
  const Registers seven = cpuid(7, 0);
  f.fma = ymm && bit(one.ecx, 12);
  f.f16c = ymm && bit(one.ecx, 29);
  f.avx2 = ymm && bit(one.ecx, 28) && bit(seven.ebx, 5);
  f.avx512f = zmm && bit(seven.ebx, 16);
  f.avx512dq = zmm && bit(seven.ebx, 17);
  f.avx512bw = zmm && bit(seven.ebx, 30);
  f.avx512vl = zmm && bit(seven.ebx, 31);
  f.avx512bf16 = zmm && seven.eax >= 1 && bit(cpuid(7, 1).eax, 5);
  const bool tiles = (state & 0x60000) == 0x60000;  // their configuration, their content
  if (tiles && bit(seven.edx, 24) && may_use_tiles()) {
    f.amx_tile = true;
    f.amx_bf16 = bit(seven.edx, 22);
  }
  return f;
}

#elif defined(ON_ARM)

Features detect() {
  Features f;
  f.neon = true;  // part of every 64-bit ARM
#if defined(__APPLE__)
  int has = 0;
  size_t size = sizeof has;
  f.arm_bf16 = sysctlbyname("hw.optional.arm.FEAT_BF16", &has, &size, nullptr, 0) == 0 && has;
#elif defined(__linux__) && defined(HWCAP2_BF16)
  f.arm_bf16 = (getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0;
#endif
  return f;
}

#else

Features detect() { return {}; }

#endif

const Features& features() {
  static const Features detected = detect();
  return detected;
}

// The sets that were compiled in and that this machine runs, slowest first.
std::vector<const Kernels*> runnable() {
  const Features& f = features();
  (void)f;
  std::vector<const Kernels*> sets{&portable::table};
#if defined(HAVE_NEON)
  if (f.neon) sets.push_back(&neon::table);
#endif
#if defined(HAVE_AVX2)
  const bool avx2 = f.avx2 && f.fma && f.f16c;
  if (avx2) sets.push_back(&avx2::table);
#if defined(HAVE_AVX512BF16)
  if (avx2 && f.avx512f && f.avx512bw && f.avx512vl && f.avx512dq && f.avx512bf16)
    sets.push_back(&avx512bf16::table);
#if defined(HAVE_AMX)
  if (sets.back() == &avx512bf16::table && f.amx_tile && f.amx_bf16) sets.push_back(&amx::table);
#endif
#endif
#endif
  return sets;
}

const Kernels& find(const std::string& name, const char* asked_by) {
  std::string present;
  for (const Kernels* set : runnable()) {
    if (name == set->isa) return *set;
    present += (present.empty() ? "" : ", ") + std::string(set->isa);
  }
  for (const char* known : {"portable", "avx2", "avx512bf16", "amx", "neon"})
    if (name == known)
      throw std::invalid_argument(std::string(asked_by) + " asks for '" + name +
                                  "', which this machine or this build lacks; it has: " + present +
                                  ".");
  throw std::invalid_argument(std::string(asked_by) + " is '" + name +
                              "', but must be one of: " + present + ".");
}

std::atomic<const Kernels*> in_use{nullptr};

}  // namespace

std::vector<std::pair<std::string, bool>> processor_features() {
  const Features& f = features();
  return {{"avx2", f.avx2},         {"fma", f.fma},           {"f16c", f.f16c},
          {"avx512f", f.avx512f},   {"avx512bw", f.avx512bw}, {"avx512vl", f.avx512vl},
          {"avx512dq", f.avx512dq}, {"avx512bf16", f.avx512bf16},
          {"amx_tile", f.amx_tile}, {"amx_bf16", f.amx_bf16},
          {"neon", f.neon},         {"arm_bf16", f.arm_bf16}};
}

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Kernels* set : runnable()) names.push_back(set->isa);
  return names;
}

const Kernels& kernels() {
  if (const Kernels* chosen = in_use.load()) return *chosen;
  const char* forced = std::getenv("ONDEVICE_ISA");
  const Kernels* chosen =
      forced && *forced ? &find(forced, "ONDEVICE_ISA") : runnable().back();
  in_use.store(chosen);
  return *chosen;
}

void use_isa(const std::string& name) { in_use.store(&find(name, "The instruction set")); }

}  // namespace ondevice
