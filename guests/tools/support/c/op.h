/* What an op in C needs beside the generated bindings in airlock.h. An op defines guest_run; the context that the host lends
 * for a call is given back for it, whichever way it ends. */
#ifndef AIRLOCK_GUEST_H
#define AIRLOCK_GUEST_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef airlock_io_op_run_borrow_op_context_t guest_op_context;
typedef airlock_io_op_run_list_metadata_entry_t guest_entries;

/* Computes, as airlock:io/op run. */
bool guest_run(guest_op_context context, guest_error *error);

/* All partition keys of the step, to be freed with airlock_list_string_free; none where there are no partitions. */
guest_strings guest_op_keys(guest_op_context context);

#ifdef __cplusplus
}
#endif

#endif
