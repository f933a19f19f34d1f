// Selection of rows of d elements, and of their columns, copied as they are: a warp takes a row of the result, in each
// of k directions.
#include "elements.cuh"

DEVICE int64_t first_row() { return first_element() / WARP; }

DEVICE int64_t grid_rows() { return grid_elements() / WARP; }

// to = from, or all elements `otherwise` where from is null. All lanes of a warp call.
template <int W, class T>
DEVICE void copy_row(const T* from, T* to, int d, float otherwise) {
  for (int i = static_cast<int>(threadIdx.x) % WARP * W; i < d; i += WARP * W) {
    store_raw<W>(to + i, from == nullptr ? rounded<T>(filled<W>(otherwise)) : load_raw<W>(from + i));
  }
}

template <class T>
DEVICE void copy_row(const T* from, T* to, int d, bool packed, float otherwise) {
  if (packed) {
    copy_row<PACK<T>>(from, to, d, otherwise);
  } else {
    copy_row<1>(from, to, d, otherwise);
  }
}

// y (k,some,d): y[j] = x[rows[j]] of x (k,all,d); NaN for a row that is not there.
template <class T>
DEVICE void rows_gather(const T* x, const int32_t* rows, T* y, int64_t all, int64_t some, int64_t d,
                        int64_t k) {
  bool packed = d % PACK<T> == 0 && aligned_16(x, y);
  for (int64_t j = first_row(); j < some; j += grid_rows()) {
    int64_t row = rows[j];
    bool known = row >= 0 && row < all;
    for (int64_t i = 0; i < k; i++) {
      const T* from = known ? x + (i * all + row) * d : nullptr;
      copy_row(from, y + (i * some + j) * d, d, packed, not_a_number());
    }
  }
}

// The place of a row among ascending rows, or -1.
DEVICE int64_t find_row(const int32_t* rows, int64_t some, int64_t row) {
  int64_t first = 0;
  int64_t end = some;
  while (first < end) {
    int64_t middle = (first + end) / 2;
    if (rows[middle] < row) {
      first = middle + 1;
    } else {
      end = middle;
    }
  }
  return first < some && rows[first] == row ? first : -1;
}

// gx (k,all,d): gx[rows[j]] = gy[j] of gy (k,some,d), zero elsewhere; rows ascending.
template <class T>
DEVICE void rows_scatter(const T* gy, const int32_t* rows, T* gx, int64_t all, int64_t some, int64_t d,
                         int64_t k) {
  bool packed = d % PACK<T> == 0 && aligned_16(gy, gx);
  for (int64_t row = first_row(); row < all; row += grid_rows()) {
    int64_t j = find_row(rows, some, row);
    for (int64_t i = 0; i < k; i++) {
      const T* from = j < 0 ? nullptr : gy + (i * some + j) * d;
      copy_row(from, gx + (i * all + row) * d, d, packed, 0.f);
    }
  }
}

// y (rows,d): x (d) in each row.
template <class T>
DEVICE void rows_repeat(const T* x, T* y, int64_t rows, int64_t d) {
  bool packed = d % PACK<T> == 0 && aligned_16(x, y);
  for (int64_t row = first_row(); row < rows; row += grid_rows()) {
    copy_row(x, y + row * d, d, packed, 0.f);
  }
}

// Columns from_column on of from (rows,from_width), `width` of them, to columns to_column on of to (rows,to_width).
template <class T>
DEVICE void rows_copy_columns(const T* from, int64_t from_column, int64_t from_width, T* to, int64_t to_column,
                              int64_t to_width, int64_t rows, int64_t width) {
  const T* first_from = from + from_column;
  T* first_to = to + to_column;
  bool packed = width % PACK<T> == 0 && from_width % PACK<T> == 0 && to_width % PACK<T> == 0 &&
                aligned_16(first_from, first_to);
  for (int64_t row = first_row(); row < rows; row += grid_rows()) {
    copy_row(first_from + row * from_width, first_to + row * to_width, width, packed, 0.f);
  }
}

KERNEL(rows_gather, (256, 4),
       (const T* x, const int32_t* rows, T* y, int64_t all, int64_t some, int64_t d, int64_t k),
       (x, rows, y, all, some, d, k))
KERNEL(rows_scatter, (256, 4),
       (const T* gy, const int32_t* rows, T* gx, int64_t all, int64_t some, int64_t d, int64_t k),
       (gy, rows, gx, all, some, d, k))
KERNEL(rows_copy_columns, (256, 4),
       (const T* from, int64_t from_column, int64_t from_width, T* to, int64_t to_column, int64_t to_width,
        int64_t rows, int64_t width),
       (from, from_column, from_width, to, to_column, to_width, rows, width))
KERNEL(rows_repeat, (256, 4), (const T* x, T* y, int64_t rows, int64_t d), (x, y, rows, d))
