/* An op that gives the lines of its inputs, each with its number. */

#include "guest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OUTPUT "result"
#define TEXT "text/plain"

/* What is given, through a buffer. */
struct numbered {
  guest_sink sink;
  int64_t lines;
  size_t length;
  uint8_t buffer[1 << 16];
};

static bool flush(struct numbered *numbered, guest_error *error) {
  airlock_list_u8_t bytes = {numbered->buffer, numbered->length};
  numbered->length = 0;
  return airlock_io_value_method_sink_write(numbered->sink, &bytes, error);
}

static bool append(struct numbered *numbered, const void *bytes, size_t length, guest_error *error) {
  for (const uint8_t *rest = bytes; length > 0;) {
    size_t room = sizeof numbered->buffer - numbered->length, now = length < room ? length : room;
    memcpy(numbered->buffer + numbered->length, rest, now);
    numbered->length += now;
    rest += now;
    length -= now;
    if (now == room && !flush(numbered, error)) return false;
  }
  return true;
}

static bool begin_line(struct numbered *numbered, guest_error *error) {
  char number[24];
  int length = snprintf(number, sizeof number, "%" PRId64 "\t", ++numbered->lines);
  return append(numbered, number, (size_t)length, error);
}

/* Numbers the lines of a chunk. The last of them can go on in the next chunk, which `within` tells. */
static bool number_chunk(struct numbered *numbered, const airlock_list_u8_t *chunk, bool *within, guest_error *error) {
  for (const uint8_t *start = chunk->ptr, *end = start + chunk->len; start < end;) {
    const uint8_t *newline = memchr(start, '\n', (size_t)(end - start));
    const uint8_t *next = newline != NULL ? newline + 1 : end;
    if (!*within && !begin_line(numbered, error)) return false;
    if (!append(numbered, start, (size_t)(next - start), error)) return false;
    *within = newline == NULL;
    start = next;
  }
  return true;
}

static bool number_part(struct numbered *numbered, guest_reader part, guest_error *error) {
  airlock_list_u8_t chunk;
  bool ok, within = false;
  while ((ok = airlock_io_value_method_reader_read(part, GUEST_CHUNK, &chunk, error)) && chunk.len > 0) {
    ok = number_chunk(numbered, &chunk, &within, error);
    airlock_list_u8_free(&chunk);
    if (!ok) break;
  }
  return ok && (!within || append(numbered, "\n", 1, error));
}

static bool check_type(guest_reader part, guest_string input, guest_error *error) {
  guest_string type;
  airlock_io_value_method_reader_media_type(part, &type);
  bool ok = guest_same(type, guest_text(TEXT)) ||
            guest_fail(error, AIRLOCK_IO_TYPES_ERROR_UNSUPPORTED_TYPE, "the input `%.*s` is of the type %.*s, and not " TEXT,
                       (int)input.len, (char *)input.ptr, (int)type.len, (char *)type.ptr);
  airlock_string_free(&type);
  return ok;
}

/* An input has several parts where it is of several partitions. */
static bool number_input(struct numbered *numbered, guest_op_context context, guest_string *name, guest_error *error) {
  airlock_io_value_own_source_t source;
  if (!airlock_io_op_run_method_op_context_input(context, name, &source, error)) return false;
  airlock_io_value_option_own_reader_t part;
  bool ok;
  while ((ok = airlock_io_value_method_source_next(airlock_io_value_borrow_source(source), &part, error)) && part.is_some) {
    guest_reader reader = airlock_io_value_borrow_reader(part.val);
    ok = check_type(reader, *name, error) && number_part(numbered, reader, error);
    airlock_io_value_reader_drop_own(part.val);
    if (!ok) break;
  }
  airlock_io_value_source_drop_own(source);
  return ok;
}

static bool number_all(struct numbered *numbered, guest_op_context context, guest_error *error) {
  guest_string type = guest_text(TEXT);
  if (!airlock_io_value_method_sink_begin(numbered->sink, NULL, &type, error)) return false;
  guest_strings inputs;
  airlock_io_op_run_method_op_context_inputs(context, &inputs);
  bool ok = true;
  for (size_t i = 0; ok && i < inputs.len; i++) ok = number_input(numbered, context, &inputs.ptr[i], error);
  airlock_list_string_free(&inputs);
  return ok && flush(numbered, error);
}

bool guest_run(guest_op_context context, guest_error *error) {
  /* The stack has no room for the buffer. */
  static struct numbered numbered;
  guest_string output = guest_text(OUTPUT);
  airlock_io_value_own_sink_t sink;
  if (!airlock_io_op_run_method_op_context_output(context, &output, &sink, error)) return false;
  numbered.sink = airlock_io_value_borrow_sink(sink);
  bool ok = number_all(&numbered, context, error);
  airlock_io_value_sink_drop_own(sink);
  guest_entry entry = guest_entry_int("lines", numbered.lines);
  guest_entries entries = {&entry, 1};
  return ok && airlock_io_op_run_method_op_context_add_output_metadata(context, &output, &entries, error);
}
