// Streams, whose work waits until somebody waits for it, and events, which mark a place in a stream.
#include <algorithm>
#include <chrono>
#include <memory>

#include "machine.h"

namespace fake {

int enqueue(Stream* stream, Operation operation) {
  if (stream->capturing) {
    stream->captured.operations.push_back(std::move(operation));
  } else {
    stream->waiting.push_back(std::move(operation));
    stream->queued++;
  }
  return SUCCESS;
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
  for (Stream* stream : current->streams) {
    if (int code = run_until(stream, stream->queued)) {
      return code;
    }
  }
  return machine.lost;
}

}  // namespace fake

using namespace fake;

namespace {

struct Event {
  Stream* stream = nullptr;
  uint64_t mark = 0;
  std::shared_ptr<std::chrono::steady_clock::time_point> reached;
};

}  // namespace

EXPORT int cuStreamCreate(Stream** stream, unsigned) {
  BEGIN();
  *stream = new Stream();
  (*stream)->owner = current;
  machine.live["stream"]++;
  current->streams.push_back(*stream);
  return SUCCESS;
}

EXPORT int cuStreamDestroy_v2(Stream* stream) {
  BEGIN();
  OF_CURRENT(stream);
  current->streams.erase(std::find(current->streams.begin(), current->streams.end(), stream));
  delete stream;
  machine.live["stream"]--;
  return SUCCESS;
}

EXPORT int cuStreamSynchronize(Stream* stream) {
  BEGIN();
  OF_CURRENT(stream);
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
  OF_CURRENT(stream);
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
