// Products with a sketch of n rows of `width` numbers of T, for k directions of float32. Four rows and up to four
// directions go through a block together, so that four rows pass for one reading of a direction, and four directions for
// one of a row. How columns and rows are cut depends on the shapes alone, and with it every sum.
#include "elements.cuh"
#include "reduce.cuh"

constexpr int SKETCH_ROWS = 4;
constexpr int SKETCH_DIRECTIONS = 4;

// Pieces of a thread that are summed in float32; their sums are added in double.
constexpr int PIECES = 4;

DEVICE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Products of rows with directions over columns `from` to `end`.
template <class T, int W>
DEVICE void dots_of_part(const T* const (&row)[SKETCH_ROWS], const float* v, int64_t width, int64_t directions,
                         int64_t from, int64_t end, double (&dots)[SKETCH_ROWS][SKETCH_DIRECTIONS]) {
  int64_t step = static_cast<int64_t>(blockDim.x) * W;
  for (int64_t start = from; start < end; start += PIECES * step) {
    float sums[SKETCH_ROWS][SKETCH_DIRECTIONS] = {};
    int64_t last = least(end, start + PIECES * step);
    for (int64_t i = start + static_cast<int64_t>(threadIdx.x) * W; i < last; i += step) {
      Piece<W> x[SKETCH_ROWS];
#pragma unroll
      for (int r = 0; r < SKETCH_ROWS; r++) {
        x[r] = load<W>(row[r] + i);
      }
#pragma unroll
      for (int j = 0; j < SKETCH_DIRECTIONS; j++) {
        if (j < directions) {
          Piece<W> direction = load<W>(v + j * width + i);
#pragma unroll
          for (int r = 0; r < SKETCH_ROWS; r++) {
#pragma unroll
            for (int e = 0; e < W; e++) {
              sums[r][j] += x[r].v[e] * direction.v[e];
            }
          }
        }
      }
    }
#pragma unroll
    for (int r = 0; r < SKETCH_ROWS; r++) {
#pragma unroll
      for (int j = 0; j < SKETCH_DIRECTIONS; j++) {
        dots[r][j] += sums[r][j];
      }
    }
  }
}

// parts (column parts,k,n): products of rows (n,width) with v (k,width) over `columns` columns each. Grid: groups of four
// rows, column parts, groups of four directions.
template <class T>
DEVICE void sketch_dots(const T* rows, const float* v, double* parts, int64_t n, int64_t width, int64_t k,
                        int64_t columns) {
  int64_t first = static_cast<int64_t>(blockIdx.x) * SKETCH_ROWS;
  int64_t direction = static_cast<int64_t>(blockIdx.z) * SKETCH_DIRECTIONS;
  int64_t from = static_cast<int64_t>(blockIdx.y) * columns;
  int64_t end = least(width, from + columns);
  const T* row[SKETCH_ROWS];
#pragma unroll
  for (int r = 0; r < SKETCH_ROWS; r++) {
    row[r] = rows + least(first + r, n - 1) * width;  // a row behind the last one counts for nothing
  }
  double dots[SKETCH_ROWS][SKETCH_DIRECTIONS] = {};
  const float* own = v + direction * width;
  if (width % PACK<T> == 0 && aligned_16(rows) && aligned_16(v)) {
    dots_of_part<T, PACK<T>>(row, own, width, k - direction, from, end, dots);
  } else {
    dots_of_part<T, 1>(row, own, width, k - direction, from, end, dots);
  }
#pragma unroll
  for (int r = 0; r < SKETCH_ROWS; r++) {
#pragma unroll
    for (int j = 0; j < SKETCH_DIRECTIONS; j++) {
      double dot = block_sum(dots[r][j]);
      if (threadIdx.x == 0 && first + r < n && direction + j < k) {
        parts[(blockIdx.y * k + direction + j) * n + first + r] = dot;
      }
    }
  }
}

// y (n) = the sum of `parts` vectors of n elements, in their order.
DEVICE void sketch_join_dots(const double* x, float* y, int64_t parts, int64_t n) {
  for (int64_t i = first_element(); i < n; i += grid_elements()) {
    double sum = 0;
    for (int64_t part = 0; part < parts; part++) {
      sum += x[part * n + i];
    }
    y[i] = static_cast<float>(sum);
  }
}

// Adds weighted rows to sums, for W columns from `column` on.
template <class T, int W>
DEVICE void combine(const float* weights, float scale, const T* rows, float* to, bool add, int64_t n, int64_t width,
                    int64_t directions, int64_t first, int64_t end, int64_t column) {
  Piece<W> sums[SKETCH_DIRECTIONS];
#pragma unroll
  for (int j = 0; j < SKETCH_DIRECTIONS; j++) {
    sums[j] = add && j < directions ? load<W>(to + j * width + column) : filled<W>(0.f);
  }
#pragma unroll 4
  for (int64_t i = first; i < end; i++) {
    Piece<W> x = load<W>(rows + i * width + column);
#pragma unroll
    for (int j = 0; j < SKETCH_DIRECTIONS; j++) {
      if (j < directions) {
        float weight = scale * weights[j * n + i];
        sums[j] = each<W>([&](int e) { return sums[j].v[e] + weight * x.v[e]; });
      }
    }
  }
#pragma unroll
  for (int j = 0; j < SKETCH_DIRECTIONS; j++) {
    if (j < directions) {
      store(to + j * width + column, sums[j]);
    }
  }
}

// Adds scale weights (k,n) rows (n,width) to out (k,width), or puts what parts of `some` rows each give into parts
// (row parts,k,width), where that is not null. Grid: columns, row parts, groups of four directions.
template <class T>
DEVICE void sketch_combine(const float* weights, float scale, const T* rows, float* out, float* parts, int64_t n,
                           int64_t width, int64_t k, int64_t some) {
  int64_t direction = static_cast<int64_t>(blockIdx.z) * SKETCH_DIRECTIONS;
  int64_t first = static_cast<int64_t>(blockIdx.y) * some;
  int64_t end = least(n, first + some);
  bool add = parts == nullptr;
  float* to = (add ? out : parts + blockIdx.y * k * width) + direction * width;
  const float* own = weights + direction * n;
  each_piece<T>(width, width % PACK<T> == 0 && aligned_16(rows) && aligned_16(out, parts),
                [=](auto pack, int64_t column) {
                  combine<T, pack.value>(own, scale, rows, to, add, n, width, k - direction, first, end, column);
                });
}

// Adds `parts` vectors x of n elements to y (n), in their order.
DEVICE void sketch_join_rows(const float* x, float* y, int64_t parts, int64_t n) {
  for (int64_t i = first_element(); i < n; i += grid_elements()) {
    float sum = y[i];
    for (int64_t part = 0; part < parts; part++) {
      sum += x[part * n + i];
    }
    y[i] = sum;
  }
}

KERNEL(sketch_dots, (256),
       (const T* rows, const float* v, double* parts, int64_t n, int64_t width, int64_t k, int64_t columns),
       (rows, v, parts, n, width, k, columns))
EXPORT_KERNEL(sketch_join_dots, (256), float, (const double* x, T* y, int64_t parts, int64_t n),
              ::sketch_join_dots(x, y, parts, n))
KERNEL(sketch_combine, (256),
       (const float* weights, float scale, const T* rows, float* out, float* parts, int64_t n, int64_t width, int64_t k,
        int64_t some),
       (weights, scale, rows, out, parts, n, width, k, some))
EXPORT_KERNEL(sketch_join_rows, (256), float, (const T* x, T* y, int64_t parts, int64_t n),
              ::sketch_join_rows(x, y, parts, n))
