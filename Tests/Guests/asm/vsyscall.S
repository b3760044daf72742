// The vsyscall page at its fixed address: gettimeofday, time, getcpu; here: they return and give plausible values.
#include "guest.inc"
begin
  mov eax, 201                    // time by system call
  xor edi, edi
  syscall
  mov r12, rax
  xor edi, edi
  mov rax, 0xffffffffff600400
  call rax
  sub rax, r12
  cmp rax, 3
  setb al
  movzx eax, al
  fold rax
  lea rdi, [rip + cell]
  xor esi, esi
  mov rax, 0xffffffffff600000
  call rax
  fold rax
  mov rax, [rip + cell]
  sub rax, r12
  cmp rax, 3
  setb al
  movzx eax, al
  fold rax
  section "vsyscall"
  finish
  .data
cell: .quad 0, 0
