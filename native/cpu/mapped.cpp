// Bytes of a mapped file, copied by the system. Where this process reads each page once, that costs a fraction of
// entering the page in its tables first, most of all in a virtual machine; and a file that was cut off gives an error,
// no signal.
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdint>

#include "exports.h"

// 1: done; 0: this system does not do it; -1: there are no such bytes.
EXPORT int32_t lethe_copy_mapped(int64_t bytes, char* from, char* to) {
  for (int64_t done = 0; done < bytes;) {
    iovec source = {from + done, size_t(bytes - done)};
    iovec target = {to + done, size_t(bytes - done)};
    ssize_t count = process_vm_readv(getpid(), &target, 1, &source, 1, 0);
    if (count <= 0) {
      return count == 0 || errno == EFAULT ? -1 : 0;
    }
    done += count;
  }
  return 1;
}
