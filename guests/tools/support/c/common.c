#include "common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The text of a format, on the heap; whoever has it frees it. It is never cut off, which could be within a character. */
static guest_string formatted(const char *format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  guest_string text = {NULL, 0};
  if (length <= 0) return text;
  char *bytes = malloc((size_t)length + 1);
  if (bytes == NULL) abort();
  vsnprintf(bytes, (size_t)length + 1, format, arguments);
  text.ptr = (uint8_t *)bytes;
  text.len = (size_t)length;
  return text;
}

bool guest_fail(guest_error *error, uint8_t kind, const char *format, ...) {
  memset(error, 0, sizeof *error);
  error->tag = kind;
  if (kind == AIRLOCK_IO_TYPES_ERROR_NOT_FOUND) return false;
  va_list arguments;
  va_start(arguments, format);
  guest_string message = formatted(format, arguments);
  va_end(arguments);
  if (kind == AIRLOCK_IO_TYPES_ERROR_OTHER) {
    airlock_string_dup(&error->val.other.code, "other");
    error->val.other.message = message;
  } else {
    /* All other kinds have a text, at the same place. */
    error->val.corrupt = message;
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

guest_string guest_text(const char *text) {
  guest_string string;
  airlock_string_set(&string, text);
  return string;
}

bool guest_same(guest_string left, guest_string right) {
  return left.len == right.len && (left.len == 0 || memcmp(left.ptr, right.ptr, left.len) == 0);
}

guest_strings guest_room_for_keys(uint32_t count) {
  guest_strings keys = {NULL, 0};
  if (count > 0 && (keys.ptr = calloc(count, sizeof *keys.ptr)) == NULL) abort();
  return keys;
}

bool guest_add_keys(guest_strings *keys, guest_strings *page, uint32_t count) {
  if (page->len == 0) return false;
  memcpy(keys->ptr + keys->len, page->ptr, page->len * sizeof *page->ptr);
  keys->len += page->len;
  free(page->ptr);
  return keys->len < count;
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
