#include "guest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DATA "/data/"

/* Partition keys that are asked for at once. */
#define PAGE 1000

/* The bindings give what was lent for a call to whoever exports it, and trap where it is not given back. */
bool exports_airlock_io_output_handle_output(guest_output_context context, guest_source value, guest_error *error) {
  bool stored = guest_store(context, value, error);
  airlock_io_value_source_drop_borrow(value);
  airlock_io_context_output_context_drop_borrow(context);
  return stored;
}

bool exports_airlock_io_input_load_input(guest_input_context context, guest_sink value, guest_error *error) {
  bool loaded = guest_load(context, value, error);
  airlock_io_value_sink_drop_borrow(value);
  airlock_io_context_input_context_drop_borrow(context);
  return loaded;
}

bool guest_fail(guest_error *error, uint8_t kind, const char *format, ...) {
  char message[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  memset(error, 0, sizeof *error);
  error->tag = kind;
  if (kind == AIRLOCK_IO_TYPES_ERROR_OTHER) {
    airlock_string_dup(&error->val.other.code, "other");
    airlock_string_dup(&error->val.other.message, message);
  } else if (kind != AIRLOCK_IO_TYPES_ERROR_NOT_FOUND) {
    /* All other kinds have a text, at the same place. */
    airlock_string_dup(&error->val.corrupt, message);
  }
  return false;
}

static uint8_t kind_of_errno(int number) {
  switch (number) {
  case ENOENT:
    return AIRLOCK_IO_TYPES_ERROR_NOT_FOUND;
  case EACCES:
  case EPERM:
  case EROFS:
    return AIRLOCK_IO_TYPES_ERROR_ACCESS_DENIED;
  case EEXIST:
    return AIRLOCK_IO_TYPES_ERROR_CONFLICT;
  case EDQUOT:
  case EFBIG:
  case ENOMEM:
  case ENOSPC:
    return AIRLOCK_IO_TYPES_ERROR_LIMIT_EXCEEDED;
  default:
    return AIRLOCK_IO_TYPES_ERROR_OTHER;
  }
}

bool guest_fail_errno(guest_error *error, const char *doing, const char *path) {
  int number = errno;
  guest_fail(error, kind_of_errno(number), "cannot %s %s: %s", doing, path, strerror(number));
  if (error->tag == AIRLOCK_IO_TYPES_ERROR_OTHER) {
    airlock_string_free(&error->val.other.code);
    airlock_string_dup(&error->val.other.code, "io");
  }
  return false;
}

/* The path below the mount as text of C. Frees what the host gave. */
static char *absolute(guest_string *relative, guest_error *error) {
  size_t prefix = sizeof DATA - 1;
  char *path = malloc(prefix + relative->len + 1);
  if (path == NULL) {
    guest_fail_errno(error, "find", "the path of a part");
  } else {
    memcpy(path, DATA, prefix);
    memcpy(path + prefix, relative->ptr, relative->len);
    path[prefix + relative->len] = '\0';
  }
  airlock_string_free(relative);
  return path;
}

static bool make_directories(char *path, guest_error *error) {
  for (char *slash = strchr(path + sizeof DATA - 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    bool made = mkdir(path, 0777) == 0 || errno == EEXIST || guest_fail_errno(error, "make the directory", path);
    *slash = '/';
    if (!made) return false;
  }
  return true;
}

char *guest_output_path(guest_output_context context, guest_string *key, const char *extension, guest_error *error) {
  guest_string wanted = guest_text(extension), relative;
  if (!airlock_io_context_method_output_context_path(context, key, &wanted, &relative, error)) return NULL;
  char *path = absolute(&relative, error);
  if (path != NULL && !make_directories(path, error)) {
    free(path);
    return NULL;
  }
  return path;
}

char *guest_input_path(guest_input_context context, guest_string *key, const char *extension, guest_error *error) {
  guest_string wanted = guest_text(extension), relative;
  if (!airlock_io_context_method_input_context_path(context, key, &wanted, &relative, error)) return NULL;
  return absolute(&relative, error);
}

/* Moves the keys of a page to those before. */
static void append(guest_strings *all, guest_strings *page) {
  if (page->len == 0) return;
  memcpy(all->ptr + all->len, page->ptr, page->len * sizeof *page->ptr);
  all->len += page->len;
  free(page->ptr);
}

static guest_strings space_for(uint32_t count) {
  guest_strings keys = {NULL, 0};
  if (count > 0 && (keys.ptr = calloc(count, sizeof *keys.ptr)) == NULL) abort();
  return keys;
}

guest_strings guest_output_keys(guest_output_context context) {
  uint32_t count = airlock_io_context_method_output_context_partition_count(context);
  guest_strings keys = space_for(count), page;
  for (uint32_t offset = 0; offset < count; offset += PAGE) {
    uint32_t wanted = count - offset < PAGE ? count - offset : PAGE;
    airlock_io_context_method_output_context_partition_keys(context, offset, wanted, &page);
    append(&keys, &page);
  }
  return keys;
}

guest_strings guest_input_keys(guest_input_context context) {
  uint32_t count = airlock_io_context_method_input_context_partition_count(context);
  guest_strings keys = space_for(count), page;
  for (uint32_t offset = 0; offset < count; offset += PAGE) {
    uint32_t wanted = count - offset < PAGE ? count - offset : PAGE;
    airlock_io_context_method_input_context_partition_keys(context, offset, wanted, &page);
    append(&keys, &page);
  }
  return keys;
}

guest_string guest_text(const char *text) {
  guest_string string;
  airlock_string_set(&string, text);
  return string;
}

bool guest_same(guest_string left, guest_string right) {
  return left.len == right.len && (left.len == 0 || memcmp(left.ptr, right.ptr, left.len) == 0);
}

guest_entry guest_entry_int(const char *label, int64_t value) {
  guest_entry entry = {.label = guest_text(label)};
  entry.value.tag = AIRLOCK_IO_TYPES_METADATA_VALUE_INT;
  entry.value.val.int_ = value;
  return entry;
}

guest_entry guest_entry_text(const char *label, guest_string value) {
  guest_entry entry = {.label = guest_text(label)};
  entry.value.tag = AIRLOCK_IO_TYPES_METADATA_VALUE_TEXT;
  entry.value.val.text = value;
  return entry;
}

guest_entry guest_entry_path(const char *label, const char *path) {
  guest_entry entry = {.label = guest_text(label)};
  entry.value.tag = AIRLOCK_IO_TYPES_METADATA_VALUE_TAGGED;
  entry.value.val.tagged.f0 = guest_text("path");
  entry.value.val.tagged.f1 = guest_text(path);
  return entry;
}
