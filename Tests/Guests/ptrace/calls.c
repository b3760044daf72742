// A small strace: traces its child's system calls and prints them.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <elf.h>
#include <linux/ptrace.h>
static char text[64] = "hello from the tracee\n";
int main(void) {
  pid_t pid = fork();
  if (pid == 0) {
    if (ptrace(PTRACE_TRACEME, 0, 0, 0)) _exit(9);
    raise(SIGSTOP);
    write(1, text, strlen(text));
    getppid();
    syscall(SYS_gettid);
    close(77);
    _exit(3);
  }
  int status, stops = 0;
  if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) return 1;
  printf("first stop %d\n", WSTOPSIG(status));
  if (ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD)) return 2;
  for (;;) {
    if (ptrace(PTRACE_SYSCALL, pid, 0, 0)) { perror("syscall"); return 3; }
    if (waitpid(pid, &status, 0) != pid) return 4;
    if (WIFEXITED(status)) { printf("exited %d\n", WEXITSTATUS(status)); break; }
    if (!WIFSTOPPED(status)) { printf("status %x\n", status); return 5; }
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) { printf("signal %d\n", WSTOPSIG(status)); continue; }
    struct user_regs_struct r, s;
    struct iovec v = {&s, sizeof s};
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GETREGS, pid, 0, &r)) return 6;
    if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v)) return 7;
    if (memcmp(&r, &s, sizeof r)) return 8;
    long n = ptrace((enum __ptrace_request)PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
      printf("%ld entry %llu", n, (unsigned long long)info.entry.nr);
      if (info.entry.nr != r.orig_rax || (long)r.rax != -ENOSYS) printf(" regs differ %llx %llx\n", r.orig_rax, r.rax);
      if (info.entry.nr == SYS_write) {
        char buffer[24] = {0};
        for (int i = 0; i < 2; i++) {
          errno = 0;
          long w = ptrace(PTRACE_PEEKDATA, pid, info.entry.args[1] + 8 * i, 0);
          memcpy(buffer + 8 * i, &w, 8);
        }
        printf(" write %s", buffer);
      }
      printf("\n");
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
      if (r.orig_rax == SYS_getppid || r.orig_rax == SYS_gettid)
        printf("%ld exit %llu ok %d error %d\n", n, r.orig_rax, info.exit.rval > 0, info.exit.is_error);
      else printf("%ld exit %llu: %lld error %d\n", n, r.orig_rax, (long long)info.exit.rval, info.exit.is_error);
    }
    fflush(stdout);
    if (++stops > 100) return 10;
  }
  return 0;
}
