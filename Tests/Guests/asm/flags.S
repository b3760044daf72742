// Flags live across blocks: direct jumps, calls, returns, indirect jumps, system calls; PUSHF/POPF, LAHF/SAHF, the
// direction flag, ID and AC.
#include "guest.inc"
begin
  mov ecx, 2000
  xor eax, eax
  xor edx, edx
  mov r8, -1
1: add r8, rcx                    // carry made here ...
  jmp 2f
2: call carry_user                // ... used after a jump, a call and a return
  adc edx, 0
  lea rsi, [rip + 3f]
  jmp rsi
3: adc r9, r9                     // and after an indirect jump
  fold_flags 1
  lea rcx, [rcx - 1]
  jrcxz 4f
  jmp 1b
4: fold rax
  fold rdx
  fold r9
  section "across blocks"

  xor r10d, r10d                  // INC and DEC keep the carry over a loop
  mov ecx, 64
  stc
1: rcl r10, 1
  inc rax
  dec rax
  lea rcx, [rcx - 1]
  jrcxz 2f
  jmp 1b
2: fold_flags 1
  fold r10
  section "partial"

  mov eax, 39
  stc
  std
  syscall                         // flags come back; rcx = next address, r11 = flags
after_syscall:
  setc al
  movzx eax, al
  fold rax
  pushfq
  cld
  pop rax
  and eax, 0xcd5
  fold rax
  lea rdx, [rip + after_syscall]
  sub rcx, rdx
  fold rcx
  and r11d, 0xcd5
  fold r11
  section "syscall"

  mov ah, 0xd7
  sahf
  fold_flags 0xd5
  mov ah, 0
  sahf
  fold_flags 0xd5
  stc
  lahf
  fold rax
  cmc
  lahf
  fold rax
  push 0x200202                   // ID
  popfq
  pushfq
  pop rax
  fold rax
  push 0x40202                    // AC (no alignment checks happen in what follows: aligned stack)
  popfq
  pushfq
  pop rax
  push 0x202
  popfq
  fold rax
  pushfw
  popw ax
  movzx eax, ax
  fold rax
  push 0x302                      // TF would trap: set and cleared by hand in the image only
  pop rax
  and eax, 0xfffffeff
  push rax
  popfq
  section "pushf popf"

  lea rsi, [rip + bytes_end - 8]
  lea rdi, [rip + copied_end - 8]
  mov ecx, 4
  std
  jmp 1f
1: call copy_down                 // the direction flag lives over jump and call
  cld
  fold_memory copied 32
  section "direction"

  mov eax, 0x7fffffff             // each flag from each kind of instruction, used by the next block
  add eax, 1
  jo 1f
  ud2
1: fold_flags
  sub eax, 1
  jmp 1f
1: jno 2f
  fold_flags
2: xor eax, eax
  jmp 1f
1: jz 1f
  ud2
1: neg eax
  fold_flags
  mov eax, 5
  neg eax
  jmp 1f
1: sbb edx, edx
  fold rdx
  mov eax, 0x80000000
  shl eax, 1
  jmp 1f
1: rcr edx, 1
  fold rdx
  fold_flags 1
  bt edx, 31
  jmp 1f
1: adc edx, edx
  fold rdx
  section "kinds"
  finish
carry_user:
  adc eax, 0
  ret
copy_down:
  rep movsq
  ret
  .data
  .balign 8
bytes: .ascii "0123456789abcdefghijklmnopqrstuv"
bytes_end:
copied: .space 32
copied_end:
