// Event records: the content of ring segments and of tape chunks.
// Part of bis_abi.h, which includes it.
#ifndef BIS_RECORDS_H
#define BIS_RECORDS_H
#include <stdint.h>

// ---------------------------------------------------------------------------------------------
// Event records: the content of ring segments and, unchanged, of tape chunks.
// Every record begins with bis_record and has a size that is a multiple of 8. An event is a head record
// (kind < 64) followed by its `effects` effect records (kind >= 64). Little endian, as the machine.
// A record never straddles two segments; the records of one event may.
// ---------------------------------------------------------------------------------------------
struct bis_record {
  uint32_t size;        // bytes, header included, multiple of 8
  uint8_t  kind;        // enum bis_kind
  uint8_t  flags;       // enum bis_record_flags
  uint16_t effects;     // head records: number of effect records that follow
};

enum bis_kind {
  BIS_KIND_PAD = 0,       // rest of a segment
  BIS_KIND_SYSCALL = 1,   // bis_event; nr = system call number
  BIS_KIND_CPU = 2,       // bis_event; nr = enum bis_special: a reading of RDTSC, RDRAND, ...; value = result, value2
  BIS_KIND_SIGNAL = 3,    // bis_event; nr = signal (0: a tracer changed something); value = enum bis_signal_cause; effects: SIGINFO, MEMORY (frame), REGISTERS
  BIS_KIND_START = 4,     // bis_event; nr = enum bis_start; effects: MAP*, MEMORY*, REGISTERS, XSTATE
  BIS_KIND_EXIT = 5,      // bis_event; nr = 0 exited, 1 killed by signal; value = status or signal number. Last event of the tape.
  BIS_KIND_EXEC = 6,      // bis_event; value = tape number that goes on. Last event of the tape.
  BIS_KIND_CHECKSUM = 7,  // bis_event; value = checksum of registers, value2 = of memory; effects: CHECKSUM_RANGE*
  BIS_KIND_VFORK_LEAVE = 8, // bis_event; the vfork child is gone: the parent's registers come back, rax = value.
                          // value2 <> 0: it was killed, in the call before this address if in one
  BIS_KIND_SWITCH = 9,    // bis_event; thread tid has the turn from here on, before it thread `value` had it; nr = 1 (chaos
                          // mode): that one is between two ticks, at address value2
  BIS_KIND_LOST = 10,     // bis_event; the recording ended here without the program's end (bis was killed, disk full): nr = reason

  BIS_KIND_PAGE = 11,     // bis_event; memory shared with other processes has changed: value = page whose access told, value2 =
                          // its PROT_*; effects: MEMORY, MAP (of an empty file: a page that the file has not, or, anonymous,
                          // has again). FLAG_ASYNC: done when the tick count becomes `ticks`; FLAG_AT_ENTRY: at the entry of
                          // the next system call; neither: right before the instruction at rip accesses the page, with these
                          // registers (hash), at tick `ticks`

  BIS_KIND_MEMORY = 64,   // bis_effect_memory + bytes: memory written
  BIS_KIND_MAP = 65,      // bis_effect_map: a mapping appears (file < 0: anonymous, zero)
  BIS_KIND_UNMAP = 66,    // bis_effect_range
  BIS_KIND_PROTECT = 67,  // bis_effect_range; value = prot
  BIS_KIND_REMAP = 68,    // bis_effect_remap
  BIS_KIND_PROCESS = 69,  // bis_effect_process: a new process with a tape of its own
  BIS_KIND_REGISTERS = 70, // bis_effect_registers: general registers after the event
  BIS_KIND_XSTATE = 71,   // bis_effect_memory (address unused) + XSAVE image, standard format of the profile
  BIS_KIND_SIGINFO = 72,  // bis_effect_memory (address unused) + siginfo, 128 bytes
  BIS_KIND_ADVISE = 74,  // bis_effect_range; value = MADV_DONTNEED: the pages are as new
  BIS_KIND_OUTPUT = 77,  // bis_effect_memory (address = 1 or 2) + bytes: written to bis's standard output or error from
                         // where no memory of the program holds it (sendfile)
  BIS_KIND_LIMIT = 76,   // bis_effect_range: address = RLIMIT_* number, length = soft limit of the process from here on
  BIS_KIND_BASES = 75,   // bis_effect_range: address = FS base, length = GS base of the thread from here on
  BIS_KIND_THREAD = 78,   // bis_effect_range: a new thread: address = tid, length = its rsp, value = its FS base
  BIS_KIND_NAME = 79,     // bis_effect_range: the thread has a new name: 16 bytes in address and length
  BIS_KIND_CHECKSUM_RANGE = 73, // bis_effect_range: address, length, value = checksum of the bytes
};

enum bis_record_flags {
  BIS_FLAG_ECHO_OUT = 1,   // SYSCALL: it wrote to bis's standard output ...
  BIS_FLAG_ECHO_ERR = 2,   // ... or standard error
  BIS_FLAG_SUPERVISOR = 4, // replay must ask the supervisor about this event (executable mappings, new process, ...)
  BIS_FLAG_VFORK_ENTER = 8, // SYSCALL: a vfork child goes on in this address space (result 0; value2 = its stack, 0: the same)
  BIS_FLAG_ASYNC = 16,     // SIGNAL, SWITCH: happens at tick `ticks`, not right after the event before
  BIS_FLAG_AT_ENTRY = 64, // SIGNAL: taken at a system call's entry; the call is not done (rip = the syscall instruction)
  BIS_FLAG_THREAD_END = 128, // SYSCALL: the thread is gone; another one has the turn next
  BIS_FLAG_NO_RETURN = 32, // SYSCALL: no result is delivered (rt_sigreturn: REGISTERS effect instead)
};

// EXIT: where the end came (value2).
enum bis_exit { BIS_EXIT_AT_CALL = 0, BIS_EXIT_IMMEDIATE = 1, BIS_EXIT_FAULT = 2 };
enum bis_start { BIS_START_EXEC = 1, BIS_START_FORK = 2 };
// BIS_SIGNAL_CALL: with AT_ENTRY and signal 0: memory has changed, and the call is done as the program makes it.
enum bis_signal_cause { BIS_SIGNAL_ASYNC = 0, BIS_SIGNAL_FAULT = 1, BIS_SIGNAL_CALL = 2 };

// Head of every event. 120 bytes; of an event in a ring or a tape the last arguments may be missing (h.size says so).
struct bis_event {
  struct bis_record h;
  uint32_t nr;
  uint32_t tid;
  uint64_t stamp;      // trace-wide order
  uint64_t tsc;        // time: RDTSC of the recording machine; the manifest has the conversion
  uint64_t ticks;      // of the thread, since the tape began
  uint64_t rip;        // guest address after the event's instruction (SYSCALL, CPU), else at the event
  uint64_t value;      // result
  uint64_t value2;
  uint64_t registers;  // bis_register_hash at entry (SYSCALL, CPU: rcx, r11 left out); 0: not checked
  uint64_t args[6];    // SYSCALL: the arguments, as many as the call has; else 0
};
#define BIS_EVENT_FIXED 72 // bytes of an event before its arguments
struct bis_effect_memory { struct bis_record h; uint64_t address, length; }; // + length bytes, padded to 8
struct bis_effect_map {
  struct bis_record h;
  uint64_t address, length;
  uint32_t prot, flags;   // PROT_*, MAP_* as asked (MAP_SHARED, MAP_GROWSDOWN, MAP_STACK)
  int64_t  file;          // number in the trace's file list, -1 anonymous
  uint64_t offset;        // bytes into the file
};
struct bis_effect_range { struct bis_record h; uint64_t address, length, value; };
struct bis_effect_remap { struct bis_record h; uint64_t old_address, old_length, new_address, new_length; };
struct bis_effect_process { struct bis_record h; uint64_t tape, pid; };
struct bis_effect_registers { struct bis_record h; uint64_t gpr[16], rip, rflags, fs_base, gs_base; };

#define BIS_MEMORY_CHUNK 0x10000 // longest MEMORY effect, bytes; longer writes are split

// Order-dependent hash of general registers, for checking at events:
// h = 0; for each register in order 0..15 except rcx (1) and r11 (11): h = (rotl(h, 5) ^ r) * BIS_HASH_MULTIPLIER.

enum bis_divergence {
  BIS_DIVERGED_KIND = 1, BIS_DIVERGED_NUMBER = 2, BIS_DIVERGED_TICKS = 3, BIS_DIVERGED_RIP = 4,
  BIS_DIVERGED_REGISTERS = 5, BIS_DIVERGED_END = 6, BIS_DIVERGED_MAPPING = 7, BIS_DIVERGED_MEMORY = 8,
  BIS_DIVERGED_MALFORMED = 9,
};
#endif
