// Entry to and exit from translated code. Everything is addressed through GS (= the control block), so that
// this code runs wherever it is copied to. See bis_abi.h for who leaves what where.
#include "bis_abi.h"

#define GPR(n) %gs:(BIS_C_GPR + 8 * (n))

        .section bis_runtime, "ax", @progbits
        .hidden bis_on_syscall, bis_on_special, bis_on_exit_direct, bis_on_indirect_miss, bis_on_expired, bis_find_way

// Guest rcx is in spill[RCX]; rcx is free. Saves all guest registers and moves to the runtime's stack.
.macro SAVE
        movq    %rcx, %gs:BIS_C_DESC
        movq    %rax, GPR(0)
        movq    %gs:(BIS_C_SPILL + 8 * BIS_SPILL_RCX), %rcx
        movq    %rcx, GPR(1)
        movq    %rdx, GPR(2)
        movq    %rbx, GPR(3)
        movq    %rsp, GPR(4)
        movq    %rbp, GPR(5)
        movq    %rsi, GPR(6)
        movq    %rdi, GPR(7)
        movq    %r8, GPR(8)
        movq    %r9, GPR(9)
        movq    %r10, GPR(10)
        movq    %r11, GPR(11)
        movq    %r12, GPR(12)
        movq    %r13, GPR(13)
        movq    %r14, GPR(14)
        movq    %r15, GPR(15)
        movq    %gs:BIS_C_STACKTOP, %rsp
        pushfq
        popq    %gs:BIS_C_RFLAGS
        cld
        testl   $0x40000, %gs:BIS_C_RFLAGS // the program's AC must not fault the runtime
        jz      9f
        pushq   $2
        popfq
9:
        movq    %gs:BIS_C_SELF, %rdi
.endm

.macro ENTRY name, handler
        .globl  \name
        .hidden \name
        .type   \name, @function
        .p2align 4
\name:
        SAVE
        call    \handler
        jmp     bis_leave
.endm

        ENTRY bis_enter_syscall, bis_on_syscall
        ENTRY bis_enter_special, bis_on_special
        ENTRY bis_enter_exit_direct, bis_on_exit_direct
        ENTRY bis_enter_indirect_miss, bis_on_indirect_miss
        ENTRY bis_enter_expired, bis_on_expired

// A return whose slot in the return table is not filled: its target was popped just now.
        .globl  bis_enter_return_miss
        .hidden bis_enter_return_miss
        .p2align 4
bis_enter_return_miss:
        movq    -8(%rsp), %rcx
        movq    %rcx, %gs:(BIS_C_SPILL + 8 * BIS_SPILL_TARGET)
        jmp     bis_enter_indirect_miss

// The supervisor starts a process here: registers are in the control block, resume_host is 0.
        .globl  bis_enter_start
        .hidden bis_enter_start
        .p2align 4
bis_enter_start:
        movq    %gs:BIS_C_STACKTOP, %rsp
        cld
        jmp     bis_leave

// A thread stands between two ticks, where another has the turn next (chaos mode); its registers are in the control block.
        .globl  bis_enter_switch, bis_enter_replay_switch
        .hidden bis_enter_switch, bis_enter_replay_switch, bis_on_switch, bis_on_replay_switch
        .p2align 4
bis_enter_switch:
        movq    %gs:BIS_C_STACKTOP, %rsp
        cld
        movq    %gs:BIS_C_SELF, %rdi
        call    bis_on_switch
        jmp     bis_leave
        .p2align 4
bis_enter_replay_switch:
        movq    %gs:BIS_C_STACKTOP, %rsp
        cld
        movq    %gs:BIS_C_SELF, %rdi
        call    bis_on_replay_switch
        jmp     bis_leave

// A process that others begin as copies of: each time it goes on it makes one, which takes the window at child_slot_offset
// and starts a replay there. The copy's stack is gone (MADV_WIPEONFORK).
        .globl  bis_enter_replay_template
        .hidden bis_enter_replay_template, bis_replay_template
        .p2align 4
bis_enter_replay_template:
        movq    %gs:BIS_C_STACKTOP, %rsp
        cld
        call    bis_replay_template
1:      movq    %gs:BIS_C_CHILD_SLOT, %r12
        movl    $0x8011, %edi                   // CLONE_PARENT | SIGCHLD: the supervisor's own, which reaps it
        xorl    %esi, %esi
        xorl    %edx, %edx
        xorl    %r10d, %r10d
        xorl    %r8d, %r8d
        movl    $56, %eax                       // clone
        syscall
        testq   %rax, %rax
        js      2f
        jnz     1b
        movabsq $BIS_WINDOW_BASE, %rdi
        movl    $BIS_WINDOW_SIZE, %esi
        xorl    %edx, %edx
        movq    %r12, %r10
        shrq    $12, %r10
        movl    $0x10000, %r8d                  // MAP_NONBLOCK
        movl    $216, %eax                      // remap_file_pages
        syscall
        testq   %rax, %rax
        jz      bis_enter_replay_start
2:      int3                                    // the supervisor finds -errno in rax
        jmp     2b

// A replay begins: the address space is emptied and built up again from the START event in the ring.
        .globl  bis_enter_replay_start
        .hidden bis_enter_replay_start, bis_replay_start
        .p2align 4
bis_enter_replay_start:
        movq    %gs:BIS_C_STACKTOP, %rsp
        cld
        movq    %gs:BIS_C_SELF, %rdi
        call    bis_replay_start
        // fall through

// Back to translated code at resume_host, or at the translation of rip when that is 0.
        .globl  bis_leave
        .hidden bis_leave
        .p2align 4
bis_leave:
        cmpq    $0, %gs:BIS_C_RESUME
        je      3f
        cmpq    $0, %gs:BIS_C_DEBUG
        je      4f
3:      movq    %gs:BIS_C_SELF, %rdi
        call    bis_find_way
4:
        // Where only arithmetic flags differ from the processor's, sahf does what popfq takes some 20 cycles for.
        movq    %gs:BIS_C_RFLAGS, %rax
        pushfq
        popq    %rcx
        xorl    %eax, %ecx
        testl   $~0x8D5, %ecx
        jnz     2f
        movl    %eax, %ecx
        movb    %al, %ah                        // SF, ZF, AF, PF, CF
        shrl    $11, %ecx
        andb    $1, %cl
        movb    %cl, %al
        addb    $0x7F, %al                      // OF
        sahf
1:      movq    GPR(0), %rax
        movq    GPR(1), %rcx
        movq    GPR(2), %rdx
        movq    GPR(3), %rbx
        movq    GPR(5), %rbp
        movq    GPR(6), %rsi
        movq    GPR(7), %rdi
        movq    GPR(8), %r8
        movq    GPR(9), %r9
        movq    GPR(10), %r10
        movq    GPR(11), %r11
        movq    GPR(12), %r12
        movq    GPR(13), %r13
        movq    GPR(14), %r14
        movq    GPR(15), %r15
        .globl  bis_leave_last
        .hidden bis_leave_last
bis_leave_last:
        movq    GPR(4), %rsp
        jmpq    *%gs:BIS_C_RESUME
2:      pushq   %rax
        popfq
        jmp     1b

// long bis_raw6(long nr, long a, long b, long c, long d, long e, long f): a system call, -errno on failure.
// (No `ret`: the kernel leaves nothing of what the processor had noted about calls, and a wrong guess costs more than all this.)
        .globl  bis_raw6
        .hidden bis_raw6
        .p2align 4
bis_raw6:
        movq    %rdi, %rax
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        movq    %rcx, %rdx
        movq    %r8, %r10
        movq    %r9, %r8
        movq    8(%rsp), %r9
        syscall
        popq    %rcx
        jmpq    *%rcx

// What the supervisor lets a stopped thread execute, to make a system call there.
        .globl  bis_remote_syscall
        .hidden bis_remote_syscall
bis_remote_syscall:
        syscall
        int3

// The same, without a stack, too: mprotect of r9 ranges, of which r8 points to (address, length, protection) each. rax = what
// the last one that was made returned.
        .globl  bis_protect_list, bis_protect_list_end
        .hidden bis_protect_list, bis_protect_list_end
        .p2align 4
bis_protect_list:
        movq    (%r8), %rdi
        movq    8(%r8), %rsi
        movq    16(%r8), %rdx
        movl    $10, %eax
        syscall
        testq   %rax, %rax
        jnz     bis_protect_list_end
        addq    $24, %r8
        decq    %r9
        jnz     bis_protect_list
bis_protect_list_end:
        int3

// As bis_raw6, but not begun when signals are pending: returns -512 (ERESTARTSYS) then. The supervisor knows
// the three labels: a signal between start and end goes to abort; at end rax holds the kernel's restart code.
        .globl  bis_raw6_interruptible, bis_interruptible_start, bis_interruptible_end, bis_interruptible_abort
        .hidden bis_raw6_interruptible, bis_interruptible_start, bis_interruptible_end, bis_interruptible_abort
        .p2align 4
bis_raw6_interruptible:
        movq    %rdi, %rax
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        movq    %rcx, %rdx
        movq    %r8, %r10
        movq    %r9, %r8
        movq    8(%rsp), %r9
bis_interruptible_start:
        cmpq    $0, %gs:0x240           // pending_signals
        jne     bis_interruptible_abort
        syscall
bis_interruptible_end:
        popq    %rcx
        jmpq    *%rcx
bis_interruptible_abort:
        movq    $-512, %rax
        ret

// long bis_raw_released(const long words[7], volatile uint64_t *pending): words = number, arguments. Likewise for a
// thread that has given the turn away: `pending` is its own flag.
        .globl  bis_raw_released, bis_released_start, bis_released_end, bis_released_abort
        .hidden bis_raw_released, bis_released_start, bis_released_end, bis_released_abort
        .p2align 4
bis_raw_released:
        movq    %rsi, %r11
        movq    %rdi, %rax
        movq    8(%rax), %rdi
        movq    16(%rax), %rsi
        movq    24(%rax), %rdx
        movq    32(%rax), %r10
        movq    40(%rax), %r8
        movq    48(%rax), %r9
        movq    (%rax), %rax
bis_released_start:
        cmpq    $0, (%r11)
        jne     bis_released_abort
        syscall
bis_released_end:
        ret
bis_released_abort:
        movq    $-512, %rax
        ret

// long bis_raw_thread(long flags, uint64_t stack, uint64_t *ptid, uint32_t *ctid, uint32_t index): the new thread has
// `stack` and goes to bis_thread_main(c, index).
        .globl  bis_raw_thread
        .hidden bis_raw_thread, bis_thread_main
        .p2align 4
bis_raw_thread:
        movl    $56, %eax
        movq    %rcx, %r10
        movl    %r8d, %r9d
        xorl    %r8d, %r8d
        syscall
        testq   %rax, %rax
        je      1f
        ret
1:      movq    %gs:BIS_C_SELF, %rdi
        movl    %r9d, %esi
        call    bis_thread_main
        jmp     bis_leave

// void bis_switch_stack(uint64_t *save, uint64_t to): replay runs all threads of a process on one; each keeps a runtime
// stack of its own. A new one's begins at bis_replay_thread_start (threads.c).
        .globl  bis_switch_stack, bis_replay_thread_start
        .hidden bis_switch_stack, bis_replay_thread_start, bis_replay_thread_begin
        .p2align 4
bis_switch_stack:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret
bis_replay_thread_start:
        movq    %gs:BIS_C_SELF, %rdi
        call    bis_replay_thread_begin
        jmp     bis_leave

// int bis_copy(void *to, const void *from, uint64_t count): 1, or 0 when the program's memory is not there.
        .globl  bis_copy, bis_copy_access
        .hidden bis_copy, bis_copy_access
        .p2align 4
bis_copy:
        movq    %rdx, %rcx
bis_copy_access:
        rep movsb
        movl    $1, %eax
        ret

// long bis_raw_vfork(long nr, long a, long b, long c, long d, long e): the child (CLONE_VM) must not return on
// our stack: it moves below and leaves for program code with rax = 0. The parent returns the pid.
        .globl  bis_raw_vfork
        .hidden bis_raw_vfork
        .p2align 4
bis_raw_vfork:
        movq    %rdi, %rax
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        movq    %rcx, %rdx
        movq    %r8, %r10
        movq    %r9, %r8
        popq    %r11                    // (r11 does not survive; keep the return address in a callee-saved one)
        pushq   %rbx
        movq    %r11, %rbx
        syscall
        testq   %rax, %rax
        je      1f
        movq    %rbx, %r11
        popq    %rbx
        jmpq    *%r11
1:      movq    %gs:BIS_C_STACKTOP, %rsp
        movq    %gs:BIS_C_SELF, %rdi
        call    bis_vfork_child
        jmp     bis_leave
        .hidden bis_vfork_child

// int bis_peek(uint64_t address, uint64_t *value), int bis_poke(uint64_t address, uint64_t value): 1, or 0 when the
// program's memory is not there (the supervisor turns a fault at bis_guest_access into a jump to bis_guest_fault).
        .globl  bis_peek, bis_poke, bis_peek_access, bis_poke_access, bis_guest_fault
        .hidden bis_peek, bis_poke, bis_peek_access, bis_poke_access, bis_guest_fault
        .p2align 4
bis_peek:
bis_peek_access:
        movq    (%rdi), %rax
        movq    %rax, (%rsi)
        movl    $1, %eax
        ret
bis_poke:
bis_poke_access:
        movq    %rsi, (%rdi)
        movl    $1, %eax
        ret
bis_guest_fault:
        xorl    %eax, %eax
        ret

// A stop: the supervisor reads the mailbox. Its answer is in the control block.
        .globl  bis_stop, bis_stopped
        .hidden bis_stop, bis_stopped
        .p2align 4
bis_stop:
        int3
bis_stopped:
        ret

// First code that runs in a process: maps the rest of the region. Registers: rdi = fd of the region file,
// rsi = offset of the slot in the rings file, rdx = address of a string (path of the rings file),
// rcx = address of the vDSO mappings, r8 = their length (0: none). rsp is any usable stack.
        .globl  bis_enter_boot
        .hidden bis_enter_boot
        .hidden bis_boot
        .p2align 4
bis_enter_boot:
        andq    $-16, %rsp
        call    bis_boot
        movq    %gs:BIS_C_STACKTOP, %rsp
        int3                            // reason BOOT is in the mailbox
        jmp     bis_enter_start

        .section .note.GNU-stack, "", @progbits
