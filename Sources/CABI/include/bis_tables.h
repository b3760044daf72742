// What the supervisor tells the runtime in tables: system calls, CPUID, breakpoints, watched memory.
// Part of bis_abi.h, which includes it.
#ifndef BIS_TABLES_H
#define BIS_TABLES_H
#include <stdint.h>

// ---------------------------------------------------------------------------------------------
// The tables page (BIS_TABLES_BASE), read by the runtime.
// ---------------------------------------------------------------------------------------------
#define BIS_TABLES_SYSCALLS 0x0      // struct bis_syscall_row[512]
#define BIS_TABLES_SUBCALLS 0x10000  // struct bis_subcall_row[], sorted by (nr, key); count in bis_tables_header
#define BIS_TABLES_CPUID    0x40000  // struct bis_cpuid_row[], count in the header
#define BIS_TABLES_HEADER   0x80000  // struct bis_tables_header
#define BIS_TABLES_BREAKPOINTS 0xC0000 // replay: struct bis_breakpoints, 256 KiB
#define BIS_TABLES_BREAKPOINTS_SIZE 0x40000

// Breakpoints of a debugger, sorted by address; conditions are gdb agent expressions, one after the other.
struct bis_breakpoint { uint64_t address; uint32_t first, conditions; }; // index into conditions, count (0: always stops)
struct bis_condition { uint32_t offset, length; };                      // of the expression's bytes, from the table's start
struct bis_breakpoints { uint32_t count, conditions_offset; struct bis_breakpoint list[]; };

// Watched memory. Instrumented code asks in two steps whether an access of `size` bytes at `a` may touch some of it:
// g = WATCH_FIRST[bits 16 to 31 of a], an offset from BIS_TABLES_BASE, 0: no; d = (byte at g + low 16 bits of a), how far
// the next watched byte is, 64: far; WATCH_REACH[d + 64 - size] is 0: no. Else the runtime looks at the list.
#define BIS_TABLES_WATCH_FIRST  0x100000 // uint32_t[65536]
#define BIS_TABLES_WATCH_REACH  0x140000 // uint8_t[128]: 1 below 64
#define BIS_TABLES_WATCH_LIST   0x141000 // struct bis_watches
#define BIS_TABLES_WATCH_LIST_SIZE 0xBF000
#define BIS_TABLES_WATCH_SECOND 0x200000 // tables of 64 KiB; the first is all 0
#define BIS_TABLES_WATCH_COUNT  192
struct bis_watched { uint64_t low, high; uint32_t bits, index; }; // enum bis_watch_bits; sorted by low, may overlap
struct bis_watches { uint64_t count; struct bis_watched list[]; };

enum bis_class {
  BIS_CLASS_UNKNOWN = 0,    // not in the table: ENOSYS and a warning
  BIS_CLASS_HOT = 1,        // the runtime executes and logs it with the outputs of its row
  BIS_CLASS_LOCAL = 2,      // a handler in the runtime (special = enum bis_local)
  BIS_CLASS_SUPERVISOR = 3, // the supervisor decides (mmap family with files, exec, clone, exit, ...)
  BIS_CLASS_REFUSED = 4,    // returns -error without reaching the kernel; warn says whether that is worth a warning
};

// How long an output is.
enum bis_length {
  BIS_LEN_CONST = 1,     // size bytes
  BIS_LEN_RESULT = 2,    // result * size bytes
  BIS_LEN_ARG = 3,       // arg[length_arg] * size bytes
  BIS_LEN_IOVEC = 4,     // arg points to an iovec[arg[length_arg]]; the result is spread over it
  BIS_LEN_MSGHDR = 5,    // arg points to a msghdr that recvmsg filled (name, control, flags, iovecs by result)
  BIS_LEN_MMSGHDR = 6,   // recvmmsg: result times a mmsghdr
  BIS_LEN_SOCKLEN = 7,   // arg is a buffer, arg[length_arg] points to a u32 length (value-result): min(before, after) bytes, and the u32
  BIS_LEN_FDSET = 8,     // (arg[length_arg] + 63) / 64 * 8 bytes
  BIS_LEN_POINTED32 = 9, // arg is a buffer, arg[length_arg] points to a u32 that says its length; + size
  BIS_LEN_MIN_RESULT_ARG = 10, // min(result, arg[length_arg]) * size bytes
  BIS_LEN_PAGES = 11,    // one byte for each page of arg[length_arg] bytes
  BIS_LEN_RESULT_PLUS = 12, // result + size bytes
  BIS_LEN_SOCKOPT = 13,  // like SOCKLEN, but before * size bytes as far as they are readable
  BIS_LEN_IFCONF = 14,   // arg points to a struct ifconf
};
#define BIS_LEN_ARG32 0x80 // in length_arg: the argument has 32 bits, what stands above is garbage
// When an output is written.
enum bis_when {
  BIS_WHEN_SUCCESS = 0,  // result >= 0
  BIS_WHEN_ALWAYS = 1,   // also when the call fails
  BIS_WHEN_POSITIVE = 2, // result > 0
  BIS_WHEN_EINTR = 3,    // only when the result is -EINTR
  BIS_WHEN_MAYBE = 4,    // result >= 0, not always written: reported as far as it is readable (so is ALWAYS)
};
struct bis_output { uint8_t arg, length, length_arg, when; uint32_t size; }; // a null pointer means: not written
struct bis_syscall_row {
  uint8_t klass;        // enum bis_class
  uint8_t output_count;
  uint8_t may_block;    // 1: may block for long
  uint8_t warn;         // REFUSED: 1 = warn once
  uint16_t error;       // REFUSED: errno
  uint16_t special;     // enum bis_local / supervisor's own use
  uint8_t key_arg;      // 0xFF: none; else: arg whose value selects a sub-call row (ioctl 1, fcntl 1, prctl 0, ...) | BIS_KEY_*
  uint8_t path_arg;     // special = 1 (HOT): which argument is the path; 0xFF: none
  uint8_t arg_count;    // how many arguments the call has
  uint8_t reserved[5];
  struct bis_output outputs[5]; // 8 bytes each
};                      // 56 bytes
#define BIS_KEY_LOW7 0x40 // in key_arg: the low 7 bits count (futex)
#define BIS_KEY_PAIR 0x20 // in key_arg: the argument before it is the key's high half (getsockopt: level, name)
#define BIS_KEY_TYPE 0x100000000 // key of an ioctl row for all other requests of a type (bits 8 to 15): this | type
struct bis_subcall_row { // replaces klass, outputs of the row above it
  uint32_t nr;
  uint8_t klass, output_count; uint16_t error;
  uint64_t key;
  uint16_t special; uint8_t warn; uint8_t may_block; uint32_t reserved;
  struct bis_output outputs[4];
};                      // 56 bytes
struct bis_cpuid_row { uint32_t leaf, subleaf, subleaf_matters, eax, ebx, ecx, edx, reserved; }; // sorted by (leaf, subleaf)
struct bis_xcomponent { uint32_t number, size, offset, aligned; }; // XSAVE components in the profile's standard layout
struct bis_tables_header {
  uint64_t subcall_count, cpuid_count;
  uint32_t max_basic_leaf, max_extended_leaf;
  uint32_t basic_overflow_leaf;   // leaf answered above max_basic_leaf (Intel: highest basic), 0xFFFFFFFF: zeros
  uint32_t vendor_amd;
  uint64_t xcr0;                  // the profile's XCR0
  uint64_t host_xcr0;             // of this host
  uint32_t xsave_size;            // standard-format bytes for xcr0
  uint32_t host_xsave_size;
  uint32_t component_count, host_component_count;
  struct bis_xcomponent components[32];      // of the profile: offsets of the standard format
  struct bis_xcomponent host_components[32]; // of this host
  uint32_t has_xsave, has_xsavec, has_xsaveopt, has_xgetbv1, has_pku, has_rdtscp, has_rdpid, has_fsgsbase;
  uint32_t mxcsr_mask;
  uint32_t has_vsyscall;          // record: the kernel has the vsyscall page
};

// Calls the runtime handles by hand (bis_syscall_row.special with BIS_CLASS_LOCAL).
enum bis_local {
  BIS_LOCAL_BRK = 1, BIS_LOCAL_MMAP = 2, BIS_LOCAL_MUNMAP = 3, BIS_LOCAL_MPROTECT = 4, BIS_LOCAL_MREMAP = 5,
  BIS_LOCAL_CLOSE = 6, BIS_LOCAL_DUP = 7, BIS_LOCAL_DUP2 = 8, BIS_LOCAL_DUP3 = 9, BIS_LOCAL_FCNTL = 10,
  BIS_LOCAL_CLOSE_RANGE = 11, BIS_LOCAL_SIGACTION = 12, BIS_LOCAL_SIGPROCMASK = 13, BIS_LOCAL_SIGALTSTACK = 14,
  BIS_LOCAL_ARCH_PRCTL = 15, BIS_LOCAL_SET_TID_ADDRESS = 16, BIS_LOCAL_WRITE = 17, BIS_LOCAL_WRITEV = 18,
  BIS_LOCAL_MADVISE = 19, BIS_LOCAL_COPY_RANGE = 20, // sendfile, splice, tee, copy_file_range: refused onto a standard stream
  BIS_LOCAL_RLIMIT = 21, // setrlimit, prlimit64: the stack limit decides where a program faults
  BIS_LOCAL_THREAD_NAME = 22, // prctl(PR_SET_NAME)
  BIS_LOCAL_FUTEX_PI = 23, // FUTEX_LOCK_PI and its kin, of threads of one process
};
#endif
