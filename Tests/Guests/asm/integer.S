// Integer instructions with their flags, and RIP-relative operands in every shape (immediates behind them, high byte
// registers, read-modify-write), which a translator has to rewrite.
// bis: needs=bmi1,bmi2,adx,movbe,abm,sse4_2
#include "guest.inc"
begin
  mov ebx, 40
1: mov rax, [rip + seed]
  mov rdx, 0x5851F42D4C957F2D
  imul rax, rdx
  mov rdx, 0x14057B7EF767814F
  add rax, rdx
  mov [rip + seed], rax
  mov r12, rax
  mov r13, rax
  rol r13, 23
  .irp op, add, or, adc, sbb, and, sub, xor, cmp, test
  mov rax, r12
  mov rcx, r13
  bt ebx, 0
  \op rax, rcx
  fold_flags 0x8c5
  fold rax
  \op eax, ecx
  fold_flags 0x8c5
  fold rax
  \op ax, cx
  fold_flags 0x8c5
  \op ah, cl
  fold_flags 0x8c5
  \op al, ch
  fold rax
  \op qword ptr [rip + cell], rcx
  \op dword ptr [rip + cell + 4], 0x12345678
  \op word ptr [rip + cell + 2], 0x1234
  \op byte ptr [rip + cell + 1], 0x5a
  \op [rip + cell + 3], ah
  \op [rip + cell + 3], dh
  fold_flags 0x8c5
  fold [rip + cell]
  .endr
  .irp op, shl, shr, sar, rol, ror, rcl, rcr
  mov rax, r12
  mov ecx, ebx
  stc
  \op rax, cl
  fold rax
  \op eax, 5
  fold rax
  \op al, 1
  fold rax
  fold_flags 1
  \op qword ptr [rip + cell], 3
  \op byte ptr [rip + cell + 5], cl
  fold [rip + cell]
  .endr
  mov rax, r12
  mov rdx, r13
  shld rax, rdx, 13
  shrd rdx, rax, cl
  shld dword ptr [rip + cell], edx, 7
  fold rax
  fold rdx
  mov rax, r12
  mul r13
  fold rax
  fold rdx
  fold_flags 0x801
  mov rax, r12
  imul qword ptr [rip + cell]
  fold rdx
  imul rax, [rip + cell], 0x7654321
  fold rax
  imul eax, [rip + cell], -3
  fold rax
  mov rax, r12
  xor edx, edx
  mov rcx, r13
  or rcx, 1
  div rcx
  fold rax
  fold rdx
  mov eax, r12d
  cdq
  mov ecx, 12345
  idiv ecx
  fold rax
  fold rdx
  mov ax, 1234
  mov cl, 13
  div cl
  fold rax
  mov rax, r12
  cqo
  fold rdx
  cwde
  cdqe
  cbw
  fold rax
  .irp op, bt, bts, btr, btc
  mov rax, r12
  mov ecx, ebx
  \op rax, rcx
  fold_flags 1
  fold rax
  mov rcx, r13
  and ecx, 511
  sub rcx, 256
  \op qword ptr [rip + bits + 64], rcx
  fold_flags 1
  \op dword ptr [rip + bits], 9
  .endr
  .irp op, bsf, bsr, tzcnt, lzcnt, popcnt
  mov eax, 5
  \op rax, r12
  fold rax
  \op eax, [rip + cell]
  fold rax
  .endr
  mov rax, r12
  bswap rax
  fold rax
  movbe ecx, [rip + cell]
  movbe [rip + cell + 4], cx
  fold rcx
  xadd [rip + cell], rax
  lock xadd dword ptr [rip + cell + 4], ecx
  fold rax
  fold rcx
  xchg rax, [rip + cell]
  mov rax, [rip + cell]
  lock cmpxchg [rip + cell], r12
  fold_flags 0x40
  lock cmpxchg [rip + cell], r13
  fold_flags 0x40
  fold rax
  push rbx
  mov rax, [rip + cell]
  mov rdx, [rip + cell + 8]
  mov rbx, r12
  mov rcx, r13
  lock cmpxchg16b [rip + cell]
  fold_flags 0x40
  lock cmpxchg8b [rip + cell]
  fold_flags 0x40
  pop rbx
  fold [rip + cell]
  fold [rip + cell + 8]
  crc32 rax, r12
  crc32 eax, byte ptr [rip + cell]
  fold rax
  mov rdx, r12
  mulx rcx, rax, r13
  fold rcx
  pdep rax, r12, r13
  pext rcx, r12, [rip + cell]
  fold rax
  fold rcx
  andn rax, r12, r13
  bextr rax, r12, rcx
  blsi rax, r13
  blsr rcx, r13
  rorx rax, [rip + cell], 11
  sarx rcx, r12, rbx
  fold rax
  fold rcx
  stc
  adcx rax, r13
  adox rax, r12
  fold rax
  lea rsi, [rip + bits]
  push rbx
  mov rbx, rsi
  mov al, 77
  xlatb
  pop rbx
  fold rax
  movsx rax, byte ptr [rip + cell + 1]
  movzx ecx, word ptr [rip + cell + 6]
  movsxd rdx, dword ptr [rip + cell + 4]
  fold rax
  fold rcx
  fold rdx
  mov ah, [rip + cell + 2]
  mov [rip + cell + 9], bh
  mov qword ptr [rip + cell + 8], -7
  mov byte ptr [rip + cell + 8], 9
  not qword ptr [rip + cell]
  neg dword ptr [rip + cell + 8]
  inc byte ptr [rip + cell + 15]
  dec word ptr [rip + cell + 12]
  lea rcx, [rip + cell]
  lea edx, [rip + cell]
  sub edx, ecx
  fold rdx
  fold rax
  push qword ptr [rip + cell]
  pop qword ptr [rip + cell + 8]
  fold [rip + cell + 8]
  movabs rax, [cell]
  fold rax
  movabs [cell + 8], rax
  cmp byte ptr [rip + cell], 0x80
  setb al
  fold_flags 0x8c5
  dec ebx
  jnz 1b
  fold_memory bits 144
  section "integer"
  lfence
  mfence
  sfence
  pause
  endbr64
  prefetcht0 [rip + cell]
  prefetchw [rip + cell]
  clflush [rip + cell]
  movnti [rip + cell], rax
  .byte 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0
  .byte 0x66, 0x66, 0x66, 0x90
  xchg ax, ax
  fold [rip + cell]
  section "rare"
  finish
  .data
  .balign 16
cell: .quad 0x0123456789abcdef, 0xfedcba9876543210
seed: .quad 42
  .balign 8
bits: .space 144, 0x35
