// Text made writable while translated code leads to it: direct calls from another page that were linked before, and the
// rest of the code behind the system call itself; jumps that are overwritten before they were ever taken.
#include "guest.inc"
begin
  call cell                         // linked
  fold rax
  mov r14d, 5
1: mov edi, OFFSET cell
  and edi, 0xfffff000
  mov esi, 4096
  mov edx, 7
  mov eax, 10
  syscall
  fold rax
  mov [rip + cell + 1], r14d
  call cell
  fold rax
  mov edi, OFFSET cell
  and edi, 0xfffff000
  mov esi, 4096
  mov edx, 5
  mov eax, 10
  syscall
  fold rax
  call cell
  fold rax
  dec r14d
  jnz 1b
  section "linked calls"
  call own_page
  section "behind the call"

  mov edi, 0                        // jumps to code that does not come to be run, replaced by others
  mov esi, 65536
  mov edx, 7
  mov r10d, 0x22
  mov r8, -1
  xor r9d, r9d
  mov eax, 9
  syscall
  mov r12, rax
  mov r14d, 8
1: mov ecx, 16
  lea rdi, [r12]
2: mov dword ptr [rdi], 0x000002e9  // jmp +0x200
  mov dword ptr [rdi + 4], 0x90900000
  add rdi, 8
  dec ecx
  jnz 2b
  mov ecx, 16                       // where they lead: mov eax, N; ret
  lea rdi, [r12 + 0x205]
  mov eax, r14d
2: mov byte ptr [rdi], 0xb8
  mov [rdi + 1], eax
  mov byte ptr [rdi + 5], 0xc3
  add rdi, 8
  inc eax
  dec ecx
  jnz 2b
  xor ebx, ebx
2: lea rdx, [r12 + rbx * 8]
  mov dword ptr [rdx], 0x000002e9
  and dword ptr [rdx], 0xffffffff
  mov byte ptr [rdx + 2], 2
  mov byte ptr [rdx + 1], 0
  mov dword ptr [rdx + 3], 0x90900000
  call rdx
  fold rax
  inc ebx
  cmp ebx, 16
  jb 2b
  dec r14d
  jnz 1b
  section "jumps"

  lea rbx, [r12 + 0x2000]           // a conditional jump first, never taken; then it is a jump that is
  mov r14d, 12
1: mov dword ptr [rbx], 0x00fa840f  // jz +0xfa; mov eax, 7; ret
  mov dword ptr [rbx + 4], 0x07b80000
  mov dword ptr [rbx + 8], 0xc3000000
  mov byte ptr [rbx + 0x100], 0xb8
  mov [rbx + 0x101], r14d
  mov byte ptr [rbx + 0x105], 0xc3
  or eax, 1
  call rbx
  fold rax
  mov dword ptr [rbx], 0x00fae990   // nop; jmp +0xfa
  xor eax, eax
  call rbx
  fold rax
  mov dword ptr [rbx], 0x00fa840f
  xor eax, eax
  call rbx
  fold rax
  or eax, 1
  call rbx
  fold rax
  dec r14d
  jnz 1b
  section "conditional jumps"
  finish

  .balign 4096
cell:
  mov eax, 1
  ret
  .balign 4096
own_page:                           // this page becomes writable and changes right behind the call
  mov edi, OFFSET own_page
  mov esi, 4096
  mov edx, 7
  mov eax, 10
  syscall
  fold rax
  mov r14d, 10
1: mov [rip + 2f + 1], r14d
2: mov eax, 0x1000
  fold rax
  dec r14d
  jnz 1b
  ret
