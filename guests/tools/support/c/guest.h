/* What a guest in C needs beside the generated bindings in airlock.h: short names, and helpers for what is clumsy there.
 *
 * Functions that can fail return false and fill in `error`. A guest defines guest_store and guest_load; what the host lends
 * for a call is given back for it, whichever way they end. */
#ifndef AIRLOCK_GUEST_H
#define AIRLOCK_GUEST_H

#include "airlock.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How much to read or write at once: the most that the host takes. */
#define GUEST_CHUNK (1 << 20)

typedef airlock_string_t guest_string;
typedef airlock_list_string_t guest_strings;
typedef airlock_io_types_error_t guest_error;
typedef airlock_io_context_borrow_output_context_t guest_output_context;
typedef airlock_io_context_borrow_input_context_t guest_input_context;
typedef airlock_io_value_borrow_source_t guest_source;
typedef airlock_io_value_borrow_reader_t guest_reader;
typedef airlock_io_value_borrow_sink_t guest_sink;
typedef airlock_io_types_metadata_entry_t guest_entry;
typedef airlock_io_context_list_metadata_entry_t guest_entries;

/* Stores a value, as airlock:io/output handle-output. */
bool guest_store(guest_output_context context, guest_source value, guest_error *error);
/* Loads a value, as airlock:io/input load-input. */
bool guest_load(guest_input_context context, guest_sink value, guest_error *error);

/* Fill in an error and return false. `kind` is one of AIRLOCK_IO_TYPES_ERROR_… that has a text; the kind OTHER has the code
 * "other". */
bool guest_fail(guest_error *error, uint8_t kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The error of the contract that says what errno says, of what was done to which file. */
bool guest_fail_errno(guest_error *error, const char *doing, const char *path);

/* The path of a part below /data, to be freed; its directories are made. NULL after an error. `key` may be NULL. */
char *guest_output_path(guest_output_context context, guest_string *key, const char *extension, guest_error *error);
/* The same where it was stored; nothing is made. */
char *guest_input_path(guest_input_context context, guest_string *key, const char *extension, guest_error *error);

/* All partition keys of the call, to be freed with airlock_list_string_free; none where there are no partitions. */
guest_strings guest_output_keys(guest_output_context context);
guest_strings guest_input_keys(guest_input_context context);

/* A string of the bindings that shows a text of C, which must outlive it. */
guest_string guest_text(const char *text);
bool guest_same(guest_string left, guest_string right);

/* Entries of metadata. They show texts that must outlive them. */
guest_entry guest_entry_int(const char *label, int64_t value);
guest_entry guest_entry_text(const char *label, guest_string value);
guest_entry guest_entry_path(const char *label, const char *path);

#ifdef __cplusplus
}
#endif

#endif
