// Modules, their functions, and launches, which run in the emulator.
#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <sstream>

#include "machine.h"

extern "C" {
void* lethe_emulator_kernel(const char* name);
int lethe_emulator_parameters(void* kernel);
const char* lethe_emulator_error();
int lethe_emulator_launch(void* kernel, int x, int y, int z, int threads, int shared_bytes, void** arguments,
                          uint64_t seed);
}

using namespace fake;

namespace {

constexpr int64_t DEFAULT_SHARED = 48 << 10;

// Which kernels a module holds: the words of its image are beginnings of names, "*" begins all.
struct Module {
  Context* owner = nullptr;
  std::vector<std::string> beginnings;
};

struct Function {
  Context* owner = nullptr;
  std::string name;
  void* kernel = nullptr;
  int64_t shared_limit = DEFAULT_SHARED;
};

std::map<std::pair<Context*, std::string>, Function> functions;

// A launch in words, its arguments as they lie in their slots.
std::string words_of(const std::string& name, std::initializer_list<unsigned> grid, const std::vector<uint64_t>& values) {
  std::ostringstream text;
  text << name;
  for (unsigned number : grid) {
    text << ' ' << number;
  }
  text << std::hex;
  for (uint64_t value : values) {
    text << ' ' << value;
  }
  return text.str();
}

// FNV-1a over all kernels that ran.
void digest(const std::string& text) {
  for (char c : text) {
    machine.digest = (machine.digest ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
}

// Whether an argument points into the memory of another device.
bool is_elsewhere(uint64_t value) {
  for (auto& context : machine.contexts) {
    auto& memory = context.second.memory;
    auto after = memory.upper_bound(value);
    if (&context.second != current && after != memory.begin()) {
      auto block = std::prev(after);
      if (value < block->first + block->second) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

EXPORT int cuModuleLoadData(Module** module, const char* image) {
  BEGIN();
  constexpr unsigned char FATBIN[] = {0x50, 0xed, 0x55, 0xba};
  bool compiled = std::memcmp(image, FATBIN, sizeof FATBIN) == 0;
  std::istringstream words(compiled ? "*" : image);
  *module = new Module();
  (*module)->owner = current;
  machine.live["module"]++;
  for (std::string word; words >> word;) {
    (*module)->beginnings.push_back(word);
  }
  return SUCCESS;
}

EXPORT int cuModuleUnload(Module* module) {
  BEGIN();
  delete module;
  machine.live["module"]--;
  return SUCCESS;
}

EXPORT int cuModuleGetFunction(Function** function, Module* module, const char* name) {
  BEGIN();
  OF_CURRENT(module);
  std::string wanted = name;
  bool here = std::any_of(module->beginnings.begin(), module->beginnings.end(), [&](const std::string& b) {
    return b == "*" || wanted.compare(0, b.size(), b) == 0;
  });
  void* kernel = here ? lethe_emulator_kernel(name) : nullptr;
  if (kernel == nullptr) {
    return NOT_FOUND;
  }
  *function = &functions[{current, wanted}];
  (*function)->owner = current;
  (*function)->name = wanted;
  (*function)->kernel = kernel;
  return SUCCESS;
}

EXPORT int cuFuncGetAttribute(int* value, int attribute, Function*) {
  BEGIN();
  *value = 0;
  return attribute == 1 ? SUCCESS : INVALID_VALUE;
}

EXPORT int cuFuncSetAttribute(Function* function, int attribute, int value) {
  BEGIN();
  if (attribute != 8 || value > setting("shared", current->device)) {
    return INVALID_VALUE;
  }
  function->shared_limit = value;
  return SUCCESS;
}

EXPORT int cuLaunchKernel(Function* function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned threads_y,
                          unsigned threads_z, unsigned shared, Stream* stream, void** parameters, void** extra) {
  BEGIN();
  OF_CURRENT(function);
  OF_CURRENT(stream);
  if (threads_y != 1 || threads_z != 1 || extra != nullptr || static_cast<int64_t>(shared) > function->shared_limit) {
    return INVALID_VALUE;
  }
  // The driver reads arguments now; each has a slot of 8 bytes.
  std::vector<uint64_t> values(static_cast<size_t>(lethe_emulator_parameters(function->kernel)));
  for (size_t i = 0; i < values.size(); i++) {
    std::memcpy(&values[i], parameters[i], sizeof values[i]);
    if (is_elsewhere(values[i])) {
      return INVALID_VALUE;
    }
  }
  std::string words = words_of(function->name, {x, y, z, threads, shared}, values);
  machine.last_launch = words;
  std::string kernels_here = "kernel." + std::to_string(current->device);
  return enqueue(stream, [=]() mutable {
    if (int code = count("kernel")) {
      return code;
    }
    machine.calls[kernels_here]++;
    digest(words);
    std::vector<void*> arguments;
    for (uint64_t& value : values) {
      arguments.push_back(&value);
    }
    int failed = lethe_emulator_launch(function->kernel, static_cast<int>(x), static_cast<int>(y),
                                       static_cast<int>(z), static_cast<int>(threads), static_cast<int>(shared),
                                       arguments.data(), static_cast<uint64_t>(machine.calls["kernel"]));
    if (failed != 0) {
      machine.last_error = lethe_emulator_error();
      return static_cast<int>(ILLEGAL_ADDRESS);
    }
    return static_cast<int>(SUCCESS);
  });
}
