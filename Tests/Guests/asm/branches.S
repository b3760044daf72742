// Every conditional form (short, near, set, cmov), taken and not, under all combinations of the status flags;
// backward branches; loop, loope, loopne, jrcxz, jecxz.
// bis: variants=static,static-pie
#include "guest.inc"
begin
  xor r15d, r15d                 // 64 combinations of CF PF AF ZF SF OF
combinations:
  mov r14d, 0x202
  xor eax, eax
  bt r15d, 0
  adc eax, 0
  or r14d, eax
  xor eax, eax
  bt r15d, 1
  setc al
  shl eax, 2
  or r14d, eax
  xor eax, eax
  bt r15d, 2
  setc al
  shl eax, 4
  or r14d, eax
  xor eax, eax
  bt r15d, 3
  setc al
  shl eax, 6
  or r14d, eax
  xor eax, eax
  bt r15d, 4
  setc al
  shl eax, 7
  or r14d, eax
  xor eax, eax
  bt r15d, 5
  setc al
  shl eax, 11
  or r14d, eax

  .irp cc, o, no, b, nb, z, nz, be, nbe, s, ns, p, np, l, nl, le, nle
  mov eax, 1
  push r14
  popfq
  j\cc 1f                        // short
  mov eax, 2
1:
  fold rax
  mov eax, 3
  push r14
  popfq
  {disp32} j\cc 1f               // near
  mov eax, 4
1:
  fold rax
  push r14
  popfq
  set\cc al
  set\cc ah
  set\cc byte ptr [rip + cell]
  mov ecx, 7
  mov edx, 9
  cmov\cc rcx, rdx
  cmov\cc ecx, [rip + cell + 8]
  fold_flags
  fold rax
  fold rcx
  fold [rip + cell]
  .endr
  inc r15d
  cmp r15d, 64
  jb combinations
  section "conditions"

  mov ecx, 1000
1: add rax, rcx
  loop 1b
  fold rax
  fold rcx
  mov ecx, 10
  xor eax, eax
1: inc eax
  cmp eax, 20
  loopne 1b
  fold rax
  fold rcx
  mov ecx, 10
  xor eax, eax
1: inc eax
  cmp eax, eax
  loope 1b
  fold rax
  fold rcx
  mov ecx, 10
  xor eax, eax
1: inc eax
  cmp eax, 4
  loopne 1b                      // leaves early, rcx > 0
  fold_flags
  fold rax
  fold rcx
  mov rcx, 0x100000003
  xor eax, eax
1: inc eax
  addr32 loop 1b                 // ecx only
  fold rax
  fold rcx
  section "loop"

  xor ecx, ecx
  jrcxz 1f
  ud2
1: mov rcx, 0x100000000
  jrcxz 2f
  jecxz 1f
2: ud2
1: inc ecx
  jecxz 2b
  stc
  jrcxz 2b
  fold_flags 1
  fold rcx
  section "jrcxz"

  mov ecx, 100000                // hot backward branches, forward branches inside
  xor eax, eax
1: test ecx, 3
  jz 2f
  add eax, ecx
  jmp 3f
2: xor eax, ecx
3: dec ecx
  jg 1b
  fold rax
  section "backward"
  finish
  .data
cell: .quad 0, 0x1122334455667788
