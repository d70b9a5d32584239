// What an I/O manager in C++ needs: the contexts of its calls.
//
// A manager defines airlock::store and airlock::load. Compile guest.c along: it calls them.
#ifndef AIRLOCK_GUEST_HPP
#define AIRLOCK_GUEST_HPP

#include "common.hpp"
#include "guest.h"

namespace airlock {

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
  std::vector<guest_entry> raw = detail::raw_entries(entries);
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
  std::vector<Entry> entries = detail::entries({raw.ptr, raw.len});
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
