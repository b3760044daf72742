#!/bin/sh
# Builds and runs the test of Runtime/outputs.c against the kernel at hand: run.sh [PART OF A CASE'S NAME]
# BIS_TABLES_DIR, if set, holds syscalls.bin and subcalls.bin; otherwise they are made here.
set -e
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tables=${BIS_TABLES_DIR:-$work}
if [ ! -e "$tables/syscalls.bin" ]; then
  swiftc -Onone -swift-version 6 -I "$root/Sources/CABI/include" "$root"/Sources/Syscalls/*.swift \
    "$root/Tests/Outputs/Dump/main.swift" -o "$work/dump"
  "$work/dump" "$tables/syscalls.bin" "$tables/subcalls.bin"
fi
gcc -c -O2 -DTEST -mgeneral-regs-only -ffreestanding -fno-builtin -fno-jump-tables -Wall -Wextra \
  -I "$root/Sources/CABI/include" "$root/Sources/Runtime/outputs.c" -o "$work/outputs.o"
gcc -O1 -Wall -Wextra -Wno-parentheses -DTEST -I "$root/Sources/CABI/include" -I "$root/Sources/Runtime" \
  "$root/Tests/Outputs/outputs_test.c" "$root/Tests/Outputs/cases.c" "$work/outputs.o" -o "$work/test" -lutil
"$work/test" "$tables/syscalls.bin" "$tables/subcalls.bin" "$@"
