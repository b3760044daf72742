// Every CPUID leaf and subleaf, XGETBV 0 and 1: what the recording saw is what the replay sees.
// bis: varies
#include "guest.inc"
.macro leaf number
  mov eax, \number
  mov ecx, r15d
  cpuid
  fold rax
  fold rbx
  fold rcx
  fold rdx
.endm
begin
  xor r14d, r14d
basic:
  xor r15d, r15d
1: leaf r14d
  inc r15d
  cmp r15d, 24
  jb 1b
  inc r14d
  cmp r14d, 0x30
  jb basic
  section "basic"
  mov r14d, 0x40000000
  xor r15d, r15d
1: leaf r14d
  inc r14d
  cmp r14d, 0x40000010
  jb 1b
  mov r14d, 0x80000000
2: leaf r14d
  inc r14d
  cmp r14d, 0x80000030
  jb 2b
  leaf 0xffffffff
  leaf 0x8ffffffe
  section "extended"
  mov rax, -1                    // upper halves are cleared; other registers and flags stay
  mov rcx, -1
  mov rbx, -1
  mov rdx, -1
  stc
  cpuid
  fold_flags
  fold rax
  mov eax, 1
  cpuid
  bt ecx, 27                     // OSXSAVE
  jnc 1f
  mov rax, -1
  mov rdx, -1
  xor ecx, ecx
  xgetbv
  fold rax
  fold rdx
  mov eax, 0xd
  mov ecx, 1
  cpuid
  bt eax, 2                      // XGETBV(1)
  jnc 1f
  mov ecx, 1
  xgetbv
  fold rax
  fold rdx
1: section "xgetbv"
  finish
