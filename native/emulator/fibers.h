// Switching between a scheduler and the fibers that it runs, each on a stack of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
#define LETHE_ASSEMBLY_SWITCH 1
#else
#include <ucontext.h>
#endif

namespace emulator {

constexpr size_t STACK_BYTES = 128 << 10;

#ifdef LETHE_ASSEMBLY_SWITCH

// A stack pointer; the registers that a call preserves lie below it.
using Context = void*;
extern "C" void lethe_emulator_switch(Context* save, Context load);

inline void switch_context(Context& save, Context& load) { lethe_emulator_switch(&save, load); }

// A context that begins at entry, which must not return.
inline void make_context(Context& context, unsigned char* stack, void (*entry)()) {
  uintptr_t top = reinterpret_cast<uintptr_t>(stack + STACK_BYTES) & ~uintptr_t{15};
  void** pointer = reinterpret_cast<void**>(top);
  *--pointer = nullptr;  // keeps the stack aligned as after a call
  *--pointer = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; i++) {
    *--pointer = nullptr;
  }
  context = pointer;
}

#else

using Context = ucontext_t;

inline void switch_context(Context& save, Context& load) { swapcontext(&save, &load); }

inline void make_context(Context& context, unsigned char* stack, void (*entry)()) {
  getcontext(&context);
  context.uc_stack.ss_sp = stack;
  context.uc_stack.ss_size = STACK_BYTES;
  context.uc_link = nullptr;
  makecontext(&context, entry, 0);
}

#endif

// Tells the address sanitizer which stack runs; nothing without it.
struct StackNotes {
#if defined(__SANITIZE_ADDRESS__)
  const void* scheduler_stack = nullptr;
  size_t scheduler_bytes = 0;

  void entering(const void* stack) {
    __sanitizer_start_switch_fiber(&scheduler_fake, stack, STACK_BYTES);
  }
  void entered() { __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_bytes); }
  void resumed(void* fake) { __sanitizer_finish_switch_fiber(fake, &scheduler_stack, &scheduler_bytes); }
  void leaving(void** fake) { __sanitizer_start_switch_fiber(fake, scheduler_stack, scheduler_bytes); }
  void left() { __sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr); }

 private:
  void* scheduler_fake = nullptr;
#else
  void entering(const void*) {}
  void entered() {}
  void resumed(void*) {}
  void leaving(void**) {}
  void left() {}
#endif
};

}  // namespace emulator
