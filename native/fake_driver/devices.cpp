// Devices and their primary context.
#include <cstdlib>
#include <cstring>

#include "machine.h"

using namespace fake;

namespace {

// What was in a context goes with it.
void forget_lost(Context& context) {
  for (auto* blocks : {&context.memory, &machine.pinned}) {
    for (auto& block : *blocks) {
      std::free(pointer(block.first));
    }
    blocks->clear();
  }
  for (Stream* stream : context.streams) {
    delete stream;
  }
  context.streams.clear();
  machine.live.clear();
  context.used = 0;
}

}  // namespace

EXPORT int cuInit(unsigned) {
  MY_TURN();
  if (int code = count(__func__)) {
    return code;
  }
  return setting("init") != 0 ? static_cast<int>(setting("init")) : setting("devices") == 0 ? NO_DEVICE : SUCCESS;
}

EXPORT int cuDriverGetVersion(int* version) {
  MY_TURN();
  configure_from_environment();
  *version = static_cast<int>(setting("driver"));
  return SUCCESS;
}

EXPORT int cuDeviceGetCount(int* devices) {
  MY_TURN();
  int code = count(__func__);
  *devices = static_cast<int>(setting("devices"));
  return code;
}

EXPORT int cuDeviceGet(int* device, int ordinal) {
  MY_TURN();
  *device = ordinal;
  return ordinal < setting("devices") ? SUCCESS : INVALID_DEVICE;
}

EXPORT int cuDeviceGetName(char* name, int length, int) {
  std::strncpy(name, "Fake GPU", static_cast<size_t>(length));
  return SUCCESS;
}

EXPORT int cuDeviceGetAttribute(int* value, int attribute, int device) {
  MY_TURN();
  switch (attribute) {
    case 16:
      *value = static_cast<int>(setting("multiprocessors", device));
      return SUCCESS;
    case 75:
      *value = static_cast<int>(setting("capability", device) / 10);
      return SUCCESS;
    case 76:
      *value = static_cast<int>(setting("capability", device) % 10);
      return SUCCESS;
    case 97:
      *value = static_cast<int>(setting("shared", device));
      return SUCCESS;
    default:
      return INVALID_VALUE;
  }
}

EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int device) {
  MY_TURN();
  *bytes = static_cast<size_t>(setting("memory", device));
  return SUCCESS;
}

EXPORT int cuDevicePrimaryCtxRetain(Context** context, int device) {
  MY_TURN();
  if (int code = count(__func__)) {
    return code;
  }
  *context = &machine.contexts[device];
  (*context)->device = device;
  (*context)->retained++;
  return SUCCESS;
}

EXPORT int cuDevicePrimaryCtxRelease_v2(int device) {
  MY_TURN();
  Context& context = machine.contexts[device];
  if (--context.retained == 0 && machine.lost != SUCCESS) {
    forget_lost(context);
  }
  return SUCCESS;
}

EXPORT int cuCtxSetCurrent(Context* context) {
  MY_TURN();
  if (int code = count(__func__)) {
    return code;
  }
  current = context;
  return context != nullptr && context->retained > 0 ? SUCCESS : INVALID_CONTEXT;
}
