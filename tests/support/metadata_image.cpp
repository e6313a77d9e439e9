#include "tests/support/metadata_image.hpp"

#include <dirent.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace replicator::test {

namespace {

const std::string folder = "tests/fixtures/metadata/";

}  // namespace

std::vector<std::string> metadata_image_names() {
  std::vector<std::string> names;
  DIR* const entries = opendir(folder.c_str());
  if (entries == nullptr) return names;
  while (const dirent* entry = readdir(entries)) {
    const std::string file = entry->d_name;
    if (file.ends_with(".gz") && !file.ends_with(".applied.gz")) {
      names.push_back(file.substr(0, file.size() - 3));
    }
  }
  closedir(entries);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::byte> metadata_image(const std::string& name) {
  std::vector<std::byte> bytes(image_tail_bytes);
  gzFile file = gzopen((folder + name + ".gz").c_str(), "rb");
  if (file == nullptr) return {};
  const int got = gzread(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  bytes.resize(static_cast<std::size_t>(std::max(got, 0)));
  return bytes;
}

std::string metadata_dump(const std::string& name) {
  std::ifstream in(folder + name + ".dump-md.txt");
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

Status MemoryMetaDevice::read(std::uint64_t offset, Bytes into) {
  if (offset > size_ || into.size() > size_ - offset) return Status(Fault::out_of_range, "read");
  for (std::size_t i = 0; i < into.size(); ++i) {
    const std::uint64_t at = offset + i;
    into[i] = at < begin() ? std::byte{0} : tail_[static_cast<std::size_t>(at - begin())];
  }
  return Status();
}

Status MemoryMetaDevice::write(std::uint64_t offset, ConstBytes from) {
  if (offset < begin() || offset > size_ || from.size() > size_ - offset) {
    return Status(Fault::out_of_range, "write");
  }
  const bool cut = writes_left && writes >= *writes_left;
  const std::uint64_t arrives = !cut ? ~0ULL : writes == *writes_left ? torn : 0;
  ++writes;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (((arrives >> (i / 512 % 64)) & 1U) == 0) continue;
    tail_[static_cast<std::size_t>(offset - begin()) + i] = from[i];
  }
  return cut ? Status(Fault::io_error, "write", 5) : Status();
}

Status MemoryMetaDevice::zero(std::uint64_t offset, std::uint64_t length) {
  const std::vector<std::byte> zeros(static_cast<std::size_t>(length), std::byte{0});
  return write(offset, zeros);
}

}  // namespace replicator::test
