// RDPKRU and WRPKRU.
// bis: needs=ospke
#include "guest.inc"
begin
  xor ecx, ecx
  rdpkru
  fold rax
  fold rdx
  mov eax, 0x55555550
  xor ecx, ecx
  xor edx, edx
  wrpkru
  rdpkru
  fold rax
  xor eax, eax
  wrpkru
  rdpkru
  fold rax
  section "pkru"
  finish
