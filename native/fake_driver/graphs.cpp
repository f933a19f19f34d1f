// Streams that are captured, and the graphs that come of it.
#include "machine.h"

namespace fake {

int forbidden_in_capture() {
  constexpr int GLOBAL = 0;
  constexpr int THREAD_LOCAL = 1;
  for (auto& context : machine.contexts) {
    for (Stream* stream : context.second.streams) {
      bool mine = stream->capture_mode == THREAD_LOCAL && stream->capturer == std::this_thread::get_id();
      if (stream->capturing && (mine || stream->capture_mode == GLOBAL)) {
        stream->capture_broken = true;
        return CAPTURE_UNSUPPORTED;
      }
    }
  }
  return SUCCESS;
}

}  // namespace fake

using namespace fake;

EXPORT int cuStreamBeginCapture_v2(Stream* stream, int mode) {
  BEGIN();
  OF_CURRENT(stream);
  stream->capturing = true;
  stream->capture_mode = mode;
  stream->capturer = std::this_thread::get_id();
  stream->capture_broken = false;
  stream->captured = Graph{stream->owner, {}};
  return SUCCESS;
}

EXPORT int cuStreamEndCapture(Stream* stream, Graph** graph) {
  MY_TURN();
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
  OF_CURRENT(executable);
  OF_CURRENT(stream);
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
