/* What an I/O manager in C needs beside the generated bindings in airlock.h. A manager defines guest_store and guest_load; what
 * the host lends for a call is given back for it, whichever way they end. */
#ifndef AIRLOCK_GUEST_H
#define AIRLOCK_GUEST_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef airlock_io_context_borrow_output_context_t guest_output_context;
typedef airlock_io_context_borrow_input_context_t guest_input_context;
typedef airlock_io_context_list_metadata_entry_t guest_entries;

/* Stores a value, as airlock:io/output handle-output. */
bool guest_store(guest_output_context context, guest_source value, guest_error *error);
/* Loads a value, as airlock:io/input load-input. */
bool guest_load(guest_input_context context, guest_sink value, guest_error *error);

/* The path of a part below /data, to be freed; its directories are made. NULL after an error. `key` may be NULL. */
char *guest_output_path(guest_output_context context, guest_string *key, const char *extension, guest_error *error);
/* The same where it was stored; nothing is made. */
char *guest_input_path(guest_input_context context, guest_string *key, const char *extension, guest_error *error);

/* All partition keys of the call, to be freed with airlock_list_string_free; none where there are no partitions. */
guest_strings guest_output_keys(guest_output_context context);
guest_strings guest_input_keys(guest_input_context context);

#ifdef __cplusplus
}
#endif

#endif
