// XSAVE, XSAVEC, XRSTOR, FXSAVE, FXRSTOR: what is saved comes back, component by component; the parts of an
// image that the manual fixes are compared with native.
// bis: needs=avx,xsave,xsavec
#include "guest.inc"
.macro load_state
  movdqu xmm0, [rip + a]
  vmovdqu ymm1, [rip + b]
  movdqu xmm15, [rip + b]
  fninit
  fldpi
.endm
.macro spoil_state
  vzeroall
  fninit
  fld1
  fld1
.endm
.macro fold_state
  vmovdqu [rip + out], ymm0
  fold_memory out 32
  vmovdqu [rip + out], ymm1
  fold_memory out 32
  vmovdqu [rip + out], ymm15
  fold_memory out 32
  fnstsw ax
  and eax, 0x3800
  fold rax
  fninit
.endm
begin
  .irp op, xsave, xsave64, xsavec, xsavec64
  lea rdi, [rip + image]
  mov ecx, 1024
  xor eax, eax
  rep stosq
  load_state
  mov eax, 7
  xor edx, edx
  \op [rip + image]
  spoil_state
  mov eax, 7
  xor edx, edx
  xrstor [rip + image]
  fold_state
  fold [rip + image + 160]        // xmm0 in the legacy part
  .endr
  section "save and restore"
  lea rdi, [rip + image]          // XSAVE leaves XCOMP_BV of the XSAVEC image alone: clear it
  mov ecx, 1024
  xor eax, eax
  rep stosq
  load_state                      // a subset: only SSE comes back
  mov eax, 7
  xor edx, edx
  xsave [rip + image]
  spoil_state
  mov eax, 2
  xor edx, edx
  xrstor [rip + image]
  fold_state
  load_state                      // XSTATE_BV cleared: initial values come back
  mov qword ptr [rip + image + 512], 0
  mov eax, 7
  xor edx, edx
  xrstor [rip + image]
  fold_state
  lea rbx, [rip + image]
  lea rdi, [rip + image]
  mov ecx, 1024
  xor eax, eax
  rep stosq
  load_state
  mov eax, 7
  xor edx, edx
  mov ecx, 64
  xsave [rbx + rcx*2]
  spoil_state
  xrstor [rbx + rcx*2]
  fold_state
  section "subsets"
  lea rdi, [rip + image]
  mov ecx, 1024
  xor eax, eax
  rep stosq
  load_state
  mov eax, -1
  mov edx, -1
  xsave [rip + image]
  spoil_state
  mov eax, -1
  mov edx, -1
  xrstor [rip + image]
  fold_state
  section "all components"
  load_state
  fxsave [rip + image]
  spoil_state
  fxrstor [rip + image]
  fold_state
  load_state
  fxsave64 [rip + image]
  spoil_state
  fxrstor64 [rip + image]
  fold_state
  mov eax, [rip + image + 24]     // MXCSR
  fold rax
  movzx eax, word ptr [rip + image]
  fold rax
  fold [rip + image + 160]
  section "fxsave"
  finish
  .data
  .balign 32
a: .quad 0x1111111122222222, 0x3333333344444444
b: .quad 5, 6, 7, 8
out: .space 32
  .balign 64
image: .space 16384
