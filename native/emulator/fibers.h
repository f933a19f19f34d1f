// Switching between a scheduler and the fibers that it runs, each on a stack of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#if defined(__x86_64__)
#define LETHE_ASSEMBLY_SWITCH 1
#else
#include <ucontext.h>
#endif

namespace emulator {

constexpr size_t STACK_BYTES = 128 << 10;
// From one stack to the next: no power of two, or the frames of all fibers would share few places of the caches.
constexpr size_t STACK_STRIDE = STACK_BYTES + 17 * 64;

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

}  // namespace emulator
