/* An I/O manager that keeps each part of a value as a file. */

#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXTENSION "bin"
#define OCTETS "application/octet-stream"

/* What is said of a value once it is stored. */
struct stored {
  uint32_t parts;
  int64_t size;
  guest_string media_type;
  char *path;
};

/* Writes one part to a file of its own, chunk by chunk. */
static bool store_part(guest_reader part, const char *path, int64_t *size, guest_error *error) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) return guest_fail_errno(error, "write", path);
  airlock_list_u8_t chunk;
  bool ok;
  while ((ok = airlock_io_value_method_reader_read(part, GUEST_CHUNK, &chunk, error)) && chunk.len > 0) {
    ok = fwrite(chunk.ptr, 1, chunk.len, file) == chunk.len || guest_fail_errno(error, "write", path);
    *size += chunk.len;
    airlock_list_u8_free(&chunk);
    if (!ok) break;
  }
  /* What is still in the buffer of the file can fail to be written too. */
  if (fclose(file) != 0 && ok) ok = guest_fail_errno(error, "write", path);
  return ok;
}

/* Finds the key and the place of the next part, and stores it. */
static bool store_next(guest_output_context context, const guest_strings *keys, guest_reader part, struct stored *stored,
                       guest_error *error) {
  guest_string media_type, key;
  airlock_io_value_method_reader_media_type(part, &media_type);
  if (stored->parts == 0) {
    stored->media_type = media_type;
  } else {
    bool same = guest_same(media_type, stored->media_type);
    airlock_string_free(&media_type);
    if (!same)
      return guest_fail(error, AIRLOCK_IO_TYPES_ERROR_UNSUPPORTED_TYPE, "the parts of the value differ in their media types");
  }
  bool keyed = airlock_io_value_method_reader_key(part, &key);
  if (!keyed && keys->len > 1)
    return guest_fail(error, AIRLOCK_IO_TYPES_ERROR_UNSUPPORTED_TYPE, "one part without a key stands for %zu partitions",
                      keys->len);
  free(stored->path);
  stored->path = guest_output_path(context, keyed ? &key : keys->len == 1 ? &keys->ptr[0] : NULL, EXTENSION, error);
  if (keyed) airlock_string_free(&key);
  stored->parts++;
  return stored->path != NULL && store_part(part, stored->path, &stored->size, error);
}

static bool store_all(guest_output_context context, guest_source value, struct stored *stored, guest_error *error) {
  guest_strings keys = guest_output_keys(context);
  airlock_io_value_option_own_reader_t part;
  bool ok;
  while ((ok = airlock_io_value_method_source_next(value, &part, error)) && part.is_some) {
    ok = store_next(context, &keys, airlock_io_value_borrow_reader(part.val), stored, error);
    airlock_io_value_reader_drop_own(part.val);
    if (!ok) break;
  }
  airlock_list_string_free(&keys);
  return ok;
}

bool guest_store(guest_output_context context, guest_source value, guest_error *error) {
  struct stored stored = {0};
  bool ok = store_all(context, value, &stored, error);
  if (ok) {
    guest_entry entries[3] = {guest_entry_int("size", stored.size)};
    guest_entries list = {entries, 1};
    if (stored.parts > 0) entries[list.len++] = guest_entry_text("media_type", stored.media_type);
    if (stored.parts == 1) entries[list.len++] = guest_entry_path("path", stored.path);
    ok = airlock_io_context_method_output_context_add_metadata(context, &list, error);
  }
  airlock_string_free(&stored.media_type);
  free(stored.path);
  return ok;
}

/* The media type that is recorded of the stored part. The caller frees it. */
static guest_string recorded_media_type(guest_input_context context, guest_string *key) {
  guest_string found;
  airlock_string_dup(&found, OCTETS);
  airlock_io_context_own_stored_output_t stored;
  if (!airlock_io_context_method_input_context_upstream(context, key, &stored)) return found;
  guest_entries entries;
  airlock_io_context_method_stored_output_stored_metadata(airlock_io_context_borrow_stored_output(stored), &entries);
  for (size_t i = 0; i < entries.len; i++) {
    guest_entry *entry = &entries.ptr[i];
    bool is_text = entry->value.tag == AIRLOCK_IO_TYPES_METADATA_VALUE_TEXT;
    if (is_text && guest_same(entry->label, guest_text("media_type"))) {
      airlock_string_free(&found);
      airlock_string_dup_n(&found, (char *)entry->value.val.text.ptr, entry->value.val.text.len);
    }
  }
  airlock_io_context_list_metadata_entry_free(&entries);
  airlock_io_context_stored_output_drop_own(stored);
  return found;
}

/* Reads the file of a part, chunk by chunk. */
static bool load_part(FILE *file, guest_sink value, const char *path, guest_error *error) {
  uint8_t *buffer = malloc(GUEST_CHUNK);
  if (buffer == NULL) return guest_fail_errno(error, "read", path);
  bool ok = true;
  size_t length;
  while (ok && (length = fread(buffer, 1, GUEST_CHUNK, file)) > 0) {
    airlock_list_u8_t chunk = {buffer, length};
    ok = airlock_io_value_method_sink_write(value, &chunk, error);
  }
  free(buffer);
  if (ok && ferror(file)) ok = guest_fail_errno(error, "read", path);
  return ok;
}

/* Finds the file of a part and loads it. Says in `absent` where there is none. */
static bool load_next(guest_input_context context, guest_string *key, guest_sink value, bool *absent, guest_error *error) {
  char *path = guest_input_path(context, key, EXTENSION, error);
  if (path == NULL) return false;
  FILE *file = fopen(path, "rb");
  bool ok = true;
  if (file != NULL) {
    guest_string media_type = recorded_media_type(context, key);
    ok = airlock_io_value_method_sink_begin(value, key, &media_type, error) && load_part(file, value, path, error);
    airlock_string_free(&media_type);
    fclose(file);
  } else if (errno == ENOENT) {
    *absent = true;
  } else {
    ok = guest_fail_errno(error, "read", path);
  }
  free(path);
  return ok;
}

bool guest_load(guest_input_context context, guest_sink value, guest_error *error) {
  guest_strings keys = guest_input_keys(context);
  /* Those that are absent come first in `keys` and are counted here. */
  size_t missing = 0;
  bool absent = false, ok = true;
  if (keys.len == 0) ok = load_next(context, NULL, value, &absent, error);
  for (size_t i = 0; ok && i < keys.len; i++) {
    bool part_absent = false;
    ok = load_next(context, &keys.ptr[i], value, &part_absent, error);
    if (part_absent) {
      guest_string key = keys.ptr[i];
      keys.ptr[i] = keys.ptr[missing];
      keys.ptr[missing++] = key;
      absent = true;
    }
  }
  if (!ok || !absent || airlock_io_context_method_input_context_allow_missing(context)) {
    airlock_list_string_free(&keys);
    return ok;
  }
  /* The error takes the absent keys along. */
  for (size_t i = missing; i < keys.len; i++) airlock_string_free(&keys.ptr[i]);
  memset(error, 0, sizeof *error);
  error->tag = AIRLOCK_IO_TYPES_ERROR_NOT_FOUND;
  error->val.not_found.ptr = keys.ptr;
  error->val.not_found.len = missing;
  return false;
}
