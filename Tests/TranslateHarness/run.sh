#!/bin/sh
# Builds and runs the translator's tests without SwiftPM's help: run.sh [seeds] [programs per seed]
set -e
cd "$(dirname "$0")/../.."
scratch=${SCRATCH:-$PWD/.build-tr}
out=${OUT:-/tmp/bis-translate-harness}
here=Tests/TranslateHarness
mkdir -p "$out"
swift build -c release --scratch-path "$scratch" --target Translate 2>&1 | grep -E "error|warning:|complete" || true
clang=$(command -v clang || command -v gcc)
$clang -O1 -g -c -I $here/CHarness/include $here/CHarness/harness.c -o "$out/harness.o"
swiftc -O -parse-as-library -swift-version 5 -I "$scratch/release/Modules" -Xcc -fmodule-map-file=Sources/CABI/include/module.modulemap \
  -Xcc -fmodule-map-file=Sources/CZydis/module.modulemap -Xcc -fmodule-map-file=$here/CHarness/include/module.modulemap $here/Main/*.swift "$out/harness.o" \
  "$scratch"/release/X86.build/*.o "$scratch"/release/Translate.build/*.o -lZydis -lZycore -o "$out/harness"
as $here/fixed.s -o "$out/fixed.o" && ld -Ttext 0 -e 0 --oformat binary "$out/fixed.o" -o "$out/fixed.bin"
i=0
names=""
while [ $i -lt "${1:-4}" ]; do
  python3 $here/gen.py $((i + ${SEED:-0})) "${2:-60}" > "$out/f.s"
  as "$out/f.s" -o "$out/f.o"
  ld -Ttext 0 -e 0 --oformat binary "$out/f.o" -o "$out/f$i.bin"
  names="$names f$i.bin"
  i=$((i + 1))
done
"$out/harness" "$out" fixed
"$out/harness" "$out" garbage
"$out/harness" "$out" fuzz $names
python3 - "$out" <<"PY" || true
import subprocess, sys, shutil
so = "/lib/x86_64-linux-gnu/libc.so.6"
lines = subprocess.run(["nm", "-D", "--defined-only", so], capture_output=True, text=True).stdout.splitlines()
open(sys.argv[1] + "/libc.txt", "w").write("\n".join(str(int(l.split()[0], 16)) for l in lines if l.split()[1] in "TtWi"))
shutil.copy(so, sys.argv[1] + "/libc.so")
PY
if [ -n "$BENCH" ]; then "$out/harness" "$out" bench; fi
