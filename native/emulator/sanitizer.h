// What the address sanitizer has to be told; nothing where the emulator is compiled without it.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace emulator {

#if defined(__SANITIZE_ADDRESS__)

// A function that may never return: guards around its variables would stay for the next block's frames.
#define UNGUARDED __attribute__((no_sanitize_address))

constexpr size_t REDZONE = 64;  // bytes behind a shared array that nobody may touch

inline void forbid(const void* memory, size_t bytes) { __asan_poison_memory_region(memory, bytes); }
inline void permit(const void* memory, size_t bytes) { __asan_unpoison_memory_region(memory, bytes); }

// Tells which stack runs: the scheduler enters a fiber and is back when it has left, a fiber passes on to another.
class StackNotes {
 public:
  void entering(const void* stack, size_t bytes) {
    from_scheduler = true;
    __sanitizer_start_switch_fiber(&scheduler_fake, stack, bytes);
  }
  void passing(void** fake, const void* stack, size_t bytes) { __sanitizer_start_switch_fiber(fake, stack, bytes); }
  void entered() { resumed(nullptr); }
  void resumed(void* fake) {
    bool first = from_scheduler;
    from_scheduler = false;
    __sanitizer_finish_switch_fiber(fake, first ? &scheduler_stack : nullptr, first ? &scheduler_bytes : nullptr);
  }
  void leaving(void** fake) { __sanitizer_start_switch_fiber(fake, scheduler_stack, scheduler_bytes); }
  void left() { __sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr); }

 private:
  const void* scheduler_stack = nullptr;
  size_t scheduler_bytes = 0;
  void* scheduler_fake = nullptr;
  bool from_scheduler = false;
};

#else

#define UNGUARDED

constexpr size_t REDZONE = 0;

inline void forbid(const void*, size_t) {}
inline void permit(const void*, size_t) {}

struct StackNotes {
  void entering(const void*, size_t) {}
  void passing(void**, const void*, size_t) {}
  void entered() {}
  void resumed(void*) {}
  void leaving(void**) {}
  void left() {}
};

#endif

}  // namespace emulator
