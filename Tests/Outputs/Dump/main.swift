// Writes the packed tables: dump SYSCALLS.bin SUBCALLS.bin. Built by ../run.sh together with Sources/Syscalls.
import Glibc

func save(_ bytes: [UInt8], _ path: String) {
  guard let file = fopen(path, "w") else { exit(1) }
  fwrite(bytes, 1, bytes.count, file)
  fclose(file)
}
save(Syscalls.packedSyscalls(), CommandLine.arguments[1])
save(Syscalls.packedSubcalls(), CommandLine.arguments[2])
