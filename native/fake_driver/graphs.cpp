// Streams that are captured, and the graphs that come of it.
#include "machine.h"

namespace fake {

int forbidden_in_capture() {
  for (Stream* stream : machine.streams) {
    if (stream->capturing) {
      stream->capture_broken = true;
      return CAPTURE_UNSUPPORTED;
    }
  }
  return SUCCESS;
}

}  // namespace fake

using namespace fake;

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
  machine.live["node"] += static_cast<int64_t>(graph->operations.size());
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
  machine.live["executable"]--;
  machine.live["node"] -= static_cast<int64_t>(executable->operations.size());
  delete executable;
  return SUCCESS;
}
