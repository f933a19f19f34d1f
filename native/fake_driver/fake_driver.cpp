// The functions of libcuda.so.1 that Lethe calls, without a GPU, for tests: memory is host memory, kernels run in
// the emulator. Where the real driver may be late, this one is as late as it can be: copies, fills and launches
// wait until somebody waits for them. What the real driver forbids fails here too: calls without a current
// context, memory that is not there, host memory that is not pinned, waiting or allocating while a stream is
// captured, more shared memory than was asked for.
//
// Without a configuration it has no device, so that it can stand on the library path of all tests.
// fake_driver_configure, or the environment variable LETHE_FAKE_DRIVER, takes words of the form KEY=NUMBER
// (devices, capability, memory, driver, multiprocessors, shared, init) and FUNCTION=N:CODE, which makes the N-th
// call of that function, from 1, end with a code of the driver; the function "kernel" is a kernel's execution.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

extern "C" {
void* lethe_emulator_kernel(const char* name);
int lethe_emulator_parameters(void* kernel);
const char* lethe_emulator_error();
int lethe_emulator_launch(void* kernel, int x, int y, int z, int threads, int shared_bytes, void** arguments,
                          uint64_t seed);
}

namespace {

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

constexpr int64_t DEFAULT_SHARED = 48 << 10;

using Operation = std::function<int()>;

struct Graph {
  std::vector<Operation> operations;
};

struct Stream {
  std::deque<Operation> waiting;
  uint64_t queued = 0;
  uint64_t done = 0;
  bool capturing = false;
  bool capture_broken = false;
  Graph captured;
};

struct Event {
  Stream* stream = nullptr;
  uint64_t mark = 0;
  std::shared_ptr<std::chrono::steady_clock::time_point> reached;
};

// Which kernels a module holds: the words of its image are beginnings of names, "*" begins all.
struct Module {
  std::vector<std::string> beginnings;
};

struct Function {
  std::string name;
  void* kernel = nullptr;
  int64_t shared_limit = DEFAULT_SHARED;
};

struct Machine {
  std::map<std::string, int64_t> settings;
  std::map<std::string, std::pair<int64_t, int>> failures;
  std::map<std::string, int64_t> calls;
  std::map<uintptr_t, size_t> memory;
  std::map<uintptr_t, size_t> pinned;
  std::map<std::string, Function> functions;
  std::vector<Stream*> streams;
  std::map<std::string, int64_t> live;
  std::string last_error;
  std::string last_launch;
  uint64_t digest = 0;
  size_t used = 0;
  int lost = SUCCESS;
  int context = 0;
};

Machine machine;
thread_local bool context_is_current = false;
std::once_flag configured_once;

int64_t setting(const char* name) { return machine.settings[name]; }

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

void configure_from_environment() {
  std::call_once(configured_once, [] {
    const char* text = std::getenv("LETHE_FAKE_DRIVER");
    configure(text == nullptr ? "" : text);
  });
}

bool context_dies_of(int code) { return code >= ILLEGAL_ADDRESS && code < 720; }

// Counts a call and says how it is to end.
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
  return code == SUCCESS && !context_is_current ? INVALID_CONTEXT : code;
}

#define BEGIN()                        \
  if (int code = begin(__func__)) {    \
    return code;                       \
  }

// A call that a thread may not make while one of its streams is captured.
int forbidden_in_capture() {
  for (Stream* stream : machine.streams) {
    if (stream->capturing) {
      stream->capture_broken = true;
      return CAPTURE_UNSUPPORTED;
    }
  }
  return SUCCESS;
}

#define NOT_IN_CAPTURE()                     \
  if (int code = forbidden_in_capture()) {   \
    return code;                             \
  }

int run_until(Stream* stream, uint64_t mark) {
  while (stream->done < mark && machine.lost == SUCCESS) {
    Operation operation = std::move(stream->waiting.front());
    stream->waiting.pop_front();
    stream->done++;
    if (int code = operation()) {
      machine.lost = code;
    }
  }
  return machine.lost;
}

int run_all() {
  for (Stream* stream : machine.streams) {
    if (int code = run_until(stream, stream->queued)) {
      return code;
    }
  }
  return machine.lost;
}

int enqueue(Stream* stream, Operation operation) {
  if (stream->capturing) {
    stream->captured.operations.push_back(std::move(operation));
  } else {
    stream->waiting.push_back(std::move(operation));
    stream->queued++;
  }
  return SUCCESS;
}

bool within(const std::map<uintptr_t, size_t>& blocks, uintptr_t address, size_t bytes) {
  auto after = blocks.upper_bound(address);
  if (after == blocks.begin()) {
    return false;
  }
  auto block = std::prev(after);
  return address + bytes <= block->first + block->second;
}

bool on_device(uintptr_t address, size_t bytes) { return within(machine.memory, address, bytes); }
bool is_pinned(const void* host, size_t bytes) {
  return within(machine.pinned, reinterpret_cast<uintptr_t>(host), bytes);
}

int copy_later(Stream* stream, void* target, const void* source, size_t bytes) {
  return enqueue(stream, [=] {
    std::memmove(target, source, bytes);
    return SUCCESS;
  });
}

void* pointer(uintptr_t address) { return reinterpret_cast<void*>(address); }

// What was in a context goes with it.
void forget_lost_context() {
  for (auto* blocks : {&machine.memory, &machine.pinned}) {
    for (auto& block : *blocks) {
      std::free(pointer(block.first));
    }
    blocks->clear();
  }
  for (Stream* stream : machine.streams) {
    delete stream;
  }
  machine.streams.clear();
  machine.live.clear();
  machine.used = 0;
}

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

}  // namespace

// For tests.

// Forgets counts, failures and a lost context, and sets the machine up anew.
EXPORT void fake_driver_configure(const char* text) {
  configure_from_environment();
  configure(text);
}

EXPORT int64_t fake_driver_calls(const char* function) { return machine.calls[function]; }

EXPORT int64_t fake_driver_memory_in_use() { return static_cast<int64_t>(machine.used + machine.pinned.size()); }

// Objects that were made and not given back: context, stream, event, module, graph, executable, memory, pinned.
EXPORT int64_t fake_driver_live(const char* kind) {
  std::string wanted = kind;
  return wanted == "context"  ? machine.context
         : wanted == "memory" ? static_cast<int64_t>(machine.memory.size())
         : wanted == "pinned" ? static_cast<int64_t>(machine.pinned.size())
                              : machine.live[wanted];
}

// The last call of cuLaunchKernel: name, grid, threads, bytes of shared memory, and each argument's 8 bytes in hex.
EXPORT const char* fake_driver_last_launch() { return machine.last_launch.c_str(); }

// Names, grids and arguments of all kernels that ran since this was last asked, as one number.
EXPORT uint64_t fake_driver_digest() { return std::exchange(machine.digest, 0); }

// What the emulator said of a kernel that failed.
EXPORT const char* fake_driver_error() { return machine.last_error.c_str(); }

// The driver.

EXPORT int cuInit(unsigned) {
  if (int code = count(__func__)) {
    return code;
  }
  return setting("init") != 0 ? static_cast<int>(setting("init")) : setting("devices") == 0 ? NO_DEVICE : SUCCESS;
}

EXPORT int cuDriverGetVersion(int* version) {
  configure_from_environment();
  *version = static_cast<int>(setting("driver"));
  return SUCCESS;
}

EXPORT int cuDeviceGetCount(int* devices) {
  int code = count(__func__);
  *devices = static_cast<int>(setting("devices"));
  return code;
}

EXPORT int cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return ordinal < setting("devices") ? SUCCESS : INVALID_DEVICE;
}

EXPORT int cuDeviceGetName(char* name, int length, int device) {
  std::string text = "Fake GPU " + std::to_string(device);
  std::strncpy(name, text.c_str(), static_cast<size_t>(length));
  return SUCCESS;
}

EXPORT int cuDeviceGetAttribute(int* value, int attribute, int) {
  switch (attribute) {
    case 16:
      *value = static_cast<int>(setting("multiprocessors"));
      return SUCCESS;
    case 75:
      *value = static_cast<int>(setting("capability") / 10);
      return SUCCESS;
    case 76:
      *value = static_cast<int>(setting("capability") % 10);
      return SUCCESS;
    case 97:
      *value = static_cast<int>(setting("shared"));
      return SUCCESS;
    default:
      return INVALID_VALUE;
  }
}

EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int) {
  *bytes = static_cast<size_t>(setting("memory"));
  return SUCCESS;
}

EXPORT int cuDevicePrimaryCtxRetain(void** context, int) {
  if (int code = count(__func__)) {
    return code;
  }
  *context = &machine.context;
  machine.context++;
  return SUCCESS;
}

EXPORT int cuDevicePrimaryCtxRelease_v2(int) {
  if (--machine.context == 0 && machine.lost != SUCCESS) {
    forget_lost_context();
  }
  return SUCCESS;
}

EXPORT int cuCtxSetCurrent(void* context) {
  if (int code = count(__func__)) {
    return code;
  }
  context_is_current = context == &machine.context && machine.context > 0;
  return context_is_current ? SUCCESS : INVALID_CONTEXT;
}

EXPORT int cuStreamCreate(Stream** stream, unsigned) {
  BEGIN();
  *stream = new Stream();
  machine.live["stream"]++;
  machine.streams.push_back(*stream);
  return SUCCESS;
}

EXPORT int cuStreamDestroy_v2(Stream* stream) {
  BEGIN();
  machine.streams.erase(std::find(machine.streams.begin(), machine.streams.end(), stream));
  delete stream;
  machine.live["stream"]--;
  return SUCCESS;
}

EXPORT int cuStreamSynchronize(Stream* stream) {
  BEGIN();
  NOT_IN_CAPTURE();
  return run_until(stream, stream->queued);
}

EXPORT int cuEventCreate(Event** event, unsigned) {
  BEGIN();
  *event = new Event();
  machine.live["event"]++;
  return SUCCESS;
}

EXPORT int cuEventDestroy_v2(Event* event) {
  BEGIN();
  delete event;
  machine.live["event"]--;
  return SUCCESS;
}

EXPORT int cuEventRecord(Event* event, Stream* stream) {
  BEGIN();
  event->stream = stream;
  auto reached = std::make_shared<std::chrono::steady_clock::time_point>();
  event->reached = reached;
  int code = enqueue(stream, [reached] {
    *reached = std::chrono::steady_clock::now();
    return SUCCESS;
  });
  event->mark = stream->queued;
  return code;
}

EXPORT int cuEventSynchronize(Event* event) {
  BEGIN();
  NOT_IN_CAPTURE();
  return event->stream == nullptr ? SUCCESS : run_until(event->stream, event->mark);
}

EXPORT int cuEventElapsedTime(float* milliseconds, Event* from, Event* to) {
  BEGIN();
  for (Event* event : {from, to}) {
    if (event->stream == nullptr) {
      return INVALID_HANDLE;
    }
    if (event->stream->done < event->mark) {
      return NOT_READY;
    }
  }
  *milliseconds = std::chrono::duration<float, std::milli>(*to->reached - *from->reached).count();
  return SUCCESS;
}

EXPORT int cuMemAlloc_v2(uintptr_t* address, size_t bytes) {
  BEGIN();
  NOT_IN_CAPTURE();
  if (bytes == 0) {
    return INVALID_VALUE;
  }
  if (machine.used + bytes > static_cast<size_t>(setting("memory"))) {
    return OUT_OF_MEMORY;
  }
  void* block = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(block, 0xff, bytes);
  *address = reinterpret_cast<uintptr_t>(block);
  machine.memory[*address] = bytes;
  machine.used += bytes;
  return SUCCESS;
}

EXPORT int cuMemFree_v2(uintptr_t address) {
  BEGIN();
  NOT_IN_CAPTURE();
  auto block = machine.memory.find(address);
  if (block == machine.memory.end()) {
    return INVALID_VALUE;
  }
  if (int code = run_all()) {
    return code;
  }
  machine.used -= block->second;
  std::memset(pointer(address), 0xff, block->second);
  std::free(pointer(address));
  machine.memory.erase(block);
  return SUCCESS;
}

EXPORT int cuMemGetInfo_v2(size_t* free_bytes, size_t* total) {
  BEGIN();
  *total = static_cast<size_t>(setting("memory"));
  *free_bytes = *total - machine.used;
  return SUCCESS;
}

EXPORT int cuMemHostAlloc(void** host, size_t bytes, unsigned) {
  BEGIN();
  NOT_IN_CAPTURE();
  *host = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  machine.pinned[reinterpret_cast<uintptr_t>(*host)] = bytes;
  return SUCCESS;
}

EXPORT int cuMemFreeHost(void* host) {
  BEGIN();
  machine.pinned.erase(reinterpret_cast<uintptr_t>(host));
  std::free(host);
  return SUCCESS;
}

EXPORT int cuMemcpyHtoDAsync_v2(uintptr_t target, const void* source, size_t bytes, Stream* stream) {
  BEGIN();
  if (!on_device(target, bytes) || !is_pinned(source, bytes)) {
    return INVALID_VALUE;
  }
  return copy_later(stream, pointer(target), source, bytes);
}

EXPORT int cuMemcpyDtoHAsync_v2(void* target, uintptr_t source, size_t bytes, Stream* stream) {
  BEGIN();
  if (!on_device(source, bytes) || !is_pinned(target, bytes)) {
    return INVALID_VALUE;
  }
  return copy_later(stream, target, pointer(source), bytes);
}

EXPORT int cuMemcpyDtoDAsync_v2(uintptr_t target, uintptr_t source, size_t bytes, Stream* stream) {
  BEGIN();
  if (!on_device(target, bytes) || !on_device(source, bytes)) {
    return INVALID_VALUE;
  }
  return copy_later(stream, pointer(target), pointer(source), bytes);
}

EXPORT int cuMemsetD8Async(uintptr_t target, unsigned char value, size_t bytes, Stream* stream) {
  BEGIN();
  if (!on_device(target, bytes)) {
    return INVALID_VALUE;
  }
  return enqueue(stream, [=] {
    std::memset(pointer(target), value, bytes);
    return SUCCESS;
  });
}

EXPORT int cuModuleLoadData(Module** module, const char* image) {
  BEGIN();
  constexpr unsigned char FATBIN[] = {0x50, 0xed, 0x55, 0xba};
  bool compiled = std::memcmp(image, FATBIN, sizeof FATBIN) == 0;
  std::istringstream words(compiled ? "*" : image);
  *module = new Module();
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
  std::string wanted = name;
  bool here = std::any_of(module->beginnings.begin(), module->beginnings.end(), [&](const std::string& b) {
    return b == "*" || wanted.compare(0, b.size(), b) == 0;
  });
  void* kernel = here ? lethe_emulator_kernel(name) : nullptr;
  if (kernel == nullptr) {
    return NOT_FOUND;
  }
  *function = &machine.functions[wanted];
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
  if (attribute != 8 || value > setting("shared")) {
    return INVALID_VALUE;
  }
  function->shared_limit = value;
  return SUCCESS;
}

EXPORT int cuLaunchKernel(Function* function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned threads_y,
                          unsigned threads_z, unsigned shared, Stream* stream, void** parameters, void** extra) {
  BEGIN();
  if (threads_y != 1 || threads_z != 1 || extra != nullptr || static_cast<int64_t>(shared) > function->shared_limit) {
    return INVALID_VALUE;
  }
  // The driver reads arguments now; each has a slot of 8 bytes.
  std::vector<uint64_t> values(static_cast<size_t>(lethe_emulator_parameters(function->kernel)));
  for (size_t i = 0; i < values.size(); i++) {
    std::memcpy(&values[i], parameters[i], sizeof values[i]);
  }
  std::string words = words_of(function->name, {x, y, z, threads, shared}, values);
  machine.last_launch = words;
  return enqueue(stream, [=]() mutable {
    if (int code = count("kernel")) {
      return code;
    }
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

EXPORT int cuStreamBeginCapture_v2(Stream* stream, int) {
  BEGIN();
  stream->capturing = true;
  stream->capture_broken = false;
  stream->captured.operations.clear();
  return SUCCESS;
}

EXPORT int cuStreamEndCapture(Stream* stream, Graph** graph) {
  if (int code = begin(__func__)) {
    stream->capturing = false;
    return code;
  }
  if (!stream->capturing) {
    return INVALID_VALUE;
  }
  stream->capturing = false;
  *graph = nullptr;
  if (!stream->capture_broken) {
    *graph = new Graph(std::move(stream->captured));
    machine.live["graph"]++;
  }
  stream->captured = Graph();
  return stream->capture_broken ? CAPTURE_INVALIDATED : SUCCESS;
}

EXPORT int cuGraphInstantiateWithFlags(Graph** executable, Graph* graph, unsigned long long) {
  BEGIN();
  *executable = new Graph(*graph);
  machine.live["executable"]++;
  return SUCCESS;
}

EXPORT int cuGraphLaunch(Graph* executable, Stream* stream) {
  BEGIN();
  for (const Operation& operation : executable->operations) {
    enqueue(stream, operation);
  }
  return SUCCESS;
}

EXPORT int cuGraphDestroy(Graph* graph) {
  BEGIN();
  delete graph;
  machine.live["graph"]--;
  return SUCCESS;
}

EXPORT int cuGraphExecDestroy(Graph* executable) {
  BEGIN();
  delete executable;
  machine.live["executable"]--;
  return SUCCESS;
}
