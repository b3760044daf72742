import Syscalls
import Testing

/// What the kernel's C headers say, asked through a C program.
@Suite struct HeaderTests {
  static let includes = """
    #include <stdio.h>
    #include <stddef.h>
    #define _SYS_SOCKET_H // libc's would contradict the kernel's
    struct sockaddr { unsigned short family; char data[14]; };
    typedef unsigned short sa_family_t;
    #include <asm/termbits.h>
    #include <asm/ioctls.h>
    #include <asm/stat.h>
    #include <asm/statfs.h>
    #include <asm/prctl.h>
    #include <linux/capability.h>
    #include <linux/fcntl.h>
    #include <linux/fs.h>
    #include <linux/fiemap.h>
    #include <linux/futex.h>
    #include <linux/hdreg.h>
    #include <linux/if_arp.h>
    #include <linux/if_tun.h>
    #include <linux/ipc.h>
    #include <linux/kd.h>
    #include <linux/keyctl.h>
    #include <linux/loop.h>
    #include <linux/mqueue.h>
    #include <linux/msg.h>
    #include <linux/net.h>
    #include <linux/nsfs.h>
    #include <linux/prctl.h>
    #include <linux/random.h>
    #include <linux/resource.h>
    #include <linux/sched/types.h>
    #include <linux/sem.h>
    #include <linux/serial.h>
    #include <linux/signal.h>
    #include <linux/socket.h>
    #include <linux/sockios.h>
    #include <linux/stat.h>
    #include <linux/sysinfo.h>
    #include <linux/time.h>
    #include <linux/times.h>
    #include <linux/timex.h>
    #include <linux/utsname.h>
    #include <linux/vt.h>
    #include <asm/msgbuf.h>
    #include <asm/sembuf.h>
    """

  /// call, sub-call or empty, argument, what C calls its type.
  static let structures: [(call: String, sub: String, argument: String, type: String)] = [
    ("stat", "", "statbuf", "struct stat"), ("fstat", "", "statbuf", "struct stat"),
    ("lstat", "", "statbuf", "struct stat"), ("newfstatat", "", "statbuf", "struct stat"),
    ("statx", "", "buffer", "struct statx"), ("statfs", "", "buf", "struct statfs"),
    ("fstatfs", "", "buf", "struct statfs"), ("uname", "", "name", "struct new_utsname"),
    ("getrusage", "", "ru", "struct rusage"), ("wait4", "", "ru", "struct rusage"),
    ("waitid", "", "ru", "struct rusage"), ("times", "", "tbuf", "struct tms"),
    ("sysinfo", "", "info", "struct sysinfo"), ("getrlimit", "", "rlim", "struct rlimit"),
    ("prlimit64", "", "old_rlim", "struct rlimit64"), ("gettimeofday", "", "tv", "struct __kernel_old_timeval"),
    ("gettimeofday", "", "tz", "struct timezone"), ("clock_gettime", "", "tp", "struct __kernel_timespec"),
    ("clock_getres", "", "tp", "struct __kernel_timespec"), ("nanosleep", "", "rmtp", "struct __kernel_timespec"),
    ("clock_nanosleep", "", "rmtp", "struct __kernel_timespec"),
    ("timer_gettime", "", "setting", "struct __kernel_itimerspec"),
    ("timer_settime", "", "old_setting", "struct __kernel_itimerspec"),
    ("timerfd_gettime", "", "otmr", "struct __kernel_itimerspec"),
    ("timerfd_settime", "", "otmr", "struct __kernel_itimerspec"),
    ("adjtimex", "", "txc", "struct __kernel_timex"), ("clock_adjtime", "", "utx", "struct __kernel_timex"),
    ("rt_sigtimedwait", "", "uinfo", "siginfo_t"), ("rt_sigaction", "", "oact", "struct sigaction"),
    ("sigaltstack", "", "uoss", "stack_t"), ("mq_getsetattr", "", "u_omqstat", "struct mq_attr"),
    ("semctl", "IPC_STAT", "arg", "struct semid64_ds"), ("semctl", "IPC_INFO", "arg", "struct seminfo"),
    ("semctl", "SEM_INFO", "arg", "struct seminfo"), ("msgctl", "IPC_STAT", "buf", "struct msqid64_ds"),
    ("msgctl", "IPC_INFO", "buf", "struct msginfo"), ("msgctl", "MSG_INFO", "buf", "struct msginfo"),
    ("fcntl", "F_GETLK", "arg", "struct flock"), ("fcntl", "F_OFD_GETLK", "arg", "struct flock"),
    ("fcntl", "F_GETOWN_EX", "arg", "struct f_owner_ex"), ("ioctl", "TCGETS", "arg", "struct termios"),
    ("ioctl", "TCGETS2", "arg", "struct termios2"), ("ioctl", "TIOCGSERIAL", "arg", "struct serial_struct"),
    ("ioctl", "TIOCGICOUNT", "arg", "struct serial_icounter_struct"), ("ioctl", "VT_GETMODE", "arg", "struct vt_mode"),
    ("ioctl", "VT_GETSTATE", "arg", "struct vt_stat"), ("ioctl", "HDIO_GETGEO", "arg", "struct hd_geometry"),
    ("ioctl", "LOOP_GET_STATUS64", "arg", "struct loop_info64"), ("ioctl", "SIOCGIFFLAGS", "arg", "struct ifreq"),
    ("ioctl", "SIOCGARP", "arg", "struct arpreq"), ("ioctl", "FS_IOC_FSGETXATTR", "arg", "struct fsxattr"),
    ("ioctl", "FITRIM", "arg", "struct fstrim_range"),
  ]

  @Test func `structures have the sizes that C gives them`() throws {
    var source = Self.includes + "\nint main() {\n"
    for entry in Self.structures { source += "printf(\"%zu\\n\", sizeof(\(entry.type)));\n" }
    let sizes = try runC(source + "}")
    #expect(sizes.count == Self.structures.count)
    for (entry, size) in zip(Self.structures, sizes) {
      let row = try #require(Syscalls.row(named: entry.call))
      var outputs = row.outputs
      if !entry.sub.isEmpty {
        let sub = (0..<Syscalls.subcallCount).map { Syscalls.subcall(at: $0) }
          .first { $0.number == row.number && $0.name.description == entry.sub }
        outputs = try #require(sub).outputs
      }
      let argument = try #require(row.arguments.firstIndex { $0.name == entry.argument })
      let found = (0..<outputs.count).map { outputs[$0] }.first { Int($0.argument) == argument }
      #expect(found?.size == UInt32(size), "\(entry)")
    }
  }

  @Test func `keys of sub-calls are what the headers define`() throws {
    let rows = (0..<Syscalls.subcallCount).map { Syscalls.subcall(at: $0) }.filter { row in
      !(row.number == 16 && row.key & SubcallRow.typeBit != 0) && ![54, 55, 329].contains(row.number)
    }
    var source = Self.includes + "\nint main() {\n"
    for row in rows {
      let value = "(unsigned long)(unsigned)\(row.name)"
      source += "#ifdef \(row.name)\nprintf(\"\(row.number) \(row.name) %lu\\n\", \(value));\n#endif\n"
    }
    var checked = 0
    for line in try runC(source + "}") {
      let words = line.split(separator: " ")
      let row = try #require(rows.first { String($0.number) == words[0] && $0.name.description == words[1] })
      #expect(row.key == UInt64(words[2]), "\(line)")
      checked += 1
    }
    #expect(checked > 250)
  }
}
