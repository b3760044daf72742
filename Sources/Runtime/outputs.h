// What a system call does to the program's memory, from the tables (BIS_TABLES_SYSCALLS, BIS_TABLES_SUBCALLS).
//
//   bis_plan_call(args, nr, &plan);            class of the call, its outputs
//   bis_before_call(&plan, args, &before);     lengths that the call will overwrite
//   result = ...                               do it
//   n = bis_outputs(&plan, args, result, &before, spans, 64);
//
// Spans may hold more than the kernel wrote (the bytes to log are those that memory holds after the call), never less.
// Every byte of a span is readable. It may not be writable: a call that reports a time left into read-only memory does
// not fail, so replay compares before it writes.
#ifndef BIS_OUTPUTS_H
#define BIS_OUTPUTS_H
#include "bis_abi.h"

#define BIS_SPANS_OVERFLOW (~0u)
#define BIS_BEFORE_NAMES 64

struct bis_span { uint64_t address, length; };

struct bis_plan {
  uint8_t klass, output_count;
  uint8_t warn;      // REFUSED: warn once; HOT: an ioctl that is not in the table, done by the number's word: warn once
  uint8_t may_block;
  uint16_t error;    // REFUSED: errno; 0: the call is ignored and returns 0
  uint16_t special;  // LOCAL: enum bis_local; HOT: 1 = look at the path in args[path_arg]
  uint8_t path_arg;  // 0xFF: none
  uint8_t arg_count;
  uint8_t reserved[6];
  const struct bis_output *outputs; // of the row, or
  struct bis_output own;            // the one of a request without a row
};

// Value-result lengths before the call.
struct bis_before {
  uint32_t socklen[2];     // [0]: the length; [1]: 1 if it could be read
  uint64_t msg_namelen;    // recvmsg
  uint64_t name_count;     // recvmmsg: how many of the next
  uint32_t namelen[BIS_BEFORE_NAMES];
};

void bis_plan_call(const uint64_t args[6], uint32_t nr, struct bis_plan *plan);
void bis_before_call(const struct bis_plan *plan, const uint64_t args[6], struct bis_before *before);

// Number of spans, none empty; BIS_SPANS_OVERFLOW: more than max. args as they were before the call.
unsigned bis_outputs(const struct bis_plan *plan, const uint64_t args[6], int64_t result,
                     const struct bis_before *before, struct bis_span *out, unsigned max);

// How many bytes from address on can be read: at most length. One cheap system call per page.
uint64_t bis_readable(uint64_t address, uint64_t length);

#endif
