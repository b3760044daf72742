// x87: arithmetic, comparisons, transcendental functions, control word, environment, BCD, 80-bit loads and stores,
// state saved and restored with the pointers that FNSTENV reveals.
#include "guest.inc"
begin
  fninit
  mov ecx, 50
1: fld qword ptr [rip + value]
  fild dword ptr [rip + integer]
  fadd st(0), st(1)
  fmul dword ptr [rip + single]
  fxch
  fsqrt
  fdivp
  fld st(0)
  fsin
  fstp qword ptr [rip + out]
  fold [rip + out]
  fld1
  fld st(1)
  fpatan
  fyl2x
  fstp tbyte ptr [rip + out]
  fold [rip + out]
  inc dword ptr [rip + integer]
  loop 1b
  fnstsw ax
  and eax, 0x3f                 // exceptions
  fold rax
  fninit
  section "arithmetic"
  fldpi
  fldl2e
  fcomi st, st(1)
  fold_flags 0x45
  fucomip st, st(1)
  fold_flags 0x45
  fcmovb st, st(0)
  fld tbyte ptr [rip + extended]
  fbstp [rip + out]
  fold [rip + out]
  fld qword ptr [rip + value]
  fistp qword ptr [rip + out]
  fold [rip + out]
  fld qword ptr [rip + value]
  fisttp dword ptr [rip + out]
  fold [rip + out]
  fldz
  fxam
  fnstsw ax
  and eax, 0x4700
  fold rax
  section "compare and convert"
  mov word ptr [rip + control], 0x0c7f
  fldcw [rip + control]
  fld qword ptr [rip + value]
  frndint
  fstp qword ptr [rip + out]
  fold [rip + out]
  fnstcw [rip + control]
  movzx eax, word ptr [rip + control]
  fold rax
  fninit
  fld1
  fldpi
here:
  fld qword ptr [rip + value]
  fnstenv [rip + image]
  mov eax, [rip + image]
  fold rax
  mov eax, [rip + image + 4]
  fold rax
  fldenv [rip + image]
  fnsave [rip + image]          // initialises
  fnstsw ax
  fold rax
  frstor [rip + image]
  fstp qword ptr [rip + out]
  fold [rip + out]
  fstp tbyte ptr [rip + out]
  fold [rip + out]
  fnclex
  ffree st(0)
  fincstp
  fdecstp
  fwait
  section "environment"
  finish
  .data
  .balign 16
value: .double 12345.6789
single: .float 1.25
integer: .long 3
control: .word 0, 0, 0, 0
extended: .byte 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x10, 0x40
  .balign 16
out: .quad 0, 0
image: .space 128
