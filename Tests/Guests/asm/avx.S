// AVX, AVX2, FMA, F16C, gathers; VZEROUPPER; upper halves across blocks and system calls.
// bis: needs=avx2,fma,f16c
#include "guest.inc"
.macro fold_ymm r
  vmovdqu [rip + out], \r
  fold [rip + out]
  fold [rip + out + 8]
  fold [rip + out + 16]
  fold [rip + out + 24]
.endm
begin
  mov ecx, 80
  vmovaps ymm0, [rip + a]
  vmovdqu ymm1, [rip + b]
  vpxor ymm2, ymm2, ymm2
1: vaddps ymm0, ymm0, [rip + b]
  vfmadd231ps ymm0, ymm1, [rip + a]
  vpaddd ymm2, ymm2, [rip + a]
  vpshufb ymm3, ymm2, [rip + b]
  vpermq ymm4, ymm3, 0x1b
  vperm2i128 ymm5, ymm4, [rip + a], 0x21
  vpblendd ymm5, ymm5, [rip + b], 0x5a
  vblendvps ymm6, ymm5, [rip + a], ymm0
  vinserti128 ymm6, ymm6, [rip + b], 1
  vextracti128 [rip + out], ymm6, 1
  vpbroadcastd ymm7, [rip + a]
  vpsravd ymm7, ymm7, [rip + shifts]
  vpcmpeqd ymm8, ymm8, ymm8
  lea rax, [rip + a]
  vmovdqa ymm9, [rip + index]
  vpgatherdd ymm10, [rax + ymm9*4], ymm8
  vcvtps2ph xmm11, ymm0, 0
  vcvtph2ps ymm12, xmm11
  vpmovmskb edx, ymm10
  fold rdx
  vtestps ymm0, [rip + b]
  fold_flags 0x41
  fold_ymm ymm0
  fold_ymm ymm3
  fold_ymm ymm6
  fold_ymm ymm7
  fold_ymm ymm10
  fold_ymm ymm12
  dec ecx
  jnz 1b
  section "avx2"
  vmovdqa ymm15, [rip + a]
  mov eax, 39
  syscall
  call 1f
1: add rsp, 8
  fold_ymm ymm15
  vzeroupper
  fold_ymm ymm15
  vmovdqa ymm14, [rip + b]
  vzeroall
  fold_ymm ymm14
  vmovd xmm13, ecx
  fold_ymm ymm13
  section "upper halves"
  finish
  .data
  .balign 32
a: .float 1.5, -2.25, 3.125, 4.0625, 5.5, -6.75, 7.0, 8.125
b: .float 0.5, 1.75, -0.125, 0.25, 1.0, 0.75, 0.375, -1.5
shifts: .long 1, 2, 3, 4, 5, 6, 7, 8
index: .long 7, 0, 6, 1, 5, 2, 4, 3
out: .space 32
