// Indirect jumps and calls through every register and every addressing form, fs and gs included; ret, ret n, returns
// to places that were never called, calls used to find an address, stack pointer as operand.
#include "guest.inc"
begin
  mov rsp, OFFSET stack_top
  mov r8d, 1
  .irp r, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
  lea \r, [rip + 1f]
  jmp \r
  ud2
1: lea \r, [rip + leaf]
  call \r
  .endr
  fold r8
  section "registers"

  mov rax, OFFSET target_table
  mov ebx, 1
  .macro through operand
  lea rsi, [rip + 1f]
  mov [rip + slot], rsi
  jmp \operand
  ud2
1: fold rbx
  .endm
  .macro calls operand
  call \operand
  fold r8
  .endm
  lea rdi, [rip + slot]
  through "qword ptr [rip + slot]"
  through "qword ptr [slot]"
  through "qword ptr [rdi]"
  lea r13, [rip + slot - 16]
  through "qword ptr [r13 + 16]"
  lea r12, [rip + slot - 0x1000]
  through "qword ptr [r12 + 0x1000]"
  lea rbp, [rip + slot - 8]
  through "qword ptr [rbp + rbx*8]"
  lea rsp, [rip + slot]           // rsp as the base of the jump
  lea rsi, [rip + 1f]
  mov [rsp], rsi
  jmp qword ptr [rsp]
  ud2
1: mov rsp, OFFSET stack_top
  calls "qword ptr [rip + target_table]"
  calls "qword ptr [target_table + 8]"
  calls "qword ptr [rax]"
  calls "qword ptr [rax + rbx*8]"
  calls "qword ptr [rax + rbx*4 + 4]"
  calls "qword ptr [rbx*8 + target_table]"
  mov r12, rax
  mov r13, rax
  calls "qword ptr [r12 + 8]"
  calls "qword ptr [r13]"
  mov r14d, eax
  calls "qword ptr [r14d + 8]"    // 32-bit address size
  push OFFSET leaf
  calls "qword ptr [rsp]"         // address taken before the push
  add rsp, 8
  section "memory"

  mov edi, 0x1002                 // ARCH_SET_FS
  lea rsi, [rip + target_table]
  mov eax, 158
  syscall
  mov edi, 0x1001                 // ARCH_SET_GS
  lea rsi, [rip + target_table]
  mov eax, 158
  syscall
  xor eax, eax
  calls "qword ptr fs:[0]"
  calls "qword ptr fs:[rax + 8]"
  calls "qword ptr gs:[8]"
  calls "qword ptr gs:[rbx*8 - 8]"
  mov rdx, gs:[16]
  fold rdx
  mov qword ptr gs:[16], 77
  fold [rip + target_table + 16]
  mov edi, 0x1004                 // ARCH_GET_GS
  lea rsi, [rip + slot]
  mov eax, 158
  syscall
  mov rax, [rip + slot]
  sub rax, OFFSET target_table
  fold rax
  section "segments"

  mov rbp, rsp
  push 1
  push 2
  call pops_two
  mov rcx, rbp
  sub rcx, rsp
  fold rcx
  push 3
  push 4
  push 5
  call pops_three
  call 1f                         // get pc
1: pop rax
  lea rcx, [rip + 1b]
  sub rax, rcx
  fold rax
  lea rax, [rip + 1f]             // return to a place that was never called
  push rax
  ret
  ud2
1: lea rax, [rip + 1f]
  push 11
  push rax
  ret 8
  ud2
1: mov rcx, rbp
  sub rcx, rsp
  fold rcx
  call outer                      // skips its caller
  ud2
after_outer:
  mov rcx, rbp
  sub rcx, rsp
  fold rcx
  call 1f                         // retpoline
2: pause
  jmp 2b
1: lea rax, [rip + 3f]
  mov [rsp], rax
  rep ret
3:section "returns"

  push rsp
  pop rax
  sub rax, rsp
  fold rax
  push 0x77
  push rsp
  pop rcx
  fold [rcx]
  push qword ptr [rsp]
  pop qword ptr [rsp]             // address after the pop
  pop rax
  fold rax
  lea rdx, [rip + small_stack_top]
  mov qword ptr [rdx], 0x99
  xchg rsp, rdx
  pop rax
  mov rsp, rdx
  fold rax
  push OFFSET stack_top
  pop rsp
  enter 32, 0
  mov qword ptr [rbp - 8], 5
  fold [rbp - 8]
  leave
  enter 16, 2
  mov rcx, rbp
  sub rcx, rsp
  fold rcx
  leave
  pushw 0x1234
  pushw 0x5678
  popw ax
  popw cx
  fold rax
  fold rcx
  push -1
  push 0x12345678
  pop rax
  pop rcx
  fold rax
  fold rcx
  push fs
  push gs
  pop rax
  pop rax
  section "stack"

  mov r15d, 50000                 // a dispatcher with several targets from one place
  xor r14d, r14d
dispatch:
  mov eax, r15d
  imul eax, eax, 7
  shr eax, 2
  and eax, 3
  mov rcx, OFFSET cases
  jmp [rcx + rax*8]
case0: add r14, 3
  jmp joined
case1: xor r14, r15
  jmp joined
case2: rol r14, 5
  jmp joined
case3: call leaf
  add r14, r8
joined:
  dec r15d
  jnz dispatch
  fold r14
  section "dispatch"

  xor eax, eax                    // overlapping instructions: jmp -1 lands in its own second byte (inc eax)
  .byte 0xeb, 0xff, 0xc0
  fold rax
  jmp 1f + 2
1: .byte 0x48, 0xb8               // movabs swallows the next instruction unless entered behind its first bytes
  add rax, 5
  nop
  nop
  nop
  nop
  fold rax
  section "overlap"
  finish

leaf:
  lea r8, [r8 + r8*2 + 1]
  ret
leaf2:
  lea r8, [r8*4 + 3]
  bnd ret
pops_two:
  fold [rsp + 8]
  ret 16
pops_three:
  fold [rsp + 16]
  ret 24
outer:
  call inner
  ud2
inner:
  add rsp, 16
  jmp after_outer
  .data
  .balign 16
target_table: .quad leaf, leaf2, 0x5151
cases: .quad case0, case1, case2, case3
slot: .quad 0
  .space 256
small_stack_top: .quad 0
  .bss
  .balign 16
  .space 8192
stack_top:
