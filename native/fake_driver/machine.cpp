// The machine's state: what tests choose and ask for, and how a call begins.
#include <cstdlib>
#include <sstream>

#include "machine.h"

namespace fake {

Machine machine;
std::recursive_mutex turn;
thread_local Context* current = nullptr;

namespace {

std::once_flag configured_once;

void configure(const char* text) {
  machine.settings = {{"devices", 0},          {"capability", 90},  {"memory", 1 << 30}, {"driver", 13000},
                      {"multiprocessors", 4}, {"shared", 232448}, {"init", 0}};
  machine.failures.clear();
  machine.calls.clear();
  machine.lost = SUCCESS;
  machine.last_error.clear();
  machine.last_launch.clear();
  machine.digest = 0;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    size_t equals = word.find('=');
    size_t colon = word.find(':');
    std::string key = word.substr(0, equals);
    if (colon == std::string::npos) {
      machine.settings[key] = std::atoll(word.c_str() + equals + 1);
    } else {
      machine.failures[key] = {std::atoll(word.c_str() + equals + 1), std::atoi(word.c_str() + colon + 1)};
    }
  }
}

bool context_dies_of(int code) { return code >= ILLEGAL_ADDRESS && code < 720; }

}  // namespace

int64_t setting(const std::string& name) { return machine.settings[name]; }

int64_t setting(const std::string& name, int device) {
  auto own = machine.settings.find(name + "." + std::to_string(device));
  return own == machine.settings.end() ? setting(name) : own->second;
}

void configure_from_environment() {
  std::call_once(configured_once, [] {
    const char* text = std::getenv("LETHE_FAKE_DRIVER");
    configure(text == nullptr ? "" : text);
  });
}

int count(const char* function) {
  configure_from_environment();
  int64_t number = ++machine.calls[function];
  auto failure = machine.failures.find(function);
  if (machine.lost == SUCCESS && failure != machine.failures.end() && failure->second.first == number) {
    if (!context_dies_of(failure->second.second)) {
      return failure->second.second;
    }
    machine.lost = failure->second.second;
  }
  return machine.lost;
}

int begin(const char* function) {
  int code = count(function);
  return code == SUCCESS && (current == nullptr || current->retained == 0) ? INVALID_CONTEXT : code;
}

}  // namespace fake

using namespace fake;

// For tests.

// Forgets counts, failures and a lost context, and sets the machine up anew.
EXPORT void fake_driver_configure(const char* text) {
  MY_TURN();
  configure_from_environment();
  configure(text);
}

EXPORT int64_t fake_driver_calls(const char* function) {
  MY_TURN();
  return machine.calls[function];
}

EXPORT int64_t fake_driver_memory_in_use() {
  MY_TURN();
  size_t used = machine.pinned.size();
  for (auto& context : machine.contexts) {
    used += context.second.used;
  }
  return static_cast<int64_t>(used);
}

// Objects that were made and not given back: context, stream, event, module, graph, executable, node, memory, pinned.
EXPORT int64_t fake_driver_live(const char* kind) {
  MY_TURN();
  std::string wanted = kind;
  int64_t retained = 0;
  int64_t blocks = 0;
  for (auto& context : machine.contexts) {
    retained += context.second.retained;
    blocks += static_cast<int64_t>(context.second.memory.size());
  }
  return wanted == "context"  ? retained
         : wanted == "memory" ? blocks
         : wanted == "pinned" ? static_cast<int64_t>(machine.pinned.size())
                              : machine.live[wanted];
}

// The last call of cuLaunchKernel: name, grid, threads, bytes of shared memory, and each argument's 8 bytes in hex.
EXPORT const char* fake_driver_last_launch() { return machine.last_launch.c_str(); }

// Names, grids and arguments of all kernels that ran since this was last asked, as one number.
EXPORT uint64_t fake_driver_digest() { return std::exchange(machine.digest, 0); }

// What the emulator said of a kernel that failed.
EXPORT const char* fake_driver_error() { return machine.last_error.c_str(); }
