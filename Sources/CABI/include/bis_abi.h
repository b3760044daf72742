// The binary contract between the three parties that meet inside a recorded process: the translated
// code (emitted by Translate), the runtime (Sources/Runtime) and the supervisor (Guest, Record, Replay).
// Everything here is layout: addresses, offsets, record formats. No functions, no libc.
#ifndef BIS_ABI_H
#define BIS_ABI_H

#ifndef __ASSEMBLER__
#include <stdint.h>
#endif

// ---------------------------------------------------------------------------------------------
// The region: what belongs to bis in the address space of a recorded or replayed process.
// [0x550000000000, 0x555500000000) is free in every program tried (shared/inject.md). The region
// sits at its top, so that code cache, libraries placed by bis and a PIE at 0x555555554000 are all
// within +-2 GiB of each other: RIP-relative operands of the program can be rewritten to disp32.
// ---------------------------------------------------------------------------------------------
#define BIS_LIBRARIES_BASE 0x555480000000 // file mappings of the program go up from here ...
#define BIS_LIBRARIES_END  0x5554D0000000 // ... to here
#define BIS_REGION_BASE    0x5554D0000000
#define BIS_REGION_END     0x555500000000
#define BIS_RUNTIME_BASE   0x5554D0000000 // r-x shared  code of the runtime
#define BIS_RUNTIME_SIZE   0x000000100000
#define BIS_TABLES_BASE    0x5554D0100000 // r-- shared  system-call tables, CPU profile, a debugger's watchpoints
#define BIS_TABLES_SIZE    0x000000E00000
#define BIS_SHARED_BASE    0x5554D0F00000 // rw- shared  page 0 of the rings file: struct bis_shared, one for the trace
#define BIS_WINDOW_BASE    0x5554D1000000 // rw- shared  control block + event ring: one slot of the rings file
#define BIS_WINDOW_SIZE    0x000000290000
#define BIS_PRIVATE_BASE   0x5554D2000000 // rw- private fast lookup table, runtime stack, scratch
#define BIS_PRIVATE_SIZE   0x000000200000 // (one page of 2 MiB where the kernel has such)
#define BIS_LANDINGS_BASE  0x5554D2200000 // rw- private where paired calls return to (Pairs.swift): a copy of its part of the file
#define BIS_LANDINGS_SIZE  0x000000081000
#define BIS_THREADS_BASE   0x5554D3000000 // rw- private threads' scratch and stacks; mapped when there is a second thread
#define BIS_THREADS_SIZE   0x000005000000
#define BIS_DOMAINS_BASE   0x5554D8000000 // r-- shared  hash tables guest address -> translated code
#define BIS_DOMAINS_SIZE   0x000008000000
#define BIS_CODE_BASE      0x5554E0000000 // r-x shared  translated code
#define BIS_CODE_SIZE      0x000018000000

// Inside the private part.
#define BIS_FAST_TABLE      (BIS_PRIVATE_BASE)            // 65,536 host addresses, index = low 16 bits of the guest target
#define BIS_FAST_TABLE_SIZE 0x80000
#define BIS_RETURN_TABLE    (BIS_PRIVATE_BASE + 0x100000) // the same size, for returns: entries that find the target at [rsp-8]
#define BIS_LANDINGS        (BIS_LANDINGS_BASE + 0x840) // 65,536 host addresses, index = bits 3 to 18 of rsp. (Not at the same place of a
                                                        // page as the stack's word: loads would wait for each other's stores.)
#define BIS_STACK_TOP       (BIS_PRIVATE_BASE + 0xC0000)  // runtime stack, grows down from here (256 KiB below)
#define BIS_SCRATCH         (BIS_PRIVATE_BASE + 0xC0000)  // 64-byte aligned scratch (XSAVE images), 256 KiB
#define BIS_SCRATCH_SIZE    0x40000
#define BIS_FILTERS         (BIS_PRIVATE_BASE + 0x180000) // record: seccomp filters (struct bis_filter)
#define BIS_FILTERS_SIZE    0x80000

// Threads of a process: BIS_THREADS_BASE + index * BIS_THREAD_SPACE: scratch below, runtime stack (but the first
// thread's) above. Scratch is where the kernel writes results while others have the turn. Behind them stand a few
// large areas for calls that need more (struct bis_turn, pool).
#define BIS_MAX_THREADS     1024
#define BIS_THREAD_SPACE    0x10000
#define BIS_THREAD_SCRATCH  0x8000
#define BIS_VFORK_STACK     0x4000  // of a runtime stack, for the parent that waits for its vfork child
#define BIS_POOL_BASE       (BIS_THREADS_BASE + BIS_MAX_THREADS * BIS_THREAD_SPACE)
#define BIS_POOL_SPACE      0x100000
#define BIS_POOL_COUNT      16
#define BIS_TIME_SLICE      2000000  // ticks that a thread may run while others are ready
#define BIS_PAUSES          16       // how often it may execute PAUSE then, before its slice ends at the next tick
#define BIS_SHORT_SLICE     100000   // the same after a system call: it may wait for what another one is to do, without a call
#define BIS_VAIN_WAITS      32       // waits for one futex in a row, after which who is woken has the turn soon
#define BIS_WOKEN           0x10000  // (in bis_turn.pauses: somebody like that has been woken)
#define BIS_STRAY_TICKS     (1 << 24) // replay: ticks beyond the next event after which a program has strayed from its tape
#define BIS_SS_AUTODISARM   0x80000000u // uapi/linux/signal.h
#define BIS_MINSIGSTKSZ     2048

// Inside the window.
#define BIS_CONTROL_SIZE    0x90000      // struct bis_control: most of it is thread records, sparse in the rings file
#define BIS_CONTROL_FIRST   0x10000      // bytes of it that are allocated from the start
#define BIS_RING_BASE       (BIS_WINDOW_BASE + BIS_CONTROL_SIZE)
#define BIS_SEGMENT_SIZE    0x80000
#define BIS_SEGMENT_COUNT   4
#define BIS_RECORD_SEGMENT  0x40000      // record: bytes of the first and the second segment that are used, in turns (no others
                                         // are): so much, and what compresses it, fits into a processor's own cache
#define BIS_SEGMENT_HEADER  64           // struct bis_segment_header; records follow
#define BIS_SEGMENT_MAGIC   0x474553534942 // "BISSEG"
// The rings file: slot i at offset i * BIS_WINDOW_SIZE. Slot 0 holds struct bis_shared, the others one process each.

// The layout of the region's memory file ("region file"; a memfd), by offset:
#define BIS_FILE_RUNTIME 0x0
#define BIS_FILE_TABLES  0x100000
#define BIS_FILE_LANDINGS 0x800000
#define BIS_FILE_DOMAINS 0x1000000
#define BIS_FILE_CODE    0x10000000

// ---------------------------------------------------------------------------------------------
// Offsets inside the control block. GS base == BIS_WINDOW_BASE while program code or the runtime
// runs, so gs:[BIS_C_x] reaches it from anywhere; translated code may also use RIP-relative
// addresses (cheaper for the words that hot loops touch: spills and ticks).
// The fast table is at gs:[index*8 + BIS_FAST_TABLE - BIS_WINDOW_BASE].
// ---------------------------------------------------------------------------------------------
#define BIS_C_GPR        0x000 // 16 x u64: rax rcx rdx rbx rsp rbp rsi rdi r8..r15 (instruction encoding order)
#define BIS_C_RIP        0x080
#define BIS_C_RFLAGS     0x088
#define BIS_C_FSBASE     0x090
#define BIS_C_GSBASE     0x098 // the program's GS base (virtual)
#define BIS_C_RESUME     0x0A0 // host address at which the runtime leaves for translated code
#define BIS_C_STACKTOP   0x0A8 // runtime stack pointer to use on entry
#define BIS_C_SELF       0x0B0 // BIS_WINDOW_BASE
#define BIS_C_DESC       0x0B8 // descriptor pointer of the current entry (value rcx had)
#define BIS_C_SPILL      0x0C0 // 8 x u64 spill slots of translated code
#define BIS_SPILL_RCX    0     // guest rcx while rcx is a scratch register
#define BIS_SPILL_TARGET 1     // guest address of an indirect transfer under way
#define BIS_SPILL_A      2     // any other scratch register of one instruction
#define BIS_SPILL_B      3
#define BIS_SPILL_C      4
#define BIS_C_TICK       0x100 // 8 x u64: tick counters, counting down to 0; word = (guest address >> 4) & 7
#define BIS_C_TICK_START 0x140 // 8 x u64: what each was set to
#define BIS_C_CHILD_SLOT 0x290
#define BIS_C_DEBUG      0x1370 // u64: enum bis_debug_flags
#define BIS_TICK_WORDS   8

#ifndef __ASSEMBLER__

// A range of guest addresses whose code has a domain: translations valid in this process.
struct bis_range {
  uint64_t low, high;   // guest addresses [low, high)
  uint64_t table;       // address (in BIS_DOMAINS) of a hash table of bis_translation, open addressing
  uint64_t mask;        // entries - 1; slot = bis_hash(guest) & mask, then the next ones
};
#define BIS_MAX_RANGES 512
#define BIS_MAX_SHARED 32

// One entry of a domain's hash table. guest == 0: free. Written by the supervisor: offsets first, then guest.
struct bis_translation {
  uint64_t guest;
  uint32_t body;        // offset in the code cache of the code without tick and check
  uint32_t indirect;    // offset of the indirect entry (checks spill[TARGET], ticks, falls into body); 0: not made yet
};
#define BIS_HASH_MULTIPLIER 0x9E3779B97F4A7C15
// bis_hash(g) = (g * BIS_HASH_MULTIPLIER) >> 32

// Replay uses one segment only; the others hold recorded output until the supervisor writes it out: entries of
// bis_echo + bytes, padded to 8.
#define BIS_ECHO_BASE (BIS_RING_BASE + BIS_SEGMENT_SIZE)
#define BIS_ECHO_SIZE ((BIS_SEGMENT_COUNT - 1) * BIS_SEGMENT_SIZE)
struct bis_echo { uint64_t stamp; uint32_t stream, length; };
#define BIS_ECHO_PATIENCE 100000000 // cycles after which output is handed over at once

// First bytes of every segment: what a reader needs when everything was killed.
struct bis_segment_header {
  uint64_t magic, tape, sequence; // sequence: number of the chunk of that tape which this segment becomes
  uint64_t committed;             // bytes after this header that hold whole records
  uint64_t reserved[4];
};
// What all processes of a recording share.
#define BIS_MAX_FILES 128
struct bis_shared {
  uint64_t stamp;              // next trace-wide order stamp
  uint64_t several;            // not 0: more than one process takes stamps, or may soon
  uint64_t reserved[6];
  uint32_t file_count;         // of files[]; more than BIS_MAX_FILES: any file may be mapped
  uint32_t file_changes;       // how often the list has changed
  struct { uint64_t device, inode; } files[BIS_MAX_FILES]; // files that some process has mapped MAP_SHARED
};

struct bis_sigaction { uint64_t handler, flags, restorer, mask; }; // the kernel's order

// What of the control block belongs to one thread, while another has the turn. 512 bytes.
struct bis_thread {
  uint64_t gpr[16], rip, rflags, fs_base, gs_base, resume_host, stack_top;
  uint64_t xcr0, pkru, signal_mask, altstack_sp, altstack_flags, altstack_size;
  uint64_t tid, clear_child_tid, restart_syscall, held_signals;
  uint64_t pending_signals;  // supervisor: something to deliver to this thread; set here and, when it is current, there
  uint64_t restarts;         // supervisor: the handler of the signal that came last has SA_RESTART
  uint32_t alive;            // 0: free; the kernel clears it when the thread is gone (CLONE_CHILD_CLEARTID)
  uint32_t wake;             // futex: 1 = this thread has the turn
  uint32_t next;             // the thread that became ready after this one: index + 1; 0: none
  uint32_t priority;         // chaos mode: threads with more run first
  uint32_t cpu;              // the CPU that the kernel was told to keep it on, + 1; 0: those of the program's choice
  uint32_t unused;
  uint64_t runtime_sp;       // replay: the runtime's stack pointer while another thread has the turn
  uint64_t seccomp;          // as in struct bis_control
  uint64_t name[2];          // replay: what the thread has called itself (PR_SET_NAME), 15 bytes and a 0; none: its program's
  uint64_t temporary_mask;
  uint64_t call_begin;       // record: time stamp counter when its call began, of those that may wait
  uint64_t reserved[21];
};
// Who runs program code. Only the thread that has the turn touches the rest of the control block.
struct bis_turn {
  uint32_t lock;             // spin lock of holder and the ready list (0: free)
  uint32_t holder;           // index + 1 of the thread that has the turn; 0: nobody
  uint32_t current;          // index of the thread whose state is in the control block; ~0: none
  uint32_t count;            // threads
  uint32_t ready_head, ready_tail, ready_count; // threads that wait for the turn: index + 1, linked by bis_thread.next
  uint32_t flags;            // BIS_FLAG_ASYNC: the last one was preempted
  uint32_t used;             // threads[used] and those behind it have never been in use
  uint32_t mapped;           // 1: the threads' scratch and stacks are there
  uint32_t pool;             // bit i: large scratch area i is taken
  uint32_t pinning;          // enum bis_pinning
  uint32_t cpu;              // the CPU that threads with the turn run on, + 1; 0: any
  uint32_t patience;         // turns and slices since the kernel last chose that CPU
  uint32_t mask_size;        // bytes of mask that the kernel knows
  uint32_t at_address;       // the last one was preempted between two ticks: at `address`
  uint64_t address;
  uint64_t chaos;            // chaos mode: state of the random numbers; 0: off
  uint64_t chaos_next;       // chaos mode: the tick at which priorities change
  uint32_t roamer;           // the thread that the kernel may move, index + 1; 0: none
  uint32_t always_zero;      // (PtraceWait.swift waits for it)
  uint32_t companion;        // record: not 0 when the supervisor may have put the only thread onto its own CPU (SharedCPU)
  uint32_t pauses;           // record: how often the thread with the turn has executed PAUSE while others were ready
  uint64_t slice;            // record: ticks of the next slice, BIS_SHORT_SLICE to BIS_TIME_SLICE; 0: the latter
  uint64_t temporary_mask;   // record: signals that the call under way blocks while it waits (ppoll, sigsuspend), and bit 8
                             // (SIGKILL, which nothing blocks); 0: the call has no mask of its own
  uint32_t contended;        // record: the futex that a thread has waited for last (low half of its address)
  uint32_t waits;            // how often that was waited for, and no other
  uint64_t mask[16];         // CPUs that the program may use, as the kernel said when pinning began
};
enum bis_pinning { BIS_PIN_OFF = 0, BIS_PIN_ON = 1, BIS_PIN_NEVER = 2 };

// Replay under a debugger: where to stop (REASON_DEBUG). 80 bytes, but for `stale_targets` all 0 when nobody debugs.
struct bis_debug {
  uint64_t flags;            // enum bis_debug_flags
  uint64_t ticks;            // BIS_DEBUG_TICKS: stop when this many ticks are done, before an event that happens there
  uint64_t event;            // BIS_DEBUG_EVENT: stop when this many events are applied
  uint64_t hits;             // BIS_DEBUG_COLLECT: breakpoints met, and where the last one was
  uint64_t hit_event, hit_ticks, hit_rip;
  uint64_t touched, touched_address; // BIS_DEBUG_TOUCHED: index of the watched range, and where in it
  uint64_t stale_targets;    // (always) translations went away while it stood still: looked-up targets are forgotten on its way out
};
enum bis_debug_flags {
  BIS_DEBUG_STEP = 1,        // stop on the way back to program code
  BIS_DEBUG_TICKS = 2,
  BIS_DEBUG_EVENT = 4,
  BIS_DEBUG_COLLECT = 8,     // breakpoints do not stop, they leave their position
  BIS_DEBUG_CALLS = 16,      // stop before system calls
  BIS_DEBUG_LIVE = 32,       // a diversion: system calls go to the supervisor
  BIS_DEBUG_WATCH = 64,      // memory is watched (struct bis_watches)
  BIS_DEBUG_COMPARE = 256,   // the supervisor applies changes of shared memory: the debugger compares what it watches
  BIS_DEBUG_TOUCHED = 128,   // an event or a special instruction touched a watched range: stop on the way back to program code
};
enum bis_debug_stop {        // arg0 of REASON_DEBUG
  BIS_DEBUG_AT_LEAVE = 1, BIS_DEBUG_AT_TICKS = 2, BIS_DEBUG_AT_EVENT = 3, BIS_DEBUG_AT_BREAKPOINT = 4,
  BIS_DEBUG_AT_CALL = 5, BIS_DEBUG_AT_LIVE_CALL = 6,
  BIS_DEBUG_AT_WATCH = 7,      // before an instruction that touches a watched range: arg1 index, arg2 address, arg3 enum bis_touch
  BIS_DEBUG_AT_TOUCHED = 8,    // after an event or a special one that did: arg1, arg2
};
enum bis_touch {             // how sure that is
  BIS_TOUCH_EXACT = 0,
  BIS_TOUCH_REPEATED = 1,    // a repeated string instruction, which may end early: arg4 = bytes of an element, arg5 = enum bis_watch_bits
  BIS_TOUCH_UNKNOWN = 2,     // what it writes shows when it is done; arg5 = enum bis_watch_bits
};
enum bis_watch_bits {        // of a descriptor (reg), of a watched range (READS, WRITES)
  BIS_WATCH_READS = 1, BIS_WATCH_WRITES = 2,
  BIS_WATCH_INEXACT = 4,     // some of the bytes may be left out
  BIS_WATCH_SHORT = 8,       // 32-bit addresses
  BIS_WATCH_SOURCE = 16,     // BIS_SPECIAL_WATCH_REPEATED: the operand is at rsi, not rdi
};

// The only thread of a process waits in a system call that uses none of the memory shared with others (or a futex's word, which
// the kernel has read then). Pages may be taken from it there without stopping it, if it is told when it wakes up.
enum bis_sleep { BIS_SLEEP_NONE = 0, BIS_SLEEP_WAITS = 1, BIS_SLEEP_CLAIMED = 2 };

// A question for a translation (REASON_MISS, MISS_INDIRECT, EXIT_DIRECT) that is asked without a stop, while the supervisor looks
// for it on another CPU (Guest/Attention.swift). A cache line.
struct bis_ask {
  uint32_t state;            // enum bis_ask_state
  uint32_t attended;         // supervisor: it looks
  uint64_t reason;           // enum bis_reason
  uint64_t argument;         // exit number, or the guest's address
  uint64_t guest, host;      // the answer: rip and resume_host; host 0: ask with a stop
  uint64_t withdrawn;        // how often nobody took it in time
  uint64_t reserved[2];
};
enum bis_ask_state { BIS_ASK_NONE = 0, BIS_ASK_ASKED = 1, BIS_ASK_TAKEN = 2, BIS_ASK_ANSWERED = 3 };

struct bis_control {
  uint64_t gpr[16];            // 0x000
  uint64_t rip, rflags;        // 0x080
  uint64_t fs_base, gs_base;   // 0x090
  uint64_t resume_host;        // 0x0A0
  uint64_t stack_top;          // 0x0A8
  uint64_t self_address;       // 0x0B0
  uint64_t descriptor;         // 0x0B8
  uint64_t spill[8];           // 0x0C0
  uint64_t tick[8];            // 0x100
  uint64_t tick_start[8];      // 0x140
  uint64_t tick_done;          // 0x180 ticks completed before the words were last set
  uint64_t tick_target;        // 0x188 absolute tick count at which to stop; ~0: none
  uint64_t xcr0;               // 0x190 virtual XCR0 of the thread
  uint64_t pkru;               // 0x198 virtual PKRU
  // Mailbox: the runtime sets reason and arguments and executes int3; the supervisor answers and clears it.
  uint32_t reason;             // 0x1A0 enum bis_reason
  uint32_t mode;               // 0x1A4 enum bis_mode
  uint64_t arg[6];             // 0x1A8
  uint64_t answer;             // 0x1D8
  uint64_t answer_arg[5];      // 0x1E0
  // Ring.
  uint64_t segment;            // 0x208 index of the segment in use
  uint64_t ring_pos;           // 0x210 offset of the next record in that segment
  uint64_t ring_end;           // 0x218 replay: offset of the end of what is there; record: BIS_RECORD_SEGMENT
  uint64_t event_count;        // 0x220 events written or consumed so far
  uint64_t stamp_address;      // 0x228 record: address of the trace-wide order counter (u64, shared memory), 0: none
  uint64_t checksum_every;     // 0x230 0: never; n: ask for a checksum after every n-th event
  uint64_t checksum_next;      // 0x238 event_count at which the next one is due
  uint64_t pending_signals;    // 0x240 supervisor: something to deliver before going back to program code
  uint64_t in_syscall;         // 0x248 record: not 0 from a system call's entry until its event is logged; 2: with shared_active
  // Signal state of the program (virtual; the kernel sees another).
  uint64_t signal_mask;        // 0x250
  uint64_t altstack_sp, altstack_flags, altstack_size; // 0x258 (sas_ss_sp, _flags, _size of the kernel's task_struct)
  uint64_t brk_start, brk_current;                     // 0x270
  uint64_t vfork_depth;        // 0x280 >0: a vfork child is running in this address space
  uint64_t own_slot_offset;    // 0x288 offset of this window in the rings file
  uint64_t child_slot_offset;  // 0x290 supervisor: slot prepared for the next fork child
  uint64_t range_count;        // 0x298
  uint64_t stats[16];          // 0x2A0 enum bis_stat
  uint64_t tid, pid;           // 0x320
  uint64_t clear_child_tid;    // 0x330
  uint64_t restart_syscall;    // 0x338 supervisor: the interrupted call is to be restarted after the handler (not logged)
  uint64_t tape;               // 0x340 number of the tape
  uint64_t echo_used;          // 0x348 replay: bytes in the echo buffer
  uint64_t vsaved[20];         // 0x350 replay: registers of the vfork parent
  uint64_t held_signals;       // 0x3F0 record: signals are queued that the mask blocks
  uint64_t echo_time;          // 0x3F8 replay: TSC when the supervisor last emptied it
  struct bis_sigaction actions[65];      // 0x400
  uint8_t std_fd[1024];                  // 0xC20: 0 not a standard stream of bis, 1 its stdout, 2 its stderr
  char path[848];                        // 0x1020 replay: file to map, from the supervisor; record: arguments of calls that it has made
  struct bis_debug debug;                // 0x1370
  struct bis_ask ask;                    // 0x13C0
  struct bis_range ranges[BIS_MAX_RANGES]; // 0x1400: sorted by low
  struct bis_turn turn;                  // 0x5400
  // Memory that is shared with files or other processes (record only; Sources/Runtime/shared.c).
  uint32_t shared_count;       // 0x5500 of shared[]: all of the program's shared mappings lie in these ranges
  uint32_t shared_active;      // 1: pages of them may belong to another process
  uint32_t pinned;             // enum bis_pin
  uint32_t traced;             // record: enum bis_traced; the supervisor may set it at any instruction
  struct { uint64_t low, high; } shared[BIS_MAX_SHARED]; // (right behind traced)
  uint64_t seccomp;            // record: the current thread's newest filter (its address in BIS_FILTERS); enum bis_seccomp
  // Descriptors that are known to be no file which anybody has mapped (record; Sources/Runtime/shared.c).
  uint32_t plain_changes;      // as long as bis_shared.file_changes is this; 0: none is known; BIS_PLAIN_NEVER
  volatile uint32_t disturbances; // record: how often the supervisor has stopped a call, or taken a page from one (partial.c)
  uint8_t plain_fd[1024];
  uint32_t asleep;             // record: enum bis_sleep
  uint32_t guessed_ioctl;      // record: the last request that bis does not know and has told the supervisor of
  uint32_t read_waits;         // record: how many reads have come too early since one found something (threads)
  uint32_t reserved_waits;
  struct bis_thread threads[BIS_MAX_THREADS];
};
/// Supervisor: the process sleeps where pages may be taken from it, and will stop when it wakes up. 0: it does not.
static inline int bis_claim_sleep(struct bis_control *c) {
  uint32_t found = BIS_SLEEP_WAITS;
  return __atomic_compare_exchange_n(&c->asleep, &found, BIS_SLEEP_CLAIMED, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) ||
         found == BIS_SLEEP_CLAIMED;
}
/// Supervisor: looks for questions from now on, or does not any more. Who has asked then asks with a stop.
static inline void bis_ask_attend(struct bis_ask *a, uint32_t attended) {
  __atomic_store_n(&a->attended, attended, __ATOMIC_SEQ_CST);
}
/// Supervisor: takes a question that is there, or comes while it looks that often. enum bis_reason; 0: there is none.
static inline uint64_t bis_ask_take(struct bis_ask *a, uint32_t looks) {
  for (; looks; looks--) {
    uint32_t state = __atomic_load_n(&a->state, __ATOMIC_RELAXED);
    if (state == BIS_ASK_ASKED &&
        __atomic_compare_exchange_n(&a->state, &state, BIS_ASK_TAKEN, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
      return a->reason;
    __builtin_ia32_pause();
  }
  return 0;
}
static inline void bis_ask_answer(struct bis_ask *a, uint64_t guest, uint64_t host) {
  a->guest = guest;
  a->host = host;
  __atomic_store_n(&a->state, BIS_ASK_ANSWERED, __ATOMIC_RELEASE);
}
#define BIS_PLAIN_NEVER 0xFFFFFFFF // threads or processes share descriptors in ways that the runtime does not follow
_Static_assert(sizeof(struct bis_thread) == 512, "bis_thread");
_Static_assert(sizeof(struct bis_turn) == 256, "bis_turn");
_Static_assert(__builtin_offsetof(struct bis_control, turn) == 0x5400, "turn");
_Static_assert(__builtin_offsetof(struct bis_control, spill) == BIS_C_SPILL, "spill");
_Static_assert(__builtin_offsetof(struct bis_control, tick) == BIS_C_TICK, "tick");
_Static_assert(__builtin_offsetof(struct bis_control, tick_start) == BIS_C_TICK_START, "tick_start");
_Static_assert(__builtin_offsetof(struct bis_control, resume_host) == BIS_C_RESUME, "resume");
_Static_assert(__builtin_offsetof(struct bis_control, descriptor) == BIS_C_DESC, "descriptor");
_Static_assert(__builtin_offsetof(struct bis_control, child_slot_offset) == BIS_C_CHILD_SLOT, "child_slot_offset");
_Static_assert(__builtin_offsetof(struct bis_control, reason) == 0x1A0, "reason");
_Static_assert(__builtin_offsetof(struct bis_control, stats) == 0x2A0, "stats");
_Static_assert(__builtin_offsetof(struct bis_control, actions) == 0x400, "actions");
_Static_assert(__builtin_offsetof(struct bis_control, debug) == BIS_C_DEBUG, "debug");
_Static_assert(__builtin_offsetof(struct bis_control, ask) == 0x13C0, "ask");
_Static_assert(__builtin_offsetof(struct bis_control, ranges) == 0x1400, "ranges");
_Static_assert(BIS_POOL_BASE + BIS_POOL_COUNT * BIS_POOL_SPACE <= BIS_THREADS_BASE + BIS_THREADS_SIZE, "pool");
_Static_assert(__builtin_offsetof(struct bis_control, threads[1]) <= BIS_CONTROL_FIRST, "first thread");
_Static_assert(sizeof(struct bis_control) <= BIS_CONTROL_SIZE, "control block too large");

// A seccomp filter that the program has installed: the kernel never sees it, the runtime asks it (record only;
// Sources/Runtime/seccomp.c). `length` instructions (struct sock_filter) follow; the supervisor has checked them.
struct bis_filter { uint64_t previous; uint32_t length, reserved; };
enum bis_seccomp { BIS_SECCOMP_NONE = 0, BIS_SECCOMP_STRICT = 1 }; // all else: an address
#define BIS_ARCH_X86_64 0xC000003E // AUDIT_ARCH_*, uapi/linux/audit.h
#define BIS_ARCH_I386   0x40000003

enum bis_mode { BIS_MODE_RECORD = 1, BIS_MODE_REPLAY = 2 };

// Why the runtime stopped (int3) and asks the supervisor.
enum bis_reason {
  BIS_REASON_NONE = 0,
  BIS_REASON_BOOT = 1,          // region mapped; arg0 = 0 or -errno
  BIS_REASON_MISS = 2,          // rip has no translation (body wanted)
  BIS_REASON_MISS_INDIRECT = 3, // spill[TARGET] has no indirect entry
  BIS_REASON_EXIT_DIRECT = 4,   // arg0 = exit number; answer: nothing, resume_host set
  BIS_REASON_SYSCALL = 5,       // a call that the supervisor handles; state in gpr, rip = after it
  BIS_REASON_RING = 6,          // record: segment full; replay: segment consumed
  BIS_REASON_EXPIRED = 7,       // tick_target reached; rip = guest address, resume_host = body
  BIS_REASON_SIGNALS = 8,       // pending_signals is set and the state is exact
  BIS_REASON_CHECKSUM = 9,
  BIS_REASON_DIVERGED = 10,     // arg0 = enum bis_divergence, arg1 expected, arg2 found
  BIS_REASON_ECHO = 11,         // replay: the echo buffer is to be emptied
  BIS_REASON_EVENT = 12,        // replay: the next record at ring_pos needs the supervisor
  BIS_REASON_SPECIAL = 13,      // a special instruction the runtime cannot do; arg0 = op
  BIS_REASON_AFTER = 14,        // record: arg0: a system call the supervisor let through is done; result in arg1
  BIS_REASON_FATAL = 15,        // arg0: line in the runtime's source
  BIS_REASON_STEP = 16,         // a tick ran out where a thread switch lies some instructions further on (resume_host = body);
                                // record: arg0 = how many at most; replay: at address arg0
  BIS_REASON_DEBUG = 17,        // replay: arg0 = enum bis_debug_stop
  BIS_REASON_PAGES = 18,        // record: a call (number answer_arg[0], arguments arg) needs shared pages that its arguments
                                // point to; answer_arg[1]: 1 = the whole mappings; answer_arg[2]: what `pinned` shall be
  BIS_REASON_SECCOMP = 19,      // record: a filter wants the program to get a signal: arg0 = SECCOMP_RET_* (BIS_SECCOMP_STRICT:
                                // SIGKILL), arg1 = call number, arg2 = BIS_ARCH_*; the call is logged, it did nothing
  BIS_REASON_FILE = 21,         // record: a call (number answer_arg[0], arguments arg) changes a file that is mapped: answer_arg[1] =
                                // enum bis_file_phase, [2] its result, [3], [4] the file's device and inode
  BIS_REASON_WATCHED = 20,      // record: a call failed with EFAULT; answer 1: pages were watched, now they are not, try again
  BIS_REASON_TRACED = 22,       // record: arg0 = enum bis_traced_stop; at an entry the answer MOVED means: not this call, registers
                                // and rip are new
  BIS_REASON_CLAIMED = 23,      // record: it has slept, and pages were taken from it
};

#define BIS_CHECKSUM_CONTENT 1 // nr of CHECKSUM events whose ranges are of pages that are not zero (Guest/Checksum.swift)

enum bis_file_phase { BIS_FILE_BEFORE = 0, BIS_FILE_AFTER = 1 };

// Whether pages shared with other processes may be taken away from a process (bis_control.pinned).
enum bis_pin {
  BIS_PIN_NONE = 0,
  BIS_PIN_INPUT = 1,  // not for some time: a call reads them
  BIS_PIN_OUTPUT = 2, // not at all: a call writes them, and what it wrote is yet to be logged
};

// A process of the recording traces another one (record; Sources/Record/Ptrace/).
enum bis_traced {
  BIS_TRACED_CALLS = 1, // stop (REASON_TRACED) at the entry of a system call and when its event is written
  BIS_TRACED_WAITS = 2, // it is a tracer: the supervisor sees its wait4 and waitid
  BIS_TRACED_WRITES = 4, // it has opened memory of processes as a file to write to: the supervisor sees its writes
};
enum bis_traced_stop { BIS_TRACED_AT_ENTRY = 1, BIS_TRACED_AT_EVENT = 2 }; // arg0 of REASON_TRACED

// The supervisor's answers to BIS_REASON_SYSCALL.
enum bis_answer {
  BIS_ANSWER_DONE = 1,    // event written, rax set: go on after the instruction
  BIS_ANSWER_HOT = 2,     // execute with the program's arguments and log as the row says
  BIS_ANSWER_AFTER = 3,   // execute number answer_arg[0] with arg[0..5], then stop with REASON_AFTER, result in arg[1]
  BIS_ANSWER_FORK = 4,    // clone with flags answer_arg[0], ptid/ctid/tls answer_arg[1..3]; parent: REASON_AFTER;
                          // answer_arg[4] of the child: forget looked-up targets
  BIS_ANSWER_VFORK = 5,   // the same, sharing memory; child's rsp answer_arg[4] (0: same)
  BIS_ANSWER_MOVED = 6,   // registers and rip are new (rt_sigreturn)
  BIS_ANSWER_ERROR = 7,   // fails with answer_arg[0] (-errno): log as a plain call
  BIS_ANSWER_THREAD = 8,  // clone with flags answer_arg[0]: thread number answer_arg[1] is prepared; then REASON_AFTER
  BIS_ANSWER_MAP = 9,     // mmap with arg[0..5]; logged as a mapping of file answer_arg[0] (~0: none). answer_arg[1] = 1: its
                          // code is known. REASON_AFTER, with nothing logged, when it fails or lies over other code
};

enum bis_stat {
  BIS_STAT_SYSCALLS = 0, BIS_STAT_INDIRECT_MISSES = 1, BIS_STAT_TRAPS = 2, BIS_STAT_SPECIALS = 3,
  BIS_STAT_EXPIRIES = 4, BIS_STAT_LOOKUPS = 5, BIS_STAT_BYTES = 6,
};

// Special instructions handled by the runtime: the word after the guest address in a descriptor.
enum bis_special {
  BIS_SPECIAL_CPUID = 1, BIS_SPECIAL_RDTSC = 2, BIS_SPECIAL_RDTSCP = 3, BIS_SPECIAL_XGETBV = 4,
  BIS_SPECIAL_RDRAND = 5, BIS_SPECIAL_RDSEED = 6, BIS_SPECIAL_RDPID = 7, BIS_SPECIAL_RDPKRU = 8,
  BIS_SPECIAL_WRPKRU = 9,
  BIS_SPECIAL_XSAVE = 10, BIS_SPECIAL_XSAVEC = 11, BIS_SPECIAL_XSAVEOPT = 12, BIS_SPECIAL_XRSTOR = 13,
  BIS_SPECIAL_FXSAVE = 14, BIS_SPECIAL_FNSTENV = 15, BIS_SPECIAL_FNSAVE = 16, BIS_SPECIAL_FXRSTOR = 17,
  BIS_SPECIAL_RDGSBASE = 18, BIS_SPECIAL_WRGSBASE = 19, BIS_SPECIAL_INT80 = 20,
  BIS_SPECIAL_UNDEFINED = 21, // raise #UD at the instruction
  BIS_SPECIAL_BREAKPOINT = 22, // before the instruction at guest_next; length 0
  // Watchpoints: before the instruction at guest_next, length 0. operand_size = bytes, reg = enum bis_watch_bits. With bit 7
  // of flags, what follows the descriptor is a jump (E9) to where program code continues.
  BIS_SPECIAL_WATCH = 23,          // spill[B] holds the address
  BIS_SPECIAL_WATCH_REPEATED = 24, // a repeated string instruction
  BIS_SPECIAL_WATCH_BITS = 25,     // spill[B] as moved by the bit number in register flags & 15
  BIS_SPECIAL_WATCH_UNKNOWN = 26,  // it cannot be told
  BIS_SPECIAL_PAUSE = 27,
};

// Descriptor that follows an entry into the runtime in translated code. rcx points to it (guest rcx is in
// spill[RCX]); program code continues at the first byte after it.
struct bis_descriptor {
  uint64_t guest_next;  // guest address after the instruction
  uint32_t op;          // enum bis_special; 0 for SYSCALL
  uint8_t  length;      // of the guest instruction, bytes
  uint8_t  reg;         // register operand (GPR number, or the GPR that holds the effective address: see flags)
  uint8_t  operand_size; // bytes: 2, 4, 8 (REX.W forms of XSAVE: 8)
  uint8_t  flags;       // bit 0: spill[A] holds the effective address of the memory operand
};                      // 16 bytes

#include "bis_records.h"
#include "bis_tables.h"

#endif // __ASSEMBLER__
#endif
