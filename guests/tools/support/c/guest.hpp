// What a guest in C++ needs: the bindings in airlock.h as values that clean up after themselves, with std::expected in the
// place of errors that are handed out by address. For C++23; no exceptions are needed.
//
// A guest defines airlock::store and airlock::load. Compile guest.c along: it calls them.
#ifndef AIRLOCK_GUEST_HPP
#define AIRLOCK_GUEST_HPP

#include "guest.h"

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace airlock {

// How much to read or write at once: the most that the host takes.
inline constexpr std::uint32_t chunk_size = GUEST_CHUNK;

// An error of the contract. It owns its texts.
class Error {
public:
  explicit Error(guest_error raw) : raw_(raw) {}
  Error(Error &&other) noexcept : raw_(other.release()) {}
  Error &operator=(Error &&other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~Error() { airlock_io_types_error_free(&raw_); }

  static Error not_found(const std::vector<std::string> &keys) {
    guest_error raw{};
    raw.tag = AIRLOCK_IO_TYPES_ERROR_NOT_FOUND;
    if (!keys.empty()) {
      auto *list = static_cast<guest_string *>(std::calloc(keys.size(), sizeof(guest_string)));
      if (list == nullptr) std::abort();
      for (std::size_t i = 0; i < keys.size(); i++) airlock_string_dup_n(&list[i], keys[i].data(), keys[i].size());
      raw.val.not_found = {list, keys.size()};
    }
    return Error(raw);
  }
  static Error unsupported_type(const std::string &reason) { return texted(AIRLOCK_IO_TYPES_ERROR_UNSUPPORTED_TYPE, reason); }
  static Error corrupt(const std::string &reason) { return texted(AIRLOCK_IO_TYPES_ERROR_CORRUPT, reason); }
  static Error invalid_config(const std::string &reason) { return texted(AIRLOCK_IO_TYPES_ERROR_INVALID_CONFIG, reason); }
  static Error other(const std::string &reason) { return texted(AIRLOCK_IO_TYPES_ERROR_OTHER, reason); }
  // What errno says of what was done to which file.
  static Error from_errno(const char *doing, const std::string &path) {
    guest_error raw;
    guest_fail_errno(&raw, doing, path.c_str());
    return Error(raw);
  }

  // Hands the error over to whoever frees it.
  guest_error release() { return std::exchange(raw_, guest_error{.tag = AIRLOCK_IO_TYPES_ERROR_NOT_FOUND, .val = {}}); }

private:
  static Error texted(std::uint8_t kind, const std::string &reason) {
    guest_error raw;
    guest_fail(&raw, kind, "%s", reason.c_str());
    return Error(raw);
  }

  guest_error raw_;
};

template <typename T> using Result = std::expected<T, Error>;

namespace detail {

inline guest_string view(std::string_view text) {
  return {reinterpret_cast<std::uint8_t *>(const_cast<char *>(text.data())), text.size()};
}

inline std::string take(guest_string &raw) {
  std::string text(reinterpret_cast<char *>(raw.ptr), raw.len);
  airlock_string_free(&raw);
  return text;
}

inline std::vector<std::string> take(guest_strings raw) {
  std::vector<std::string> texts;
  texts.reserve(raw.len);
  for (std::size_t i = 0; i < raw.len; i++) texts.emplace_back(reinterpret_cast<char *>(raw.ptr[i].ptr), raw.ptr[i].len);
  airlock_list_string_free(&raw);
  return texts;
}

// A key for the bindings, which take the address of one or nothing.
class Key {
public:
  explicit Key(const std::optional<std::string> &key) : present_(key.has_value()), raw_(view(present_ ? *key : "")) {}
  guest_string *get() { return present_ ? &raw_ : nullptr; }

private:
  bool present_;
  guest_string raw_;
};

} // namespace detail

// A text that is more than a text: `url`, `path`, `markdown`, …
struct Tagged {
  std::string kind;
  std::string text;
};

struct Entry {
  std::string label;
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Tagged> value;
};

// Bytes that the host gave. They are freed with it.
class Chunk {
public:
  explicit Chunk(airlock_list_u8_t raw) : raw_(raw) {}
  Chunk(Chunk &&other) noexcept : raw_(std::exchange(other.raw_, {})) {}
  Chunk &operator=(Chunk &&) = delete;
  ~Chunk() { airlock_list_u8_free(&raw_); }

  const std::uint8_t *data() const { return raw_.ptr; }
  std::size_t size() const { return raw_.len; }
  bool empty() const { return raw_.len == 0; }

private:
  airlock_list_u8_t raw_;
};

// One part of a value, read from its start. It is given back to the host with it.
class Reader {
public:
  explicit Reader(airlock_io_value_own_reader_t raw) : raw_(raw) {}
  Reader(Reader &&other) noexcept : raw_(std::exchange(other.raw_, {})) {}
  Reader &operator=(Reader &&) = delete;
  ~Reader() {
    if (raw_.__handle != 0) airlock_io_value_reader_drop_own(raw_);
  }

  std::optional<std::string> key() const {
    guest_string key;
    if (!airlock_io_value_method_reader_key(borrow(), &key)) return std::nullopt;
    return detail::take(key);
  }
  std::string media_type() const {
    guest_string text;
    airlock_io_value_method_reader_media_type(borrow(), &text);
    return detail::take(text);
  }
  std::uint64_t size() const { return airlock_io_value_method_reader_size(borrow()); }
  // The next bytes; none at the end.
  Result<Chunk> read(std::uint32_t max = chunk_size) {
    airlock_list_u8_t bytes;
    guest_error error;
    if (!airlock_io_value_method_reader_read(borrow(), max, &bytes, &error)) return std::unexpected(Error(error));
    return Chunk(bytes);
  }

private:
  guest_reader borrow() const { return airlock_io_value_borrow_reader(raw_); }

  airlock_io_value_own_reader_t raw_;
};

// A value to read, part by part.
class Source {
public:
  explicit Source(guest_source raw) : raw_(raw) {}

  // The next part; none at the end.
  Result<std::optional<Reader>> next() {
    airlock_io_value_option_own_reader_t part;
    guest_error error;
    if (!airlock_io_value_method_source_next(raw_, &part, &error)) return std::unexpected(Error(error));
    return part.is_some ? std::optional<Reader>(Reader(part.val)) : std::nullopt;
  }

private:
  guest_source raw_;
};

// A value to write, part by part.
class Sink {
public:
  explicit Sink(guest_sink raw) : raw_(raw) {}

  Result<void> begin(const std::optional<std::string> &key, std::string_view media_type) {
    detail::Key raw_key(key);
    guest_string raw_type = detail::view(media_type);
    guest_error error;
    if (!airlock_io_value_method_sink_begin(raw_, raw_key.get(), &raw_type, &error)) return std::unexpected(Error(error));
    return {};
  }
  // At most `chunk_size` bytes.
  Result<void> write(std::span<const std::uint8_t> bytes) {
    airlock_list_u8_t raw = {const_cast<std::uint8_t *>(bytes.data()), bytes.size()};
    guest_error error;
    if (!airlock_io_value_method_sink_write(raw_, &raw, &error)) return std::unexpected(Error(error));
    return {};
  }

private:
  guest_sink raw_;
};

// The output that is stored.
class OutputContext {
public:
  explicit OutputContext(guest_output_context raw) : raw_(raw) {}

  std::vector<std::string> partition_keys() const { return detail::take(guest_output_keys(raw_)); }
  // The path of a part below /data; its directories are made.
  Result<std::string> path(const std::optional<std::string> &key, const char *extension) const {
    detail::Key raw_key(key);
    guest_error error;
    char *path = guest_output_path(raw_, raw_key.get(), extension, &error);
    if (path == nullptr) return std::unexpected(Error(error));
    std::string text(path);
    std::free(path);
    return text;
  }
  Result<void> add_metadata(const std::vector<Entry> &entries) const;

private:
  guest_output_context raw_;
};

// The input that is loaded.
class InputContext {
public:
  explicit InputContext(guest_input_context raw) : raw_(raw) {}

  std::vector<std::string> partition_keys() const { return detail::take(guest_input_keys(raw_)); }
  bool allow_missing() const { return airlock_io_context_method_input_context_allow_missing(raw_); }
  // The path below /data where a part was stored.
  Result<std::string> path(const std::optional<std::string> &key, const char *extension) const {
    detail::Key raw_key(key);
    guest_error error;
    char *path = guest_input_path(raw_, raw_key.get(), extension, &error);
    if (path == nullptr) return std::unexpected(Error(error));
    std::string text(path);
    std::free(path);
    return text;
  }
  // What is recorded of a stored part; nothing where nothing is.
  std::vector<Entry> stored_metadata(const std::optional<std::string> &key) const;

private:
  guest_input_context raw_;
};

// Stores a value, as airlock:io/output handle-output.
Result<void> store(const OutputContext &context, Source value);
// Loads a value, as airlock:io/input load-input.
Result<void> load(const InputContext &context, Sink value);

inline Result<void> OutputContext::add_metadata(const std::vector<Entry> &entries) const {
  std::vector<guest_entry> raw;
  raw.reserve(entries.size());
  for (const Entry &entry : entries) {
    guest_entry one{};
    one.label = detail::view(entry.label);
    if (const auto *flag = std::get_if<bool>(&entry.value)) {
      one.value.tag = AIRLOCK_IO_TYPES_METADATA_VALUE_BOOLEAN;
      one.value.val.boolean = *flag;
    } else if (const auto *number = std::get_if<std::int64_t>(&entry.value)) {
      one.value.tag = AIRLOCK_IO_TYPES_METADATA_VALUE_INT;
      one.value.val.int_ = *number;
    } else if (const auto *real = std::get_if<double>(&entry.value)) {
      one.value.tag = AIRLOCK_IO_TYPES_METADATA_VALUE_FLOAT;
      one.value.val.float_ = *real;
    } else if (const auto *text = std::get_if<std::string>(&entry.value)) {
      one.value.tag = AIRLOCK_IO_TYPES_METADATA_VALUE_TEXT;
      one.value.val.text = detail::view(*text);
    } else if (const auto *tagged = std::get_if<Tagged>(&entry.value)) {
      one.value.tag = AIRLOCK_IO_TYPES_METADATA_VALUE_TAGGED;
      one.value.val.tagged = {detail::view(tagged->kind), detail::view(tagged->text)};
    } else {
      one.value.tag = AIRLOCK_IO_TYPES_METADATA_VALUE_NULL;
    }
    raw.push_back(one);
  }
  guest_entries list = {raw.data(), raw.size()};
  guest_error error;
  if (!airlock_io_context_method_output_context_add_metadata(raw_, &list, &error)) return std::unexpected(Error(error));
  return {};
}

inline std::vector<Entry> InputContext::stored_metadata(const std::optional<std::string> &key) const {
  detail::Key raw_key(key);
  airlock_io_context_own_stored_output_t stored;
  if (!airlock_io_context_method_input_context_upstream(raw_, raw_key.get(), &stored)) return {};
  guest_entries raw;
  airlock_io_context_method_stored_output_stored_metadata(airlock_io_context_borrow_stored_output(stored), &raw);
  auto text = [](guest_string shown) { return std::string(reinterpret_cast<char *>(shown.ptr), shown.len); };
  std::vector<Entry> entries;
  for (const guest_entry &one : std::span(raw.ptr, raw.len)) {
    Entry entry{text(one.label), std::monostate()};
    switch (one.value.tag) {
    case AIRLOCK_IO_TYPES_METADATA_VALUE_BOOLEAN:
      entry.value = one.value.val.boolean;
      break;
    case AIRLOCK_IO_TYPES_METADATA_VALUE_INT:
      entry.value = one.value.val.int_;
      break;
    case AIRLOCK_IO_TYPES_METADATA_VALUE_FLOAT:
      entry.value = one.value.val.float_;
      break;
    case AIRLOCK_IO_TYPES_METADATA_VALUE_TEXT:
      entry.value = text(one.value.val.text);
      break;
    case AIRLOCK_IO_TYPES_METADATA_VALUE_JSON:
      entry.value = Tagged{"json", text(one.value.val.json)};
      break;
    case AIRLOCK_IO_TYPES_METADATA_VALUE_TAGGED:
      entry.value = Tagged{text(one.value.val.tagged.f0), text(one.value.val.tagged.f1)};
      break;
    }
    entries.push_back(std::move(entry));
  }
  airlock_io_context_list_metadata_entry_free(&raw);
  airlock_io_context_stored_output_drop_own(stored);
  return entries;
}

} // namespace airlock

// One file of the guest says this, so that guest.c finds what it calls.
#define AIRLOCK_GUEST()                                                                                                   \
  extern "C" bool guest_store(guest_output_context context, guest_source value, guest_error *error) {                     \
    auto stored = airlock::store(airlock::OutputContext(context), airlock::Source(value));                                \
    if (!stored) *error = stored.error().release();                                                                       \
    return stored.has_value();                                                                                            \
  }                                                                                                                       \
  extern "C" bool guest_load(guest_input_context context, guest_sink value, guest_error *error) {                         \
    auto loaded = airlock::load(airlock::InputContext(context), airlock::Sink(value));                                    \
    if (!loaded) *error = loaded.error().release();                                                                       \
    return loaded.has_value();                                                                                            \
  }

#endif
