// The driver by its own functions, found at run time: this program needs no toolkit where it runs, and the stand-in
// driver of the tests can take the driver's place.
#pragma once

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>
#include <vector>

[[noreturn]] inline void stop(const std::string& why) {
  std::printf("stopped: %s\n", why.c_str());
  std::exit(3);
}

// An argument of a kernel in its slot of 8 bytes.
struct Argument {
  uint64_t slot = 0;
  Argument(uint64_t address) : slot(address) {}
  Argument(int64_t number) : slot(static_cast<uint64_t>(number)) {}
  Argument(int number) : slot(static_cast<uint64_t>(int64_t{number})) {}
  Argument(std::nullptr_t) {}
  Argument(float number) { std::memcpy(&slot, &number, sizeof number); }
};

struct Grid {
  int64_t x;
  int64_t y;
  int threads;
  int shared_bytes;
};

class Gpu {
 public:
  explicit Gpu(std::string fatbins) : folder(std::move(fatbins)) {
    library = dlopen("libcuda.so.1", RTLD_NOW);
    if (library == nullptr) {
      stop(std::string("no driver: ") + dlerror());
    }
    check("cuInit", call<int(unsigned)>("cuInit")(0));
    int device = 0;
    check("cuDeviceGet", call<int(int*, int)>("cuDeviceGet")(&device, 0));
    void* context = nullptr;
    check("cuDevicePrimaryCtxRetain", call<int(void**, int)>("cuDevicePrimaryCtxRetain")(&context, device));
    check("cuCtxSetCurrent", call<int(void*)>("cuCtxSetCurrent")(context));
    check("cuStreamCreate", call<int(void**, unsigned)>("cuStreamCreate")(&stream, 0));
    for (void** event : {&begun, &ended}) {
      check("cuEventCreate", call<int(void**, unsigned)>("cuEventCreate")(event, 0));
    }
    constexpr int MULTIPROCESSORS = 16;
    constexpr int SHARED_MEMORY_OF_A_BLOCK = 97;
    auto attribute = call<int(int*, int, int)>("cuDeviceGetAttribute");
    check("cuDeviceGetAttribute", attribute(&multiprocessors, MULTIPROCESSORS, device));
    check("cuDeviceGetAttribute", attribute(&shared_memory, SHARED_MEMORY_OF_A_BLOCK, device));
  }

  uint64_t allocate(size_t bytes) {
    uint64_t address = 0;
    check("cuMemAlloc", call<int(uint64_t*, size_t)>("cuMemAlloc_v2")(&address, bytes));
    return address;
  }

  template <class T>
  uint64_t upload(const std::vector<T>& values) {
    uint64_t address = allocate(values.size() * sizeof(T));
    Pinned pinned(*this, values.size() * sizeof(T));
    std::memcpy(pinned.bytes, values.data(), values.size() * sizeof(T));
    check("cuMemcpyHtoDAsync", call<int(uint64_t, const void*, size_t, void*)>("cuMemcpyHtoDAsync_v2")(
                                   address, pinned.bytes, values.size() * sizeof(T), stream));
    wait("an upload");
    return address;
  }

  template <class T>
  std::vector<T> download(uint64_t address, size_t count) {
    std::vector<T> values(count);
    Pinned pinned(*this, count * sizeof(T));
    check("cuMemcpyDtoHAsync", call<int(void*, uint64_t, size_t, void*)>("cuMemcpyDtoHAsync_v2")(
                                   pinned.bytes, address, count * sizeof(T), stream));
    wait("a download");
    std::memcpy(values.data(), pinned.bytes, count * sizeof(T));
    return values;
  }

  // Launches once to warm up and `runs` times more; the milliseconds of one of those.
  double run(const std::string& file, const std::string& kernel, Grid grid, std::vector<Argument> arguments, int runs) {
    void* function = find(file, kernel);
    constexpr int MOST_SHARED_BYTES = 8;
    if (grid.shared_bytes > 48 << 10) {
      check(kernel, call<int(void*, int, int)>("cuFuncSetAttribute")(function, MOST_SHARED_BYTES, grid.shared_bytes));
    }
    std::vector<void*> parameters;
    for (Argument& argument : arguments) {
      parameters.push_back(&argument.slot);
    }
    auto launch = [&] {
      using Launch = int(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
      check(kernel, call<Launch>("cuLaunchKernel")(function, static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y), 1,
                                                   static_cast<unsigned>(grid.threads), 1, 1,
                                                   static_cast<unsigned>(grid.shared_bytes), stream, parameters.data(),
                                                   nullptr));
    };
    launch();
    wait(kernel);
    auto record = call<int(void*, void*)>("cuEventRecord");
    check("cuEventRecord", record(begun, stream));
    for (int i = 0; i < runs; i++) {
      launch();
    }
    check("cuEventRecord", record(ended, stream));
    wait(kernel);
    float milliseconds = 0;
    check("cuEventElapsedTime", call<int(float*, void*, void*)>("cuEventElapsedTime")(&milliseconds, begun, ended));
    return runs == 0 ? 0 : double{milliseconds} / runs;
  }

  int multiprocessors = 0;
  int shared_memory = 0;

 private:
  struct Pinned {
    Gpu& gpu;
    void* bytes = nullptr;
    Pinned(Gpu& gpu, size_t size) : gpu(gpu) {
      gpu.check("cuMemHostAlloc", gpu.call<int(void**, size_t, unsigned)>("cuMemHostAlloc")(&bytes, size, 0));
    }
    ~Pinned() { gpu.check("cuMemFreeHost", gpu.call<int(void*)>("cuMemFreeHost")(bytes)); }
  };

  template <class Signature>
  Signature* call(const char* name) {
    void* symbol = dlsym(library, name);
    if (symbol == nullptr) {
      stop(std::string("the driver has no ") + name);
    }
    return reinterpret_cast<Signature*>(symbol);
  }

  void check(const std::string& what, int code) {
    if (code != 0) {
      stop(what + " ended with code " + std::to_string(code));
    }
  }

  void wait(const std::string& what) { check(what, call<int(void*)>("cuStreamSynchronize")(stream)); }

  void* find(const std::string& file, const std::string& kernel) {
    std::string path = folder + "/" + file + ".fatbin";
    std::ifstream in(path, std::ios::binary);
    std::string image((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (image.empty()) {
      stop(path + " is not there");
    }
    void* module = nullptr;
    check(path, call<int(void**, const void*)>("cuModuleLoadData")(&module, image.data()));
    void* function = nullptr;
    check(kernel, call<int(void**, void*, const char*)>("cuModuleGetFunction")(&function, module, kernel.c_str()));
    return function;
  }

  std::string folder;
  void* library = nullptr;
  void* stream = nullptr;
  void* begun = nullptr;
  void* ended = nullptr;
};
