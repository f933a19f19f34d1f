// What tensor cores do: a warp's products of small matrices, and the loads of their fragments.
#include "emulator.h"

namespace {

struct Fragments {
  uint32_t a[4];
  uint32_t b[2];
};

struct Sums {
  float of[4];
};

// Of copies, by way of the exchange buffer: nothing here is the kernel's, and no access needs a check.
UNGUARDED Sums multiply(Fragments f) {
  struct Operands {
    float a[16][16];
    float b[8][16];  // by columns
  };
  static_assert(sizeof(Operands) <= 32 * emulator::EXCHANGE_BYTES, "a warp's numbers fit into its exchange buffer");
  auto* all = reinterpret_cast<Operands*>(emulator::exchange_buffer());
  auto put = [](float* to, uint32_t packed) {
    to[0] = __uint_as_float(packed << 16);
    to[1] = __uint_as_float(packed & 0xffff0000u);
  };
  int g = emulator::current->lane / 4;
  int t = emulator::current->lane % 4;
  for (int i = 0; i < 4; i++) {
    put(&all->a[g + i % 2 * 8][2 * t + i / 2 * 8], f.a[i]);
  }
  put(&all->b[g][2 * t], f.b[0]);
  put(&all->b[g][2 * t + 8], f.b[1]);
  emulator::warp_barrier();
  Sums sums;
  for (int i = 0; i < 4; i++) {
    sums.of[i] = dot_16(all->a[g + i / 2 * 8], all->b[2 * t + i % 2]);
  }
  return sums;
}

}  // namespace

void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  Sums sums = multiply({{a[0], a[1], a[2], a[3]}, {b[0], b[1]}});
  for (int i = 0; i < 4; i++) {
    c[i] += sums.of[i];
  }
}

void load_matrices_of(uint32_t (&m)[4], const void* row, bool transposed) {
  emulator::require_shared("load_matrices", row, 16);
  unsigned char* buffer = emulator::exchange_buffer();
  std::memcpy(buffer + emulator::current->lane * emulator::EXCHANGE_BYTES, &row, sizeof row);
  emulator::warp_barrier();
  auto element = [buffer](int matrix, int r, int c) {
    const uint16_t* start;
    std::memcpy(&start, buffer + (matrix * 8 + r) * emulator::EXCHANGE_BYTES, sizeof start);
    return static_cast<uint32_t>(start[c]);
  };
  int r = emulator::current->lane / 4;
  int c = emulator::current->lane % 4 * 2;
  for (int j = 0; j < 4; j++) {
    m[j] = transposed ? element(j, c, r) | element(j, c + 1, r) << 16
                      : element(j, r, c) | element(j, r, c + 1) << 16;
  }
  emulator::warp_barrier();  // nobody may overwrite the rows before all have read them
}
