// AVX-512: masks, broadcasts, compressed displacements in RIP-relative operands, registers 16 to 31.
// bis: needs=avx512f,avx512bw,avx512vl,avx512dq
#include "guest.inc"
.macro fold_zmm r
  vmovdqu64 [rip + out], \r
  fold_memory out 64
.endm
begin
  mov ebx, 50
  mov eax, 0x5a5a5a5a
  kmovd k1, eax
  kmovq k2, [rip + a]
  vmovdqa64 zmm16, [rip + a]
  vmovdqu32 zmm31, [rip + b]
1: vpaddd zmm16{k1}, zmm16, [rip + b]
  vaddps zmm17, zmm16, dword ptr [rip + a + 4]{1to16}
  vpternlogd zmm18, zmm16, [rip + a], 0x96
  vpermd zmm19, zmm31, [rip + a]
  vpcompressd zmm20{k1}{z}, zmm16
  vpexpandd zmm21{k1}, zmm31
  vpcmpud k3, zmm16, [rip + b], 1
  kandw k4, k3, k1
  kmovd eax, k4
  fold rax
  kortestw k3, k1
  fold_flags 0x41
  vpbroadcastq zmm22, [rip + a + 8]
  vextracti64x4 [rip + out], zmm22, 1
  vinserti32x4 zmm22, zmm22, [rip + b], 3
  vmovdqu8 [rip + out]{k2}, zmm18
  vpmullq ymm23, ymm16, [rip + b]
  vcvtps2pd zmm24, [rip + a]
  vrndscaleps xmm25, [rip + b], 0x11
  vmovdqa32 zmm26, [rip + index]
  lea rax, [rip + scattered]
  kxnorw k5, k5, k5
  vpscatterdd [rax + zmm26*4]{k5}, zmm16
  fold_zmm zmm16
  fold_zmm zmm18
  fold_zmm zmm20
  fold_zmm zmm21
  fold_zmm zmm22
  fold_zmm zmm23
  fold_zmm zmm24
  fold_memory scattered 64
  dec ebx
  jnz 1b
  section "avx512"
  mov eax, 39
  syscall
  fold_zmm zmm31
  kmovq rax, k2
  fold rax
  section "across a system call"
  finish
  .data
  .balign 64
a: .float 1.5, -2.25, 3.125, 4.0625, 5.5, -6.75, 7.0, 8.125, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0
b: .long 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
index: .long 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0
out: .space 64
scattered: .space 64
