// Devices and their primary context.
#include <cstdlib>
#include <cstring>

#include "machine.h"

using namespace fake;

namespace {

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

}  // namespace

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
