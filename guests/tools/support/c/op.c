#include "guest.h"

/* The bindings give what was lent for a call to whoever exports it, and trap where it is not given back. */
bool exports_airlock_io_op_run(guest_op_context context, guest_error *error) {
  bool computed = guest_run(context, error);
  airlock_io_op_run_op_context_drop_borrow(context);
  return computed;
}

guest_strings guest_op_keys(guest_op_context context) {
  uint32_t count = airlock_io_op_run_method_op_context_partition_count(context);
  guest_strings keys = guest_room_for_keys(count), page;
  do {
    airlock_io_op_run_method_op_context_partition_keys(context, keys.len, count - keys.len, &page);
  } while (guest_add_keys(&keys, &page, count));
  return keys;
}
