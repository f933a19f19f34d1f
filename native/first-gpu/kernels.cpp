// first-gpu-kernels FATBINS [--warpgroups] [--tiny] [--once]: the hot kernels at the shapes of llama1b, 8 x 1024, without a
// JVM: tiled attention against the plain kernels, cross-entropy and a norm's adjoint against loops here, each with its time
// by events. --warpgroups takes instead attention by warpgroups against the tiled kernels, on compute capability 9.0 alone.
// --tiny takes shapes that sanitizers and the emulator can bear; --once launches nothing for time. Ends with 1 where a
// kernel is wrong.
#include <algorithm>
#include <cmath>
#include <random>

#include "gpu.h"

namespace {

using Bf16 = uint16_t;

float widened(Bf16 x) {
  uint32_t bits = uint32_t{x} << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float widened(float x) { return x; }

Bf16 rounded(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return static_cast<Bf16>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

std::mt19937 generator(20261201);

std::vector<float> random_numbers(size_t count, float deviation) {
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(count);
  constexpr size_t PERIOD = (1 << 20) + 7;  // drawing takes longer than the kernels
  for (size_t i = 0; i < count; i++) {
    values[i] = i < PERIOD ? normal(generator) : values[i - PERIOD];
  }
  return values;
}

std::vector<Bf16> random_bf16(size_t count, float deviation) {
  std::vector<Bf16> values;
  for (float x : random_numbers(count, deviation)) {
    values.push_back(rounded(x));
  }
  return values;
}

struct Shape {
  std::vector<int> lengths;
  int64_t heads;
  int64_t key_heads;
  int64_t vocabulary;
  int64_t hidden;
  int runs;
};

constexpr int64_t HEAD = 64;
constexpr int64_t TILE = 64;
constexpr int64_t WIDE_TILE = 128;
constexpr int THREADS = 128;
constexpr double MOST_ERROR = 2e-2;  // relative, of tensors in bfloat16

bool right = true;

void report(const std::string& kernel, double error, double most, double milliseconds, const char* other = "",
            double of_other = 0) {
  bool good = error <= most;  // false for NaN
  right = right && good;
  std::printf("%-36s %s  error %.2e (at most %.0e)  %9.4f ms", kernel.c_str(), good ? "ok   " : "WRONG", error, most,
              milliseconds);
  if (of_other > 0) {
    std::printf("  %s %9.4f ms", other, of_other);
  }
  std::printf("\n");
  std::fflush(stdout);
}

// Tiled attention against the plain kernels, or that of warpgroups against the tiled ones.
class Attention {
 public:
  Attention(Gpu& gpu, const Shape& shape, bool warpgroups) : gpu(gpu), shape(shape), warpgroups(warpgroups) {
    std::vector<int32_t> starts = {0};
    std::vector<int32_t> sequences;
    int longest = 0;
    for (int length : shape.lengths) {
      sequences.insert(sequences.end(), static_cast<size_t>(length), static_cast<int32_t>(starts.size() - 1));
      starts.push_back(starts.back() + length);
      longest = std::max(longest, length);
    }
    rows = starts.back();
    starts_at = gpu.upload(starts);
    sequences_at = gpu.upload(sequences);
    tiles = tiles_of(TILE, longest);
    wide_tiles = tiles_of(WIDE_TILE, longest);
  }

  void run() {
    uint64_t q = queries(), dq = queries(), go = queries(), dgo = queries();
    uint64_t k = keys(), v = keys(), dk = keys(), dv = keys();
    Result o = result(shape.heads * HEAD, 2), lse = result(shape.heads, 4);
    both({"forward", shape.heads, 1, 4 * 64, 4 * 64, 0}, {starts_at, starts_at, q, k, v}, {&o, &lse});
    Result d_o = result(shape.heads * HEAD, 2), mu = result(shape.heads, 4);
    both({"tangent", shape.heads, 2, 8 * 32, 8 * 32, 0}, {starts_at, q, k, v, o.tiled, lse.tiled, dq, dk, dv},
         {&d_o, &mu});
    uint64_t delta = deltas(o.tiled, go, nullptr, nullptr);
    uint64_t ddelta = deltas(o.tiled, go, d_o.tiled, dgo);
    std::vector<Argument> first = {starts_at, q, k, v, lse.tiled, go, delta};
    std::vector<Argument> second = first;
    second.insert(second.end(), {dq, dk, dv, mu.tiled, dgo, ddelta});
    Result gq = result(shape.heads * HEAD, 2);
    Result gk = result(shape.key_heads * HEAD, 2), gv = result(shape.key_heads * HEAD, 2);
    both({"query_gradient", shape.heads, 2, 4 * 32, 4 * 64, 0}, first, {&gq}, {o.tiled, shape.heads * HEAD});
    both({"key_gradient", shape.key_heads, 2, 4 * 32, 4 * 32, 2}, first, {&gk, &gv});
    both({"query_gradient_tangent", shape.heads, 4, 8 * 32, 8 * 32, 0}, second, {&gq},
         {o.tiled, d_o.tiled, shape.heads * HEAD});
    both({"key_gradient_tangent", shape.key_heads, 4, 8 * 32, 8 * 32, 4}, second, {&gk, &gv});
  }

 private:
  // What a tiled kernel and the other one make of the same.
  struct Result {
    uint64_t tiled;
    uint64_t other;
    size_t count;
    int bytes;
  };

  struct Tiles {
    uint64_t places;
    int64_t count;
  };

  // A kernel's name, its heads, and what it holds in shared memory: tiles of its own rows, rows of the other side (and of
  // warpgroups), and so many numbers of each of 32 queries in two buffers.
  struct Mode {
    std::string name;
    int64_t heads;
    int own_tiles;
    int other_rows;
    int other_rows_of_warpgroups;
    int statistics;
  };

  Tiles tiles_of(int64_t size, int longest) {
    std::vector<int32_t> places;
    for (int64_t first = (longest - 1) / size * size; first >= 0; first -= size) {
      for (size_t i = 0; i < shape.lengths.size(); i++) {
        if (first < shape.lengths[i]) {
          places.insert(places.end(), {static_cast<int32_t>(i), static_cast<int32_t>(first)});
        }
      }
    }
    return {gpu.upload(places), static_cast<int64_t>(places.size() / 2)};
  }

  uint64_t queries() { return gpu.upload(random_bf16(static_cast<size_t>(rows * shape.heads * HEAD), 1)); }

  uint64_t keys() { return gpu.upload(random_bf16(static_cast<size_t>(rows * shape.key_heads * HEAD), 1)); }

  Result result(int64_t width, int bytes) {
    size_t count = static_cast<size_t>(rows * width);
    return {gpu.allocate(count * static_cast<size_t>(bytes)), gpu.allocate(count * static_cast<size_t>(bytes)), count,
            bytes};
  }

  // A block a tile and head.
  Grid tile_grid(const Mode& mode, bool wide) {
    int64_t shared_rows = mode.own_tiles * (wide ? WIDE_TILE : TILE);
    shared_rows += wide ? mode.other_rows_of_warpgroups : mode.other_rows;
    int64_t bytes = shared_rows * HEAD * int64_t{sizeof(Bf16)} + 2 * mode.statistics * 32 * int64_t{sizeof(float)};
    return {wide ? wide_tiles.count : tiles.count, mode.heads, wide ? 2 * THREADS : THREADS, static_cast<int>(bytes)};
  }

  Grid rows_of(int64_t heads) { return {(rows + 3) / 4, heads, THREADS, 0}; }

  uint64_t deltas(Argument o, Argument go, Argument d_o, Argument dgo) {
    uint64_t delta = gpu.allocate(static_cast<size_t>(rows * shape.heads) * sizeof(float));
    gpu.run("attention_plain", "attention_delta_bf16", rows_of(shape.heads),
            {o, go, d_o, dgo, delta, rows, shape.heads, HEAD, shape.heads * HEAD}, 0);
    return delta;
  }

  // of_tiles: what the plain kernel is not told
  void both(const Mode& mode, const std::vector<Argument>& inputs, const std::vector<Result*>& results,
            const std::vector<Argument>& of_tiles = {}) {
    std::vector<Argument> tiled_inputs = inputs;
    tiled_inputs.insert(tiled_inputs.end(), of_tiles.begin(), of_tiles.end());
    std::vector<Argument> to_tiled, to_other;
    for (Result* each : results) {
      to_tiled.push_back(each->tiled);
      to_other.push_back(each->other);
    }
    std::string file = "attention_" + mode.name.substr(0, mode.name.find("_tangent"));
    std::string kernel = "attention_" + mode.name + "_64";
    double tiled = gpu.run(file, kernel + "_bf16", tile_grid(mode, false),
                           arguments(mode, tiles.places, tiled_inputs, to_tiled, true), shape.runs);
    double other = warpgroups ? gpu.run(file + "_wgmma", kernel + "_wgmma_bf16", tile_grid(mode, true),
                                        arguments(mode, wide_tiles.places, tiled_inputs, to_other, true), shape.runs)
                              : gpu.run("attention_plain", file + "_plain_bf16", rows_of(mode.heads),
                                        arguments(mode, sequences_at, inputs, to_other, false), shape.runs > 0);
    double error = 0;
    for (Result* each : results) {
      double one = each->bytes == 2 ? distance<Bf16>(*each) : distance<float>(*each);
      error = one <= error ? error : one;  // NaN stays
    }
    if (warpgroups) {
      report(kernel + "_wgmma", error, MOST_ERROR, other, "warp by warp", tiled);
    } else {
      report("attention_" + mode.name, error, MOST_ERROR, tiled, "plain kernel", other);
    }
  }

  // The plain kernels take the head size, and the tangents' arguments always, as null pointers in the first order.
  std::vector<Argument> arguments(const Mode& mode, uint64_t places, const std::vector<Argument>& inputs,
                                  const std::vector<Argument>& results, bool tiled) {
    constexpr size_t TANGENTS = 6;
    std::vector<Argument> all = {places};
    all.insert(all.end(), inputs.begin(), inputs.end());
    if (!tiled && (mode.name == "query_gradient" || mode.name == "key_gradient")) {
      all.insert(all.end(), TANGENTS, nullptr);
    }
    all.insert(all.end(), results.begin(), results.end());
    all.insert(all.end(), {rows, shape.heads, shape.heads / shape.key_heads});
    if (!tiled) {
      all.push_back(HEAD);
    }
    int64_t stride = shape.heads * HEAD;
    int64_t key_stride = shape.key_heads * HEAD;
    int64_t of_result = mode.name.rfind("key_gradient", 0) == 0 ? key_stride : stride;
    all.insert(all.end(), {0, stride, key_stride, of_result, 1 / std::sqrt(static_cast<float>(HEAD))});
    return all;
  }

  template <class T>
  double distance(const Result& result) {
    std::vector<T> a = gpu.download<T>(result.tiled, result.count);
    std::vector<T> b = gpu.download<T>(result.other, result.count);
    double difference = 0;
    double size = 0;
    for (size_t i = 0; i < a.size(); i++) {
      double x = widened(a[i]);
      double y = widened(b[i]);
      difference += (x - y) * (x - y);
      size += y * y;
    }
    return std::sqrt(difference / size);
  }

  Gpu& gpu;
  const Shape& shape;
  bool warpgroups;
  int64_t rows = 0;
  uint64_t starts_at = 0;
  uint64_t sequences_at = 0;
  Tiles tiles = {};
  Tiles wide_tiles = {};
};

// Losses of some rows against a loop in double.
void cross_entropy(Gpu& gpu, const Shape& shape) {
  constexpr int64_t ROWS = 1024;
  int64_t rows = std::min(ROWS, int64_t{shape.lengths[0]});
  int64_t v = shape.vocabulary;
  std::vector<float> z = random_numbers(static_cast<size_t>(rows * v), 3);
  std::vector<int32_t> targets(static_cast<size_t>(rows));
  for (int64_t row = 0; row < rows; row++) {
    targets[static_cast<size_t>(row)] = static_cast<int32_t>(row * 7919 % v);
  }
  int64_t kept = std::min(v, int64_t{gpu.shared_memory - (2 << 10)} / 32 * 8);  // as CudaLoss has it for long rows
  Grid grid = {std::min<int64_t>(rows, gpu.multiprocessors), 1, 1024, static_cast<int>(kept * 4)};
  uint64_t loss = gpu.allocate(static_cast<size_t>(rows) * sizeof(float));
  uint64_t gz = gpu.allocate(z.size() * sizeof(Bf16));
  uint64_t weights = gpu.upload(std::vector<float>(static_cast<size_t>(rows), 1));
  double milliseconds =
      gpu.run("cross_entropy", "cross_entropy_forward_bf16", grid,
              {gpu.upload(z), nullptr, gpu.upload(targets), weights, loss, nullptr, gz, rows, v, kept}, shape.runs);
  std::vector<float> got = gpu.download<float>(loss, static_cast<size_t>(rows));
  double error = 0;
  for (int64_t row = 0; row < rows; row += rows / 8) {
    const float* of_row = &z[static_cast<size_t>(row * v)];
    double sum = 0;
    for (int64_t i = 0; i < v; i++) {
      sum += std::exp(double{of_row[i]});
    }
    double expected = std::log(sum) - of_row[targets[static_cast<size_t>(row)]];
    double one = std::fabs(got[static_cast<size_t>(row)] - expected) / expected;
    error = one <= error ? error : one;
  }
  report("cross_entropy_forward", error, 1e-5, milliseconds);
}

// gx = gs + r w gy - r^3 s mean(s w gy) of some rows against a loop in double.
void norm_backward(Gpu& gpu, const Shape& shape) {
  int64_t rows = 0;
  for (int length : shape.lengths) {
    rows += length;
  }
  int64_t d = shape.hidden;
  size_t count = static_cast<size_t>(rows * d);
  std::vector<Bf16> w = random_bf16(static_cast<size_t>(d), 1), s = random_bf16(count, 1), gy = random_bf16(count, 1);
  std::vector<float> r(static_cast<size_t>(rows), 0.9f);
  uint64_t gx = gpu.allocate(count * sizeof(Bf16));
  double milliseconds = gpu.run("rms_norm", "rms_norm_backward_bf16", {rows, 1, 256, 0},
                                {gpu.upload(w), gpu.upload(s), gpu.upload(r), nullptr, gpu.upload(gy), gx, rows, d, 1, d, d},
                                shape.runs);
  std::vector<Bf16> got = gpu.download<Bf16>(gx, count);
  double difference = 0;
  double size = 0;
  for (int64_t row = 0; row < rows; row += rows / 8) {
    size_t at = static_cast<size_t>(row * d);
    double mean = 0;
    for (size_t i = 0; i < static_cast<size_t>(d); i++) {
      mean += double{widened(s[at + i])} * widened(w[i]) * widened(gy[at + i]) / static_cast<double>(d);
    }
    double root = r[0];
    for (size_t i = 0; i < static_cast<size_t>(d); i++) {
      double expected =
          root * widened(w[i]) * widened(gy[at + i]) - root * root * root * widened(s[at + i]) * mean;
      double off = widened(got[at + i]) - expected;
      difference += off * off;
      size += expected * expected;
    }
  }
  report("rms_norm_backward", std::sqrt(difference / size), 5e-3, milliseconds);
}

}  // namespace

int main(int count, char** words) {
  if (count < 2) {
    std::printf("usage: first-gpu-kernels FATBINS [--warpgroups] [--tiny] [--once]\n");
    return 2;
  }
  Shape shape = {std::vector<int>(8, 1024), 32, 8, 128256, 2048, 5};
  bool warpgroups = false;
  for (int i = 2; i < count; i++) {
    if (std::string(words[i]) == "--warpgroups") {
      warpgroups = true;
    } else if (std::string(words[i]) == "--tiny") {
      shape = {{70, 33}, 4, 2, 1000, 256, shape.runs};
    } else if (std::string(words[i]) == "--once") {
      shape.runs = 0;
    } else {
      stop(std::string("no option ") + words[i]);
    }
  }
  Gpu gpu(words[1]);
  Attention(gpu, shape, warpgroups).run();
  if (!warpgroups) {
    cross_entropy(gpu, shape);
    norm_backward(gpu, shape);
  }
  return right ? 0 : 1;
}
