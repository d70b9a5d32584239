#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DATA "/data/"

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

guest_strings guest_output_keys(guest_output_context context) {
  uint32_t count = airlock_io_context_method_output_context_partition_count(context);
  guest_strings keys = guest_room_for_keys(count), page;
  do {
    airlock_io_context_method_output_context_partition_keys(context, keys.len, count - keys.len, &page);
  } while (guest_add_keys(&keys, &page, count));
  return keys;
}

guest_strings guest_input_keys(guest_input_context context) {
  uint32_t count = airlock_io_context_method_input_context_partition_count(context);
  guest_strings keys = guest_room_for_keys(count), page;
  do {
    airlock_io_context_method_input_context_partition_keys(context, keys.len, count - keys.len, &page);
  } while (guest_add_keys(&keys, &page, count));
  return keys;
}
