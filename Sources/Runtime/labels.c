// In the supervisor (ordinary code, not in the section): where the runtime's labels are.
#include "bis_runtime.h"

extern const char __start_bis_runtime[] __attribute__((visibility("hidden")));
extern const char __stop_bis_runtime[] __attribute__((visibility("hidden")));
#define LABEL(name) extern const char name[] __attribute__((visibility("hidden")));
LABEL(bis_enter_syscall) LABEL(bis_enter_special) LABEL(bis_enter_exit_direct) LABEL(bis_enter_indirect_miss)
LABEL(bis_enter_expired) LABEL(bis_enter_start) LABEL(bis_enter_boot) LABEL(bis_stopped) LABEL(bis_leave)
LABEL(bis_leave_last) LABEL(bis_interruptible_start) LABEL(bis_interruptible_end) LABEL(bis_interruptible_abort)
LABEL(bis_peek_access) LABEL(bis_poke_access) LABEL(bis_guest_fault) LABEL(bis_reset_fast_table)
LABEL(bis_stop) LABEL(bis_remote_syscall) LABEL(bis_enter_replay_start) LABEL(bis_set_signal_mask) LABEL(bis_canonical_xsave) LABEL(bis_canonical_xrstor) LABEL(bis_guest_copy_out)
LABEL(bis_guest_copy_in) LABEL(bis_released_start) LABEL(bis_released_end) LABEL(bis_released_abort) LABEL(bis_copy_access)
LABEL(bis_enter_switch) LABEL(bis_enter_replay_switch) LABEL(bis_breakpoint)
LABEL(bis_enter_replay_template) LABEL(bis_protect_list) LABEL(bis_protect_list_end)

__attribute__((visibility("default"))) const void *bis_runtime_bytes(void) { return __start_bis_runtime; }
__attribute__((visibility("default"))) size_t bis_runtime_size(void) {
  return (size_t)(__stop_bis_runtime - __start_bis_runtime);
}
__attribute__((visibility("default"))) uint64_t bis_runtime_offset(enum bis_label label) {
  const char *const at[BIS_LABEL_COUNT] = {
      bis_enter_syscall, bis_enter_special, bis_enter_exit_direct, bis_enter_indirect_miss, bis_enter_expired,
      bis_enter_start, bis_enter_boot, bis_stopped, bis_leave, bis_leave_last, bis_interruptible_start,
      bis_interruptible_end, bis_interruptible_abort, bis_peek_access, bis_poke_access, bis_guest_fault,
      bis_reset_fast_table, bis_stop, bis_remote_syscall, bis_enter_replay_start, bis_set_signal_mask, bis_canonical_xsave, bis_canonical_xrstor, bis_guest_copy_out,
      bis_guest_copy_in, bis_released_start, bis_released_end, bis_released_abort, bis_copy_access, bis_enter_switch,
      bis_enter_replay_switch, bis_breakpoint, bis_enter_replay_template, bis_protect_list, bis_protect_list_end};
  return (uint64_t)(at[label] - __start_bis_runtime);
}
