// SSE to SSE4.2, AES, PCLMUL, SHA: registers, RIP-relative operands with and without immediates, MXCSR.
// bis: needs=aes,pclmulqdq,sse4_2
#include "guest.inc"
.macro fold_xmm r
  movdqu [rip + out], \r
  fold [rip + out]
  fold [rip + out + 8]
.endm
begin
  mov ecx, 60
  movaps xmm0, [rip + a]
  movapd xmm1, [rip + b]
  movdqa xmm15, [rip + a]
1: addps xmm0, [rip + b]
  mulpd xmm1, [rip + d]
  sqrtps xmm2, xmm0
  shufps xmm2, [rip + b], 0x1b
  pshufd xmm3, [rip + a], 0x39
  cmpps xmm3, [rip + a], 1
  paddd xmm15, xmm3
  pshufb xmm15, [rip + mask]
  pmulld xmm15, [rip + b]
  palignr xmm15, [rip + a], 5
  pclmulqdq xmm15, [rip + b], 0x10
  aesenc xmm15, [rip + a]
  aeskeygenassist xmm4, [rip + a], 7
  roundps xmm5, xmm0, 1
  dpps xmm5, [rip + b], 0xf1
  insertps xmm5, [rip + b], 0x20
  pinsrd xmm5, [rip + a], 2
  pinsrw xmm5, [rip + a], 1
  pextrd dword ptr [rip + cell], xmm15, 3
  extractps eax, xmm2, 2
  fold rax
  cvtsi2sd xmm6, ecx
  cvtsi2ss xmm7, qword ptr [rip + cell]
  cvttsd2si rax, xmm6
  fold rax
  ucomisd xmm6, [rip + d]
  fold_flags 0x45
  ptest xmm15, [rip + a]
  fold_flags 0x41
  pcmpistri xmm15, [rip + a], 0x18
  fold rcx
  fold_flags 0x8c1
  mov ecx, [rip + count]
  dec ecx
  mov [rip + count], ecx
  fold_xmm xmm0
  fold_xmm xmm1
  fold_xmm xmm2
  fold_xmm xmm5
  fold_xmm xmm15
  test ecx, ecx
  jnz 1b
  section "sse"
  stmxcsr [rip + cell]
  mov eax, [rip + cell]
  fold rax
  or eax, 0x6000                  // round to zero
  mov [rip + cell], eax
  ldmxcsr [rip + cell]
  cvtps2dq xmm8, [rip + a]
  fold_xmm xmm8
  xorps xmm9, xmm9
  movhlps xmm9, xmm8
  movlhps xmm9, xmm8
  unpcklps xmm9, [rip + a]
  fold_xmm xmm9
  lea rdi, [rip + out2]
  movdqa xmm1, [rip + mask2]
  maskmovdqu xmm9, xmm1
  fold [rip + out2]
  fold [rip + out2 + 8]
  lddqu xmm3, [rip + a + 1]
  fold_xmm xmm3
  movntdqa xmm3, [rip + a]
  fold_xmm xmm3
  section "control and moves"
  finish
  .data
  .balign 16
a: .float 1.5, -2.25, 3.125, 4.0625
   .quad 0x1122334455667788
  .balign 16
b: .float 0.5, 1.75, -0.125, 9.0
d: .double 1.0000001, 0.9999999
mask: .byte 3,2,1,0,7,6,5,4,0x80,10,9,8,15,14,13,12
mask2: .byte 0,0x80,0,0x80,0x80,0,0,0,0xff,0,0xff,0,0,0,0,0x80
out: .quad 0, 0
out2: .quad 0, 0
cell: .quad 0
count: .long 60
