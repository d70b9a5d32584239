/* What every guest in C needs beside the generated bindings in airlock.h: short names, and helpers for what is clumsy there.
 * guest.h includes it and has the rest.
 *
 * Functions that can fail return false and fill in `error`. */
#ifndef AIRLOCK_COMMON_H
#define AIRLOCK_COMMON_H

#include "airlock.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How much to read or write at once: the most that the host takes. */
#define GUEST_CHUNK (1 << 20)

typedef airlock_string_t guest_string;
typedef airlock_list_string_t guest_strings;
typedef airlock_io_types_error_t guest_error;
typedef airlock_io_value_borrow_source_t guest_source;
typedef airlock_io_value_borrow_reader_t guest_reader;
typedef airlock_io_value_borrow_sink_t guest_sink;
typedef airlock_io_types_metadata_entry_t guest_entry;

/* Fill in an error and return false. `kind` is one of AIRLOCK_IO_TYPES_ERROR_… that has a text; the kind OTHER has the code
 * "other". What the text is made of is UTF-8. */
bool guest_fail(guest_error *error, uint8_t kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The error of the contract that says what errno says, of what was done to which file. */
bool guest_fail_errno(guest_error *error, const char *doing, const char *path);

/* A string of the bindings that shows a text of C, which must outlive it. */
guest_string guest_text(const char *text);
bool guest_same(guest_string left, guest_string right);

/* Room for `count` keys, and a page of them, of which there are no more than there is room for, moved to it. True until all are
 * there. */
guest_strings guest_room_for_keys(uint32_t count);
bool guest_add_keys(guest_strings *keys, guest_strings *page, uint32_t count);

/* Entries of metadata. They show texts that must outlive them. */
guest_entry guest_entry_int(const char *label, int64_t value);
guest_entry guest_entry_text(const char *label, guest_string value);
guest_entry guest_entry_path(const char *label, const char *path);

#ifdef __cplusplus
}
#endif

#endif
