import Glibc
import Linux

/// Set-uid and set-gid programs: the kernel gives a traced program the file's privileges only when its tracer is privileged.
extension RecordSession {
  func warnOfPrivileges(_ path: String, name: String) {
    guard geteuid() != 0, let status = try? FileStatus.of(path), status.isRegular else { return }
    let user = status.mode & 0o4000 != 0 && status.user != geteuid()
    let group = status.mode & 0o2010 == 0o2010 && status.group != getegid()
    guard user || group else { return }
    warn(
      "\(name) is a set-\(user ? "uid" : "gid") program: while it is recorded it runs without the privileges of its file"
    )
  }
}
