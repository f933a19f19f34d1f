#include "async.h"

#include <algorithm>
#include <vector>

#include "warpgroup.h"

namespace emulator {
namespace {

constexpr int LANES = 32;
constexpr int WARPS = 4;  // of a warpgroup
constexpr int ROWS = 16;  // of a product that a warp has
constexpr int DEPTH = 16;
constexpr int MOST_COLUMNS = 256;
constexpr size_t CHUNK = 16;  // bytes
constexpr size_t IN_CHUNK = 8;
constexpr int NOBODY = -1;

struct Copy {
  void* shared;
  const void* global;
  int bytes;
  int valid;
  int group;
};

struct Pending {
  WarpgroupProduct product;
  uint32_t a[LANES][4];
  float* sums[LANES];
  int lanes;  // that have asked for it
  bool done;
};

struct AsyncThread {
  std::vector<Copy> copies;
  int group;    // of its copies
  int arrived;  // groups before this have been waited for
  int shown;    // what these wrote, the tensor cores may read
  size_t products;
  bool begun;
};

// Who copied to a chunk of shared memory last.
struct Writer {
  int thread;
  int group;
};

struct Block {
  bool early_copies;
  bool early_products;
  const unsigned char* shared;
  size_t bytes;
  std::vector<AsyncThread> threads;
  std::vector<std::vector<Pending>> warps;
  std::vector<Writer> writers;
};

Block block;

AsyncThread& self() { return block.threads[current->index.x]; }

void carry_out(const Copy& copy) {
  if (copy.valid == 16) {  // the usual one, as a move of known length
    std::memcpy(copy.shared, copy.global, 16);
    return;
  }
  std::memset(copy.shared, 0, static_cast<size_t>(copy.bytes));
  std::memcpy(copy.shared, copy.global, static_cast<size_t>(copy.valid));
}

// A matrix in shared memory, as a descriptor says: kernels/warpgroup.cuh.
class Matrix {
 public:
  explicit Matrix(uint64_t descriptor)
      : start((descriptor & 0x3fff) << 4),
        leading((descriptor >> 16 & 0x3fff) << 4),
        stride((descriptor >> 32 & 0x3fff) << 4) {
    constexpr size_t LINES[] = {0, 128, 64, 32};
    line = LINES[descriptor >> 62];
    if (line == 0 || (descriptor >> 49 & 7) != 0) {
      fail("a matrix descriptor without swizzle or with a base offset: %016llx",
           static_cast<unsigned long long>(descriptor));
    }
  }

  // x = these rows of a matrix by rows.
  void read_rows(float (*x)[DEPTH], size_t first, size_t count) const {
    for (size_t i = 0; i < count; i++) {
      size_t row = first + i;
      for (size_t depth = 0; depth < DEPTH; depth += IN_CHUNK) {
        read_chunk(x[i] + depth, 1, row % 8 * line + row / 8 * stride + 2 * depth);
      }
    }
  }

  // x = the columns of a matrix by depth.
  void read_columns(float (*x)[DEPTH], size_t count) const {
    for (size_t depth = 0; depth < DEPTH; depth++) {
      for (size_t column = 0; column < count; column += IN_CHUNK) {
        size_t along = 2 * column % line + 2 * column / line * leading;
        read_chunk(x[column] + depth, DEPTH, depth % 8 * line + depth / 8 * stride + along);
      }
    }
  }

 private:
  size_t start, leading, stride, line;

  // The elements of a chunk, each `step` behind the one before.
  void read_chunk(float* x, size_t step, size_t offset) const {
    size_t at = start + offset;
    at ^= (at >> 7 & (line / CHUNK - 1)) << 4;
    if (at < SHARED_ALIGNMENT || at + CHUNK > SHARED_ALIGNMENT + block.bytes) {
      fail("a product reads shared memory at %zu, where the block has none", at);
    }
    at -= SHARED_ALIGNMENT;
    const Writer& writer = block.writers[at / CHUNK];
    if (writer.thread != NOBODY && writer.group >= block.threads[static_cast<size_t>(writer.thread)].shown) {
      fail("a product reads what thread %d copied without waiting for it or without fence_async_proxy", writer.thread);
    }
    for (size_t i = 0; i < IN_CHUNK; i++) {
      bf16 bits;
      std::memcpy(&bits, block.shared + at + 2 * i, sizeof bits);
      x[i * step] = to_float(bits);
    }
  }
};

void read_fragments(float (&a)[ROWS][DEPTH], const Pending& pending) {
  for (int lane = 0; lane < LANES; lane++) {
    for (int i = 0; i < 4; i++) {
      float* to = &a[lane / 4 + i % 2 * 8][lane % 4 * 2 + i / 2 * 8];
      to[0] = __uint_as_float(pending.a[lane][i] << 16);
      to[1] = __uint_as_float(pending.a[lane][i] & 0xffff0000u);
    }
  }
}

// The 16 rows of a warp.
void carry_out(Pending& pending, int warp) {
  const WarpgroupProduct& product = pending.product;
  float a[ROWS][DEPTH];
  if (product.a == 0) {
    read_fragments(a, pending);
  } else {
    Matrix(product.a).read_rows(a, static_cast<size_t>(warp % WARPS * ROWS), ROWS);
  }
  float b[MOST_COLUMNS][DEPTH];
  if (product.a == 0) {
    Matrix(product.b).read_columns(b, static_cast<size_t>(product.columns));
  } else {
    Matrix(product.b).read_rows(b, 0, static_cast<size_t>(product.columns));
  }
  for (int column = 0; column < product.columns; column++) {
    for (int row = 0; row < ROWS; row++) {
      float* sum = pending.sums[row % 8 * 4 + column % 8 / 2] + column / 8 * 4 + row / 8 * 2 + column % 2;
      *sum = (product.add ? *sum : 0.f) + dot_16(a[row], b[column]);
    }
  }
  pending.done = true;
}

// The products of this warp up to this one that are not done yet.
void carry_out_products(size_t end) {
  int warp = static_cast<int>(current->index.x) / LANES;
  std::vector<Pending>& asked = block.warps[static_cast<size_t>(warp)];
  for (size_t i = 0; i < end; i++) {
    if (!asked[i].done) {
      if (asked[i].lanes != LANES) {
        fail("%d of %d lanes asked for a product", asked[i].lanes, LANES);
      }
      carry_out(asked[i], warp);
    }
  }
}

// Whether the warps of a warpgroup ask for the same, as far as they have come.
void require_in_step(size_t warp, size_t index) {
  for (size_t other = warp / WARPS * WARPS; other < std::min((warp / WARPS + 1) * WARPS, block.warps.size()); other++) {
    const std::vector<Pending>& asked = block.warps[other];
    if (index < asked.size() && !(asked[index].product == block.warps[warp][index].product)) {
      fail("the warps of a warpgroup ask for different products");
    }
  }
}

}  // namespace

void begin_async(std::mt19937_64& random, int threads, const unsigned char* shared, size_t bytes) {
  uint64_t drawn = random();
  block.early_copies = drawn % 2 == 0;
  block.early_products = drawn / 2 % 2 == 0;
  block.shared = shared;
  block.bytes = bytes;
  block.threads.resize(static_cast<size_t>(threads));
  for (AsyncThread& thread : block.threads) {
    thread.copies.clear();
    thread.group = thread.arrived = thread.shown = 0;
    thread.products = 0;
    thread.begun = false;
  }
  block.warps.resize(static_cast<size_t>(threads / LANES));
  std::for_each(block.warps.begin(), block.warps.end(), [](std::vector<Pending>& asked) { asked.clear(); });
  block.writers.assign((bytes + CHUNK - 1) / CHUNK, {NOBODY, 0});
}

void copy_async(void* shared, const void* global, int bytes, int valid) {
  require_shared("copy_async", shared, static_cast<size_t>(bytes));
  if (reinterpret_cast<uintptr_t>(global) % static_cast<uintptr_t>(bytes) != 0) {
    fail("copy_async: a global address that is not aligned to %d bytes", bytes);
  }
  if (valid < 0 || valid > bytes) {
    fail("copy_async: %d valid bytes of %d", valid, bytes);
  }
  size_t at = static_cast<size_t>(static_cast<unsigned char*>(shared) - block.shared);
  if (at < block.bytes) {
    block.writers[at / CHUNK] = {static_cast<int>(current->index.x), self().group};
  }
  if (bytes == 16 && valid > 0) {
    wide_loads++;
  }
  Copy copy = {shared, global, bytes, valid, self().group};
  if (block.early_copies) {
    carry_out(copy);
  } else {
    self().copies.push_back(copy);
  }
}

void copy_async_commit() { self().group++; }

void copy_async_wait(int pending) {
  std::vector<Copy>& copies = self().copies;
  int open = self().group - pending;
  self().arrived = std::max(self().arrived, open);
  auto rest = std::find_if(copies.begin(), copies.end(), [open](const Copy& c) { return c.group >= open; });
  std::for_each(copies.begin(), rest, [](const Copy& c) { carry_out(c); });
  copies.erase(copies.begin(), rest);
}

uint32_t number_of_shared(const void* address) {
  require_shared("a matrix descriptor", address, CHUNK);
  return static_cast<uint32_t>(static_cast<const unsigned char*>(address) - block.shared + SHARED_ALIGNMENT);
}

void fence_async_proxy() { self().shown = self().arrived; }

void warpgroup_begin() { self().begun = true; }

void warpgroup_product(const WarpgroupProduct& product, const uint32_t* a, float* sums) {
  AsyncThread& thread = self();
  if (!thread.begun) {
    fail("a product of a warpgroup without warpgroup_begin");
  }
  size_t index = thread.products++;
  size_t warp = current->index.x / LANES;
  std::vector<Pending>& asked = block.warps[warp];
  if (index == asked.size()) {
    asked.push_back({product, {}, {}, 0, false});
    require_in_step(warp, index);
  }
  Pending& pending = asked[index];
  if (!(pending.product == product)) {
    fail("the lanes of a warp ask for different products");
  }
  if (a != nullptr) {
    std::copy_n(a, 4, pending.a[current->lane]);
  }
  pending.sums[current->lane] = sums;
  pending.lanes++;
  if (block.early_products) {
    warp_barrier();
    carry_out_products(index + 1);
  } else if (!product.add) {
    std::fill_n(sums, product.columns / 2, std::nanf(""));
  }
}

void warpgroup_finish() {
  self().begun = false;
  size_t end = self().products;
  warp_barrier();
  carry_out_products(end);
}

const char* end_async() {
  for (size_t warp = 0; warp < block.warps.size(); warp++) {
    const std::vector<Pending>& asked = block.warps[warp];
    bool all = std::all_of(asked.begin(), asked.end(), [](const Pending& p) { return p.done; });
    auto begun = [](const AsyncThread& thread) { return thread.begun; };
    bool open = std::any_of(block.threads.begin(), block.threads.end(), begun);
    if (!all || open || asked.size() != block.warps[warp / WARPS * WARPS].size()) {
      return "a product of a warpgroup that not all of its warps asked for and waited for";
    }
  }
  return nullptr;
}

}  // namespace emulator
