// A block's threads as fibers, where they meet, the memory they see, and launches. Long because all of this shares the
// state of the block that runs.
#include "emulator.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "async.h"
#include "fibers.h"

#ifdef LETHE_ASSEMBLY_SWITCH
asm(R"(
.text
.globl lethe_emulator_switch
.hidden lethe_emulator_switch
lethe_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");
#endif

namespace emulator {

Registration* Registration::first = nullptr;
Thread* current = nullptr;
dim3 block_index;
dim3 block_size;
dim3 grid_size;
uint64_t wide_loads;
uint64_t wide_stores;

namespace {

constexpr size_t MOST_DYNAMIC_SHARED = 232448;
constexpr size_t MOST_STATIC_SHARED = 1 << 20;  // of all kernels together
constexpr int MOST_THREADS = 1024;
constexpr int LANES = 32;
constexpr unsigned char POISON = 0xff;  // NaN in every floating format

enum class State : unsigned char { READY, AT_WARP_BARRIER, AT_BLOCK_BARRIER, DONE };

struct Fiber : Thread {
  Context context;
};

struct SharedArray {
  size_t offset;
  size_t bytes;
  uint64_t block;  // the latest that asked for it
};

// What the fibers of a launch share; there is one launch at a time.
struct Machine {
  Registration* kernel;
  void** arguments;
  Context scheduler;
  StackNotes stack;
  std::vector<Fiber> fibers;
  std::vector<State> states;  // of the fibers
  std::unique_ptr<unsigned char[]> stacks;  // 132 MB, of which a launch touches what it needs: never cleared
  std::vector<unsigned char> exchange;  // two buffers a warp
  alignas(SHARED_ALIGNMENT) unsigned char dynamic_shared[MOST_DYNAMIC_SHARED];
  alignas(128) unsigned char static_shared[MOST_STATIC_SHARED];
  size_t dynamic_bytes;
  size_t static_bytes = 0;
  std::vector<SharedArray> static_arrays;
  uint64_t blocks = 0;  // begun since the library was loaded
  bool failed = false;
  std::string error;
  std::string kernels;
};

Machine machine;

Fiber& fiber() { return *static_cast<Fiber*>(current); }

size_t index_of(const Fiber& f) { return static_cast<size_t>(&f - machine.fibers.data()); }

unsigned char* stack_of(const Fiber& f) { return machine.stacks.get() + index_of(f) * STACK_STRIDE; }

// Every fiber of a warp is READY again; false where not all of them wait for the warp.
bool release_warp(State* lanes) {
  if (!std::all_of(lanes, lanes + LANES, [](State s) { return s == State::AT_WARP_BARRIER; })) {
    return false;
  }
  std::fill_n(lanes, LANES, State::READY);
  return true;
}

// Who runs where this fiber may not: the next lane of its warp, the first one where all have come to a warp function,
// else nobody but the scheduler.
Fiber* next_of_warp(Fiber& f) {
  State* lanes = machine.states.data() + index_of(f) - static_cast<size_t>(f.lane);
  for (int i = f.lane + 1; i < LANES; i++) {
    if (lanes[i] == State::READY) {
      return &f + (i - f.lane);
    }
  }
  return release_warp(lanes) ? &f - f.lane : nullptr;
}

void to_fiber(Fiber& f) {
  current = &f;
  machine.stack.entering(stack_of(f), STACK_BYTES);
  switch_context(machine.scheduler, f.context);
  machine.stack.left();
}

// The fiber that runs stops here, in this state; others run until it is READY and has its turn.
UNGUARDED void pause(State state) {
  Fiber& f = fiber();
  machine.states[index_of(f)] = state;
  Fiber* next = machine.failed ? nullptr : next_of_warp(f);
  bool ended = machine.failed || state == State::DONE;
  void* fake = nullptr;
  if (next == nullptr) {
    machine.stack.leaving(ended ? nullptr : &fake);
    switch_context(f.context, machine.scheduler);
  } else {
    current = next;
    machine.stack.passing(ended ? nullptr : &fake, stack_of(*next), STACK_BYTES);
    switch_context(f.context, next->context);
  }
  machine.stack.resumed(fake);
}

UNGUARDED void run_thread() {
  machine.stack.entered();
  machine.kernel->invoke(machine.kernel->function, machine.arguments);
  pause(State::DONE);
  std::abort();
}

void start(Fiber& f, unsigned thread) {
  constexpr size_t buffer = LANES * EXCHANGE_BYTES;
  f.index = {thread, 0, 0};
  f.lane = static_cast<int>(thread % LANES);
  f.exchange = machine.exchange.data() + 2 * (thread / LANES) * buffer;
  f.later_exchange = f.exchange + buffer;
  make_context(f.context, stack_of(f), &run_thread);
}

void record_failure(const char* format, va_list arguments) {
  char text[512];
  vsnprintf(text, sizeof text, format, arguments);
  char place[200];
  snprintf(place, sizeof place, "kernel %s, block (%u,%u,%u), thread %u: ", machine.kernel->name, block_index.x,
           block_index.y, block_index.z, current->index.x);
  machine.failed = true;
  machine.error = std::string(place) + text;
}

// Fails while no fiber runs, with the number of one that has to do with it.
__attribute__((format(printf, 2, 3))) void fail_outside(int thread, const char* format, ...) {
  current = &machine.fibers[static_cast<size_t>(thread)];
  va_list arguments;
  va_start(arguments, format);
  record_failure(format, arguments);
  va_end(arguments);
}

// Some of these fibers wait where all should.
void fail_barrier(const char* barrier, State waiting, int first, int count) {
  const State* states = machine.states.data() + first;
  fail_outside(first + static_cast<int>(std::find(states, states + count, waiting) - states), "%d of %d threads reached %s",
               static_cast<int>(std::count(states, states + count, waiting)), count, barrier);
}

// Whether all of these fibers wait at this barrier, and may go on; fails where only some do.
bool release(const char* barrier, State waiting, int first, int count) {
  State* states = machine.states.data() + first;
  auto there = std::count(states, states + count, waiting);
  if (there == 0) {
    return false;
  }
  if (there != count) {
    fail_barrier(barrier, waiting, first, count);
    return false;
  }
  std::fill_n(states, count, State::READY);
  return true;
}

// Runs one warp until its lanes wait at the block's barrier or are done. A lane that stops hands over to the next
// itself, so that one turn takes the whole warp along, but for lanes that stand apart.
void run_warp(int first) {
  do {
    for (int i = first; i < first + LANES; i++) {
      if (machine.states[static_cast<size_t>(i)] == State::READY) {
        to_fiber(machine.fibers[static_cast<size_t>(i)]);
        if (machine.failed) {
          return;
        }
      }
    }
  } while (release("a warp function", State::AT_WARP_BARRIER, first, LANES));
}

void run_block(std::mt19937_64& random) {
  std::fill_n(machine.dynamic_shared, machine.dynamic_bytes, POISON);
  machine.blocks++;
  int threads = static_cast<int>(block_size.x);
  begin_async(random, threads, machine.dynamic_shared, machine.dynamic_bytes);
  for (int i = 0; i < threads; i++) {
    start(machine.fibers[i], static_cast<unsigned>(i));
  }
  std::fill_n(machine.states.data(), threads, State::READY);
  std::vector<int> warps(threads / LANES);
  std::iota(warps.begin(), warps.end(), 0);
  do {
    std::shuffle(warps.begin(), warps.end(), random);
    for (int warp : warps) {
      run_warp(warp * LANES);
      if (machine.failed) {
        return;
      }
    }
  } while (release("__syncthreads", State::AT_BLOCK_BARRIER, 0, threads));
  const char* wrong = machine.failed ? nullptr : end_async();
  if (wrong != nullptr) {
    fail_outside(0, "%s", wrong);
  }
}

void prepare_memory() {
  if (machine.fibers.empty()) {
    machine.fibers.resize(MOST_THREADS);
    machine.states.resize(MOST_THREADS);
    machine.stacks.reset(new unsigned char[MOST_THREADS * STACK_STRIDE]);
    machine.exchange.resize(2 * MOST_THREADS * EXCHANGE_BYTES);
  }
  if (machine.failed) {
    permit(machine.stacks.get(), MOST_THREADS * STACK_STRIDE);  // frames of the fibers that stopped lie there
    machine.failed = false;
  }
  permit(machine.dynamic_shared, machine.dynamic_bytes);
  forbid(machine.dynamic_shared + machine.dynamic_bytes, MOST_DYNAMIC_SHARED - machine.dynamic_bytes);
}

}  // namespace

void block_barrier() { pause(State::AT_BLOCK_BARRIER); }

void warp_barrier() { pause(State::AT_WARP_BARRIER); }

void fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  record_failure(format, arguments);
  va_end(arguments);
  pause(State::DONE);
  std::abort();
}

void* dynamic_shared() { return machine.dynamic_shared; }

size_t place_shared(size_t bytes) {
  size_t offset = machine.static_bytes;
  size_t end = offset + (bytes + 15) / 16 * 16 + REDZONE;
  if (end > MOST_STATIC_SHARED) {
    fail("the static shared arrays of all kernels take more than %zu bytes", MOST_STATIC_SHARED);
  }
  forbid(machine.static_shared + offset + bytes, end - offset - bytes);
  machine.static_arrays.push_back({offset, bytes, 0});
  machine.static_bytes = end;
  return machine.static_arrays.size() - 1;
}

// Nobody has the address before the first thread of a block asks for it: early enough for the poison.
void* static_shared(size_t array) {
  SharedArray& asked = machine.static_arrays[array];
  unsigned char* start = machine.static_shared + asked.offset;
  if (asked.block != machine.blocks) {
    asked.block = machine.blocks;
    std::fill_n(start, asked.bytes, POISON);
  }
  return start;
}

void require_shared(const char* what, const void* address, size_t bytes) {
  auto inside = [&](const unsigned char* memory, size_t size) {
    auto* start = static_cast<const unsigned char*>(address);
    return start >= memory && start + bytes <= memory + size;
  };
  if (!inside(machine.dynamic_shared, machine.dynamic_bytes) &&
      !inside(machine.static_shared, machine.static_bytes)) {
    fail("%s: an address outside the block's shared memory", what);
  }
  if (reinterpret_cast<uintptr_t>(address) % bytes != 0) {
    fail("%s: a shared address that is not aligned to %zu bytes", what, bytes);
  }
}

}  // namespace emulator

#define EXPORT extern "C" __attribute__((visibility("default")))

using emulator::machine;
using emulator::Registration;

// All exported names, a line each.
EXPORT const char* lethe_emulator_kernels() {
  machine.kernels.clear();
  for (Registration* kernel = Registration::first; kernel != nullptr; kernel = kernel->next) {
    machine.kernels += std::string(kernel->name) + "\n";
  }
  return machine.kernels.c_str();
}

// The kernel of this name, or null.
EXPORT void* lethe_emulator_kernel(const char* name) {
  for (Registration* kernel = Registration::first; kernel != nullptr; kernel = kernel->next) {
    if (std::strcmp(kernel->name, name) == 0) {
      return kernel;
    }
  }
  return nullptr;
}

// How many parameters a kernel takes.
EXPORT int lethe_emulator_parameters(void* kernel) { return static_cast<Registration*>(kernel)->parameters; }

// Why the last launch failed.
EXPORT const char* lethe_emulator_error() { return machine.error.c_str(); }

// How often the last launch loaded or stored 16 bytes of global memory at a time.
EXPORT uint64_t lethe_emulator_wide_loads() { return emulator::wide_loads; }
EXPORT uint64_t lethe_emulator_wide_stores() { return emulator::wide_stores; }

// From now on kernels may not touch these bytes, or may again; the address sanitizer ends the process where they do.
EXPORT void lethe_emulator_forbid(void* memory, uint64_t bytes) { emulator::forbid(memory, bytes); }
EXPORT void lethe_emulator_permit(void* memory, uint64_t bytes) { emulator::permit(memory, bytes); }

// Runs a launch to its end; 0, or 1 where it failed. The seed fixes the order of warps.
EXPORT int lethe_emulator_launch(void* kernel, int x, int y, int z, int threads, int shared_bytes, void** arguments,
                                 uint64_t seed) {
  machine.kernel = static_cast<Registration*>(kernel);
  machine.arguments = arguments;
  machine.dynamic_bytes = static_cast<size_t>(shared_bytes);
  emulator::wide_loads = 0;
  emulator::wide_stores = 0;
  if (threads > machine.kernel->bounds.threads || threads % emulator::LANES != 0 ||
      machine.dynamic_bytes > emulator::MOST_DYNAMIC_SHARED) {
    machine.error = std::string("kernel ") + machine.kernel->name + ": launched with " + std::to_string(threads) +
                    " threads and " + std::to_string(shared_bytes) + " bytes of shared memory; it takes whole warps, " +
                    std::to_string(machine.kernel->bounds.threads) + " threads at most";
    return 1;
  }
  emulator::grid_size = {static_cast<unsigned>(x), static_cast<unsigned>(y), static_cast<unsigned>(z)};
  emulator::block_size = {static_cast<unsigned>(threads), 1, 1};
  emulator::prepare_memory();
  std::mt19937_64 random(seed);
  dim3& block = emulator::block_index;
  for (block.z = 0; block.z < emulator::grid_size.z; block.z++) {
    for (block.y = 0; block.y < emulator::grid_size.y; block.y++) {
      for (block.x = 0; block.x < emulator::grid_size.x; block.x++) {
        emulator::run_block(random);
        if (machine.failed) {
          return 1;
        }
      }
    }
  }
  return 0;
}
