// String instructions: every size, rep, repe, repne, both directions, count zero, overlap, 32-bit addresses.
#include "guest.inc"
.macro fresh
  lea rsi, [rip + source]
  lea rdi, [rip + target]
.endm
.macro state
  fold_flags
  lea rax, [rip + source]
  sub rsi, rax
  lea rax, [rip + target]
  sub rdi, rax
  fold rsi
  fold rdi
  fold rcx
  fold_memory target 512
.endm
begin
  cld
  .irp op, movsb, movsw, movsd, movsq
  fresh
  mov ecx, 31
  rep \op
  state
  fresh
  \op
  state
  fresh
  xor ecx, ecx
  rep \op
  state
  .endr
  section "movs"
  .irp op, stosb, stosw, stosd, stosq
  fresh
  mov rax, 0x1122334455667788
  mov ecx, 13
  rep \op
  state
  .endr
  section "stos"
  .irp op, lodsb, lodsw, lodsd, lodsq
  fresh
  mov ecx, 5
  xor eax, eax
  rep \op
  fold rax
  state
  .endr
  section "lods"
  .irp op, cmpsb, cmpsw, cmpsd, cmpsq
  fresh
  mov ecx, 8
  rep movsq
  fresh
  mov byte ptr [rdi + 40], 0
  mov ecx, 60
  repe \op
  state
  fresh
  lea rdi, [rip + source + 8]
  mov ecx, 60
  repne \op
  state
  .endr
  section "cmps"
  .irp op, scasb, scasw, scasd, scasq
  lea rsi, [rip + source]
  lea rdi, [rip + source]
  mov rax, [rsi + 40]
  mov ecx, 64
  repne \op
  state
  lea rsi, [rip + source]
  lea rdi, [rip + source]
  mov rax, [rdi]
  mov ecx, 64
  repe \op
  state
  .endr
  section "scas"
  std
  lea rsi, [rip + source + 256]
  lea rdi, [rip + target + 256]
  mov ecx, 30
  rep movsq
  cld
  state
  std
  lea rsi, [rip + target + 64]
  lea rdi, [rip + target + 72]
  mov ecx, 64
  rep movsb
  cld
  state
  lea rsi, [rip + target]           // overlap forwards: a pattern repeats
  lea rdi, [rip + target + 3]
  mov ecx, 200
  rep movsb
  state
  section "direction and overlap"
  mov esi, OFFSET source
  mov edi, OFFSET target
  mov rcx, 0xffffffff00000010
  addr32 rep movsb
  fold rcx
  fold_memory target 512
  section "32-bit addresses"
  mov r15d, 200                     // in a loop, long and short counts
1: lea rsi, [rip + big]
  lea rdi, [rip + big + 40000]
  mov ecx, r15d
  shl ecx, 7
  mov eax, r15d
  rep stosb
  mov ecx, r15d
  rep movsq
  dec r15d
  jnz 1b
  fold_memory big 65536
  section "large"
  finish
  .data
  .balign 16
source:
  .set i, 0
  .rept 512
  .byte (i * i * 7 + i * 3 + 1) & 0xff
  .set i, i + 1
  .endr
  .bss
  .balign 16
target: .space 1024
big: .space 131072
