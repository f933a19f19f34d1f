// Device memory and pinned memory, both of the host, and what moves and fills them.
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "machine.h"

using namespace fake;

namespace {

bool within(const std::map<uintptr_t, size_t>& blocks, uintptr_t address, size_t bytes) {
  auto after = blocks.upper_bound(address);
  if (after == blocks.begin()) {
    return false;
  }
  auto block = std::prev(after);
  return address + bytes <= block->first + block->second;
}

bool on_device(uintptr_t address, size_t bytes) { return within(current->memory, address, bytes); }
bool is_pinned(const void* host, size_t bytes) {
  return within(machine.pinned, reinterpret_cast<uintptr_t>(host), bytes);
}

int copy_later(Stream* stream, void* target, const void* source, size_t bytes) {
  return enqueue(stream, [=] {
    std::memmove(target, source, bytes);
    return SUCCESS;
  });
}

}  // namespace

EXPORT int cuMemAlloc_v2(uintptr_t* address, size_t bytes) {
  BEGIN();
  NOT_IN_CAPTURE();
  if (bytes == 0) {
    return INVALID_VALUE;
  }
  if (current->used + bytes > static_cast<size_t>(setting("memory", current->device))) {
    return OUT_OF_MEMORY;
  }
  void* block = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(block, 0xff, bytes);
  *address = reinterpret_cast<uintptr_t>(block);
  current->memory[*address] = bytes;
  current->used += bytes;
  return SUCCESS;
}

EXPORT int cuMemFree_v2(uintptr_t address) {
  BEGIN();
  NOT_IN_CAPTURE();
  auto block = current->memory.find(address);
  if (block == current->memory.end()) {
    return INVALID_VALUE;
  }
  if (int code = run_all()) {
    return code;
  }
  current->used -= block->second;
  std::memset(pointer(address), 0xff, block->second);
  std::free(pointer(address));
  current->memory.erase(block);
  return SUCCESS;
}

EXPORT int cuMemGetInfo_v2(size_t* free_bytes, size_t* total) {
  BEGIN();
  *total = static_cast<size_t>(setting("memory", current->device));
  *free_bytes = *total - current->used;
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
  OF_CURRENT(stream);
  if (!on_device(target, bytes) || !is_pinned(source, bytes)) {
    return INVALID_VALUE;
  }
  return copy_later(stream, pointer(target), source, bytes);
}

EXPORT int cuMemcpyDtoHAsync_v2(void* target, uintptr_t source, size_t bytes, Stream* stream) {
  BEGIN();
  OF_CURRENT(stream);
  if (!on_device(source, bytes) || !is_pinned(target, bytes)) {
    return INVALID_VALUE;
  }
  return copy_later(stream, target, pointer(source), bytes);
}

EXPORT int cuMemcpyDtoDAsync_v2(uintptr_t target, uintptr_t source, size_t bytes, Stream* stream) {
  BEGIN();
  OF_CURRENT(stream);
  if (!on_device(target, bytes) || !on_device(source, bytes)) {
    return INVALID_VALUE;
  }
  return copy_later(stream, pointer(target), pointer(source), bytes);
}

EXPORT int cuMemsetD8Async(uintptr_t target, unsigned char value, size_t bytes, Stream* stream) {
  BEGIN();
  OF_CURRENT(stream);
  if (!on_device(target, bytes)) {
    return INVALID_VALUE;
  }
  return enqueue(stream, [=] {
    std::memset(pointer(target), value, bytes);
    return SUCCESS;
  });
}
