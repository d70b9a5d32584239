// An I/O manager that keeps each part of a value as a file.

#include "guest.hpp"

#include <cstdio>
#include <memory>

using airlock::Entry;
using airlock::Error;
using airlock::Result;

namespace {

constexpr const char *extension = "bin";
constexpr const char *octets = "application/octet-stream";

struct Close {
  void operator()(std::FILE *file) const { std::fclose(file); }
};
// A stream of the C library: of one of C++ there is no telling why it failed.
using File = std::unique_ptr<std::FILE, Close>;

// Writes one part to a file of its own, chunk by chunk, and gives its size.
Result<std::int64_t> store_part(airlock::Reader &part, const std::string &path) {
  File file(std::fopen(path.c_str(), "wb"));
  if (!file) return std::unexpected(Error::from_errno("write", path));
  std::int64_t size = 0;
  for (;;) {
    auto chunk = part.read();
    if (!chunk) return std::unexpected(std::move(chunk.error()));
    if (chunk->empty()) break;
    if (std::fwrite(chunk->data(), 1, chunk->size(), file.get()) != chunk->size())
      return std::unexpected(Error::from_errno("write", path));
    size += static_cast<std::int64_t>(chunk->size());
  }
  // What is still in the buffer of the file can fail to be written too.
  if (std::fclose(file.release()) != 0) return std::unexpected(Error::from_errno("write", path));
  return size;
}

// Reads the file of a part, chunk by chunk.
Result<void> load_part(std::FILE *file, airlock::Sink &value, const std::string &path) {
  std::vector<std::uint8_t> buffer(airlock::chunk_size);
  while (std::size_t length = std::fread(buffer.data(), 1, buffer.size(), file)) {
    if (auto written = value.write({buffer.data(), length}); !written) return written;
  }
  if (std::ferror(file)) return std::unexpected(Error::from_errno("read", path));
  return {};
}

// The media type that is recorded of the stored part.
std::string recorded_media_type(const airlock::InputContext &context, const std::optional<std::string> &key) {
  for (const Entry &entry : context.stored_metadata(key)) {
    const auto *text = std::get_if<std::string>(&entry.value);
    if (entry.label == "media_type" && text != nullptr) return *text;
  }
  return octets;
}

} // namespace

Result<void> airlock::store(const OutputContext &context, Source value) {
  const auto keys = context.partition_keys();
  int parts = 0;
  std::int64_t size = 0;
  std::string media_type, path;
  for (;; parts++) {
    auto next = value.next();
    if (!next) return std::unexpected(std::move(next.error()));
    if (!*next) break;
    Reader &part = **next;
    if (parts == 0) media_type = part.media_type();
    if (part.media_type() != media_type)
      return std::unexpected(Error::unsupported_type("the parts of the value differ in their media types"));
    auto key = part.key();
    if (!key && keys.size() > 1)
      return std::unexpected(
          Error::unsupported_type("one part without a key stands for " + std::to_string(keys.size()) + " partitions"));
    if (!key && keys.size() == 1) key = keys.front();
    auto place = context.path(key, extension);
    if (!place) return std::unexpected(std::move(place.error()));
    path = *place;
    auto written = store_part(part, path);
    if (!written) return std::unexpected(std::move(written.error()));
    size += *written;
  }
  std::vector<Entry> entries = {{"size", size}};
  if (parts > 0) entries.push_back({"media_type", media_type});
  if (parts == 1) entries.push_back({"path", Tagged{"path", path}});
  return context.add_metadata(entries);
}

Result<void> airlock::load(const InputContext &context, Sink value) {
  std::vector<std::optional<std::string>> keys;
  for (auto &key : context.partition_keys()) keys.emplace_back(std::move(key));
  if (keys.empty()) keys.emplace_back();
  bool absent = false;
  std::vector<std::string> missing;
  for (const auto &key : keys) {
    auto path = context.path(key, extension);
    if (!path) return std::unexpected(std::move(path.error()));
    File file(std::fopen(path->c_str(), "rb"));
    if (file) {
      if (auto begun = value.begin(key, recorded_media_type(context, key)); !begun) return begun;
      if (auto loaded = load_part(file.get(), value, *path); !loaded) return loaded;
    } else if (errno == ENOENT) {
      absent = true;
      if (key) missing.push_back(*key);
    } else {
      return std::unexpected(Error::from_errno("read", *path));
    }
  }
  if (absent && !context.allow_missing()) return std::unexpected(Error::not_found(missing));
  return {};
}

AIRLOCK_GUEST()
