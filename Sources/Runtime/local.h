// Effects of the calls that the runtime handles by hand.
#ifndef RUNTIME_LOCAL_H
#define RUNTIME_LOCAL_H
#include "runtime.h"
struct bis_local_effect { uint8_t kind; uint64_t a, b, c, d; uint32_t prot, flags; };
struct bis_local_effects { uint32_t count; uint32_t ask; uint32_t stream; uint32_t output_length; struct bis_local_effect list[2]; };
// output_length: bytes in BIS_COPY_BUFFER that went to standard stream `stream`.
// ask: 1 = not for the runtime after all: the supervisor must see this call (code is touched, a file is mapped, ...)
#define BIS_COPY_BUFFER (BIS_SCRATCH + 0x30000) // 64 KiB
int bis_peek(uint64_t address, uint64_t *value);
int bis_poke(uint64_t address, uint64_t value);
#endif
