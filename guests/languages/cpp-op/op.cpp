// An op that gives the lines of its inputs, each with its number.

#include "guest.hpp"

using airlock::Error;
using airlock::Result;

namespace {

constexpr std::string_view text_type = "text/plain";

// Numbers the lines of a part, chunk by chunk. `lines` counts on.
Result<void> number(airlock::Reader &part, airlock::Sink &output, std::int64_t &lines) {
  bool within = false;
  std::string numbered;
  for (;;) {
    // Of a chunk that is all line breaks comes ten times as much.
    auto chunk = part.read(1 << 16);
    if (!chunk) return std::unexpected(std::move(chunk.error()));
    if (chunk->empty()) break;
    numbered.clear();
    for (std::string_view rest = chunk->text(); !rest.empty();) {
      const auto newline = rest.find('\n');
      if (!within) numbered.append(std::to_string(++lines)).append("\t");
      within = newline == std::string_view::npos;
      const auto length = within ? rest.size() : newline + 1;
      numbered.append(rest.substr(0, length));
      rest.remove_prefix(length);
    }
    if (auto written = output.write(numbered); !written) return written;
  }
  return within ? output.write("\n") : Result<void>();
}

} // namespace

Result<void> airlock::run(const OpContext &context) {
  auto output = context.output("result");
  if (!output) return std::unexpected(std::move(output.error()));
  if (auto begun = output->begin(std::nullopt, text_type); !begun) return begun;
  std::int64_t lines = 0;
  for (const std::string &name : context.inputs()) {
    auto input = context.input(name);
    if (!input) return std::unexpected(std::move(input.error()));
    // An input has several parts where it is of several partitions.
    for (;;) {
      auto part = input->next();
      if (!part) return std::unexpected(std::move(part.error()));
      if (!*part) break;
      if (const auto type = (*part)->media_type(); type != text_type)
        return std::unexpected(Error::unsupported_type("the input `" + name + "` is of the type " + type + ", and not " +
                                                       std::string(text_type)));
      if (auto numbered = number(**part, *output, lines); !numbered) return numbered;
    }
  }
  return context.add_output_metadata("result", {{"lines", lines}});
}

AIRLOCK_GUEST()
