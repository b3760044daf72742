import Glibc
import Linux

/// Gives memory of a shared mapping back to the system: a hole in its file.
func giveBack(_ base: UnsafeMutableRawPointer, _ count: Int) -> Bool {
  count == 0 || madvise(base, count, 9 /* MADV_REMOVE */) == 0
}

/// Memory of the region's file that is taken from one end, in pages of 2 MiB where the kernel has them: code that is
/// spread over many pages spends its time in page faults and in the processor's translation buffers otherwise.
///
/// The file's pages are replaced in all processes that map them. What cannot be had is left as it is.
final class HugePages {
  static let size = 2 << 20
  private let base: UnsafeMutableRawPointer
  private let count: Int
  private var done = 0

  /// For a writable mapping; it helps only if its address is a multiple of `size`.
  init(_ mapping: borrowing Mapping) {
    base = mapping.base
    count = UInt(bitPattern: mapping.base) % UInt(HugePages.size) == 0 ? mapping.count : 0
  }

  /// Makes the pages that hold the first `used` bytes.
  func prepare(_ used: Int) {
    while done < used, done + HugePages.size <= count {
      let page = base + done
      // A block without any page is not collapsed.
      madvise(page, 4096, 23 /* MADV_POPULATE_WRITE, Linux 5.14 */)
      if madvise(page, HugePages.size, 25 /* MADV_COLLAPSE, Linux 6.1 */) != 0 {
        done = count
        return
      }
      done += HugePages.size
    }
  }

  /// These bytes were given back; from the first of them on, all that was taken.
  func forget(from offset: Int, _ count: Int) {
    if offset + count >= done { done = min(done, offset / HugePages.size * HugePages.size) }
  }

  /// Maps part of a file shared and writable at a multiple of `size`, or anywhere when there is no such place.
  static func map(fd: Int32, offset: Int, length: Int) throws(Errno) -> Mapping {
    let place = UInt64(size) - 1
    let free = try Mapping.anonymous(length: length + size, protection: []).address
    let aligned = (free + place) & ~place
    do throws(Errno) {
      return try Mapping.map(
        fd: fd, offset: offset, length: length, protection: [.read, .write], shared: true, at: aligned)
    } catch {
      return try Mapping.map(fd: fd, offset: offset, length: length, protection: [.read, .write], shared: true)
    }
  }
}
