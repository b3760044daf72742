// Code that modifies itself: the next instruction, a loop body, another page, a page of its own text made writable;
// code and data on one page; code in anonymous memory, generated, replaced, unmapped and mapped anew.
#include "guest.inc"
begin
  mov edi, 0                        // mmap(0, 64 KiB, rwx)
  mov esi, 65536
  mov edx, 7
  mov r10d, 0x22
  mov r8, -1
  xor r9d, r9d
  mov eax, 9
  syscall
  mov r12, rax

  mov r14d, 200                     // mov eax, N; ret with a new N each time
1: mov byte ptr [r12], 0xb8
  mov [r12 + 1], r14d
  mov byte ptr [r12 + 5], 0xc3
  call r12
  fold rax
  dec r14d
  jnz 1b
  section "anonymous"

  lea rsi, [rip + template]         // a loop whose body is patched from inside
  mov rdi, r12
  mov ecx, template_end - template
  cld
  rep movsb
  mov ecx, 20
  xor eax, eax
  call r12
  fold rax
  lea rsi, [rip + template2]        // the very next instruction is overwritten
  lea rdi, [r12 + 4096]
  mov ecx, template2_end - template2
  rep movsb
  lea rbx, [r12 + 4096]
  call rbx
  fold rax
  section "patched from inside"

  mov r14d, 300                     // data on the page of running code
  lea rbx, [r12 + 8192]
  lea rsi, [rip + counterbody]
  mov rdi, rbx
  mov ecx, counterbody_end - counterbody
  rep movsb
  mov qword ptr [rbx + 2048], 0
1: call rbx
  dec r14d
  jnz 1b
  fold [rbx + 2048]
  section "data beside code"

  mov edi, OFFSET text_cell         // our own text page, writable
  and edi, 0xfffff000
  mov esi, 4096
  mov edx, 7
  mov eax, 10
  syscall
  fold rax
  mov r14d, 50
1: mov [rip + text_cell + 1], r14d
  call text_cell
  fold rax
  dec r14d
  jnz 1b
  mov edi, OFFSET text_cell
  and edi, 0xfffff000
  mov esi, 4096
  mov edx, 5
  mov eax, 10
  syscall
  call text_cell
  fold rax
  section "own text"

  mov r14d, 20                      // write, then protect, as a JIT does
1: mov rdi, r12
  mov esi, 65536
  mov edx, 3
  mov eax, 10
  syscall
  mov byte ptr [r12], 0xb8
  mov [r12 + 1], r14d
  mov byte ptr [r12 + 5], 0xc3
  mov rdi, r12
  mov esi, 65536
  mov edx, 5
  mov eax, 10
  syscall
  call r12
  fold rax
  dec r14d
  jnz 1b
  section "protect"

  mov r14d, 20                      // unmapped and mapped anew at the same address
1: mov rdi, r12
  mov esi, 65536
  mov eax, 11
  syscall
  mov rdi, r12
  mov esi, 65536
  mov edx, 7
  mov r10d, 0x32                    // MAP_FIXED
  mov r8, -1
  xor r9d, r9d
  mov eax, 9
  syscall
  mov dword ptr [r12], 0xc3c0ff90   // nop; inc eax; ret
  mov eax, r14d
  call r12
  fold rax
  dec r14d
  jnz 1b
  section "mapped anew"

  mov dword ptr [r12 + 4094], 0x00b89090 // an instruction over two pages, its second half replaced
  mov r14d, 30
1: mov [r12 + 4097], r14d
  mov byte ptr [r12 + 4101], 0xc3
  lea rbx, [r12 + 4094]
  call rbx
  fold rax
  dec r14d
  jnz 1b
  section "over two pages"
  finish

  .balign 64
text_cell:
  mov eax, 1
  ret
template:                           // add eax, imm; the immediate grows by one every round
  add eax, 1000
  inc dword ptr [rip + template + 1]
  dec ecx
  jnz template
  ret
template_end:
template2:
  mov dword ptr [rip + 1f + 1], 4242
1: mov eax, 1
  ret
template2_end:
counterbody:
  inc qword ptr [rip + counterbody + 2048]
  ret
counterbody_end:
