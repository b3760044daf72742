// Special instructions on the program's behalf: what they mean under the recording's CPU profile, whatever the host is.
// Freestanding: no libc, no static data, no vector register touched except by the instructions it stands for.
// Docs/cpu-profiles.md holds the canonical rules.
#ifndef BIS_SPECIAL_H
#define BIS_SPECIAL_H

#include "bis_abi.h"

// The recording's CPU profile and this host, as the supervisor has put them down.
static inline __attribute__((always_inline)) const struct bis_tables_header *tables(void) {
  return (const struct bis_tables_header *)(BIS_TABLES_BASE + BIS_TABLES_HEADER);
}

// What bis_special returns.
enum bis_special_result {
  BIS_SPECIAL_DONE = 0,
  BIS_SPECIAL_READING = 1,   // done, from a source that no replay can ask again: log arg[0], arg[1]
  BIS_SPECIAL_RAISE_UD = 2,  // the profile has no such instruction
  BIS_SPECIAL_RAISE_GP = 3,
  BIS_SPECIAL_RAISE_PF = 4,  // never returned today: faults on the operand are hardware faults in bis_guest_copy_*
  BIS_SPECIAL_CALLER = 5,    // not for this file (INT80, unknown op)
};

// What the last one touched of the program's memory.
struct bis_special_access { uint64_t address, length, writes; };
struct bis_special_accesses { uint64_t count; struct bis_special_access list[60]; };
#define BIS_SPECIAL_ACCESSES (BIS_SCRATCH + 0x20100)

// Executes the instruction of d on the registers in c (rcx in gpr[1], not in spill[RCX]); does not advance c->rip.
// Must be called with the program's vector and x87 state live in the CPU; leaves there what the instruction leaves.
// On a result of 2 or more, and when the operand faults, nothing of the register state has changed.
int bis_special(struct bis_control *c, const struct bis_descriptor *d);

// Whether bis_special would take a reading (1), so that a replay must call bis_special_replay with the logged values
// instead; 0: deterministic, or #UD under the profile: call bis_special in replay, too.
int bis_special_reads(const struct bis_descriptor *d);

// Applies a logged reading: registers and flags as if the instruction had given value and value2.
void bis_special_replay(struct bis_control *c, const struct bis_descriptor *d, uint64_t value, uint64_t value2);

// Writes the vector and x87 state as a complete standard-format XSAVE image in the profile's layout:
// header.xsave_size bytes (at least 576), canonical, no byte undefined. bytes 416..511 are 0.
void bis_canonical_xsave(struct bis_control *c, void *image);

// Loads such an image. Total: reserved bits of MXCSR and of the header are ignored, not faulted on.
void bis_canonical_xrstor(const void *image);

// The only two functions of this file that touch the program's memory. A fault whose address lies in them is the
// program's #PF (or #GP) at the special instruction: the supervisor abandons the runtime's frame.
void bis_guest_copy_out(uint64_t guest, const void *source, uint64_t count);
void bis_guest_copy_in(void *destination, uint64_t guest, uint64_t count);

#endif
