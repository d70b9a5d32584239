// What every guest in C++ needs: the bindings in airlock.h as values that clean up after themselves, with std::expected in the
// place of errors that are handed out by address. For C++23; no exceptions are needed. guest.hpp includes it and has the rest.
#ifndef AIRLOCK_COMMON_HPP
#define AIRLOCK_COMMON_HPP

#include "common.h"

#include <algorithm>
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

// A key for the bindings, which take the address of one or nothing. It shows `key`, which must outlive it.
class Key {
public:
  explicit Key(const std::optional<std::string> &key) : present_(key.has_value()), raw_{} {
    if (present_) raw_ = view(*key);
  }
  guest_string *get() { return present_ ? &raw_ : nullptr; }

private:
  bool present_;
  guest_string raw_;
};

} // namespace detail

// A JSON document.
struct Json {
  std::string text;
};

// A text of a further kind: `url`, `path`, `markdown`, …
struct Tagged {
  std::string kind;
  std::string text;
};

struct Entry {
  std::string label;
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Json, Tagged> value;
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
  // The bytes as text, which the chunk must outlive.
  std::string_view text() const { return {reinterpret_cast<const char *>(raw_.ptr), raw_.len}; }

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

// A value to read, part by part. One that the host did not only lend is given back to it.
class Source {
public:
  explicit Source(guest_source lent) : raw_(lent) {}
  explicit Source(airlock_io_value_own_source_t own) : own_(own), raw_(airlock_io_value_borrow_source(own)) {}
  Source(Source &&other) noexcept : own_(std::exchange(other.own_, {})), raw_(other.raw_) {}
  Source &operator=(Source &&) = delete;
  ~Source() {
    if (own_.__handle != 0) airlock_io_value_source_drop_own(own_);
  }

  // The next part; none at the end.
  Result<std::optional<Reader>> next() {
    airlock_io_value_option_own_reader_t part;
    guest_error error;
    if (!airlock_io_value_method_source_next(raw_, &part, &error)) return std::unexpected(Error(error));
    return part.is_some ? std::optional<Reader>(Reader(part.val)) : std::nullopt;
  }

private:
  airlock_io_value_own_source_t own_{};
  guest_source raw_;
};

// A value to write, part by part. One that the host did not only lend is given back to it.
class Sink {
public:
  explicit Sink(guest_sink lent) : raw_(lent) {}
  explicit Sink(airlock_io_value_own_sink_t own) : own_(own), raw_(airlock_io_value_borrow_sink(own)) {}
  Sink(Sink &&other) noexcept : own_(std::exchange(other.own_, {})), raw_(other.raw_) {}
  Sink &operator=(Sink &&) = delete;
  ~Sink() {
    if (own_.__handle != 0) airlock_io_value_sink_drop_own(own_);
  }

  Result<void> begin(const std::optional<std::string> &key, std::string_view media_type) {
    detail::Key raw_key(key);
    guest_string raw_type = detail::view(media_type);
    guest_error error;
    if (!airlock_io_value_method_sink_begin(raw_, raw_key.get(), &raw_type, &error)) return std::unexpected(Error(error));
    return {};
  }
  // Appends all of `bytes`, in chunks as large as the host takes them.
  Result<void> write(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
      auto chunk = bytes.first(std::min<std::size_t>(bytes.size(), chunk_size));
      airlock_list_u8_t raw = {const_cast<std::uint8_t *>(chunk.data()), chunk.size()};
      guest_error error;
      if (!airlock_io_value_method_sink_write(raw_, &raw, &error)) return std::unexpected(Error(error));
      bytes = bytes.subspan(chunk.size());
    }
    return {};
  }
  Result<void> write(std::string_view text) {
    return write({reinterpret_cast<const std::uint8_t *>(text.data()), text.size()});
  }

private:
  airlock_io_value_own_sink_t own_{};
  guest_sink raw_;
};

namespace detail {

// Entries for the bindings. They show `entries`, which must outlive them.
inline std::vector<guest_entry> raw_entries(const std::vector<Entry> &entries) {
  std::vector<guest_entry> raw;
  raw.reserve(entries.size());
  for (const Entry &entry : entries) {
    guest_entry one{};
    one.label = view(entry.label);
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
      one.value.val.text = view(*text);
    } else if (const auto *json = std::get_if<Json>(&entry.value)) {
      one.value.tag = AIRLOCK_IO_TYPES_METADATA_VALUE_JSON;
      one.value.val.json = view(json->text);
    } else if (const auto *tagged = std::get_if<Tagged>(&entry.value)) {
      one.value.tag = AIRLOCK_IO_TYPES_METADATA_VALUE_TAGGED;
      one.value.val.tagged = {view(tagged->kind), view(tagged->text)};
    } else {
      one.value.tag = AIRLOCK_IO_TYPES_METADATA_VALUE_NULL;
    }
    raw.push_back(one);
  }
  return raw;
}

// Copies of the entries that the bindings gave.
inline std::vector<Entry> entries(std::span<const guest_entry> raw) {
  auto text = [](guest_string shown) { return std::string(reinterpret_cast<char *>(shown.ptr), shown.len); };
  std::vector<Entry> entries;
  for (const guest_entry &one : raw) {
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
      entry.value = Json{text(one.value.val.json)};
      break;
    case AIRLOCK_IO_TYPES_METADATA_VALUE_TAGGED:
      entry.value = Tagged{text(one.value.val.tagged.f0), text(one.value.val.tagged.f1)};
      break;
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

} // namespace detail

} // namespace airlock

#endif
