// What happens later than a kernel asks for it: copies to shared memory and products of warpgroups. In one block they
// happen as late as they may, in another, by chance, as early.
#pragma once

#include <cstddef>
#include <random>

namespace emulator {

#pragma GCC visibility push(hidden)

// The hardware keeps the first of a block's shared memory for itself; swizzled tiles need blocks aligned to this.
constexpr size_t SHARED_ALIGNMENT = 1024;

// A block begins, whose dynamic shared memory lies here.
void begin_async(std::mt19937_64& random, int threads, const unsigned char* shared, size_t bytes);

// All threads of the block are done: what is wrong where products were not waited for, or not asked for by all warps; else
// null.
const char* end_async();

#pragma GCC visibility pop

}  // namespace emulator
