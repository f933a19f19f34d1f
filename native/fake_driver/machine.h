// The functions of libcuda.so.1 that Lethe calls, without a GPU, for tests: memory is host memory, kernels run in
// the emulator. Where the real driver may be late, this one is as late as it can be: copies, fills and launches
// wait until somebody waits for them. What the real driver forbids fails here too: calls without a current
// context, memory that is not there, host memory that is not pinned, waiting or allocating while a stream is
// captured, more shared memory than was asked for, and what belongs to another device than the thread's current one.
// Several threads may call it; it does the work of one at a time.
//
// Without a configuration it has no device, so that it can stand on the library path of all tests.
// fake_driver_configure, or the environment variable LETHE_FAKE_DRIVER, takes words of the form KEY=NUMBER
// (devices, capability, memory, driver, multiprocessors, shared, init), KEY.DEVICE=NUMBER for one device alone, and
// FUNCTION=N:CODE, which makes the N-th call of that function, from 1, end with a code of the driver; the function
// "kernel" is a kernel's execution.
//
// This header is what the files of the folder share.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace fake {

enum Code {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_CONTEXT = 201,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  NOT_READY = 600,
  ILLEGAL_ADDRESS = 700,
  CAPTURE_UNSUPPORTED = 900,
  CAPTURE_INVALIDATED = 901
};

using Operation = std::function<int()>;

struct Context;

struct Graph {
  Context* owner = nullptr;
  std::vector<Operation> operations;
};

struct Stream {
  Context* owner = nullptr;
  std::deque<Operation> waiting;
  uint64_t queued = 0;
  uint64_t done = 0;
  bool capturing = false;
  int capture_mode = 0;
  std::thread::id capturer;
  bool capture_broken = false;
  Graph captured;
};

// The primary context of a device, and what lies in it.
struct Context {
  int device = 0;
  int retained = 0;
  std::map<uintptr_t, size_t> memory;
  std::vector<Stream*> streams;
  size_t used = 0;
};

struct Machine {
  std::map<std::string, int64_t> settings;
  std::map<std::string, std::pair<int64_t, int>> failures;
  std::map<std::string, int64_t> calls;
  std::map<int, Context> contexts;
  std::map<uintptr_t, size_t> pinned;
  std::map<std::string, int64_t> live;
  std::string last_error;
  std::string last_launch;
  uint64_t digest = 0;
  int lost = SUCCESS;
};

// In machine.cpp.

extern Machine machine;
extern std::recursive_mutex turn;
extern thread_local Context* current;

// Of the machine, or of a device that has its own.
int64_t setting(const std::string& name);
int64_t setting(const std::string& name, int device);

inline void* pointer(uintptr_t address) { return reinterpret_cast<void*>(address); }

// Sets the machine up from the environment, at the first call.
void configure_from_environment();

// Counts a call and says how it is to end.
int count(const char* function);

// As count, for a call that needs a current context.
int begin(const char* function);

// One thread at a time, to the end of the function.
#define MY_TURN() std::lock_guard<std::recursive_mutex> mine(turn)

#define BEGIN()                        \
  MY_TURN();                           \
  if (int code = begin(__func__)) {    \
    return code;                       \
  }

// Streams, functions and graphs of another device than the current one.
#define OF_CURRENT(object)             \
  if ((object)->owner != current) {    \
    return INVALID_HANDLE;             \
  }

// In graphs.cpp.

// A call that the thread may not make while a stream is captured.
int forbidden_in_capture();

#define NOT_IN_CAPTURE()                     \
  if (int code = forbidden_in_capture()) {   \
    return code;                             \
  }

// In streams.cpp.

// Work for later, or for the graph that the stream is captured into.
int enqueue(Stream* stream, Operation operation);

// Does a stream's work up to a mark.
int run_until(Stream* stream, uint64_t mark);

// Does the work of all streams of the current context.
int run_all();

}  // namespace fake
