/*
 * CUDA's runtime, cuBLAS and cuDNN as far as onnxruntime's provider calls them, with the processor's memory as the GPU's and
 * kernels that compute nothing. With it, the provider loads without a driver, lists its kernels, and takes the nodes of a
 * graph that it has kernels for. Numbers that come out of a run mean nothing.
 *
 * stubs.py adds every function that is wanted and not here; those return 0, which is success.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What the device claims to be: 9.0 is an H100. */
enum { MAJOR = 9, MINOR = 0, MULTIPROCESSORS = 132, WARP = 32, THREADS = 1024, SHARED = 48 << 10, SHARED_OPTIN = 227 << 10 };
static const size_t MEMORY = (size_t)80 << 30;

enum { SUCCESS = 0, OUT_OF_MEMORY = 2, VERSION = 13000, ALIGNMENT = 256 };

/* ---- memory */

static int allot(void **pointer, size_t bytes) {
  if (posix_memalign(pointer, ALIGNMENT, bytes ? bytes : 1)) return OUT_OF_MEMORY;
  memset(*pointer, 0, bytes);
  return SUCCESS;
}

int cudaMalloc(void **pointer, size_t bytes) { return allot(pointer, bytes); }
int cudaMallocHost(void **pointer, size_t bytes) { return allot(pointer, bytes); }
int cudaHostAlloc(void **pointer, size_t bytes, unsigned flags) { return allot(pointer, bytes); }
int cudaMallocFromPoolAsync(void **pointer, size_t bytes, void *pool, void *stream) { return allot(pointer, bytes); }
int cudaFree(void *pointer) { return free(pointer), SUCCESS; }
int cudaFreeHost(void *pointer) { return free(pointer), SUCCESS; }
int cudaFreeAsync(void *pointer, void *stream) { return free(pointer), SUCCESS; }

int cudaMemcpy(void *to, const void *from, size_t bytes, int kind) { return memmove(to, from, bytes), SUCCESS; }
int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream) {
  return memmove(to, from, bytes), SUCCESS;
}
int cudaMemcpy2DAsync(char *to, size_t to_pitch, const char *from, size_t from_pitch, size_t width, size_t height) {
  for (size_t row = 0; row < height; row++) memmove(to + row * to_pitch, from + row * from_pitch, width);
  return SUCCESS;
}
int cudaMemset(void *to, int value, size_t bytes) { return memset(to, value, bytes), SUCCESS; }
int cudaMemsetAsync(void *to, int value, size_t bytes, void *stream) { return memset(to, value, bytes), SUCCESS; }

int cudaMemGetInfo(size_t *unused, size_t *all) { return *unused = *all = MEMORY, SUCCESS; }
int cudaPointerGetAttributes(int *attributes, const void *pointer) {
  memset(attributes, 0, 32);
  *attributes = 2; /* the GPU's memory */
  return SUCCESS;
}

/* ---- the device */

/* The beginning of cudaDeviceProp of CUDA 13, and room for its rest. */
struct properties {
  char name[256], uuid[16], luid[8];
  unsigned luid_node_mask;
  size_t memory, shared;
  int registers, warp;
  size_t pitch;
  int threads, block[3], grid[3];
  size_t constant;
  int major, minor;
  size_t texture_alignment, texture_pitch_alignment;
  int multiprocessors;
  int rest[140];
};

int cudaGetDeviceCount(int *count) { return *count = 1, SUCCESS; }
int cudaGetDevice(int *device) { return *device = 0, SUCCESS; }
int cudaDriverGetVersion(int *version) { return *version = VERSION, SUCCESS; }
int cudaRuntimeGetVersion(int *version) { return *version = VERSION, SUCCESS; }
int cudaGetDeviceProperties(struct properties *found, int device) {
  *found = (struct properties){
      .name = "no GPU",
      .memory = MEMORY,
      .shared = SHARED,
      .registers = 65536,
      .warp = WARP,
      .threads = THREADS,
      .block = {THREADS, THREADS, 64},
      .grid = {0x7fffffff, 65535, 65535},
      .major = MAJOR,
      .minor = MINOR,
      .multiprocessors = MULTIPROCESSORS,
  };
  return SUCCESS;
}
int cudaDeviceGetAttribute(int *value, int attribute, int device) {
  switch (attribute) {
    case 1: *value = THREADS; break; /* per block */
    case 8: *value = SHARED; break;
    case 10: *value = WARP; break;
    case 16: *value = MULTIPROCESSORS; break;
    case 39: *value = 2 * THREADS; break; /* per multiprocessor */
    case 75: *value = MAJOR; break;
    case 76: *value = MINOR; break;
    case 81: *value = SHARED_OPTIN + 1024; break; /* shared memory per multiprocessor */
    case 95: *value = 1; break;                   /* cooperative launches */
    case 97: *value = SHARED_OPTIN; break;
    default: *value = 0;
  }
  return SUCCESS;
}

/* ---- streams, events, kernels */

static int anything;

int cudaStreamCreate(void **stream) { return *stream = &anything, SUCCESS; }
int cudaStreamCreateWithFlags(void **stream, unsigned flags) { return *stream = &anything, SUCCESS; }
int cudaEventCreate(void **event) { return *event = &anything, SUCCESS; }
int cudaEventCreateWithFlags(void **event, unsigned flags) { return *event = &anything, SUCCESS; }

int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks) { return *blocks = 2, SUCCESS; }
int cudaFuncGetAttributes(void *attributes, const void *function) {
  memset(attributes, 0, 136);
  ((int *)attributes)[6] = THREADS; /* per block */
  return SUCCESS;
}
void **__cudaRegisterFatBinary(void *binary) {
  static void *handle[16];
  return handle;
}

/* ---- cuBLAS and cuDNN */

int cublasCreate_v2(void **handle) { return *handle = &anything, SUCCESS; }
int cublasLtCreate(void **handle) { return *handle = &anything, SUCCESS; }

/* The rule for the distance between columns by which cuBLAS refuses a product; a transposed matrix has k or n rows. */
enum { INVALID_VALUE = 7 };
static int product(int a_transposed, int b_transposed, int m, int n, int k, int lda, int ldb, int ldc) {
  int a_rows = a_transposed ? k : m, b_rows = b_transposed ? n : k;
  int fits = m >= 0 && n >= 0 && k >= 0 && lda >= 1 && lda >= a_rows && ldb >= 1 && ldb >= b_rows && ldc >= 1 && ldc >= m;
  return fits ? SUCCESS : INVALID_VALUE;
}
int cublasSgemm_v2(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int lda,
                   const void *b, int ldb, const void *beta, void *c, int ldc) {
  return product(ta, tb, m, n, k, lda, ldb, ldc);
}
int cublasGemmEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int a_type, int lda,
                 const void *b, int b_type, int ldb, const void *beta, void *c, int c_type, int ldc) {
  return product(ta, tb, m, n, k, lda, ldb, ldc);
}
int cublasSgemmStridedBatched(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int lda,
                              long long a_stride, const void *b, int ldb, long long b_stride, const void *beta, void *c,
                              int ldc) {
  return product(ta, tb, m, n, k, lda, ldb, ldc);
}
int cublasGemmStridedBatchedEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a,
                               int a_type, int lda, long long a_stride, const void *b, int b_type, int ldb,
                               long long b_stride, const void *beta, void *c, int c_type, int ldc) {
  return product(ta, tb, m, n, k, lda, ldb, ldc);
}
int cublasLtMatmulAlgoGetHeuristic(void *handle, void *operation, void *a, void *b, void *c, void *d, void *preference,
                                   int wanted, void *results, int *found) {
  return *found = 1, SUCCESS;
}

int cudnnCreate(void **handle) { return *handle = &anything, SUCCESS; }
size_t cudnnGetVersion(void) { return 91000; }
int cudnnGetConvolutionForwardAlgorithm_v7(void *handle, void *x, void *weight, void *convolution, void *y, int wanted,
                                           int *found, void *results) {
  return *found = 1, SUCCESS;
}

/* ---- names, of which the caller makes text */

const char *cudaGetErrorName(int error) { return "an error of CUDA"; }
const char *cudaGetErrorString(int error) { return "an error of CUDA"; }
const char *cublasGetStatusName(int status) { return "an error of cuBLAS"; }
const char *cublasGetStatusString(int status) { return "an error of cuBLAS"; }
const char *cudnnGetErrorString(int status) { return "an error of cuDNN"; }
const char *cudnnGetLastErrorString(char *message, size_t size) { return message; }
