// A stand-in for libcublasLt.so.13 that multiplies on the host, for tests of the binding: it refuses what the
// library refuses (sizes of attributes, unknown attributes, matrices that do not fit, operands less aligned than
// the algorithm was asked for) and proposes algorithms that a careful caller must not take.
#include <set>

#include "products.h"

using namespace fake;

namespace {

enum DescAttribute { TRANSA = 3, TRANSB = 4 };
enum LayoutAttribute { BATCH_COUNT = 5, STRIDED_BATCH_OFFSET = 6 };
enum PreferenceAttribute {
  MAX_WORKSPACE_BYTES = 1,
  REDUCTION_SCHEME_MASK = 3,
  MIN_ALIGNMENT_A = 5,
  MIN_ALIGNMENT_B = 6,
  MIN_ALIGNMENT_C = 7,
  MIN_ALIGNMENT_D = 8
};
enum Scheme { NO_REDUCTION = 0, INPLACE = 1, COMPUTE_TYPE = 2, OUTPUT_TYPE = 4 };

struct Handle {};

struct Operation {
  int compute = 0;
  int scale = 0;
  int32_t transposed[2] = {0, 0};
};

struct Preference {
  uint64_t workspace = 0;
  uint32_t schemes = 7;
  uint32_t alignment[4] = {256, 256, 256, 256};
};

// The 64 bytes that callers copy and keep.
struct Algorithm {
  uint64_t magic;
  uint64_t product;     // hash of what it was proposed for
  uint64_t workspace;
  uint32_t order;
  uint32_t scheme;
  uint32_t alignment[4];
  uint64_t spare[2];
};
static_assert(sizeof(Algorithm) == 64);

struct Result {
  Algorithm algorithm;
  uint64_t workspace;
  int32_t state;
  float waves;
  int32_t spare[4];
};
static_assert(sizeof(Result) == 96);

const uint64_t MAGIC = 0x6c65746865;
std::set<const void*> live;

template <typename T>
Status make(T** place, T value) {
  if (place == nullptr) return INVALID_VALUE;
  *place = new T(value);
  live.insert(*place);
  counts["live"] = static_cast<int64_t>(live.size());
  return SUCCESS;
}

template <typename T>
Status destroy(T* object) {
  if (live.erase(object) == 0) return INVALID_VALUE;
  delete object;
  counts["live"] = static_cast<int64_t>(live.size());
  return SUCCESS;
}

template <typename T>
Status set(T& field, const void* value, size_t bytes) {
  if (value == nullptr || bytes != sizeof(T)) return INVALID_VALUE;
  std::memcpy(&field, value, bytes);
  return SUCCESS;
}

bool all_live(std::initializer_list<const void*> objects) {
  return std::all_of(objects.begin(), objects.end(), [](const void* each) { return live.count(each) > 0; });
}

void mix(uint64_t& hash, int64_t value) { hash = (hash ^ static_cast<uint64_t>(value)) * 0x100000001b3; }

struct Product {
  Matrix a, b, c;

  Product(const Operation& operation, const Matrix& a, const Matrix& b, const Matrix& c) : a(a), b(b), c(c) {
    this->a.transposed = operation.transposed[0] == 1;
    this->b.transposed = operation.transposed[1] == 1;
  }

  uint64_t hash(int compute) const {
    uint64_t hash = 0xcbf29ce484222325;
    mix(hash, compute);
    for (const Matrix* each : {&a, &b, &c}) {
      for (int64_t value : {static_cast<int64_t>(each->type), each->rows, each->columns, each->leading, each->batch,
                            each->stride, static_cast<int64_t>(each->transposed)}) {
        mix(hash, value);
      }
    }
    return hash;
  }
};

bool possible(const Operation& operation, const Product& product) {
  bool types = operation.scale == R_32F && (operation.compute == COMPUTE_32F || operation.compute == COMPUTE_32F_PEDANTIC);
  return types && fits(product.a, product.b, product.c);
}

// Two good algorithms; one that cannot run; one that needs 64 MiB; one that rounds its partial sums; one whose
// order changes from call to call; one that splits the depth as asked.
struct Proposal {
  uint32_t order;
  uint32_t scheme;
  uint64_t workspace;
  Status state;
};
const Proposal PROPOSALS[] = {
    {0, NO_REDUCTION, 0, NOT_SUPPORTED},  {0, NO_REDUCTION, 0, SUCCESS},          {1, NO_REDUCTION, 1 << 20, SUCCESS},
    {0, COMPUTE_TYPE, 64 << 20, SUCCESS}, {0, OUTPUT_TYPE, 1 << 20, SUCCESS}, {0, INPLACE, 1 << 20, SUCCESS},
    {2, COMPUTE_TYPE, 4 << 20, SUCCESS},
};

}  // namespace

EXPORT size_t cublasLtGetVersion() { return static_cast<size_t>(setting("version")); }

EXPORT int cublasLtCreate(Handle** handle) {
  if (setting("create") != 0) return static_cast<int>(setting("create"));
  return make(handle, Handle());
}

EXPORT int cublasLtDestroy(Handle* handle) { return destroy(handle); }

EXPORT int cublasLtMatmulDescCreate(Operation** operation, int compute, int scale) {
  Operation made;
  made.compute = compute;
  made.scale = scale;
  counts["operations"]++;
  return make(operation, made);
}

EXPORT int cublasLtMatmulDescDestroy(Operation* operation) { return destroy(operation); }

EXPORT int cublasLtMatmulDescSetAttribute(Operation* operation, int attribute, const void* value, size_t bytes) {
  if (!all_live({operation}) || (attribute != TRANSA && attribute != TRANSB)) return INVALID_VALUE;
  int32_t& field = operation->transposed[attribute - TRANSA];
  Status status = set(field, value, bytes);
  return field == 0 || field == 1 ? status : INVALID_VALUE;
}

EXPORT int cublasLtMatrixLayoutCreate(Matrix** layout, int type, uint64_t rows, uint64_t columns, int64_t leading) {
  Matrix made;
  made.type = type;
  made.rows = static_cast<int64_t>(rows);
  made.columns = static_cast<int64_t>(columns);
  made.leading = leading;
  return make(layout, made);
}

EXPORT int cublasLtMatrixLayoutDestroy(Matrix* layout) { return destroy(layout); }

EXPORT int cublasLtMatrixLayoutSetAttribute(Matrix* layout, int attribute, const void* value, size_t bytes) {
  if (!all_live({layout})) return INVALID_VALUE;
  int32_t batch = static_cast<int32_t>(layout->batch);
  Status status = INVALID_VALUE;
  if (attribute == BATCH_COUNT) status = set(batch, value, bytes);
  if (attribute == STRIDED_BATCH_OFFSET) status = set(layout->stride, value, bytes);
  layout->batch = batch;
  return status;
}

EXPORT int cublasLtMatmulPreferenceCreate(Preference** preference) { return make(preference, Preference()); }

EXPORT int cublasLtMatmulPreferenceDestroy(Preference* preference) { return destroy(preference); }

EXPORT int cublasLtMatmulPreferenceSetAttribute(Preference* preference, int attribute, const void* value, size_t bytes) {
  if (!all_live({preference})) return INVALID_VALUE;
  switch (attribute) {
    case MAX_WORKSPACE_BYTES:
      return set(preference->workspace, value, bytes);
    case REDUCTION_SCHEME_MASK:
      return set(preference->schemes, value, bytes);
    case MIN_ALIGNMENT_A:
    case MIN_ALIGNMENT_B:
    case MIN_ALIGNMENT_C:
    case MIN_ALIGNMENT_D:
      return set(preference->alignment[attribute - MIN_ALIGNMENT_A], value, bytes);
    default:
      return INVALID_VALUE;
  }
}

EXPORT int cublasLtMatmulAlgoGetHeuristic(Handle* handle, Operation* operation, Matrix* a, Matrix* b, Matrix* c,
                                          Matrix* d, Preference* preference, int requested, Result* results,
                                          int* returned) {
  if (!all_live({handle, operation, a, b, c, d, preference}) || requested < 1) return INVALID_VALUE;
  counts["heuristics"]++;
  if (setting("heuristic") != 0) return static_cast<int>(setting("heuristic"));
  *returned = 0;
  Product product(*operation, *a, *b, *d);
  bool coarse = std::any_of(preference->alignment, preference->alignment + 4,
                            [](uint32_t each) { return each < static_cast<uint32_t>(setting("least_alignment")); });
  if (!possible(*operation, product) || coarse) return NOT_SUPPORTED;
  for (const Proposal& each : PROPOSALS) {
    bool wanted = each.scheme == NO_REDUCTION || (each.scheme & preference->schemes) != 0;
    if (*returned == requested || !wanted || each.workspace > preference->workspace) continue;
    Algorithm algorithm = {MAGIC, product.hash(operation->compute), each.workspace, each.order, each.scheme, {}, {}};
    std::copy(preference->alignment, preference->alignment + 4, algorithm.alignment);
    results[(*returned)++] = {algorithm, each.workspace, each.state, 1, {}};
  }
  return SUCCESS;
}

EXPORT int cublasLtMatmulAlgoCheck(Handle* handle, Operation* operation, Matrix* a, Matrix* b, Matrix*, Matrix* d,
                                   const Algorithm* algorithm, Result* result) {
  if (!all_live({handle, operation, a, b, d})) return INVALID_VALUE;
  counts["checks"]++;
  Product product(*operation, *a, *b, *d);
  if (algorithm->magic != MAGIC || algorithm->product != product.hash(operation->compute)) return INVALID_VALUE;
  result->workspace = algorithm->workspace;
  result->state = SUCCESS;
  return SUCCESS;
}

EXPORT int cublasLtMatmul(Handle* handle, Operation* operation, const float* alpha, const void* pa, Matrix* a,
                          const void* pb, Matrix* b, const float* beta, const void* pc, Matrix* c, void* pd, Matrix* d,
                          const Algorithm* algorithm, void* workspace, size_t workspace_bytes, void* stream) {
  if (!all_live({handle, operation, a, b, c, d}) || pc != pd || c != d) return INVALID_VALUE;
  counts["matmuls"]++;
  counts["stream"] = reinterpret_cast<int64_t>(stream);
  if (setting("matmul") != 0) return static_cast<int>(setting("matmul"));
  Product product(*operation, *a, *b, *d);
  if (algorithm->magic != MAGIC || algorithm->product != product.hash(operation->compute)) return INVALID_VALUE;
  if (workspace_bytes < algorithm->workspace || !aligned(workspace, 256)) return INVALID_VALUE;
  const void* pointers[] = {pa, pb, pc, pd};
  for (int i = 0; i < 4; i++) {
    if (!aligned(pointers[i], algorithm->alignment[i])) return NOT_SUPPORTED;
  }
  std::memset(workspace, 0xab, algorithm->workspace);
  Manner manner;
  manner.order = algorithm->scheme == INPLACE ? counts["matmuls"] % 3 : algorithm->order;
  manner.narrow_sums = algorithm->scheme == OUTPUT_TYPE;
  manner.tf32 = product.a.type == R_32F && operation->compute != COMPUTE_32F_PEDANTIC;
  manner.wrong = is_wrong(product.a, pa, product.b, pb, product.c, *beta);
  counts["order"] = manner.order;
  multiply(product.a, pa, product.b, pb, product.c, pd, *alpha, *beta, manner);
  return SUCCESS;
}
