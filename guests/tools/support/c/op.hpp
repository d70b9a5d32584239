// What an op in C++ needs: the context of its call.
//
// An op defines airlock::run. Compile guest.c along: it calls it.
#ifndef AIRLOCK_GUEST_HPP
#define AIRLOCK_GUEST_HPP

#include "common.hpp"
#include "guest.h"

namespace airlock {

// The step that is computed.
class OpContext {
public:
  explicit OpContext(guest_op_context raw) : raw_(raw) {}

  // What has all functions of the contract.
  guest_op_context raw() const { return raw_; }

  // The configuration of the op, a JSON value.
  std::string config() const {
    guest_string text;
    airlock_io_op_run_method_op_context_config(raw_, &text);
    return detail::take(text);
  }
  std::vector<std::string> partition_keys() const { return detail::take(guest_op_keys(raw_)); }
  // The names of the inputs.
  std::vector<std::string> inputs() const {
    guest_strings names;
    airlock_io_op_run_method_op_context_inputs(raw_, &names);
    return detail::take(names);
  }
  // Its parts are loaded as they are asked for.
  Result<Source> input(std::string_view name) const {
    guest_string raw_name = detail::view(name);
    airlock_io_value_own_source_t source;
    guest_error error;
    if (!airlock_io_op_run_method_op_context_input(raw_, &raw_name, &source, &error)) return std::unexpected(Error(error));
    return Source(source);
  }
  // An output in which nothing is begun is skipped.
  Result<Sink> output(std::string_view name) const {
    guest_string raw_name = detail::view(name);
    airlock_io_value_own_sink_t sink;
    guest_error error;
    if (!airlock_io_op_run_method_op_context_output(raw_, &raw_name, &sink, &error)) return std::unexpected(Error(error));
    return Sink(sink);
  }
  Result<void> add_output_metadata(std::string_view output, const std::vector<Entry> &entries) const {
    guest_string name = detail::view(output);
    std::vector<guest_entry> raw = detail::raw_entries(entries);
    guest_entries list = {raw.data(), raw.size()};
    guest_error error;
    if (!airlock_io_op_run_method_op_context_add_output_metadata(raw_, &name, &list, &error))
      return std::unexpected(Error(error));
    return {};
  }

private:
  guest_op_context raw_;
};

// Computes, as airlock:io/op run.
Result<void> run(const OpContext &context);

} // namespace airlock

// One file of the op says this, so that guest.c finds what it calls.
#define AIRLOCK_GUEST()                                                                                                   \
  extern "C" bool guest_run(guest_op_context context, guest_error *error) {                                               \
    auto computed = airlock::run(airlock::OpContext(context));                                                            \
    if (!computed) *error = computed.error().release();                                                                   \
    return computed.has_value();                                                                                          \
  }

#endif
