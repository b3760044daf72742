// The whole XSAVE images, header included: the same in the replay.
// bis: varies
// bis: needs=xsave,xsavec
#include "guest.inc"
begin
  .irp op, xsave, xsavec, fxsave
  lea rdi, [rip + image]
  mov ecx, 1024
  mov rax, 0x5555555555555555
  rep stosq
  lea rdi, [rip + image + 512]     // the header must be valid before a save looks at it
  mov ecx, 8
  xor eax, eax
  rep stosq
  movdqu xmm7, [rip + a]
  fld1
  mov eax, -1
  mov edx, -1
  \op [rip + image]
  fold_memory image 8192
  section "\op"
  fninit
  .endr
  finish
  .data
  .balign 64
a: .quad 1, 2
  .balign 64
image: .space 8192
