// A test runtime for translated code, in one process and without ptrace: the region is mapped at its real addresses,
// entries of the runtime return to the caller of h_enter, faults do too.
#ifndef HARNESS_H
#define HARNESS_H
#include <stdint.h>
#include "../../../../Sources/CABI/include/bis_abi.h"

enum { H_SYSCALL = 1, H_SPECIAL, H_EXIT, H_MISS, H_EXPIRED, H_SIGNAL };

// A tick seen by single-stepping the native run: state right after the transfer.
struct h_tick { uint64_t target, flags, gpr[16]; };

struct h_entries { uint64_t syscall, special, exit_direct, miss, expired; };

int h_setup(void);                        // 0, or a line number
struct bis_control *h_control(void);
void *h_code(void);                       // writable mapping of the code cache
void *h_domains(void);
uint64_t h_code_size(void);
uint64_t h_domains_size(void);
uint64_t *h_fast(void);
void h_reset_returns(void);
void h_fill(uint64_t target, uint64_t at);
struct h_entries h_entries(void);
int h_map(uint64_t base, uint64_t size);  // fixed rwx mapping
int h_unprotect(uint64_t base, uint64_t size, int readable);
int h_load(const char *path, uint64_t base, uint64_t limit); // bytes read
// Runs from an address with the registers of the control block; returns a reason. H_SIGNAL: rip and signal below.
int h_enter(uint64_t address);
void h_reset(void);                       // vector and x87 state of the next h_enter: initial
int h_signal(void);
uint64_t h_fault_rip(void);
// Single-steps natively until an int3 or a fault; fills ticks. Returns ticks seen, -1 if over the limit.
long h_step(uint64_t entry, struct h_tick *ticks, long limit);
// One state of a single-stepped run.
struct h_state { uint64_t rip, flags, gpr[16], spill[5]; };
// Single-steps from an address until an int3 or a fault, logging states with rip in [low, high). Returns the reason
// of leaving like h_enter; continue with h_trace_more.
int h_trace(uint64_t address, uint64_t low, uint64_t high, struct h_state *log, long limit, long *count);
double h_now(void);
#endif
